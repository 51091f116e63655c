"""A table of shares of one class against another: numbers on colour, or a picture of many."""

import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from stgraph_tf.viz.markup import Markup, element, join, name

# More classes than this are drawn without numbers and names.
MAX_NAMED = 40
# Beyond this share of the colour, dark letters are hard to read on it.
_DARK = 0.85
_COLOR = (47, 111, 222)


def draw(
    shares: np.ndarray, label_names: Sequence[str], *, rows: str, columns: str, description: str
) -> Markup:
    """Draws the matrix: the higher a share, the more colour.

    Args:
        shares: `[C, C]` in [0, 1]; NaN is left empty.
        label_names: the `C` classes.
        rows: what a row is, such as "shown".
        columns: what a column is.
        description: of the whole, for who does not see it.
    """
    if len(label_names) > MAX_NAMED:
        return _picture(shares, rows=rows, columns=columns, description=description)
    corner = f"{rows} \N{DOWNWARDS ARROW}", element("br"), f"{columns} \N{RIGHTWARDS ARROW}"
    head = element(
        "tr",
        element("td", *corner, class_="corner"),
        *(element("th", element("span", name(label)), scope="col") for label in label_names),
    )
    body = [
        element("tr", element("th", name(label), scope="row"), *map(_cell, row))
        for label, row in zip(label_names, shares.tolist(), strict=True)
    ]
    table = element(
        "table",
        element("thead", head),
        element("tbody", join(*body)),
        class_="matrix",
        aria_label=description,
    )
    return element("div", table, class_="scroll", tabindex=0, role="group", aria_label=description)


def beside(drawn: Markup, table: Markup) -> Markup:
    """A matrix and what tells its largest shares, side by side where there is room."""
    return element("div", element("div", drawn), element("div", table), class_="beside")


def _cell(share: float) -> Markup:
    if np.isnan(share):
        return element("td", class_="none")
    if share == 0:
        return element("td")
    return element(
        "td",
        f"{100 * share:.0f}",
        class_="dark" if share > _DARK else None,
        style=f"background:rgb(var(--heat)/{share:.2f})",
    )


def _picture(shares: np.ndarray, *, rows: str, columns: str, description: str) -> Markup:
    """A pixel a cell: one colour, more or less of it, so that any page may lie below."""
    pixels = np.empty((*shares.shape, 4), np.uint8)
    pixels[..., :3] = _COLOR
    # Square roots tell small shares from none, where most are small.
    pixels[..., 3] = np.round(255 * np.sqrt(np.nan_to_num(shares).clip(0, 1)))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
    source = f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
    image = element("img", src=source, alt=description, class_="pixels")
    caption = (
        f"A row is the class that is {rows}, a column the one that is {columns}, both in the order "
        "of the labels; the stronger the colour, the larger the share."
    )
    return element("figure", image, element("figcaption", caption))
