"""From a film, its labels and its boxes to one serialized record.

Nothing here depends on more than its arguments, which are small and can be written as JSON: any
process on any machine can make any record. A film is read once, frame by frame, and its compressed
frames wait in a file, so that memory does not grow with its length.
"""

import contextlib
import dataclasses
import io
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np
from absl import logging

from stgraph_tf.data import boxes as box_files
from stgraph_tf.data import json_lines, schema, video
from stgraph_tf.data.frame_boxes import DetectorFactory, FrameBoxes
from stgraph_tf.data.sources import Entry, TimedLabel

# Frames of shorter films stay in memory: this many bytes of them.
_SPOOLED = 32 * 2**20
_CHUNK = 2**20
# A protocol buffer ends here, and no reader takes a longer one.
_LONGEST_RECORD = 2**31 - 1


class StorageError(RuntimeError):
    """A disk that is written to, not a film that is read, is at fault."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """How films become records.

    Attributes:
        fps: frames a second to keep.
        short_side: frames are shrunk to this many pixels on their shorter side.
        jpeg_quality: of frames that are encoded anew, 1 to 100.
        max_boxes: boxes kept on a frame, the best ones; None for all.
        detector: finds the boxes on the frames as they are before they are compressed; None to take
            those that the tasks name.
    """

    fps: float
    short_side: int
    jpeg_quality: int = video.JPEG_QUALITY
    max_boxes: int | None = None
    detector: DetectorFactory | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """One film to make a record of: its entry, its labels' indices, and where its boxes are."""

    entry: Entry
    labels: tuple[int, ...]
    segments: tuple[schema.Segment, ...]
    boxes: json_lines.Line | None

    def to_json(self) -> dict[str, Any]:
        """As plain values, which `from_json` understands."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Task":
        """The task that `to_json` was called on."""
        entry = value["entry"]
        return cls(
            Entry(
                **{
                    **entry,
                    "labels": tuple(entry["labels"]),
                    "segments": tuple(TimedLabel(**segment) for segment in entry["segments"]),
                    "boxes": _line(entry["boxes"]),
                }
            ),
            tuple(value["labels"]),
            tuple(schema.Segment(**segment) for segment in value["segments"]),
            _line(value["boxes"]),
        )


@dataclasses.dataclass
class Counts:
    """What a shard or a split holds."""

    num_videos: int = 0
    num_frames: int = 0
    num_boxes: int = 0
    num_frames_with_boxes: int = 0

    def __iadd__(self, other: "Counts") -> "Counts":
        for field in dataclasses.fields(self):
            total = getattr(self, field.name) + getattr(other, field.name)
            setattr(self, field.name, total)
        return self


class Record:
    """A record that is not yet in one piece.

    Attributes:
        counts: of this one video.
        size: in bytes.
    """

    def __init__(self, head: bytes, frame_sizes: Sequence[int], frames: "_Spool", counts: Counts):
        self.counts = counts
        self.size = len(head) + sum(len(schema.encode_frame(s)) + s for s in frame_sizes)
        self._head = head
        self._frame_sizes = frame_sizes
        self._frames = frames

    def chunks(self) -> Iterator[bytes]:
        """The serialized record, piece by piece."""
        yield self._head
        frames = self._frames.rewind()
        for size in self._frame_sizes:
            yield schema.encode_frame(size)
            for start in range(0, size, _CHUNK):
                yield frames.read(min(_CHUNK, size - start))


class _Spool:
    """Bytes that wait to be read: in memory first, on the disk when they get too many."""

    def __init__(self, memory: io.BytesIO):
        self._memory = memory
        self._size = 0
        self._disk: IO[bytes] | None = None

    def write(self, data: bytes) -> None:
        """Appends `data`.

        Raises:
            StorageError: there is no room for it on the disk.
        """
        self._size += len(data)
        if self._disk is None and self._size <= _SPOOLED:
            self._memory.write(data)
            return
        try:
            if self._disk is None:
                self._disk = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
                self._disk.write(self._memory.getbuffer()[: self._memory.tell()])
            self._disk.write(data)
        except OSError as error:
            raise StorageError(f"{tempfile.gettempdir()}: {error.strerror}") from error

    def rewind(self) -> IO[bytes]:
        """What was written, to be read from its start."""
        file = self._disk or self._memory
        file.seek(0)
        return file

    def close(self) -> None:
        """Gives up what is on the disk."""
        if self._disk:
            self._disk.close()


_spare_memory: list[io.BytesIO] = []


@contextlib.contextmanager
def _spool() -> Iterator[_Spool]:
    """A spool in memory that an earlier film used: new memory is slow the first time it is used."""
    memory = _spare_memory.pop() if _spare_memory else io.BytesIO()
    memory.seek(0)
    spool = _Spool(memory)
    try:
        yield spool
    finally:
        spool.close()
        _spare_memory.append(memory)


def make_tasks(
    entries: Sequence[Entry], labels: Sequence[str], box_lines: Mapping[str, json_lines.Line]
) -> list[Task]:
    """Puts together what `read_film` needs of every entry.

    Args:
        entries: the videos.
        labels: the data set's, in order; the entries' labels are among them.
        box_lines: by video id, the line that holds the video's boxes.
    """
    indices = {label: index for index, label in enumerate(labels)}
    return [
        Task(
            entry,
            tuple(indices[label] for label in entry.labels),
            tuple(
                schema.Segment(indices[s.label], round(s.start * 1e6), round(s.end * 1e6))
                for s in entry.segments
            ),
            box_lines.get(entry.id),
        )
        for entry in entries
    ]


def make_record(task: Task, settings: Settings) -> tuple[bytes, Counts]:
    """Reads a film and serializes its record, in memory.

    Raises:
        ValueError: as `read_film`.
    """
    with read_film(task, settings) as record:
        return b"".join(record.chunks()), record.counts


@contextlib.contextmanager
def read_film(task: Task, settings: Settings) -> Iterator[Record]:
    """Reads a film, frame by frame, and gives its record as long as the block lasts.

    Raises:
        ValueError: the film or its boxes cannot be read; file (and line) are named.
        StorageError: there is no room for its frames among the temporary files.
    """
    entry = task.entry
    frames = video.read_frames(
        entry.path, settings.fps, short_side=settings.short_side, source_fps=entry.fps
    )
    with _spool() as spool:
        timestamps, sizes = [], []
        found = FrameBoxes(settings.detector.open()) if settings.detector else None
        for frame, jpeg in video.compressed(frames, settings.jpeg_quality):
            timestamps.append(frame.timestamp)
            sizes.append(len(jpeg))
            spool.write(jpeg)
            if found:
                found.add(frame.picture)
        if found:
            boxes, scores = ([row[: settings.max_boxes] for row in rows] for rows in found.finish())
        else:
            boxes, scores = _boxes(task, settings, timestamps, frame.source_size)
        width, height = frame.picture.size
        head = schema.encode_head(
            schema.Video(
                id=entry.id,
                frames=(),
                timestamps=timestamps,
                height=height,
                width=width,
                frame_rate=settings.fps,
                labels=task.labels,
                label_names=entry.labels,
                segments=task.segments,
                boxes=boxes,
                scores=scores,
            ),
            sizes,
        )
        counts = Counts(1, len(sizes), sum(map(len, boxes)), sum(len(b) > 0 for b in boxes))
        record = Record(head, sizes, spool, counts)
        if record.size > _LONGEST_RECORD:
            raise ValueError(
                f"{entry.path} would make a record of {record.size / 1e9:.1f} GB, and a record "
                f"holds 2.1 at most: cut the film into shorter ones"
            )
        yield record


def _boxes(
    task: Task, settings: Settings, timestamps: Sequence[int], frame_size: tuple[int, int]
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Boxes and scores of every frame; `frame_size` is that of the film, before shrinking."""
    proposals = None
    if task.boxes:
        proposals = box_files.read_proposals(task.boxes, task.entry.id, frame_size)
    boxes, scores = box_files.at_frames(proposals, timestamps, settings.fps, settings.max_boxes)
    if proposals and any(map(len, proposals.boxes)) and not any(map(len, boxes)):
        logging.warning(
            "%s, video %r: none of its boxes' times is in the film", task.boxes, task.entry.id
        )
    return boxes, scores


def _line(value: Mapping[str, Any] | None) -> json_lines.Line | None:
    return json_lines.Line(**value) if value else None
