"""What `--boxes` asks for, and the lines of boxes that it stands for.

Boxes in other layouts are converted to a proposals file once (`stgraph_tf.data.boxes` describes
it), so that there is one way to read boxes.
"""

import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import tensorflow as tf
from absl import logging

from stgraph_tf import files
from stgraph_tf.data import boxes as box_files
from stgraph_tf.data.sources import Entry
from stgraph_tf.proposals import coco, something_else

# Goes into the names of converted files: a change of how they are written makes them anew.
_CONVERSION = 1


@dataclasses.dataclass(frozen=True)
class BoxSpec:
    """What `--boxes` asks for.

    Attributes:
        kind: `none`, `inline`, `proposals`, `something_else`, `coco`, `rpn` or `saved_model`.
        paths: files to read, in the order that the kind wants; or what a detector is loaded from.
        fps: of numbered frames; None where times are known.
    """

    kind: str
    paths: tuple[str, ...] = ()
    fps: float | None = None

    @property
    def detector(self) -> str | None:
        """The detector that finds the boxes, for `detector.open_detector`; None for known boxes."""
        return f"{self.kind}:{self.paths[0]}" if _KINDS[self.kind].detects else None


@dataclasses.dataclass(frozen=True)
class _Kind:
    """One kind of boxes.

    Attributes:
        usage: how a user writes it.
        parse: from what follows the colon to files and frames a second; None if nothing follows.
        convert: yields the objects of a proposals file; None for what is one already.
        detects: whether it is a detector, which finds boxes on the frames.
    """

    usage: str
    parse: Callable[[str], tuple[tuple[str, ...], float | None]] | None = None
    convert: Callable[[BoxSpec], Iterator[Mapping[str, Any]]] | None = None
    detects: bool = False


def parse_spec(spec: str) -> BoxSpec:
    """Understands `none`, `inline`, `proposals:FILE` and the other kinds of boxes.

    Raises:
        ValueError: it is none of them, or a file does not exist.
    """
    name, colon, rest = spec.partition(":")
    kind = _KINDS.get(name)
    if kind is None or bool(colon) != bool(kind.parse) or bool(rest) != bool(kind.parse):
        usages = [known.usage for known in _KINDS.values()]
        raise ValueError(
            f"expected boxes {', '.join(usages[:-1])} or {usages[-1]}. Received: {spec!r}"
        )
    return BoxSpec(name, *kind.parse(rest)) if kind.parse else BoxSpec(name)


def is_file_kind(spec: str) -> bool:
    """Whether a text begins with a kind of boxes that are in files."""
    name, colon, _ = spec.partition(":")
    kind = _KINDS.get(name)
    return bool(colon) and kind is not None and kind.parse is not None and not kind.detects


def find_boxes(spec: BoxSpec, entries: Sequence[Entry], cache_folder: str) -> box_files.BoxLines:
    """Finds the boxes of all entries, and warns with a count of those that have none.

    There are none yet where a detector is to find them.

    Args:
        spec: where boxes are.
        entries: the videos.
        cache_folder: where a converted file is written, or found again; it must stay until the
            lines were read.

    Raises:
        ValueError: a file of boxes is damaged; it is named, and the line or video.
    """
    if spec.kind == "none" or spec.detector:
        return box_files.BoxLines({})
    if spec.kind == "inline":
        found = box_files.BoxLines({entry.id: entry.boxes for entry in entries if entry.boxes})
    else:
        found = index_boxes(spec, cache_folder)
    missing = [entry.id for entry in entries if entry.id not in found.lines]
    if missing:
        logging.warning(
            "%d of %d videos have no boxes%s, the first of them %r%s",
            len(missing),
            len(entries),
            f" in {spec.paths[0]}" if spec.paths else "",
            missing[0],
            # Ids that never fit are written in another way, which one of them shows.
            f"; it has {next(iter(found.lines))!r}"
            if len(missing) == len(entries) and found.lines
            else "",
        )
    return found


def index_boxes(spec: BoxSpec, cache_folder: str) -> box_files.BoxLines:
    """Finds all boxes of a spec that has files.

    Args:
        spec: where boxes are.
        cache_folder: as in `find_boxes`.

    Raises:
        ValueError: as `find_boxes`.
    """
    convert = _KINDS[spec.kind].convert
    path = spec.paths[0] if convert is None else _converted(spec, convert, cache_folder)
    return box_files.index_proposals(path)


def _converted(
    spec: BoxSpec, convert: Callable[[BoxSpec], Iterator[Mapping[str, Any]]], cache_folder: str
) -> str:
    """The proposals file that was made from a spec's files, made now if it is not there yet."""
    path = os.path.join(cache_folder, f"{spec.kind}-{_digest(spec)[:16]}.jsonl")
    if tf.io.gfile.exists(path):
        return path
    logging.info("converting the boxes of %s to %s", ", ".join(spec.paths), path)
    with files.atomic_writer(path) as file:
        for video in convert(spec):
            # The id comes first, where an index finds it without parsing the line.
            file.write(json.dumps({"id": video["id"], **video}) + "\n")
    return path


def _digest(spec: BoxSpec) -> str:
    """Tells by what a converted file was made: content of the files, frame rate, and by whom."""
    total = hashlib.sha256(repr((_CONVERSION, spec.kind, spec.fps)).encode())
    for path in spec.paths:
        content = hashlib.sha256()
        with tf.io.gfile.GFile(path, "rb") as file:
            while block := file.read(1 << 20):
                content.update(block)
        total.update(content.digest())
    return total.hexdigest()


def _parse_proposals(text: str) -> tuple[tuple[str, ...], None]:
    return (_existing(text),), None


def _parse_something_else(text: str) -> tuple[tuple[str, ...], float]:
    pattern, fps = _split_fps(text)
    if tf.io.gfile.isdir(pattern):
        pattern = os.path.join(pattern, "*.json")
    if _is_file(pattern):
        return (pattern,), fps or something_else.FPS
    paths = tuple(sorted(tf.io.gfile.glob(pattern)))
    if not paths:
        raise ValueError(f"the box file {pattern} does not exist, or nothing has such a name")
    return paths, fps or something_else.FPS


def _parse_coco(text: str) -> tuple[tuple[str, ...], float | None]:
    text, fps = _split_fps(text)
    paths = (text,) if _is_file(text) else text.split(",")
    if len(paths) > 2:
        raise ValueError(f"expected coco:RESULTS,IMAGES, not more files. Received: {text!r}")
    return tuple(map(_existing, paths)), fps


def _parse_detector(text: str) -> tuple[tuple[str, ...], None]:
    if not tf.io.gfile.exists(text) and not tf.io.gfile.exists(f"{text}.index"):
        raise ValueError(f"the detector {text} does not exist")
    return (text,), None


def _split_fps(text: str) -> tuple[str, float | None]:
    """Takes `@FPS` from the end, unless a file has that name."""
    match = re.fullmatch(r"(.+)@([\d.]+)", text)
    if match is None or tf.io.gfile.exists(text):
        return text, None
    try:
        fps = float(match[2])
    except ValueError:
        fps = 0.0
    if fps <= 0:
        raise ValueError(f"expected frames a second above 0 after @. Received: {text!r}")
    return match[1], fps


def _existing(path: str) -> str:
    if not _is_file(path):
        raise ValueError(f"the box file {path} does not exist, or is no file")
    return path


def _is_file(path: str) -> bool:
    return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)


_KINDS = {
    "none": _Kind("none"),
    "inline": _Kind("inline"),
    "proposals": _Kind("proposals:FILE", _parse_proposals),
    "something_else": _Kind(
        "something_else:PATH[@FPS]",
        _parse_something_else,
        lambda spec: something_else.videos(spec.paths, cast(float, spec.fps)),
    ),
    "coco": _Kind(
        "coco:RESULTS[,IMAGES][@FPS]",
        _parse_coco,
        lambda spec: coco.videos(spec.paths[0], next(iter(spec.paths[1:]), None), spec.fps),
    ),
    "rpn": _Kind("rpn:CHECKPOINT", _parse_detector, detects=True),
    "saved_model": _Kind("saved_model:DIR", _parse_detector, detects=True),
}
# Kinds that find boxes on frames.
DETECTORS = tuple(name for name, kind in _KINDS.items() if kind.detects)
