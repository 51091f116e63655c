"""Boxes and captions on frames.

Frames are uint8 `[height, width, 3]`, RGB. Boxes are `[ymin, xmin, ymax, xmax]`, normalized to
[0, 1] of the frame. A line lies on the pixels inside its box.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from stgraph_tf.viz import lettering

Color = tuple[int, int, int]

# From the best box to the worst: warm to cold. All are light, and are drawn between dark lines, so
# that they are seen on a bright wall as well as at night.
RANK_COLORS: tuple[Color, ...] = (
    (255, 92, 56),
    (255, 158, 27),
    (255, 221, 51),
    (154, 230, 88),
    (61, 220, 190),
    (84, 190, 255),
    (150, 160, 255),
    (198, 166, 240),
)
_EDGE = (12, 14, 18)
_PILL = (12, 14, 18, 190)
_WHITE = (245, 246, 248)


def rank_color(rank: int) -> Color:
    """The colour of the box with so many better ones on its frame; the last one for all beyond."""
    return RANK_COLORS[min(rank, len(RANK_COLORS) - 1)]


class Outline(NamedTuple):
    """A box as it is to be drawn.

    Attributes:
        box: float `[4]`.
        color: of its line.
        width: of its line, in pixels.
        caption: a short text above its upper left corner; none if empty.
    """

    box: np.ndarray
    color: Color
    width: int
    caption: str = ""


def draw_boxes(
    frame: np.ndarray,
    boxes: np.ndarray,
    *,
    max_boxes: int | None = None,
    captions: Sequence[str] | None = None,
    scale: float = 1.0,
) -> np.ndarray:
    """Draws boxes in the colours of their rank: the best one in the warmest, with a thicker line.

    Args:
        frame: uint8 `[height, width, 3]`; it is left as it is.
        boxes: float `[k, 4]`, best first.
        max_boxes: draws so many, the best ones; all if None.
        captions: a short text for each box, or none.
        scale: of lines and letters; 1 suits frames of about 200 pixels height.

    Returns:
        The picture, uint8 `[height, width, 3]`.

    Raises:
        ValueError: `frame` is no RGB frame, `boxes` are not `[k, 4]`, or there is not one caption
            for each box.
    """
    boxes = np.asarray(boxes, np.float64)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(f"expected boxes of shape [k, 4], received {list(boxes.shape)}")
    if captions is not None and len(captions) != len(boxes):
        raise ValueError(f"expected {len(boxes)} captions, one a box, received {len(captions)}")
    outlines = [
        Outline(
            box,
            rank_color(rank),
            max(1, round((3 if rank == 0 else 2 if rank < 3 else 1) * scale)),
            captions[rank] if captions is not None else "",
        )
        for rank, box in enumerate(boxes[:max_boxes])
    ]
    # The best boxes come last, on top of the others.
    return draw_outlines(frame, outlines[::-1], text_size=round(11 * scale))


def draw_outlines(
    frame: np.ndarray, outlines: Iterable[Outline], *, text_size: int = 11
) -> np.ndarray:
    """Draws boxes one on top of the other, the last one uppermost; no line crosses a caption.

    Args:
        frame: uint8 `[height, width, 3]`; it is left as it is.
        outlines: the boxes; one that is not finite is left out.
        text_size: of the captions' letters, in pixels.

    Returns:
        The picture, uint8 `[height, width, 3]`.

    Raises:
        ValueError: `frame` is no RGB frame.
    """
    _check_frame(frame)
    image = Image.fromarray(frame)
    draw = ImageDraw.Draw(image)
    placed = [(outline, _pixels(outline.box, image.size)) for outline in outlines]
    drawn = [(outline, corners) for outline, corners in placed if corners is not None]
    for outline, corners in drawn:
        _outline(draw, corners, outline.color, outline.width)
    for outline, corners in drawn:
        if outline.caption:
            _tag(image, corners, outline.caption, outline.color, text_size)
    return np.asarray(image)


def draw_note(frame: np.ndarray, text: str, *, size: int = 11) -> np.ndarray:
    """Writes a short text on a dark patch in the lower left corner of a frame.

    Args:
        frame: uint8 `[height, width, 3]`; it is left as it is.
        text: cut off with "..." where it is wider than the frame.
        size: of the letters, in pixels.
    """
    _check_frame(frame)
    image = Image.fromarray(frame).convert("RGBA")
    pad = max(2, size // 4)
    text, face = lettering.fit(text, image.width - 4 * pad, size)
    width, height = round(face.getlength(text)) + 2 * pad, sum(face.getmetrics()) + pad
    layer = Image.new("RGBA", image.size)
    corner = (pad, image.height - height - pad)
    box = (*corner, corner[0] + width, corner[1] + height)
    draw = ImageDraw.Draw(layer)
    draw.rounded_rectangle(box, pad, fill=_PILL)
    draw.text((corner[0] + pad, corner[1] + height // 2), text, _WHITE, face, anchor="lm")
    return np.asarray(Image.alpha_composite(image, layer).convert("RGB"))


def _check_frame(frame: np.ndarray) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise ValueError(
            f"expected a frame of uint8 [height, width, 3], received {frame.dtype} "
            f"{list(frame.shape)}"
        )


def _pixels(box: np.ndarray, size: tuple[int, int]) -> tuple[int, int, int, int] | None:
    """`(left, top, right, bottom)`: the outermost pixels of a box; None if it is not finite."""
    if not np.isfinite(box).all():
        return None
    width, height = size
    ymin, xmin, ymax, xmax = box.clip(0, 1)
    left = min(round(xmin * width), width - 1)
    top = min(round(ymin * height), height - 1)
    return left, top, max(left, round(xmax * width) - 1), max(top, round(ymax * height) - 1)


def _outline(
    draw: ImageDraw.ImageDraw, corners: tuple[int, int, int, int], color: Color, width: int
) -> None:
    left, top, right, bottom = corners
    draw.rectangle((left - 1, top - 1, right + 1, bottom + 1), outline=_EDGE, width=1)
    if right - left > 2 * width and bottom - top > 2 * width:
        inner = (left + width, top + width, right - width, bottom - width)
        draw.rectangle(inner, outline=_EDGE, width=1)
    draw.rectangle(corners, outline=color, width=width)


def _tag(
    image: Image.Image, corners: tuple[int, int, int, int], text: str, color: Color, size: int
) -> None:
    """A caption on a patch of the box's colour, above its upper left corner or inside it."""
    pad = max(2, size // 5)
    text, face = lettering.fit(text, image.width - 2 * pad, size)
    width, height = round(face.getlength(text)) + 2 * pad, sum(face.getmetrics())
    left = max(0, min(corners[0], image.width - width))
    top = corners[1] - height if corners[1] >= height else corners[1]
    draw = ImageDraw.Draw(image)
    draw.rectangle((left, top, left + width - 1, top + height - 1), fill=color)
    is_dark = np.dot(color, (0.299, 0.587, 0.114)) < 100
    ink = _WHITE if is_dark else _EDGE
    draw.text((left + pad, top + height // 2), text, ink, face, anchor="lm")
