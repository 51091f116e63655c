"""Where labelled videos come from: a source turns annotation files into a list of `Entry`."""

import dataclasses
from collections.abc import Iterable, Sequence

from stgraph_tf.data import json_lines


@dataclasses.dataclass(frozen=True)
class TimedLabel:
    """A label's time in a video, in seconds from the film's first frame."""

    label: str
    start: float
    end: float


@dataclasses.dataclass(frozen=True)
class Entry:
    """One video as its annotations describe it; nothing of the film itself is read yet.

    Attributes:
        id: unique among the entries.
        path: a film, or a folder of frames.
        fps: frames a second of a folder; None for a film.
        labels: names, each once.
        segments: the labels' times, where they are known.
        where: names the annotation in messages (file and line).
        boxes: the line that holds the video's boxes, where the annotations hold them.
    """

    id: str
    path: str
    fps: float | None
    labels: tuple[str, ...]
    segments: tuple[TimedLabel, ...]
    where: str
    boxes: json_lines.Line | None = None


def check_labels(entries: Iterable[Entry], labels: Sequence[str], origin: str) -> None:
    """Checks that every entry's labels are among `labels`.

    Args:
        entries: whose labels are checked.
        labels: all that are known.
        origin: the file that says so, for the message.

    Raises:
        ValueError: naming file and line of the first unknown label.
    """
    known = frozenset(labels)
    for entry in entries:
        for label in entry.labels:
            if label not in known:
                raise ValueError(
                    f"{entry.where}: label {label!r} is not among the {len(labels)} of {origin}"
                )
