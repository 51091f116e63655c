"""HTML and SVG as text in which nothing that came from data can become markup.

`element` escapes every text that it is given. Only what `element` made itself, or what the code
declares to be markup, goes into the page as it is.
"""

import html
import re
import unicodedata

_VOID = {"br", "col", "img", "input", "link", "meta", "source", "wbr"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, /, *children: "str | Markup | None", **attributes: object) -> Markup:
    """An element with its attributes and what is inside it.

    Args:
        tag: its name.
        *children: plain texts, which are escaped, and elements; `None` is left out.
        **attributes: underscores become hyphens, and a final one is dropped: `class_="wide"`.
            Those that are `None` or `False` are left out, `True` stands without a value, floats are
            written with up to five digits.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items())
    if tag in _VOID:
        return Markup(f"<{tag}{written}>")
    return Markup(f"<{tag}{written}>{join(*children)}</{tag}>")


def join(*children: "str | Markup | None") -> Markup:
    """Several texts and elements, one after the other."""
    return Markup("".join(_escaped(child) for child in children if child is not None))


def name(text: str) -> Markup:
    """A class's or a video's name, whose line may also end behind an underscore or a slash."""
    return Markup(re.sub("([_/])", r"\1<wbr>", _escaped(str(text))))


def _attribute(key: str, value: object) -> str:
    if value is None or value is False:
        return ""
    key = key.removesuffix("_").replace("_", "-")
    if value is True:
        return f" {key}"
    text = f"{value:.5g}" if isinstance(value, float) else str(value)
    return f' {key}="{html.escape(_printable(text))}"'


def _escaped(text: "str | Markup") -> Markup:
    return text if isinstance(text, Markup) else Markup(html.escape(_printable(text)))


def _printable(text: str) -> str:
    """Control characters, which HTML must not hold, as spaces."""
    return "".join(
        " " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in text
    )
