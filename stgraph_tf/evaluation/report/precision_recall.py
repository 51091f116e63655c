"""The section of precision-recall curves: every class, their mean, the best and the worst."""

import numpy as np

from stgraph_tf.evaluation.report import numbers
from stgraph_tf.evaluation.report.axes import Axes, legend, shares
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.viz.markup import Markup, element

_RECALLS = np.arange(1, 101) / 100
_NUM_HIGHLIGHTED = 2


def curves(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """The precision of each class at recalls of 1 %, 2 %, ..., 100 %.

    Precision at a recall is that at the first rank which reaches the recall. Ranks are those of
    the average precision: equal scores keep the order of the videos.

    Args:
        labels: `[V, C]` of zeros and ones.
        scores: `[V, C]`.

    Returns:
        float64 `[C, 100]`, NaN for classes that no video shows.
    """
    result = np.full((labels.shape[1], len(_RECALLS)), np.nan)
    for index, (shown, column) in enumerate(zip(labels.T, scores.T, strict=True)):
        ranks = 1 + np.flatnonzero(shown[np.argsort(-column, kind="stable")])
        if len(ranks):
            precision = np.arange(1, len(ranks) + 1) / ranks
            needed = np.ceil(_RECALLS * len(ranks) - 1e-9).astype(int)
            result[index] = precision[needed - 1]
    return result


def section(inputs: Inputs) -> Markup:
    """The curves, with the names of the classes where the pointer is."""
    scored = inputs.scored
    known = scored.labels.any(axis=1)
    precisions = curves(scored.labels[known], scored.scores[known])
    rows = inputs.measures["classes"]
    measured = [index for index, row in enumerate(rows) if row["AP"] is not None]
    order = sorted(measured, key=lambda index: -rows[index]["AP"])
    number = min(_NUM_HIGHLIGHTED, len(order) // 3)
    highlighted = dict.fromkeys(order[:number], "best")
    highlighted |= dict.fromkeys(order[len(order) - number :], "worst")

    axes = Axes((0, 1), (0, 1))
    lines = [
        _curve(axes, precisions[index], rows[index], highlighted.get(index, "faint"))
        for index in sorted(measured, key=lambda index: index in highlighted)
    ]
    mean = np.mean(precisions[measured], axis=0)
    lines.append(element("path", d=axes.path(_RECALLS, mean), class_="line mean"))
    plot = axes.svg(
        element("g", *lines, style=f"--faint:{_faintness(len(lines)):.2f}"),
        description=f"Precision over recall of {numbers.count(len(measured), 'class', 'classes')} "
        f"and their mean, which begins at {numbers.percent(mean[0])} and ends at "
        f"{numbers.percent(mean[-1])}",
        x_label="recall, %",
        y_label="precision, %",
        x_ticks=shares(),
        y_ticks=shares(),
    )
    hint = element(
        "output", "Point at a curve, or tap it, for its class.", class_="curve-name", hidden=True
    )
    return element(
        "section",
        element("h2", "Precision and recall"),
        element("p", "A thin line a class, the bold one is their mean.", class_="about"),
        plot,
        hint,
        legend([("mean", "mean of the classes"), *_named(rows, highlighted)]),
    )


def _faintness(num_lines: int) -> float:
    """The opacity of a class's line: the more there are, the less."""
    return min(0.5, max(0.12, 12 / num_lines))


def _curve(axes: Axes, precision: np.ndarray, row: dict, kind: str) -> Markup:
    name = f"{row['label']}, AP {numbers.percent(row['AP'])}"
    path = axes.path(_RECALLS, precision)
    # The wide line that nobody sees is what the pointer finds.
    return element(
        "g",
        element("title", name),
        element("path", d=path, class_=f"line {kind}"),
        element("path", d=path, class_="touch"),
        class_="curve",
    )


def _named(rows: list[dict], highlighted: dict[int, str]) -> list[tuple[str, str]]:
    words = {"best": "of the best", "worst": "of the worst"}
    return [
        (kind, f"{words[kind]}: {rows[index]['label']}, {numbers.percent(rows[index]['AP'])}")
        for index, kind in highlighted.items()
    ]
