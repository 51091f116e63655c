"""The index of a gallery: a card for each video, with what the model says of it."""

import json
import math
from collections.abc import Sequence
from urllib.parse import quote

from stgraph_tf import __version__
from stgraph_tf.evaluation.report import numbers
from stgraph_tf.evaluation.report.margins import DEFINITION
from stgraph_tf.viz import page_style
from stgraph_tf.viz.gallery.entries import FOLDER, Entry
from stgraph_tf.viz.gallery.index_script import SCRIPT
from stgraph_tf.viz.gallery.index_style import CSS
from stgraph_tf.viz.gallery.models import ShownModel
from stgraph_tf.viz.markup import Markup, element, join, name

_ORDERS = {"worst": "worst first", "best": "best first", "id": "by id"}
_JUDGEMENTS = {"right": "right", "wrong": "wrong", "unknown": "not known"}


def as_html(entries: Sequence[Entry], model: ShownModel, data: str) -> str:
    """The page as text.

    It needs no network and no script: with it, videos are sorted and filtered.

    Args:
        entries: the videos, at least one.
        model: that has scored them.
        data: what the videos are, in words.
    """
    # Videos whose labels are not known come last.
    order = sorted(entries, key=lambda entry: (math.isnan(entry.margin), entry.margin, entry.id))
    title = f"{model.clip.model}: {numbers.count(len(entries), 'video')}"
    known = [entry for entry in entries if entry.is_right is not None]
    right = sum(entry.is_right is True for entry in known)
    about = f"{model.path}, on {data}. "
    if known:
        about += (
            f"The highest score is right for {numbers.count(right, 'video')} of {len(known)}. The "
            f"margin is {DEFINITION}."
        )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("link", rel="icon", href="data:,"),
        element("title", title),
        element("style", Markup(page_style.BASE + CSS)),
    )
    body = element(
        "body",
        element("header", element("h1", title), element("p", about)),
        _controls(order, model.labels),
        element(
            "main",
            element("ul", *(_card(entry, model.labels) for entry in order), id="videos"),
            element("p", "No video is like that.", id="none", hidden=True),
        ),
        element("footer", f"stgraph_tf {__version__}"),
        element("script", Markup(SCRIPT)),
    )
    return f"<!DOCTYPE html>\n{element('html', head, body, lang='en')}\n"


def _controls(entries: Sequence[Entry], labels: Sequence[str]) -> Markup:
    """What sorts and filters; the script shows it."""
    used = sorted(
        {label for entry in entries for label in (*entry.labels, entry.predicted)},
        key=lambda index: labels[index],
    )
    judged = {_judgement(entry) for entry in entries}
    parts = [
        _choice("order", "Order", _ORDERS),
        _choice("label", "Label", {"": "any", **{str(index): labels[index] for index in used}}),
        _choice(
            "judgement",
            "Prediction",
            {"": "any", **{key: text for key, text in _JUDGEMENTS.items() if key in judged}},
        ),
        element(
            "p",
            element("label", "Id", for_="search"),
            element("input", id="search", type="search", autocomplete="off"),
        ),
        element("output", id="count", role="status"),
    ]
    return element("form", join(*parts), id="controls", hidden=True)


def _choice(key: str, text: str, options: dict[str, str]) -> Markup:
    listed = (element("option", shown, value=value) for value, shown in options.items())
    return element("p", element("label", text, for_=key), element("select", *listed, id=key))


def _card(entry: Entry, labels: Sequence[str]) -> Markup:
    judgement = _judgement(entry)
    margin = None if math.isnan(entry.margin) else f"{entry.margin:+.3f}"
    shown = ", ".join(labels[index] for index in entry.labels) or "labels not known"
    files = f"{FOLDER}/{quote(entry.name)}"
    link = element(
        "a",
        element("img", src=f"{files}.webp", alt="", loading="lazy"),
        element("span", name(entry.id), class_="id"),
        href=f"{files}.html",
    )
    facts = (
        ("shows", element("dd", name(shown))),
        (
            "predicted",
            element(
                "dd",
                name(labels[entry.predicted]),
                " ",
                numbers.score(float(entry.scores[entry.predicted])),
                element("span", f" {judgement}", class_="badge") if entry.labels else None,
            ),
        ),
        ("margin", element("dd", margin) if margin else None),
    )
    return element(
        "li",
        link,
        element("dl", *(join(element("dt", term), value) for term, value in facts if value)),
        class_=judgement,
        data_id=entry.id,
        data_labels=json.dumps(sorted({*entry.labels, entry.predicted})),
        data_judgement=judgement,
        data_margin=margin and repr(entry.margin),
    )


def _judgement(entry: Entry) -> str:
    return {True: "right", False: "wrong", None: "unknown"}[entry.is_right]
