"""Checks of what JSON says about boxes, part by part, and what can be mended in them.

Boxes are `[ymin, xmin, ymax, xmax]`; the format is described in `stgraph_tf.data.boxes`. Every
message begins with where the boxes are.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from absl import logging

# Detectors overshoot the frame a little. Numbers beyond this are pixels.
_LARGEST_NORMALIZED = 10.0
# Pixel boxes that overshoot the film by more than this share of it were made for another size.
_OVERSHOOT = 0.05
# Less than a tenth of a pixel outside the frame is rounding, and no word is lost on it.
_ROUNDING = 1e-4


def times(value: Any, where: str) -> np.ndarray:
    """Checks a list of times: finite, each there once. Returns float64 `[n]`, in their order."""
    if not isinstance(value, list):
        raise ValueError(f'{where}: expected "times", a list of seconds')
    seconds = numbers(value, (-1,), f"{where}, times")
    unique, counts = np.unique(seconds, return_counts=True)
    if len(unique) < len(seconds):
        raise ValueError(f"{where}: time {unique[counts > 1][0]} s is there more than once")
    return seconds


def numbers(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    """`value` as float64 of `shape` (-1 for any), or an error that begins with `what`."""
    expected = "[" + ", ".join("k" if size < 0 else str(size) for size in shape) + "]"
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{what}: expected numbers of shape {expected} ({error})") from error
    if value == [] and shape[0] <= 0:
        array = np.zeros((0, *shape[1:]))
    sizes = zip(shape, array.shape, strict=False)
    if array.ndim != len(shape) or any(size not in (-1, actual) for size, actual in sizes):
        raise ValueError(f"{what}: expected shape {expected}, received {list(array.shape)}")
    if not np.isfinite(array).all():
        first = array[~np.isfinite(array)][0]
        raise ValueError(f"{what}: expected finite numbers, received {first}")
    return array


def row_per_time(value: Any, name: str, num_times: int, where: str) -> list[Any]:
    """Checks that `value` is a list of as many rows as there are times."""
    if not isinstance(value, list) or len(value) != num_times:
        received = len(value) if isinstance(value, list) else repr(value)
        raise ValueError(
            f"{where}: expected {num_times} lists of {name}, one a time. Received: {received}"
        )
    return value


def tracks(value: Any, count: int, what: str) -> list[str | int | None]:
    """Checks the names of the `count` boxes of one time; an error begins with `what`."""
    if not isinstance(value, list) or len(value) != count:
        received = len(value) if isinstance(value, list) else repr(value)
        raise ValueError(f"{what}: expected {count} names, one a box. Received: {received}")
    seen = set()
    for name in value:
        if name is None:
            continue
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise ValueError(f"{what}: expected a text, a whole number or null. Received: {name!r}")
        if name in seen:
            raise ValueError(f"{what}: {name!r} is there more than once")
        seen.add(name)
    return value


def normalize(
    boxes: np.ndarray, value: Mapping[str, Any], frame_size: tuple[int, int] | None, where: str
) -> np.ndarray:
    """Divides boxes in pixels by the size of their frame, and leaves normalized ones.

    Args:
        boxes: float64 `[n, 4]`.
        value: maybe with `unit` and `frame_size`.
        frame_size: `(height, width)` of the film, where it is known.
        where: names the boxes in messages.

    Raises:
        ValueError: the unit is another one, the frame's size is not known or is none, or the boxes
            are far outside.
    """
    unit = value.get("unit", "normalized")
    if unit not in ("normalized", "pixels"):
        raise ValueError(
            f'{where}: expected "unit" to be "normalized" or "pixels". Received: {unit!r}'
        )
    told = value.get("frame_size")
    if told is not None and (numbers(told, (2,), f'{where}, "frame_size"') <= 0).any():
        raise ValueError(f'{where}: expected "frame_size" above zero. Received: {told}')
    if unit == "normalized":
        largest = np.abs(boxes).max(initial=0)
        if largest > _LARGEST_NORMALIZED:
            raise ValueError(
                f"{where}: expected boxes normalized to [0, 1] of the frame, received {largest}: "
                f'boxes in pixels need "unit": "pixels"'
            )
        return boxes
    size = frame_size if told is None else told
    allowed = _OVERSHOOT if told is None else _LARGEST_NORMALIZED
    if size is None:
        raise ValueError(
            f'{where}: boxes in pixels need "frame_size", [height, width] of the frame'
        )
    normalized = boxes / np.tile(size, 2)
    outside = np.maximum(-normalized, normalized - 1).max(axis=1, initial=0)
    if len(boxes) and outside.max() > allowed:
        box = [round(side, 1) for side in boxes[outside.argmax()].tolist()]
        raise ValueError(
            f"{where}: box {box} in pixels is outside the frame of height {size[0]} and width "
            f'{size[1]}; "frame_size" tells the size of the frames that boxes refer to'
        )
    return normalized


def mend(boxes: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Puts normalized boxes `[n, 4]` in order and inside the frame; a warning counts how many.

    Returns:
        The boxes, float32 `[n, 4]`, and which of them have an area, bool `[n]`.
    """
    low, high = boxes[:, :2], boxes[:, 2:]
    ordered = np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)
    inside = ordered.clip(0, 1)
    mended = inside.astype(np.float32)
    has_area = np.all(mended[:, 2:] > mended[:, :2], axis=1)
    counts = {
        "with swapped corners put in order": (ordered != boxes).any(axis=1).sum(),
        "reaching outside the frame cut to it": (abs(ordered - inside) > _ROUNDING).any(1).sum(),
        "without an area left out": (~has_area).sum(),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    if told:
        logging.warning("%s: of %d boxes, %s", where, len(boxes), ", ".join(told))
    return mended, has_area
