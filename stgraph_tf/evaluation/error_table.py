"""The error analysis as text for a terminal."""

from collections.abc import Mapping, Sequence

import numpy as np

from stgraph_tf.evaluation import metrics
from stgraph_tf.evaluation.error_analysis import AttributeResult
from stgraph_tf.evaluation.metrics import ClassSize
from stgraph_tf.evaluation.score_files import ScoredVideos

_SINGULAR = {"classes": "class", "videos": "video"}


def overall(
    models: Mapping[str, ScoredVideos], class_size: ClassSize | None = None
) -> dict[str, float]:
    """Each model's mean average precision over all videos, in [0, 1]."""
    return {
        name: metrics.mean_average_precision(videos.labels, videos.scores, class_size=class_size)[0]
        for name, videos in models.items()
    }


def table(
    models: Mapping[str, ScoredVideos],
    results: Sequence[AttributeResult],
    class_size: ClassSize | None = None,
) -> str:
    """The results as text for a terminal, in per cent; gains are over the first model.

    Args:
        models: as `analyse` takes them; their mean average precision is the first line.
        results: what `analyse` returned for them.
        class_size: as `analyse` was given.
    """
    names = list(models)
    gains = ["gain"] if len(names) == 2 else [f"gain of {name}" for name in names[1:]]
    rows = [["attribute", "group", "members", *names, *gains]]
    labels = np.asarray(next(iter(models.values())).labels)
    figures = list(overall(models, class_size).values())
    rows.append(["all", "", _count(int(labels.any(axis=0).sum()), "classes"), *_cells(figures)])
    for result in results:
        for place, group in enumerate(result.groups):
            figures = [result.mean_ap[name][place] for name in names]
            title = "" if place else result.title
            members = _count(result.counts[place], result.unit)
            rows.append([title, group, members, *_cells(figures)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    notes = [note for result in results for note in _notes(result)]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def _count(number: int, unit: str) -> str:
    return f"1 {_SINGULAR[unit]}" if number == 1 else f"{number} {unit}"


def _cells(figures: Sequence[float]) -> list[str]:
    gains = [f"{100 * (figure - figures[0]):+.1f}" for figure in figures[1:]]
    return [*(f"{100 * figure:.1f}" for figure in figures), *gains]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """Text to the left, figures to the right."""
    return [
        cell.ljust(width) if column < 2 else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _notes(result: AttributeResult) -> list[str]:
    notes = []
    if result.empty_groups:
        names = ", ".join(result.empty_groups)
        notes.append(f"{result.title}: without {result.unit}, so left out: {names}")
    if result.num_unknown:
        number = _count(result.num_unknown, result.unit)
        notes.append(f"{result.title}: without a value, so left out: {number}")
    return notes
