"""A study's results as Markdown: the rows beside the paper's, and every class."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stgraph_tf.study import by_attribute
from stgraph_tf.study import results as measured
from stgraph_tf.study.by_attribute import Comparison
from stgraph_tf.study.results import MEASURE_TITLES, Result
from stgraph_tf.study.rows import REFERENCE, ROWS


def markdown(
    results: Sequence[Result], study: Mapping[str, Any], comparisons: Sequence[Comparison] = ()
) -> str:
    """What `results.md` holds: the tables, and how they were made."""
    if not results:
        return "No row is complete yet.\n"
    parts = [rows_table(results, measure) for measure in measured.measure_names(results)]
    parts.append(_notes(study))
    if comparisons:
        parts.append(by_attribute.table(comparisons))
    parts.append(classes_table(results))
    return "\n\n".join(parts) + "\n"


def rows_table(results: Sequence[Result], measure: str) -> str:
    """A line for each row: the paper's value and ours, and what each gains over the baseline."""
    name, base = MEASURE_TITLES[measure], measured.paper_value(ROWS[REFERENCE], measure)
    lines = [
        f"| row | {name}, paper | gain | {name}, ours | gain | seeds |",
        "|---|---|---|---|---|---|",
    ]
    for row in measured.rows_of(results):
        paper = measured.paper_value(row, measure)
        ours = measured.spread(list(measured.values(results, row.name, measure).values()))
        cells = [
            f"{row.title} (`{row.name}`)",
            _number(paper),
            "" if row.name == REFERENCE else _number(paper and base and paper - base, signed=True),
            f"{ours.mean:.1f}" + ("" if ours.deviation is None else f" ± {ours.deviation:.1f}"),
            measured.signed(measured.gain(results, row.name, measure)),
            str(ours.count),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def classes_table(results: Sequence[Result]) -> str:
    """AP of every class for every row, in percent, the mean over the seeds."""
    rows = measured.rows_of(results)
    means = {row.name: measured.class_means(results, row.name) for row in rows}
    lines = [
        f"| class, AP in % | {' | '.join(f'`{name}`' for name in means)} |",
        f"|---{'|---' * len(means)}|",
    ]
    for label in means[rows[0].name]:
        cells = [
            "-" if math.isnan(of_row[label]) else f"{of_row[label]:.1f}"
            for of_row in means.values()
        ]
        lines.append(f"| {label} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _notes(study: Mapping[str, Any]) -> str:
    steps = study["steps"]
    minutes = study["seconds"] / 60
    return (
        "All in percent. Ours: mean over the seeds and their sample standard deviation; the gain "
        f"over `{REFERENCE}` is paired by seed, with its standard error. Each row: "
        f"{steps['backbone']} steps of the backbone, whose checkpoint the rows of a seed share, "
        f"then {steps['graph']} + {steps['joint']} more.\n\n"
        f"{minutes:.0f} minutes of processes, {study['jobs']} at a time, on {study['cores']} "
        f"cores:\n\n    {study['command']}"
    )


def _number(value: float | None, *, signed: bool = False) -> str:
    if value is None:
        return "-"
    return f"{value:+.1f}" if signed else f"{value:.1f}"
