"""The section of films: those that the model judges best and worst, moving, with their boxes."""

import numpy as np

from stgraph_tf.evaluation.report import clip_pictures, numbers
from stgraph_tf.evaluation.report.clip_pictures import ClipPicture
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.evaluation.report.margins import DEFINITION, extremes, margins
from stgraph_tf.viz.markup import Markup, element, join, name

_NUM_FILMS = 6
# Classes below a film: the highest scores, and those that it shows.
_NUM_HIGHEST = 3
_MAX_SHOWN = 6


def section(inputs: Inputs) -> Markup | None:
    """The best and the worst videos; None where there are no films to draw."""
    if inputs.films is None:
        return None
    scored = inputs.scored
    found = extremes(scored.labels, scored.scores, _NUM_FILMS)
    rows = [*found.best.tolist(), *found.worst.tolist()]
    pictures = clip_pictures.read(inputs.films, {str(scored.ids[row]) for row in rows})
    values = margins(scored.labels, scored.scores)

    def cards(chosen: np.ndarray) -> Markup:
        drawn = [
            _card(inputs, row, float(values[row]), pictures.get(str(scored.ids[row])))
            for row in chosen.tolist()
        ]
        return element("div", *drawn, class_="cards")

    about = (
        f"Videos of the largest and of the smallest margin: {DEFINITION}. Shown is the middle clip "
        "with its best boxes, warm colours first. A tick is a class that the video shows; bars are "
        "scores."
    )
    parts = [element("h3", "Best"), cards(found.best)]
    if found.worst.size:
        parts += [element("h3", "Worst"), cards(found.worst)]
    return element(
        "section",
        element("h2", "Best and worst videos"),
        element("p", about, class_="about"),
        *parts,
        class_="wide",
    )


def _card(inputs: Inputs, row: int, margin: float, picture: ClipPicture | None) -> Markup:
    scored = inputs.scored
    video = str(scored.ids[row])
    shown = np.flatnonzero(scored.labels[row])
    order = np.argsort(-scored.scores[row], kind="stable")
    ranks = {int(index): rank for rank, index in enumerate(order, start=1)}
    listed = {*order[:_NUM_HIGHEST].tolist(), *shown[:_MAX_SHOWN].tolist()}
    classes = [
        _class(
            scored.label_names[index],
            ranks[index],
            float(scored.scores[row, index]),
            index in shown,
        )
        for index in sorted(listed, key=ranks.__getitem__)
    ]
    more = len(shown) - _MAX_SHOWN
    names = ", ".join(scored.label_names[index] for index in shown)
    return element(
        "article",
        _film(picture, f"Film {video}, which shows {names}"),
        element(
            "h4",
            element("span", name(video), class_="id"),
            element("span", f"margin {margin:+.3f}"),
        ),
        element("ol", join(*classes)),
        element("p", f"and {numbers.count(more, 'class', 'classes')} more") if more > 0 else None,
    )


def _film(picture: ClipPicture | None, description: str) -> Markup:
    if picture is None:
        return element("p", "no film of this id is in the shards", class_="no-film")
    boxes = "with boxes" if picture.has_boxes else "without boxes"
    moving = element(
        "img",
        src=clip_pictures.source(picture.animation),
        alt=f"{description}, {boxes}",
        width=picture.width,
        height=picture.height,
        loading="lazy",
    )
    still = element(
        "source",
        srcset=clip_pictures.source(picture.still),
        type="image/webp",
        media="(prefers-reduced-motion: reduce), print",
    )
    return element("picture", still, moving)


def _class(label: str, rank: int, score: float, is_shown: bool) -> Markup:
    width = 100 * min(1.0, max(0.0, score)) if np.isfinite(score) else 0
    tick = element(
        "span",
        "\N{CHECK MARK}" if is_shown else "",
        class_="tick",
        role="img" if is_shown else None,
        aria_label="shown" if is_shown else None,
    )
    return element(
        "li",
        tick,
        element("span", name(label), class_="label"),
        element("span", numbers.score(score), class_="score"),
        element("i", class_="fill", style=f"width:{width:.1f}%", aria_hidden="true"),
        class_="shown" if is_shown else None,
        value=rank,
    )
