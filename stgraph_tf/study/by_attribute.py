"""Where a study's graphs help: average precision by the classes' attributes (Figure 5).

As `stgraph_tf.evaluation.error_analysis` has it for two models, with each class's average precision
being its mean over the seeds. What a group gains is paired by seed, so that its standard error
tells how far other seeds would differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from stgraph_tf.evaluation import attributes, error_analysis
from stgraph_tf.evaluation.error_analysis import AttributeResult
from stgraph_tf.study import results as measured
from stgraph_tf.study.results import Result, Spread
from stgraph_tf.study.rows import REFERENCE, ROWS

COMPARED = "joint"


class Comparison(NamedTuple):
    """The baseline and the row with both graphs by one attribute.

    Attributes:
        result: mean average precision in [0, 1] over a group's classes, each the mean over the
            seeds; its standard error is that over classes.
        gains: of the row with graphs over the baseline, a group's each, in percent.
        seeds: those that both have.
    """

    result: AttributeResult
    gains: tuple[Spread, ...]
    seeds: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        """`AttributeResult.to_json`, and each group's gain."""
        value = self.result.to_json()
        for group, gain in zip(value["groups"], self.gains, strict=True):
            group["gain"] = gain.mean / 100
            error = gain.standard_error
            group["gain_standard_error"] = None if error is None else error / 100
        return {**value, "seeds": list(self.seeds)}


def compare(
    results: Sequence[Result], class_attributes: Mapping[str, np.ndarray]
) -> list[Comparison]:
    """Compares the baseline with the row `COMPARED`; nothing when no seed has both.

    Args:
        results: of a study.
        class_attributes: see `attributes.read_class_attributes`; its columns of Figure 5 count.

    Raises:
        ValueError: there is none of these columns.
    """
    by_row = {
        row: {result.seed: _precisions(result) for result in results if result.row == row}
        for row in (REFERENCE, COMPARED)
    }
    seeds = sorted(by_row[REFERENCE].keys() & by_row[COMPARED].keys())
    if not seeds:
        return []
    # [S, C] of each row.
    precisions = {row: np.stack([of_row[seed] for seed in seeds]) for row, of_row in by_row.items()}
    bins = error_analysis.choose_bins(class_attributes, {})
    compared = (
        _compare(name, class_attributes[name], how, precisions, tuple(seeds))
        for name, how in bins.items()
    )
    return [comparison for comparison in compared if comparison.result.groups]


def table(comparisons: Sequence[Comparison]) -> str:
    """A Markdown table, in percent, the gain with its standard error over the seeds."""
    lines = [
        f"| attribute | | classes | `{REFERENCE}` | `{COMPARED}` | gain |",
        "|---|---|---|---|---|---|",
    ]
    for result, gains, _ in comparisons:
        base, graphs = result.mean_ap.values()
        for place, group in enumerate(result.groups):
            cells = [
                "" if place else result.title,
                group,
                str(result.counts[place]),
                f"{100 * base[place]:.1f}",
                f"{100 * graphs[place]:.1f}",
                measured.signed(gains[place]),
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _precisions(result: Result) -> np.ndarray:
    return np.array([np.nan if ap is None else ap for ap in result.classes.values()])


def _compare(
    name: str,
    values: np.ndarray,
    bins: attributes.Bins,
    precisions: Mapping[str, np.ndarray],
    seeds: tuple[int, ...],
) -> Comparison:
    means = {ROWS[row].title: of_seeds.mean(axis=0) for row, of_seeds in precisions.items()}
    result = error_analysis.by_class(means, name, values, bins)
    difference = 100 * (precisions[COMPARED] - precisions[REFERENCE])
    # Classes that no video shows are in no group.
    groups = attributes.group(np.where(np.isnan(difference[0]), np.nan, values), bins)
    gains = []
    for group in result.groups:
        of_group = difference[:, groups.members == groups.names.index(group)]
        gains.append(measured.spread(of_group.mean(axis=1).tolist()))
    return Comparison(result, tuple(gains), seeds)
