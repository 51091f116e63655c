"""Boxes from outside: proposals files and boxes inside manifests, checked and put on frames.

A proposals file is JSON lines, one a video, which any detector can write:

    {"id": "v1", "times": [0.0, 0.5], "boxes": [[[0.1, 0.2, 0.8, 0.9]], []], "scores": [[0.7], []]}

`times` are seconds from the film's first frame, in any order; for each there is a list of boxes
`[ymin, xmin, ymax, xmax]`. These may be left out, or say more:

    "scores"      for each time a list of numbers, one a box; else every score is 1
    "unit"        "normalized" (as if left out): boxes are in [0, 1] of the frame; or "pixels"
    "frame_size"  [height, width] of the frame that pixel boxes refer to; else the film's frames as
                  they are seen, after any rotation that the film asks for and before any shrinking
    "tracks"      for each time a list of names (text or whole number), one a box: boxes of one name
                  are one object. No name is there twice at a time; null is a box without a name

A manifest's `"boxes"` is the same object without `id`.
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

from stgraph_tf.data import box_checks, json_lines

_LEADING_ID = re.compile(rb'\s*\{\s*"id"\s*:\s*("(?:[^"\\]|\\.)*")')

_MICROSECOND = 1.0

Track = str | int | None


@dataclasses.dataclass(frozen=True, eq=False)
class Proposals:
    """One video's boxes at `n` times.

    Attributes:
        times: float64 `[n]`, seconds, increasing.
        boxes: `n` arrays float32 `[k, 4]`, normalized, best score first, inside the frame, with an
            area.
        scores: `n` arrays float32 `[k]`.
        tracks: `n` rows of `k` names that tell which boxes are one object; None where not known.
    """

    times: np.ndarray
    boxes: Sequence[np.ndarray]
    scores: Sequence[np.ndarray]
    tracks: Sequence[Sequence[Track]] | None = None


@dataclasses.dataclass(frozen=True)
class BoxLines:
    """By video id, the line that holds its boxes; and the SHA-256 of a proposals file, in hex.

    The boxes themselves stay in their file: a line is read when its video's turn has come.
    """

    lines: Mapping[str, json_lines.Line]
    sha256: str | None = None


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


def read_proposals(
    line: json_lines.Line, video_id: str, frame_size: tuple[int, int] | None = None
) -> Proposals:
    """Reads a video's boxes from its line of a proposals file or of a manifest.

    Args:
        line: where the boxes are.
        video_id: names the video in messages.
        frame_size: as `check_proposals`.

    Raises:
        ValueError: as `check_proposals`, naming file, line and video.
    """
    value = line.read()
    inline = isinstance(value.get("boxes"), Mapping)
    where = f"{line}, video {video_id!r}"
    return check_proposals(value["boxes"] if inline else value, where, frame_size)


def check_proposals(
    value: Mapping[str, Any], where: str, frame_size: tuple[int, int] | None = None
) -> Proposals:
    """Checks boxes as they come from JSON, and mends what can be mended.

    A box whose corners are swapped is put in order, one that reaches outside the frame is cut to
    it, one that then has no area is left out; a single warning counts them.

    Args:
        value: what the format at the top of this module describes.
        where: names the boxes in messages.
        frame_size: `(height, width)` in pixels of the film's upright frames before shrinking, for
            boxes in pixels that do not say themselves what they refer to.

    Raises:
        ValueError: lists do not belong together, a number is not finite, a track is there twice at
            a time, normalized boxes are in pixels, or pixel boxes do not fit the frame.
    """
    times = box_checks.times(value.get("times"), where)
    rows = box_checks.row_per_time(value.get("boxes"), "boxes", len(times), where)
    score_rows, track_rows = (
        None
        if value.get(name) is None
        else box_checks.row_per_time(value[name], name, len(times), where)
        for name in ("scores", "tracks")
    )
    boxes, scores, tracks = [], [], []
    for index in np.argsort(times):
        at = f"at {times[index]} s"
        boxes.append(box_checks.numbers(rows[index], (-1, 4), f"{where}, boxes {at}"))
        count = len(boxes[-1])
        row = [1.0] * count if score_rows is None else score_rows[index]
        scores.append(box_checks.numbers(row, (count,), f"{where}, scores {at}"))
        if track_rows is not None:
            tracks.append(box_checks.tracks(track_rows[index], count, f"{where}, tracks {at}"))
    flat = np.concatenate([np.zeros((0, 4)), *boxes])
    flat = box_checks.normalize(flat, value, frame_size, where)
    mended, kept = box_checks.mend(flat, where)
    cuts = np.cumsum([0, *map(len, boxes)])
    for index, (first, last) in enumerate(itertools.pairwise(cuts)):
        keep = np.flatnonzero(kept[first:last])
        best_first = keep[np.argsort(-scores[index][keep], kind="stable")]
        boxes[index] = mended[first:last][best_first]
        scores[index] = scores[index][best_first].astype(np.float32)
        if track_rows is not None:
            tracks[index] = [tracks[index][box] for box in best_first]
    return Proposals(np.sort(times), boxes, scores, None if track_rows is None else tracks)


def at_frames(
    proposals: Proposals | None,
    timestamps: Sequence[int],
    frame_rate: float,
    max_boxes: int | None = None,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Gives every frame the boxes nearest in time, or those of tracked objects on their way.

    A frame takes the boxes of the time nearest to it, if that is within half a frame's time; of two
    that are equally near, the earlier. Else it takes the objects that have a track through both
    the last time before it and the first one after it, their boxes and scores interpolated between
    the two. Else it has no boxes.

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
    # Timestamps are whole microseconds: neither half a frame's time nor which of two times is
    # nearer is known any better.
    reach = 0.5e6 / frame_rate + _MICROSECOND
    stamps = np.asarray(timestamps, np.float64)
    times = proposals.times * 1e6
    after = np.searchsorted(times, stamps)
    before, after = (after - 1).clip(0), after.clip(max=len(times) - 1)
    earlier = stamps - times[before] <= times[after] - stamps + _MICROSECOND
    nearest = np.where(earlier, before, after)
    near = np.abs(times[nearest] - stamps) <= reach
    for frame in np.flatnonzero(near):
        boxes[frame] = proposals.boxes[nearest[frame]][:max_boxes]
        scores[frame] = proposals.scores[nearest[frame]][:max_boxes]
    if proposals.tracks is None:
        return boxes, scores
    between = np.flatnonzero(~near & (before < after))
    for frames in np.split(between, np.flatnonzero(np.diff(before[between])) + 1):
        if len(frames):
            gap = before[frames[0]]
            weights = (stamps[frames] - times[gap]) / (times[gap + 1] - times[gap])
            moved = _interpolate(proposals, gap, weights)
            for frame, frame_boxes, frame_scores in zip(frames, *moved, strict=True):
                boxes[frame], scores[frame] = frame_boxes[:max_boxes], frame_scores[:max_boxes]
    return boxes, scores


def _interpolate(
    proposals: Proposals, gap: int, weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Moves the objects that are there at times `gap` and `gap + 1` from one to the other.

    Args:
        proposals: of the video, with tracks.
        gap: index of the earlier time.
        weights: `[f]`, how far between the two times, in (0, 1).

    Returns:
        Boxes, float32 `[f, k, 4]`, and scores, float32 `[f, k]`, best first.
    """
    tracks = proposals.tracks or ()
    later = {name: box for box, name in enumerate(tracks[gap + 1]) if name is not None}
    pairs = [(box, later[name]) for box, name in enumerate(tracks[gap]) if name in later]
    first, second = np.array(pairs, int).reshape(-1, 2).T
    weights = weights[:, None]
    scores = (1 - weights) * proposals.scores[gap][first]
    scores += weights * proposals.scores[gap + 1][second]
    order = np.argsort(-scores, axis=1, kind="stable")
    boxes = (1 - weights[..., None]) * proposals.boxes[gap][first]
    boxes += weights[..., None] * proposals.boxes[gap + 1][second]
    return (
        np.take_along_axis(boxes, order[..., None], axis=1).astype(np.float32),
        np.take_along_axis(scores, order, axis=1).astype(np.float32),
    )
