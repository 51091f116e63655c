"""Boxes from outside: proposals files and boxes inside manifests, checked and put on frames.

A proposals file is JSON lines, one a video, which any detector can write:

    {"id": "v1", "times": [0.0, 0.5], "boxes": [[[0.1, 0.2, 0.8, 0.9]], []], "scores": [[0.7], []]}

`times` are seconds from the film's first frame; for each there is a list of boxes
`[ymin, xmin, ymax, xmax]`, normalized to [0, 1] of the frame, and one of their scores (all are 1
where `scores` is left out). A manifest's `"boxes"` is the same object without `id`.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from stgraph_tf.data import json_lines
from stgraph_tf.data.sources import Entry

# Detectors overshoot the frame a little. Numbers beyond this are pixels.
_LARGEST_NORMALIZED = 10.0
# Less than a tenth of a pixel outside the frame is rounding, and no word is lost on it.
_ROUNDING = 1e-4

_LEADING_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*")')


@dataclasses.dataclass(frozen=True, eq=False)
class Proposals:
    """One video's boxes at `n` times.

    Attributes:
        times: float64 `[n]`, seconds, increasing.
        boxes: `n` arrays float32 `[k, 4]`, best score first, inside the frame, with an area.
        scores: `n` arrays float32 `[k]`.
    """

    times: np.ndarray
    boxes: Sequence[np.ndarray]
    scores: Sequence[np.ndarray]


@dataclasses.dataclass(frozen=True)
class BoxSpec:
    """What `--boxes` asks for: `kind` is `none`, `inline` or `proposals`; `path` of the last."""

    kind: str
    path: str | None = None


@dataclasses.dataclass(frozen=True)
class BoxLines:
    """By video id, the line that holds its boxes; and the SHA-256 of a proposals file, in hex.

    The boxes themselves stay in their file: a line is read when its video's turn has come.
    """

    lines: Mapping[str, json_lines.Line]
    sha256: str | None = None


def parse_spec(spec: str) -> BoxSpec:
    """Understands `none`, `inline` or `proposals:FILE`.

    Raises:
        ValueError: it is none of them, or the file does not exist.
    """
    kind, _, path = spec.partition(":")
    if kind in ("none", "inline") and not path:
        return BoxSpec(kind)
    if kind != "proposals" or not path:
        raise ValueError(f"expected boxes none, inline or proposals:FILE. Received: {spec!r}")
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise ValueError(f"the box file {path} does not exist, or is no file")
    return BoxSpec(kind, path)


def find(spec: BoxSpec, entries: Sequence[Entry]) -> BoxLines:
    """Finds the boxes of all entries, and warns with a count of those that have none.

    Raises:
        ValueError: the proposals file is damaged; file and line are named.
    """
    if spec.kind == "none":
        return BoxLines({})
    if spec.kind == "inline":
        found = BoxLines({entry.id: entry.boxes for entry in entries if entry.boxes})
    else:
        found = index_proposals(spec.path)
    missing = [entry.id for entry in entries if entry.id not in found.lines]
    if missing:
        logging.warning(
            "%d of %d videos have no boxes%s, the first of them %r",
            len(missing),
            len(entries),
            f" in {spec.path}" if spec.path else "",
            missing[0],
        )
    return found


def index_proposals(path: str) -> BoxLines:
    """Reads a proposals file once, and remembers where each video's line begins.

    Raises:
        ValueError: a line is no JSON object, has no id, or has one that was there before.
    """
    lines: dict[str, json_lines.Line] = {}
    digest = hashlib.sha256()
    for line, content in json_lines.scan(path):
        digest.update(content)
        video = _read_id(line, content)
        if video in lines:
            raise ValueError(f"{line}: video {video!r} has boxes on line {lines[video].number} too")
        lines[video] = line
    return BoxLines(lines, digest.hexdigest())


def _read_id(line: json_lines.Line, content: bytes) -> str:
    # Parsing a long line of numbers for the id that it begins with would take most of the time.
    if match := _LEADING_ID.match(content):
        with contextlib.suppress(ValueError):
            return json.loads(match[1])
    video = json_lines.parse(line, content).get("id")
    if not isinstance(video, str):
        raise ValueError(f'{line}: expected "id" to be a text. Received: {video!r}')
    return video


def read_proposals(line: json_lines.Line, video: str) -> Proposals:
    """Reads a video's boxes from its line of a proposals file or of a manifest.

    Raises:
        ValueError: as `check_proposals`, naming file, line and video.
    """
    value = line.read()
    inline = isinstance(value.get("boxes"), Mapping)
    return check_proposals(value["boxes"] if inline else value, f"{line}, video {video!r}")


def check_proposals(value: Mapping[str, Any], where: str) -> Proposals:
    """Checks boxes as they come from JSON, and mends what can be mended.

    A box whose corners are swapped is put in order, one that reaches outside the frame is cut to
    it, one that then has no area is left out; a single warning counts them.

    Args:
        value: with `times`, `boxes` and maybe `scores`.
        where: names the boxes in messages.

    Raises:
        ValueError: lists do not belong together, a number is not finite, or boxes are in pixels.
    """
    times = _times(value, where)
    rows = _row_per_time(value.get("boxes"), "boxes", len(times), where)
    score_rows = value.get("scores")
    if score_rows is not None:
        score_rows = _row_per_time(score_rows, "scores", len(times), where)
    boxes, scores = [], []
    for index in np.argsort(times):
        at = f"at {times[index]} s"
        boxes.append(_numbers(rows[index], (-1, 4), f"{where}, boxes {at}"))
        count = len(boxes[-1])
        row = [1.0] * count if score_rows is None else score_rows[index]
        scores.append(_numbers(row, (count,), f"{where}, scores {at}"))
    flat = np.concatenate([np.zeros((0, 4)), *boxes])
    mended, kept = _mend(flat, where)
    cuts = np.cumsum([0, *map(len, boxes)])
    for index, (first, last) in enumerate(itertools.pairwise(cuts)):
        keep = kept[first:last]
        best_first = np.argsort(-scores[index][keep], kind="stable")
        boxes[index] = mended[first:last][keep][best_first]
        scores[index] = scores[index][keep][best_first].astype(np.float32)
    return Proposals(np.sort(times), boxes, scores)


def at_frames(
    proposals: Proposals | None,
    timestamps: Sequence[int],
    frame_rate: float,
    max_boxes: int | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gives every frame the boxes nearest in time, if within half a frame's time, else none.

    Args:
        proposals: of the video; None for a video without boxes.
        timestamps: of its frames, in microseconds.
        frame_rate: frames a second.
        max_boxes: keeps so many of a frame's boxes, the best ones.

    Returns:
        For every frame its boxes, float32 `[k, 4]`, and their scores, float32 `[k]`, best first.
    """
    boxes = [np.zeros((0, 4), np.float32)] * len(timestamps)
    scores = [np.zeros(0, np.float32)] * len(timestamps)
    if proposals is None or not len(proposals.times):
        return boxes, scores
    # Timestamps are whole microseconds, so half a frame's time is known no better.
    reach = 0.5e6 / frame_rate + 1
    times = proposals.times * 1e6
    after = np.searchsorted(times, timestamps)
    before, after = (after - 1).clip(0), after.clip(max=len(times) - 1)
    earlier = timestamps - times[before] <= times[after] - timestamps
    for frame, nearest in enumerate(np.where(earlier, before, after)):
        if abs(times[nearest] - timestamps[frame]) <= reach:
            boxes[frame] = proposals.boxes[nearest][:max_boxes]
            scores[frame] = proposals.scores[nearest][:max_boxes]
    return boxes, scores


def _times(value: Mapping[str, Any], where: str) -> np.ndarray:
    if not isinstance(value.get("times"), list):
        raise ValueError(f'{where}: expected "times", a list of seconds')
    times = _numbers(value["times"], (-1,), f"{where}, times")
    unique, counts = np.unique(times, return_counts=True)
    if len(unique) < len(times):
        raise ValueError(f"{where}: time {unique[counts > 1][0]} s is there more than once")
    return times


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
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


def _row_per_time(value: Any, name: str, num_times: int, where: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != num_times:
        received = len(value) if isinstance(value, list) else repr(value)
        raise ValueError(
            f"{where}: expected {num_times} lists of {name}, one a time. Received: {received}"
        )
    return value


def _mend(boxes: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    """Puts boxes `[n, 4]` in order and inside the frame.

    Returns:
        The boxes, float32 `[n, 4]`, and which of them have an area, bool `[n]`.
    """
    largest = np.abs(boxes).max(initial=0)
    if largest > _LARGEST_NORMALIZED:
        raise ValueError(
            f"{where}: expected boxes normalized to [0, 1] of the frame, received {largest}: "
            f"divide pixels by the frame's height and width"
        )
    low, high = boxes[:, :2], boxes[:, 2:]
    ordered = np.concatenate([np.minimum(low, high), np.maximum(low, high)], axis=1)
    inside = ordered.clip(0, 1)
    mended = inside.astype(np.float32)
    has_area = (mended[:, 2:] > mended[:, :2]).all(axis=1)
    counts = {
        "with swapped corners put in order": (ordered != boxes).any(axis=1).sum(),
        "reaching outside the frame cut to it": (abs(ordered - inside) > _ROUNDING).any(1).sum(),
        "without an area left out": (~has_area).sum(),
    }
    told = [f"{count} {what}" for what, count in counts.items() if count]
    if told:
        logging.warning("%s: of %d boxes, %s", where, len(boxes), ", ".join(told))
    return mended, has_area
