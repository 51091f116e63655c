"""From a film, its labels and its boxes to one serialized record.

`make_record` depends on nothing but its arguments, which are small and can be pickled: a process
pool can call it, or any other runner.
"""

import dataclasses
from collections.abc import Mapping, Sequence

from absl import logging

from stgraph_tf.data import boxes as box_files
from stgraph_tf.data import json_lines, schema, video
from stgraph_tf.data.sources import Entry


@dataclasses.dataclass(frozen=True)
class Settings:
    """How films become records.

    Attributes:
        fps: frames a second to keep.
        short_side: frames are shrunk to this many pixels on their shorter side.
        jpeg_quality: of frames that are encoded anew, 1 to 100.
        max_boxes: boxes kept on a frame, the best ones; None for all.
    """

    fps: float
    short_side: int
    jpeg_quality: int = video.JPEG_QUALITY
    max_boxes: int | None = None


@dataclasses.dataclass(frozen=True)
class Task:
    """One film to make a record of: its entry, its labels' indices, and where its boxes are."""

    entry: Entry
    labels: tuple[int, ...]
    segments: tuple[schema.Segment, ...]
    boxes: json_lines.Line | None

    def __str__(self) -> str:
        return self.entry.path


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


def make_tasks(
    entries: Sequence[Entry], labels: Sequence[str], box_lines: Mapping[str, json_lines.Line]
) -> list[Task]:
    """Puts together what `make_record` needs of every entry.

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
    """Decodes a film and serializes its record.

    Raises:
        ValueError: the film or its boxes cannot be read; file (and line) are named.
    """
    entry = task.entry
    film = video.read_jpegs(
        entry.path,
        settings.fps,
        short_side=settings.short_side,
        source_fps=entry.fps,
        quality=settings.jpeg_quality,
    )
    proposals = box_files.read_proposals(task.boxes, entry.id) if task.boxes else None
    boxes, scores = box_files.at_frames(
        proposals, film.timestamps, settings.fps, settings.max_boxes
    )
    counts = Counts(1, len(film.frames), sum(map(len, boxes)), sum(len(b) > 0 for b in boxes))
    if proposals and any(map(len, proposals.boxes)) and not counts.num_boxes:
        logging.warning(
            "%s, video %r: none of its boxes' times is in the film", task.boxes, entry.id
        )
    record = schema.Video(
        id=entry.id,
        frames=film.frames,
        timestamps=film.timestamps,
        height=film.height,
        width=film.width,
        frame_rate=settings.fps,
        labels=task.labels,
        label_names=entry.labels,
        segments=task.segments,
        boxes=boxes,
        scores=scores,
    )
    return schema.encode(record), counts
