"""The section of the classes: a bar for the average precision of each, best first."""

from collections.abc import Sequence
from typing import Any

from stgraph_tf.evaluation.report import numbers
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.viz.markup import Markup, element, join, name

# More classes than this are shown as the best and the worst, and all of them on demand.
_ALL_AT_ONCE = 40
_ENDS = 12
_COLUMNS = ("label", "room", "number", "number")


def section(inputs: Inputs) -> Markup:
    """All classes, those without videos last."""
    rows = sorted(
        inputs.measures["classes"],
        key=lambda row: (row["AP"] is None, -(row["AP"] or 0), -row["videos"]),
    )
    num_labelled = int(inputs.scored.labels.any(axis=1).sum())
    about = (
        "Average precision, best first. The mark on a bar is the share of the videos that show the "
        "class, which is about what random scores reach."
    )
    if len(rows) <= _ALL_AT_ONCE:
        content = _bars(rows, num_labelled)
    else:
        measured = [row for row in rows if row["AP"] is not None]
        content = join(
            element(
                "div",
                element("div", element("h3", "Best"), _bars(measured[:_ENDS], num_labelled)),
                element("div", element("h3", "Worst"), _bars(measured[-_ENDS:], num_labelled)),
                class_="columns",
            ),
            element(
                "details",
                element("summary", f"All {len(rows)} classes"),
                _bars(rows, num_labelled),
            ),
        )
    return element(
        "section",
        element("h2", "Classes"),
        element("p", about, class_="about"),
        content,
        class_="wide",
    )


def _bars(rows: Sequence[dict[str, Any]], num_videos: int) -> Markup:
    head = element(
        "tr",
        element("th", "class", scope="col"),
        element("th", "average precision", scope="col", colspan=2),
        element("th", "videos", scope="col"),
    )
    return element(
        "table",
        element("colgroup", *(element("col", class_=kind) for kind in _COLUMNS)),
        element("thead", head),
        element("tbody", *(_bar(row, num_videos) for row in rows)),
        class_="bars",
    )


def _bar(row: dict[str, Any], num_videos: int) -> Markup:
    prevalence = row["videos"] / num_videos if num_videos else 0.0
    bar = element(
        "div",
        element("i", class_="fill", style=f"width:{100 * (row['AP'] or 0):.2f}%"),
        element("i", class_="mark", style=f"left:{100 * prevalence:.2f}%")
        if row["AP"] is not None
        else None,
        class_="bar",
        aria_hidden="true",
    )
    return element(
        "tr",
        element("th", name(row["label"]), scope="row"),
        element("td", bar, class_="room"),
        element("td", numbers.percent(row["AP"])),
        element("td", f"{row['videos']:,}"),
    )
