"""The folder of a study.

study.json            the data that its runs are trained on; others are refused
seedN/backbone_ROW/   the first part of a seed's runs: workdir, metrics.json, train.log, run.json
seedN/ROW/            a row, the same
results.json          every row and seed, and means
results.md            the table
rows.png              the chart
error_analysis.*      mAP by the classes' attributes (Figure 5)
"""

import os
from collections.abc import Sequence

from stgraph_tf import files, program
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.evaluation import attribute_plot, attributes
from stgraph_tf.study import by_attribute, chart, results, runner, tables
from stgraph_tf.study.by_attribute import Comparison
from stgraph_tf.study.plan import Budget, Run
from stgraph_tf.study.results import Result


class StudyFolder:
    """What a study writes, beside what its runs do.

    Args:
        path: the folder.
        data: the data set's.
        runs: of the study.
        budget: steps of each row.
        command: that was typed.
        jobs: runs side by side.
        attributes_file: the CSV file of the classes' attributes; that in `data` if None.

    Raises:
        ValueError: there is no such data set or file, or the study was begun with other data.
    """

    def __init__(
        self,
        path: str,
        data: str,
        runs: Sequence[Run],
        budget: Budget,
        command: str,
        jobs: int,
        attributes_file: str | None = None,
    ):
        self._path = path
        self._runs = runs
        self._budget = budget
        self._command = command
        self._jobs = jobs
        info = DatasetInfo.load(data)
        self._attributes = attributes.of_data_set(data, attributes_file, info.labels) or {}
        self._check_data(data, info)

    def write_tables(self) -> str:
        """Writes `results.json` and `results.md`, of what is complete; returns the latter.

        While nothing is, files that are there stay: other settings may be about to be refused.
        """
        found, study = results.collect(self._runs), self._study()
        text = tables.markdown(found, study, self._comparisons(found))
        if not found:
            return text
        results.write_json(os.path.join(self._path, "results.json"), found, study)
        with files.atomic_writer(os.path.join(self._path, "results.md")) as file:
            file.write(text)
        return text

    def write_charts(self) -> None:
        """Writes `rows.png`, and `error_analysis.png` and `.json` where there are attributes."""
        found = results.collect(self._runs)
        if found:
            chart.write_png(os.path.join(self._path, "rows.png"), found)
        comparisons = self._comparisons(found)
        if comparisons:
            path = os.path.join(self._path, "error_analysis")
            files.write_json(f"{path}.json", [comparison.to_json() for comparison in comparisons])
            attribute_plot.write_png(f"{path}.png", [each.result for each in comparisons])

    def _comparisons(self, found: Sequence[Result]) -> list[Comparison]:
        return by_attribute.compare(found, self._attributes) if self._attributes else []

    def _study(self) -> dict:
        return {
            "command": self._command,
            "jobs": self._jobs,
            "cores": program.num_cores(),
            "seconds": sum(runner.seconds_spent(run) for run in self._runs),
            "steps": self._budget._asdict(),
        }

    def _check_data(self, data: str, info: DatasetInfo) -> None:
        now = {
            "labels": list(info.labels),
            "made_by": {
                split: info.made_by[split] for split in ("train", "validation")
                if split in info.made_by
            },
        }  # fmt: skip
        path = os.path.join(self._path, "study.json")
        if not os.path.exists(path):
            files.write_json(path, {"data": now})
        elif files.read_json(path)["data"] != now:
            raise ValueError(
                f"{self._path} was begun with other data than {data} holds now; "
                "give another --output"
            )
