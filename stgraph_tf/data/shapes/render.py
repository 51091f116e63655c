"""A scene's frames, and the boxes of what can be seen in them.

Conventions. Frames are square, `size` pixels wide, uint8 RGB; a stage unit is `size / 64` pixels.
Pixel (i, j) covers [i, i+1] x [j, j+1], so its centre is at (i + 0.5, j + 0.5). Boxes are
`[ymin, xmin, ymax, xmax]` normalized to [0, 1].

All frames are drawn at once: a shape's edge is the zero of a signed distance, worked out for all
pixels that the shape comes to in the film.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

from stgraph_tf.data.shapes.scene import COLOURS, OUTLINES, STAGE, Actor, Scene

_RGB = {
    "red": (230, 50, 45),
    "yellow": (245, 225, 60),
    "green": (50, 190, 70),
    "cyan": (80, 215, 230),
    "blue": (50, 80, 235),
    "magenta": (225, 70, 215),
    "white": (245, 245, 245),
}
# The rim that sets a shape off from the background and from others: its width in units, its shade.
_RIM_WIDTH, _RIM_SHADE = 0.9, 0.3
# The background is one grey, so that there is nothing to learn from it: from the darkest to the
# lightest that films have.
_BACKGROUND = (40, 90)
# A shape counts as seen when so much of its area shows, and at least so many square units of it.
_SEEN_FRACTION, _SEEN_AREA = 0.25, 8.0


@dataclasses.dataclass(frozen=True)
class Rendering:
    """What the camera saw.

    Attributes:
        frames: uint8 `[F, size, size, 3]`.
        boxes: float32 `[F, A, 4]`, around what shows of each actor; zeros where it is hidden.
        seen: bool `[F, A]`, False where an actor is hidden behind others.
    """

    frames: np.ndarray
    boxes: np.ndarray
    seen: np.ndarray


def render(scene: Scene, size: int, rng: np.random.Generator) -> Rendering:
    """Draws a scene.

    Args:
        scene: what to draw.
        size: the frames' width and height, pixels.
        rng: the background's grey comes from it.
    """
    unit = size / STAGE
    shape = (scene.num_frames, size, size, 3)
    canvas = np.full(shape, rng.uniform(*_BACKGROUND), np.float32)
    owner = np.full(canvas.shape[:3], -1, np.int8)
    areas = np.zeros((scene.num_frames, len(scene.actors)))
    back_to_front = sorted(range(len(scene.actors)), key=lambda i: -scene.actors[i].depth)
    for index in back_to_front:
        actor = scene.actors[index]
        rows, columns, distance = _distance(actor, scene.shake, unit, size)
        region = canvas[:, rows, columns]
        cover = np.clip(0.5 - distance, 0, 1)[..., np.newaxis]
        fill = np.clip(0.5 - distance - _RIM_WIDTH * unit, 0, 1)[..., np.newaxis]
        colour = _palette()[actor.colours][:, np.newaxis, np.newaxis]
        paint = colour * (_RIM_SHADE + (1 - _RIM_SHADE) * fill)
        region += cover * (paint - region)
        inside = distance < 0
        owner[:, rows, columns][inside] = index
        areas[:, index] = inside.sum(axis=(1, 2))
    boxes, seen = _visible_boxes(owner, areas, unit)
    return Rendering(np.rint(canvas).astype(np.uint8), boxes, seen)


def outline_points(outline: int, stretch: np.ndarray, count: int = 24) -> np.ndarray:
    """Points `[count, 2]` around an outline of radius 1 that is stretched by `stretch` `[2]`.

    Point `i` is where the ray at the angle `2 pi i / count` leaves the unstretched outline.
    """
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    rays = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    # Distances along a ray grow evenly behind the edge, for every outline.
    distance = _OUTLINE_DISTANCES[OUTLINES[outline]]
    near, far = (distance(*(length * rays.T), 1.0) for length in (2.0, 3.0))
    points = rays * (2 - near / (far - near))[:, np.newaxis]
    length = np.hypot(*stretch)
    along = stretch / length if length else np.zeros(2)
    projected = (points @ along)[:, np.newaxis] * along
    return np.exp(length) * projected + np.exp(-length) * (points - projected)


def _palette() -> np.ndarray:
    return np.array([_RGB[name] for name in COLOURS], np.float32)


def _distance(
    actor: Actor, shake: np.ndarray, unit: float, size: int
) -> tuple[slice, slice, np.ndarray]:
    """Signed distances `[F, rows, columns]`, pixels, to an actor's edge; negative inside.

    Only for the rows and columns, given as slices, that the actor reaches on any frame.
    """
    centre = (actor.path + shake) * unit
    radius = actor.radius * unit
    reach = 1.5 * actor.reach * unit + 1
    low = np.clip(np.floor(centre.min(axis=0) - reach), 0, size).astype(int)
    high = np.clip(np.ceil(centre.max(axis=0) + reach), 0, size).astype(int)
    ys = np.arange(low[0], high[0]) + 0.5
    xs = np.arange(low[1], high[1]) + 0.5
    dy = (ys - centre[:, :1]).astype(np.float32)[:, :, np.newaxis]
    dx = (xs - centre[:, 1:]).astype(np.float32)[:, np.newaxis, :]
    outline = _OUTLINE_DISTANCES[OUTLINES[actor.outline]]
    if actor.stretch.any():
        distance = outline(*_unstretched(dy, dx, actor.stretch), radius)
    else:
        distance = outline(dy, dx, radius)
    return slice(low[0], high[0]), slice(low[1], high[1]), distance


def _unstretched(
    dy: np.ndarray, dx: np.ndarray, stretch: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Where points `[F, rows, 1]`, `[F, 1, columns]` would be if the shape were not stretched.

    The distance to the edge there is that of the stretched shape times a factor between
    `exp(-|s|)` and `exp(|s|)`: edges are a little softer or harder, and stay where they are.
    """
    length = np.hypot(*stretch.T)
    y, x = np.where(length > 0, stretch.T / np.maximum(length, 1e-9), 0)
    # Symmetric matrices that shrink along the stretch and widen across it.
    shrink, widen = np.exp(-length), np.exp(length)
    yy = widen + (shrink - widen) * y * y
    xx = widen + (shrink - widen) * x * x
    yx = (shrink - widen) * y * x
    yy, xx, yx = (m.astype(np.float32)[:, np.newaxis, np.newaxis] for m in (yy, xx, yx))
    return yy * dy + yx * dx, yx * dy + xx * dx


def _disc(dy: np.ndarray, dx: np.ndarray, radius: float) -> np.ndarray:
    return np.hypot(dy, dx) - radius


def _square(dy: np.ndarray, dx: np.ndarray, radius: float) -> np.ndarray:
    return np.maximum(np.abs(dy), np.abs(dx)) - 0.89 * radius


def _triangle(dy: np.ndarray, dx: np.ndarray, radius: float) -> np.ndarray:
    sides = np.float32(np.sqrt(0.75)) * np.abs(dx) - dy / 2
    return np.maximum(sides, dy) - 0.74 * radius


def _diamond(dy: np.ndarray, dx: np.ndarray, radius: float) -> np.ndarray:
    return (np.abs(dy) + np.abs(dx)) * np.float32(np.sqrt(0.5)) - 0.89 * radius


_OUTLINE_DISTANCES: dict[str, Callable[..., np.ndarray]]
_OUTLINE_DISTANCES = {"disc": _disc, "square": _square, "triangle": _triangle, "diamond": _diamond}


def _visible_boxes(
    owner: np.ndarray, areas: np.ndarray, unit: float
) -> tuple[np.ndarray, np.ndarray]:
    """The extent of every actor's visible pixels.

    Args:
        owner: `[F, size, size]`, the actor whose pixel it is, -1 for the background.
        areas: `[F, A]`, the pixels that each would have if nothing hid it.
        unit: pixels in a stage unit.
    """
    size = owner.shape[1]
    boxes = np.zeros((*areas.shape, 4), np.float32)
    seen = np.zeros(areas.shape, bool)
    for index in range(areas.shape[1]):
        mine = owner == index
        area = mine.sum(axis=(1, 2))
        seen[:, index] = area >= np.maximum(_SEEN_FRACTION * areas[:, index], _SEEN_AREA * unit**2)
        rows, columns = mine.any(axis=2), mine.any(axis=1)
        extent = np.stack(
            [
                rows.argmax(axis=1),
                columns.argmax(axis=1),
                size - rows[:, ::-1].argmax(axis=1),
                size - columns[:, ::-1].argmax(axis=1),
            ],
            axis=1,
        )
        boxes[:, index] = np.where(seen[:, index, np.newaxis], extent / size, 0)
    return boxes, seen
