"""A manifest: JSON lines, one a video, which anybody can write for films of their own.

    {"id": "v1", "video": "v1.mp4", "labels": ["jump"]}
    {"id": "v2", "frames": "folder/of/jpegs", "fps": 12, "labels": ["jump", "run"],
     "segments": [{"label": "jump", "start": 1.5, "end": 3.0}], "boxes": {...}}

(each on one line.) `labels`, `segments` (seconds) and `boxes` (see `stgraph_tf.data.boxes`) may be
left out; a segment's label is the video's label too, whether `labels` repeats it or not.
"""

import math
import os
from collections.abc import Mapping
from typing import Any

from stgraph_tf.data import json_lines
from stgraph_tf.data import labels as label_files
from stgraph_tf.data.sources import Annotations, Entry, TimedLabel, check_ids, check_labels

_KEYS = ("id", "video", "frames", "fps", "labels", "segments", "boxes")


def read(annotations: str, videos: str, labels_file: str | None = None) -> Annotations:
    """Reads and checks a manifest.

    Args:
        annotations: the manifest.
        videos: the folder that relative paths in it start from.
        labels_file: a list of labels that the manifest keeps to; None if it needs none.

    Raises:
        ValueError: naming file and line of what is wrong: no JSON, a missing, unknown or
            ill-typed key, an id that was there before, a segment that ends before it starts, a
            label that `labels_file` lacks.
    """
    entries = [
        _entry(json_lines.parse(line, content), videos, line)
        for line, content in json_lines.scan(annotations)
    ]
    check_ids(entries, annotations)
    files: tuple[str, ...] = (annotations,)
    labels = None
    if labels_file:
        files, labels = (annotations, labels_file), label_files.read_labels(labels_file)
        check_labels(entries, labels, labels_file)
    return Annotations(entries, labels, multi_label=None, split=None, files=files)


def _entry(value: Mapping[str, Any], videos: str, line: json_lines.Line) -> Entry:
    for key in value:
        if key not in _KEYS:
            raise ValueError(f"{line}: unknown key {key!r}; known are {', '.join(_KEYS)}")
    if ("video" in value) == ("frames" in value):
        raise ValueError(f'{line}: expected either "video" or "frames"')
    if ("fps" in value) != ("frames" in value):
        raise ValueError(f'{line}: "fps" belongs to "frames", and only there')
    segments = _segments(value.get("segments", []), line)
    labels = value.get("labels", [])
    if not isinstance(labels, list):
        raise ValueError(f'{line}: expected "labels" to be a list. Received: {labels!r}')
    labels = [_text(label, "a label", line) for label in labels]
    return Entry(
        id=_text(value.get("id"), '"id"', line),
        path=_path(value.get("video", value.get("frames")), videos, line),
        fps=_number(value["fps"], '"fps"', line) if "fps" in value else None,
        labels=tuple(dict.fromkeys([*labels, *(segment.label for segment in segments)])),
        segments=segments,
        where=str(line),
        boxes=_boxes(value, line),
    )


def _segments(value: Any, line: json_lines.Line) -> tuple[TimedLabel, ...]:
    if not isinstance(value, list):
        raise ValueError(f'{line}: expected "segments" to be a list. Received: {value!r}')
    segments = []
    for item in value:
        if not isinstance(item, Mapping) or set(item) != {"label", "start", "end"}:
            raise ValueError(f"{line}: expected a segment's label, start and end. Received: {item}")
        start = _number(item["start"], "a segment's start", line)
        end = _number(item["end"], "a segment's end", line)
        if not 0 <= start <= end:
            raise ValueError(f"{line}: a segment from {start} s to {end} s is no span of time")
        segments.append(TimedLabel(_text(item["label"], "a label", line), start, end))
    return tuple(segments)


def _boxes(value: Mapping[str, Any], line: json_lines.Line) -> json_lines.Line | None:
    if value.get("boxes") is None:
        return None
    if not isinstance(value["boxes"], Mapping):
        raise ValueError(f'{line}: expected "boxes" to be an object with times, boxes and scores')
    return line


def _path(value: Any, videos: str, line: json_lines.Line) -> str:
    path = _text(value, "the video's path", line)
    return path if "://" in path else os.path.join(videos, path)


def _text(value: Any, what: str, line: json_lines.Line) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{line}: expected {what} to be a text. Received: {value!r}")
    return value


def _number(value: Any, what: str, line: json_lines.Line) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{line}: expected {what} to be a number. Received: {value!r}")
    return float(value)
