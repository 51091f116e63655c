"""Clips of one film, cut as evaluation cuts them.

The film goes the way of the data set: it becomes a record (frames at the stored rate and size, as
JPEG, boxes on each), and the record's clips are chosen and decoded by the evaluation's functions.
So a film scores here what it scores in an evaluation.
"""

import atexit
import dataclasses
import functools
import os
import tempfile
from collections.abc import Iterable

import numpy as np
import tensorflow as tf

from stgraph_tf.data import clips, json_lines, records, schema, transforms
from stgraph_tf.data.sources import Entry
from stgraph_tf.evaluation.pooling import pool_clips
from stgraph_tf.proposals import annotations, frame_detector
from stgraph_tf.proposals.frame_detector import DetectorSpec
from stgraph_tf.serving.assets import ClipSpec

# Ids that a message lists before it breaks off.
_LISTED_IDS = 5


@dataclasses.dataclass(frozen=True, eq=False)
class FilmRecord:
    """A film as the data set would store it.

    Attributes:
        path: of the film.
        serialized: its `tf.train.SequenceExample`, see `stgraph_tf.data.schema`.
        num_stored: frames that it has at the model's rate.
        num_boxes: boxes on them.
    """

    path: str
    serialized: bytes
    num_stored: int
    num_boxes: int


@dataclasses.dataclass(frozen=True, eq=False)
class FilmClips:
    """The clips of a film that differ from each other.

    Attributes:
        frames: every frame that some clip shows, once: uint8 `[U, H, W, 3]`, or `U` JPEG images as
            the film's record has them.
        frame_indices: int `[V, T]`, which of them make up each clip.
        boxes: float32 `[V, T', K, 4]`; padded boxes are zeros.
        num_boxes: int `[V]`, boxes of each clip that are not padding.
        repeats: int `[V]`, how many of the film's clips each of them stands for.
        num_stored: frames that the film has at the model's rate.
        stored_indices: int `[V, T]`, which of these make up each clip.
    """

    frames: np.ndarray
    frame_indices: np.ndarray
    boxes: np.ndarray
    num_boxes: np.ndarray
    repeats: np.ndarray
    num_stored: int
    stored_indices: np.ndarray

    def __len__(self) -> int:
        return len(self.frame_indices)

    def pool(self, clip_scores: Iterable[np.ndarray], pooling: str) -> np.ndarray:
        """The film's scores, float32 `[C]`, from those of its clips, as evaluation pools them.

        Args:
            clip_scores: `[C]` of each clip, in their order.
            pooling: one of `stgraph_tf.evaluation.pooling.POOLINGS`.
        """
        every_clip = np.repeat(np.stack(list(clip_scores)), self.repeats, axis=0)
        return pool_clips(every_clip, pooling).astype(np.float32)


def read(
    path: str,
    clip: ClipSpec,
    boxes: json_lines.Line | None = None,
    fps: float | None = None,
    detector: DetectorSpec | None = None,
) -> FilmClips:
    """Decodes a film and cuts it into clips of raw frames: `record`, then `cut`."""
    return cut(record(path, clip, boxes, fps, detector), clip)


def record(
    path: str,
    clip: ClipSpec,
    boxes: json_lines.Line | None = None,
    fps: float | None = None,
    detector: DetectorSpec | None = None,
) -> FilmRecord:
    """Decodes a film, and stores it as the model's data set is stored.

    Args:
        path: a film, or a folder of JPEG or PNG frames.
        clip: how the model wants its clips.
        boxes: the line of a proposals file that holds the film's boxes; None for no boxes.
        fps: frames a second of a folder; a film knows its own.
        detector: finds the boxes, where there is no line of them.

    Raises:
        ValueError: the film or its boxes cannot be read; it is named.
    """
    entry = Entry(id=film_id(path), path=path, fps=fps, labels=(), segments=(), where=path)
    task = records.Task(entry, labels=(), segments=(), boxes=boxes)
    settings = records.Settings(clip.frame_rate, clip.stored_short_side, detector=detector)
    serialized, counts = records.make_record(task, settings)
    return FilmRecord(path, serialized, counts.num_frames, counts.num_boxes)


def cut(film: FilmRecord, clip: ClipSpec, *, decode: bool = True) -> FilmClips:
    """Cuts a film into clips.

    Args:
        film: the stored film.
        clip: how the model wants its clips.
        decode: whether frames are decoded and scaled, or stay JPEG images.

    Raises:
        ValueError: a frame cannot be decoded; the film is named.
    """
    chosen = clips.evaluation_clips(
        schema.parse(film.serialized),
        num_frames=clip.num_frames,
        box_stride=clip.box_stride,
        num_clips=clip.num_clips,
    )
    if decode:
        try:
            chosen = transforms.evaluation_transform(
                chosen, short_side=clip.short_side, num_boxes=clip.num_boxes
            )
        except tf.errors.InvalidArgumentError as error:
            # JPEG files of a folder stay as they are, and other readers take more than TensorFlow's
            raise ValueError(f"{film.path} has a JPEG that TensorFlow cannot decode") from error
        frames, boxes, mask = (chosen[name] for name in ("frames", "boxes", "mask"))
    else:
        frames = chosen["jpegs"]
        boxes, mask = transforms.whole_frame_boxes(chosen, num_boxes=clip.num_boxes)
    # Clips of a short film are all the same, and their scores need no more than one look.
    frame_indices, distinct, repeats = np.unique(
        chosen["frame_indices"], axis=0, return_index=True, return_counts=True
    )
    stored = clips.evaluation_indices(
        tf.constant(film.num_stored, tf.int64), clip.num_frames, clip.num_clips
    )
    return FilmClips(
        frames=frames.numpy(),
        frame_indices=frame_indices,
        boxes=boxes.numpy()[distinct],
        num_boxes=mask.numpy()[distinct].sum(axis=(1, 2)),
        repeats=repeats,
        num_stored=film.num_stored,
        stored_indices=stored.numpy()[distinct],
    )


def film_id(path: str) -> str:
    """The id that a film goes by in a proposals file: its name without folder and suffix."""
    name = os.path.basename(path.rstrip("/"))
    return name if tf.io.gfile.isdir(path) else os.path.splitext(name)[0]


def find_detector(spec: str, num_boxes: int) -> DetectorSpec | None:
    """The detector that `spec` names (`rpn:CHECKPOINT`, `saved_model:DIR`); None for other boxes.

    Raises:
        ValueError: there is nothing where it should be.
    """
    name, colon, _ = spec.partition(":")
    if not colon or name not in annotations.DETECTORS:
        return None
    return DetectorSpec(spec, frame_detector.digest(spec), num_boxes)


class FilmBoxes:
    """The lines that hold the boxes of films.

    Args:
        spec: `none`, a kind of boxes in files that `annotations.parse_spec` understands
            (`proposals:FILE`, ...), or just the `FILE` of proposals.

    Raises:
        ValueError: the file is missing or holds no boxes.
    """

    def __init__(self, spec: str):
        is_kind = spec == "none" or annotations.is_file_kind(spec)
        parsed = annotations.parse_spec(spec if is_kind else f"proposals:{spec}")
        self._path = parsed.paths[0] if parsed.paths else None
        self._lines = annotations.index_boxes(parsed, _cache_folder()).lines if self._path else {}
        if self._path and not self._lines:
            raise ValueError(f"{self._path} is empty; expected lines of boxes")

    def line(self, film: str, *, by_id: bool = False) -> json_lines.Line | None:
        """The line of one film; None if there are to be no boxes.

        Args:
            film: its path; the line with its `film_id` counts.
            by_id: whether that must be so also where there is only one line.

        Raises:
            ValueError: there is no such line.
        """
        if self._path is None:
            return None
        if len(self._lines) == 1 and not by_id:
            return next(iter(self._lines.values()))
        wanted = film_id(film)
        if wanted not in self._lines:
            known = ", ".join(map(repr, list(self._lines)[:_LISTED_IDS]))
            others = len(self._lines) - _LISTED_IDS
            rest = f" and {others} others" if others > 0 else ""
            raise ValueError(
                f"{self._path} has no line with id {wanted!r}, for {film}; it has {known}{rest}"
            )
        return self._lines[wanted]


def find_boxes(spec: str, film: str) -> json_lines.Line | None:
    """The line that holds the boxes of the only film: `FilmBoxes(spec).line(film)`."""
    return FilmBoxes(spec).line(film)


@functools.cache
def _cache_folder() -> str:
    """Where converted boxes are, from when a line is found until the program ends."""
    folder = tempfile.TemporaryDirectory(prefix="boxes-")
    atexit.register(folder.cleanup)
    return folder.name
