"""Kinetics-400, -600 and -700 (Kay et al., 2017), as published and as people's disks hold them.

The lists are CSV files with the columns `label,youtube_id,time_start,time_end,split`, in any order
and with or without others (`is_cc`); a test list may lack `label`. Films are named after the
seconds that they were cut from, `YOUTUBEID_000010_000020.mp4` (or `.mkv`, `.webm`). They lie in a
folder for each class, whose name may have underscores for spaces, or all in one folder, as the
CVDF's archives unpack.

Publishers give the classes no order. Without a file that does (one a line, or CSV with `id,name`),
they are sorted by name, as is the custom.
"""

import math
import os

from stgraph_tf.data import labels as label_files
from stgraph_tf.data.sources import (
    Annotations,
    Entry,
    annotation_files,
    check_ids,
    check_labels,
    video_folder,
)

_SUFFIX = ".mp4"


def read(annotations: str, videos: str, labels_file: str | None = None) -> Annotations:
    """Reads one split's list.

    Films that are listed and not on disk are usual (they are gone from YouTube): their entries keep
    the path that they should have.

    Args:
        annotations: the CSV file.
        videos: the folder with a folder for each class, or with all films.
        labels_file: a list of labels, where their order matters.

    Raises:
        ValueError: naming file and line of what is wrong: a missing column or label, times that are
            no span of seconds, rows of several splits, an unknown label, a video that was there
            before.
    """
    columns = ["youtube_id", "time_start", "time_end"]
    _, rows = annotation_files.read_table(annotations, columns)
    split = annotation_files.split_of(annotations)
    films = _Films(videos)
    entries, told = [], None
    for row in rows:
        told = _same_split(row, told)
        split = annotation_files.split_named(told) or split
        label = row.cells.get("label", "")
        if not label and split in annotation_files.LABELLED_SPLITS:
            raise ValueError(f"{row.where}: expected a label")
        name = _name(row)
        path = films.path(name, label)
        entries.append(Entry(name, path, None, (label,) if label else (), (), row.where))
    check_ids(entries, annotations)
    video_folder.warn_of_missing(films.missing, len(entries), annotations)
    files: tuple[str, ...] = (annotations,)
    labels = None
    if labels_file:
        files, labels = (annotations, labels_file), label_files.read_labels(labels_file)
        check_labels(entries, labels, labels_file)
    return Annotations(entries, labels, multi_label=False, split=split, files=files)


class _Films:
    """Where films lie: every class's folder is listed once, when it is first needed."""

    def __init__(self, videos: str):
        self.missing: list[str] = []
        self._videos = videos
        self._root = video_folder.VideoFolder(videos, _SUFFIX)
        self._classes: dict[str, list[video_folder.VideoFolder]] = {}

    def path(self, name: str, label: str) -> str:
        """A film's path; if there is no such film, the path that it should have."""
        folders = [*self._class(label), self._root]
        for folder in folders:
            if found := folder.find(name):
                return found[0]
        if len(folders) == 1 and label and not self._root.films:
            path = os.path.join(self._videos, label, name + _SUFFIX)
        else:
            path = folders[0].expected(name)[0]
        self.missing.append(path)
        return path

    def _class(self, label: str) -> list[video_folder.VideoFolder]:
        if label not in self._classes:
            names = dict.fromkeys([label, label.replace(" ", "_")])
            paths = [os.path.join(self._videos, n) for n in names if n in self._root.folders]
            self._classes[label] = [video_folder.VideoFolder(path, _SUFFIX) for path in paths]
        return self._classes[label]


def _same_split(row: annotation_files.Row, told: str | None) -> str:
    """What a row's column `split` says, which must be what the rows above said (`told`)."""
    received = row.cells.get("split", "")
    if told not in (None, received):
        raise ValueError(
            f"{row.where}: expected rows of one split, {told!r} as above. Received: {received!r}"
        )
    return received


def _name(row: annotation_files.Row) -> str:
    """A film's name: `YOUTUBEID_000010_000020`."""
    video = row.cells["youtube_id"]
    if not video:
        raise ValueError(f"{row.where}: expected a youtube_id")
    start, end = _seconds(row, "time_start"), _seconds(row, "time_end")
    if not start < end:
        raise ValueError(f"{row.where}: a clip from {start} s to {end} s is no span of time")
    return f"{video}_{start:06d}_{end:06d}"


def _seconds(row: annotation_files.Row, column: str) -> int:
    text = row.cells[column]
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not (math.isfinite(seconds) and seconds >= 0 and seconds == int(seconds)):
        raise ValueError(f"{row.where}: expected {column} to be whole seconds. Received: {text!r}")
    return int(seconds)
