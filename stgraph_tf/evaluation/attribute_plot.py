"""The picture of the error analysis: models side by side, one panel an attribute (Figure 5)."""

from collections.abc import Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stgraph_tf import files
from stgraph_tf.evaluation.error_analysis import AttributeResult

_COLUMNS = 3
# Inches of a page's column, and of one row of panels, its legend apart.
_WIDTH, _ROW_HEIGHT, _LEGEND_HEIGHT = 6.0, 2.1, 0.3
_DPI = 200

# Models are told apart by colour (Okabe and Ito's, for all kinds of colour vision), marker and
# line, so that a print in grey is read as well. The first model, the baseline, is dashed.
_COLORS = ("#4d4d4d", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#a67c00", "#56b4e9")
_MARKERS = "soD^vPX"
_QUIET = "#555555"
# Models stand side by side, so that no error bar lies on another: the step between neighbours, as a
# share of the panel's width, and the most that all steps may take of the distance of two groups.
_STEP, _MAX_SPREAD = 0.04, 0.5


def figure(results: Sequence[AttributeResult]) -> Figure:
    """Draws a panel an attribute, three a row: mean average precision over its groups.

    Bars are standard errors; how many classes or videos a group has stands below its name.

    Args:
        results: of the same models, see `error_analysis.analyse`.

    Raises:
        ValueError: there is no result, or results are not of the same models.
    """
    models = _models(results)
    num_rows, num_columns = -(-len(results) // _COLUMNS), min(len(results), _COLUMNS)
    width = _WIDTH * num_columns / _COLUMNS
    # A dollar sign in a model's name is no formula.
    with matplotlib.rc_context({"text.parse_math": False}):
        drawn = Figure(
            figsize=(width, _ROW_HEIGHT * num_rows + _LEGEND_HEIGHT), layout="constrained"
        )
        FigureCanvasAgg(drawn)
        panels = drawn.subplots(num_rows, num_columns, sharey=True, squeeze=False)
        for axes in panels.flat[len(results) :]:
            axes.set_visible(False)
        for axes, result in zip(panels.flat, results, strict=False):
            curves = _draw_panel(axes, result, models)
        for axes in panels[:, 0]:
            axes.set_ylabel("mAP (%)", fontsize=8)
        drawn.legend(
            curves,
            models,
            loc="outside upper center",
            ncols=min(len(models), num_columns),
            fontsize=8,
            frameon=False,
            handlelength=2.8,
        )
    return drawn


def write_png(path: str, results: Sequence[AttributeResult]) -> None:
    """Writes the picture as a PNG, atomically.

    Raises:
        ValueError: as `figure`.
    """
    drawn = figure(results)
    with files.atomic_writer(path, "wb") as file:
        drawn.savefig(file, format="png", dpi=_DPI)


def _models(results: Sequence[AttributeResult]) -> list[str]:
    if not results:
        raise ValueError("expected the results of at least one attribute, received none")
    models = list(results[0].mean_ap)
    for result in results:
        if list(result.mean_ap) != models:
            raise ValueError(
                f"expected the models {', '.join(models)} for {result.title!r}, as for "
                f"{results[0].title!r}, received {', '.join(result.mean_ap)}"
            )
    return models


def _draw_panel(axes: Axes, result: AttributeResult, models: Sequence[str]) -> list[Any]:
    """Draws one attribute; returns what stands for each model in the legend."""
    places = np.arange(len(result.groups))
    step = min(_STEP * len(places), _MAX_SPREAD / len(models))
    curves: list[Any] = []
    for number, model in enumerate(models):
        color = _COLORS[number % len(_COLORS)]
        shift = step * (number - (len(models) - 1) / 2)
        first = number == 0
        curve = axes.errorbar(
            places + shift,
            100 * np.array(result.mean_ap[model]),
            100 * np.array(result.standard_error[model]),
            color=color,
            marker=_MARKERS[number % len(_MARKERS)],
            linestyle="--" if first else "-",
            markerfacecolor="white" if first else color,
            markersize=4.5,
            linewidth=1.4,
            elinewidth=0.9,
            capsize=2.5,
        )
        curves.append(curve)
    counts = [f"{name}\n({count})" for name, count in _labels(result)]
    axes.set_xticks(places, counts, fontsize=7.5)
    axes.set_xlim(-0.4, len(places) - 0.6)
    axes.set_title(result.title, fontsize=9)
    axes.set_xlabel(f"(number of {result.unit})", fontsize=7, color=_QUIET)
    axes.tick_params(axis="y", labelsize=7.5)
    axes.tick_params(length=2.5)
    axes.grid(axis="y", linewidth=0.5, color="#dddddd")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return curves


def _labels(result: AttributeResult) -> list[tuple[str, int]]:
    """Names that are ranges go on two lines, so that neighbours do not touch."""
    names = [name.replace(" to ", "\nto ") for name in result.groups]
    return list(zip(names, result.counts, strict=True))
