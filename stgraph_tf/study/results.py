"""What a study found: each row's measure over the seeds, and its gain over the baseline."""

import math
import os
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stgraph_tf import files
from stgraph_tf.study import runner
from stgraph_tf.study.plan import Run
from stgraph_tf.study.rows import REFERENCE, ROWS, Row

MEASURE_TITLES = {"mAP": "mAP", "top1": "top-1", "top5": "top-5"}


class Spread(NamedTuple):
    """Values of several seeds.

    Attributes:
        mean: of them.
        deviation: the sample standard deviation; None for a single one.
        count: how many there are.
    """

    mean: float
    deviation: float | None
    count: int  # type: ignore[assignment]

    @property
    def standard_error(self) -> float | None:
        """Of the mean; None for a single value."""
        return None if self.deviation is None else self.deviation / math.sqrt(self.count)


class Result(NamedTuple):
    """What one row reached with one seed.

    Attributes:
        row: its name.
        seed: of weights and data.
        measures: `mAP`, or `top1` and `top5`, in [0, 1]; the first is the headline.
        classes: AP by label, in [0, 1]; None for a class without videos.
        seconds: of the second part, training and evaluation.
        steps: of both parts.
    """

    row: str
    seed: int
    measures: Mapping[str, float]
    classes: Mapping[str, float | None]
    seconds: float
    steps: int


def collect(runs: Sequence[Run]) -> list[Result]:
    """The results of the runs that are complete; a row's, not those of the backbones."""
    results = []
    for run in runs:
        if run.row is None or not runner.is_complete(run):
            continue
        measured = files.read_json(os.path.join(run.folder, runner.METRICS_FILE))
        measures = {name: measured[name] for name in ("mAP", "top1", "top5") if name in measured}
        classes = {line["label"]: line["AP"] for line in measured["classes"]}
        seconds = runner.seconds_spent(run)
        results.append(Result(run.row, run.seed, measures, classes, seconds, run.steps))
    return results


def measure_names(results: Sequence[Result]) -> list[str]:
    """What was measured: ["mAP"], or ["top1", "top5"]."""
    return list(results[0].measures) if results else []


def spread(values: Sequence[float]) -> Spread:
    """Mean and sample standard deviation."""
    deviation = statistics.stdev(values) if len(values) > 1 else None
    return Spread(statistics.fmean(values), deviation, len(values))


def values(results: Sequence[Result], row: str, measure: str) -> dict[int, float]:
    """A measure of a row by seed, in percent."""
    return {result.seed: 100 * result.measures[measure] for result in results if result.row == row}


def paired_gains(results: Sequence[Result], row: str, measure: str) -> list[float]:
    """How much more a row has than the baseline with the same seed, in percent, by seed.

    Nothing for the baseline itself, and for seeds that one of them lacks.
    """
    if row == REFERENCE:
        return []
    ours, base = values(results, row, measure), values(results, REFERENCE, measure)
    return [ours[seed] - base[seed] for seed in ours if seed in base]


def gain(results: Sequence[Result], row: str, measure: str) -> Spread | None:
    """The spread of `paired_gains`; None without any."""
    paired = paired_gains(results, row, measure)
    return spread(paired) if paired else None


def signed(gain: Spread | None) -> str:
    """A gain with its standard error, as text: `+4.4 ± 0.3`."""
    if gain is None:
        return ""
    error = gain.standard_error
    return f"{gain.mean:+.1f}" + ("" if error is None else f" ± {error:.1f}")


def rows_of(results: Sequence[Result]) -> list[Row]:
    """The rows that have results, in the paper's order."""
    present = {result.row for result in results}
    return [row for row in ROWS.values() if row.name in present]


def class_means(results: Sequence[Result], row: str) -> dict[str, float]:
    """AP by label, the mean over a row's seeds, in percent; NaN for a class without videos."""
    of_seeds = [result.classes for result in results if result.row == row]
    return {
        label: float(np.mean([100 * _number(ap[label]) for ap in of_seeds]))
        for label in of_seeds[0]
    }


def _number(ap: float | None) -> float:
    return math.nan if ap is None else ap


def to_json(results: Sequence[Result], study: Mapping[str, Any]) -> dict[str, Any]:
    """What `results.json` holds: the study's settings, a summary, and every row and seed."""
    summary: dict[str, dict[str, Any]] = {}
    for row in rows_of(results):
        for measure in measure_names(results):
            over_seeds = spread(list(values(results, row.name, measure).values()))
            difference = gain(results, row.name, measure)
            summary.setdefault(row.name, {})[measure] = {
                "paper": paper_value(row, measure),
                "mean": over_seeds.mean,
                "standard_deviation": over_seeds.deviation,
                "seeds": over_seeds.count,
                "gain": difference and difference.mean,
                "gain_standard_error": difference and difference.standard_error,
            }
    return {
        "study": dict(study),
        "percent": summary,
        "results": [result._asdict() for result in results],
    }


def paper_value(row: Row, measure: str) -> float | None:
    """What the paper reports, in percent; None where it does not."""
    return {"mAP": row.mean_ap, "top1": row.top1, "top5": row.top5}[measure]


def write_json(path: str, results: Sequence[Result], study: Mapping[str, Any]) -> None:
    """Writes `results.json`."""
    files.write_json(path, to_json(results, study))
