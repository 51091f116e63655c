"""Text on pictures: a font at any size, lines cut to a width, letters of all the world's scripts.

Pillow brings a font of plain Latin letters. Text with others is set in the first font of the system
that has them all. Where there is none, a letter stands without its accents, or as an empty box.
"""

import functools
import unicodedata
from typing import cast

from PIL import ImageDraw, ImageFont

# Found by name in the system's font folders, on Linux, macOS and Windows.
_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "NotoSansCJK-Regular.ttc",
    "wqy-zenhei.ttc",
    "Arial Unicode.ttf",
    "arial.ttf",
    "msyh.ttc",
)
_NO_LETTER = "\U0010ffff"


def fit(text: str, width: int, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """Sets a text on one line, cut off with "..." where it is wider than `width` pixels.

    Args:
        text: any; line breaks and other unprintable characters become spaces.
        width: in pixels.
        size: of the letters, in pixels.

    Returns:
        The text as it is to be drawn, and the font to draw it in.
    """
    text = "".join(" " if unicodedata.category(letter)[0] == "C" else letter for letter in text)
    font = _font_for(text, size)
    text = "".join(_nearest(letter, font) for letter in text)
    if font.getlength(text) <= width:
        return text, font
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if font.getlength(text[:middle].rstrip() + "...") <= width:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "...", font


def write(
    pen: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    text: str,
    size: int,
    color: tuple[int, int, int],
    width: int,
) -> int:
    """Writes a line with its upper left corner at `corner`, cut off where it is wider than `width`.

    Returns:
        The width that the line takes, in pixels.
    """
    text, font = fit(text, width, size)
    pen.text(corner, text, color, font)
    return round(font.getlength(text))


def _font_for(text: str, size: int) -> ImageFont.FreeTypeFont:
    """The first font with all the letters, else the one that lacks the fewest."""
    fewest, best = len(text) + 1, None
    for name in (None, *_SYSTEM_FONTS):
        font = _load(name, size)
        if font is None:
            continue
        lacking = sum(not _has(font, letter) for letter in text)
        if lacking < fewest:
            fewest, best = lacking, font
        if not lacking:
            break
    return cast(ImageFont.FreeTypeFont, best)


def _nearest(letter: str, font: ImageFont.FreeTypeFont) -> str:
    """The letter, or without its accents where the font has no other."""
    if _has(font, letter):
        return letter
    plain = unicodedata.normalize("NFKD", letter)[0]
    return plain if _has(font, plain) else letter


@functools.lru_cache
def _load(name: str | None, size: int) -> ImageFont.FreeTypeFont | None:
    try:
        if name is None:  # With a size, it is a FreeType font, too.
            return cast(ImageFont.FreeTypeFont, ImageFont.load_default(size))
        return ImageFont.truetype(name, size)
    except OSError:
        return None


@functools.lru_cache(maxsize=4096)
def _has(font: ImageFont.FreeTypeFont, letter: str) -> bool:
    return letter.isspace() or bytes(font.getmask(letter)) != bytes(font.getmask(_NO_LETTER))
