"""The page: its sections in order, in one file that needs no other."""

from stgraph_tf import __version__, files
from stgraph_tf.evaluation.report import (
    attribute_panels,
    calibration_curve,
    class_bars,
    co_occurrence,
    confusion,
    film_cards,
    headline,
    precision_recall,
)
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.evaluation.report.script import SCRIPT
from stgraph_tf.evaluation.report.style import CSS
from stgraph_tf.viz.markup import Markup, element, join


def write(path: str, inputs: Inputs) -> None:
    """Writes the report as one HTML page, atomically.

    It needs no network, no other file and no script, and follows the reader's choice of light or
    dark.

    Args:
        path: of the page.
        inputs: what it shows.

    Raises:
        ValueError: the models that are compared are not of the same videos and classes, or a
            record of the films that are drawn is damaged.
    """
    with files.atomic_writer(path) as file:
        file.write(as_html(inputs))


def as_html(inputs: Inputs) -> str:
    """The page as text; see `write`."""
    mistaken = co_occurrence if inputs.multi_label else confusion
    sections = (
        precision_recall.section(inputs),
        calibration_curve.section(inputs),
        class_bars.section(inputs),
        mistaken.section(inputs),
        attribute_panels.section(inputs),
        film_cards.section(inputs),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", f"{inputs.measures['config']}: evaluation"),
        element("style", Markup(CSS)),
    )
    body = element(
        "body",
        headline.section(inputs),
        element("main", join(*sections)),
        element("footer", f"stgraph_tf {__version__}"),
        element("script", Markup(SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"
