"""The picture of a study: each row's measure and its gain, the paper's beside ours."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from stgraph_tf import files
from stgraph_tf.study import results as measured
from stgraph_tf.study.results import MEASURE_TITLES, Result
from stgraph_tf.study.rows import REFERENCE, ROWS, Row

# Okabe and Ito's colours, for all kinds of colour vision: rows without regions, and with them.
_PLAIN, _REGIONS = "#9a9a9a", "#56a0d3"
_DOT = "#222222"
_DPI = 150


def write_png(path: str, results: Sequence[Result]) -> None:
    """Writes the picture as a PNG, atomically."""
    drawn = figure(results)
    with files.atomic_writer(path, "wb") as file:
        drawn.savefig(file, format="png", dpi=_DPI)


def figure(results: Sequence[Result]) -> Figure:
    """Draws bars: the headline measure above, the gains over the baseline below.

    Left is the paper, on its own data set; right is the study, the mean over the seeds, with a dot
    a seed and the standard error of the gain.

    Args:
        results: of a study; at least one.
    """
    measure, rows = measured.measure_names(results)[0], measured.rows_of(results)
    drawn = Figure(figsize=(9, 1.6 + 0.62 * len(rows)), layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.subplots(2, 2, sharey=True)
    paper_set = "Charades" if measure == "mAP" else "Something-Something"
    title = MEASURE_TITLES[measure]
    _draw_paper(axes[:, 0], rows, measure)
    _draw_ours(axes[:, 1], rows, results, measure)
    axes[0, 0].set_title(f"The paper, {paper_set}", fontsize=10)
    axes[0, 1].set_title("Here", fontsize=10)
    for left_or_right in axes.T:
        left_or_right[0].set_xlabel(f"{title}, %", fontsize=9)
        left_or_right[1].set_xlabel(f"gain over {ROWS[REFERENCE].title}, {title}", fontsize=9)
    for panel in axes.flat:
        panel.set_yticks(range(len(rows)), [row.title for row in rows], fontsize=8)
        panel.tick_params(axis="x", labelsize=8)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x", linewidth=0.5, color="#dddddd")
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    axes[0, 0].invert_yaxis()  # The first row on top, in all panels.
    return drawn


def _draw_paper(axes: Sequence[Axes], rows: Sequence[Row], measure: str) -> None:
    values = [measured.paper_value(row, measure) for row in rows]
    base = measured.paper_value(ROWS[REFERENCE], measure)
    _bars(axes[0], rows, values, [None] * len(rows), "{:.1f}")
    gains = [
        None if value is None or base is None or row.name == REFERENCE else value - base
        for row, value in zip(rows, values, strict=True)
    ]
    _bars(axes[1], rows, gains, [None] * len(rows), "{:+.1f}")


def _draw_ours(
    axes: Sequence[Axes], rows: Sequence[Row], results: Sequence[Result], measure: str
) -> None:
    by_seed = [list(measured.values(results, row.name, measure).values()) for row in rows]
    means = [measured.spread(of_row).mean for of_row in by_seed]
    _bars(axes[0], rows, means, [max(of_row) for of_row in by_seed], "{:.1f}")
    paired = [measured.paired_gains(results, row.name, measure) for row in rows]
    gains = [measured.spread(of_row) if of_row else None for of_row in paired]
    ends = [
        max(*of_row, gain.mean + (gain.standard_error or 0)) if gain else None
        for of_row, gain in zip(paired, gains, strict=True)
    ]
    _bars(axes[1], rows, [gain and gain.mean for gain in gains], ends, "{:+.1f}")
    for place, gain in enumerate(gains):
        if gain and gain.standard_error is not None:
            axes[1].errorbar(
                gain.mean, place, xerr=gain.standard_error, color=_DOT, capsize=3, linewidth=1
            )
    for panel, values in zip(axes, (by_seed, paired), strict=True):
        for place, of_row in enumerate(values):
            # Side by side, so that equal ones are seen.
            heights = place + np.linspace(-0.18, 0.18, len(of_row)) if len(of_row) > 1 else [place]
            panel.plot(of_row, heights[: len(of_row)], ".", color=_DOT, markersize=4, alpha=0.8)


def _bars(
    axes: Axes,
    rows: Sequence[Row],
    values: Sequence[float | None],
    ends: Sequence[float | None],
    number: str,
) -> None:
    """Draws a bar a row, and its value as a number beyond the bar and what lies on it."""
    for place, (row, value, end) in enumerate(zip(rows, values, ends, strict=True)):
        if value is None:
            continue
        axes.barh(place, value, color=_REGIONS if row.has_regions else _PLAIN, height=0.7)
        beyond = max(value, 0) if end is None else max(value, end, 0)
        axes.annotate(
            number.format(value),
            (beyond, place),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.margins(x=0.14)
