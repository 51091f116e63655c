"""Boxes of Something-Something videos from the public Something-Else annotations.

Their files hold, by video id, one object for each annotated frame:

    {"2": [{"name": "2/0001.jpg", "labels": [
        {"box2d": {"x1": 97.6, "y1": 11.9, "x2": 427, "y2": 239.9},
         "gt_annotation": "object 0", "category": "pillow", "standard_category": "0000"}]}]}

in pixels of the film, whose frames are numbered from 1 at 12 a second. A frame that is not in the
list was not annotated, one with an empty list of labels has nothing to see.

`gt_annotation` (else `standard_category`, else `category`) says which boxes are one object. Both
hands of a person are "object hand", though. Of boxes with the same name, each goes on under the
name of the last box before it that is nearest, centre to centre, nearest pairs first; what is left
over is new, and is called "object hand #2".
"""

import collections
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from absl import logging

from stgraph_tf.proposals import json_stream

FPS = 12.0

_NAME_KEYS = ("gt_annotation", "standard_category", "category")
# A thousandth of a pixel: more digits would double the size of the file.
_DECIMALS = 3

Box = list[float]


def videos(paths: Sequence[str], fps: float = FPS) -> Iterator[dict[str, Any]]:
    """Yields each video's boxes as an object of a proposals file, see `stgraph_tf.data.boxes`.

    A box without numbers is left out, and a warning names file, video and frame.

    Args:
        paths: annotation files; memory holds one video at a time.
        fps: of the numbered frames.

    Raises:
        ValueError: a file is not JSON or not of this layout, or a video is there twice.
    """
    origins: dict[str, str] = {}
    for path in paths:
        for video_id, frames in json_stream.members(path):
            if video_id in origins:
                raise ValueError(f"{path}: video {video_id!r} is in {origins[video_id]} too")
            origins[video_id] = path
            yield _video(video_id, frames, fps, f"{path}, video {video_id!r}")


def _video(video_id: str, frames: Any, fps: float, where: str) -> dict[str, Any]:
    if not isinstance(frames, list):
        raise ValueError(
            f"{where}: expected a list of annotated frames, as Something-Else has them. "
            f"Received: {type(frames).__name__}"
        )
    numbered = sorted(((_number(frame, where), frame) for frame in frames), key=lambda it: it[0])
    tracker = Tracker()
    boxes, tracks = [], []
    odd: list[int] = []
    for number, frame in numbered:
        labels = _labels(frame, f"{where}, frame {number}")
        kept = [(name, box) for name, box in labels if box is not None]
        odd += [number] * (len(labels) - len(kept))
        boxes.append([box for _, box in kept])
        tracks.append(tracker.name([name for name, _ in kept], boxes[-1]))
    if odd:
        logging.warning(
            "%s: %d boxes without four numbers are left out, the first in frame %d",
            where,
            len(odd),
            odd[0],
        )
    times = [(number - 1) / fps for number, _ in numbered]
    return {"id": video_id, "unit": "pixels", "times": times, "boxes": boxes, "tracks": tracks}


def _number(frame: Any, where: str) -> int:
    name = frame.get("name") if isinstance(frame, dict) else None
    digits = re.search(r"(\d+)\.\w+$", name) if isinstance(name, str) else None
    if not digits:
        raise ValueError(
            f"{where}: expected a frame's name such as '2/0001.jpg'. Received: {name!r}"
        )
    return int(digits[1])


def _labels(frame: dict[str, Any], where: str) -> list[tuple[str | None, Box | None]]:
    """Name and `[ymin, xmin, ymax, xmax]` of a frame's boxes; None for a box that is none."""
    labels = frame.get("labels")
    if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
        raise ValueError(
            f'{where}: expected "labels" to be a list of objects. Received: {labels!r}'
        )
    return [(_name(label), _box(label)) for label in labels]


def _name(label: dict[str, Any]) -> str | None:
    names = (label.get(key) for key in _NAME_KEYS)
    return next((name for name in names if isinstance(name, str) and name), None)


def _box(label: dict[str, Any]) -> Box | None:
    corners = label.get("box2d")
    if not isinstance(corners, dict):
        return None
    box: list[Any] = [corners.get(side) for side in ("y1", "x1", "y2", "x2")]
    for value in box:
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            return None
    return [round(value, _DECIMALS) for value in box]


class Tracker:
    """Gives the boxes of one object one name through a video, and no two of a frame the same.

    Frames are to come in their order.
    """

    def __init__(self) -> None:
        # By name as it was given, the last centre of each object that bears it.
        self._centres: dict[str, list[tuple[float, float]]] = collections.defaultdict(list)

    def name(self, given: Sequence[str | None], boxes: Sequence[Box]) -> list[str | None]:
        """Names the boxes of the next frame.

        Args:
            given: names as the annotations have them, one a box; None for a box without.
            boxes: `[ymin, xmin, ymax, xmax]` in pixels.
        """
        names = list(given)
        by_name: dict[str, list[int]] = collections.defaultdict(list)
        for index, name in enumerate(given):
            if name is not None:
                by_name[name].append(index)
        for name, indices in by_name.items():
            centres = [_centre(boxes[index]) for index in indices]
            for index, which in zip(indices, self._follow(name, centres), strict=True):
                names[index] = name if which == 0 else f"{name} #{which + 1}"
        return names

    def _follow(self, name: str, centres: Sequence[tuple[float, float]]) -> list[int]:
        """Which of the known objects called `name` each centre belongs to; new ones are added."""
        known = self._centres[name]
        pairs = sorted(
            (math.dist(centre, last), new, old)
            for new, centre in enumerate(centres)
            for old, last in enumerate(known)
        )
        which: dict[int, int] = {}
        for _, new, old in pairs:
            if new not in which and old not in which.values():
                which[new] = old
        for new, centre in enumerate(centres):
            if new not in which:
                which[new] = len(known)
                known.append(centre)
            known[which[new]] = centre
        return [which[new] for new in range(len(centres))]


def _centre(box: Box) -> tuple[float, float]:
    ymin, xmin, ymax, xmax = box
    return (ymin + ymax) / 2, (xmin + xmax) / 2
