"""Charades (Sigurdsson et al., 2016), as its publishers ship it.

`Charades_v1_train.csv` and `Charades_v1_test.csv` list the videos with their actions
(`c092 11.90 21.20;c147 0.00 12.60`, times in seconds); `Charades_v1_classes.txt`, beside them,
names the classes. Videos are films (`ID.mp4`, of any size variant), or the folders of
`Charades_v1_rgb` (`ID/ID-000001.jpg`, 24 frames a second).

The test list is the official validation split. A list without the column `actions` is a test split
whose labels are held back.

Published times are now and then outside of their video. They are cut to it, as the authors do; an
action without any time left keeps its label, but no segment.
"""

import math
from collections.abc import Mapping

from absl import logging

from stgraph_tf.data.sources import (
    Annotations,
    Entry,
    TimedLabel,
    annotation_files,
    check_ids,
    video_folder,
)

FPS = 24.0
CLASSES_FILE = "Charades_v1_classes.txt"


def read(annotations: str, videos: str, labels_file: str | None = None) -> Annotations:
    """Reads one of the official lists.

    Args:
        annotations: `Charades_v1_train.csv` or `Charades_v1_test.csv`.
        videos: the folder of films, or `Charades_v1_rgb`.
        labels_file: `Charades_v1_classes.txt`, where it is not beside the list.

    Raises:
        ValueError: naming file and line of what is wrong: a missing column, an action that is no
            class with two times, a class that the classes file lacks, an id that was there before.
    """
    labels_file = labels_file or annotation_files.beside(annotations, [CLASSES_FILE])
    classes = read_classes(labels_file)
    split = annotation_files.split_of(annotations)
    columns, rows = annotation_files.read_table(annotations, ["id"])
    if "actions" in columns:
        split = "validation" if split == "test" else split
    elif split in annotation_files.LABELLED_SPLITS:
        raise ValueError(f"{annotations}:1: expected a header with the column 'actions'")
    folder = video_folder.VideoFolder(videos, ".mp4", FPS)
    entries, timeless = [], []
    for row in rows:
        name = row.cells["id"]
        if not name:
            raise ValueError(f"{row.where}: expected an id")
        actions = _actions(row, classes, labels_file)
        segments = [action for action in actions if action.start < action.end]
        if len(segments) < len(actions):
            timeless.append(row.where)
        labels = tuple(dict.fromkeys(action.label for action in actions))
        entries.append(Entry(name, *folder.locate(name), labels, tuple(segments), row.where))
    check_ids(entries, annotations)
    video_folder.warn_of_missing(folder.missing, len(entries), annotations)
    _warn_of_timeless(timeless)
    return Annotations(
        entries=entries,
        labels=tuple(classes.values()),
        multi_label=True,
        split=split,
        files=(annotations, labels_file),
    )


def read_classes(path: str) -> dict[str, str]:
    """Reads `Charades_v1_classes.txt`: class names by their codes, in order.

    Raises:
        ValueError: naming file and line: lines are not `c000 NAME`, `c001 NAME`, ..., or a name is
            there twice.
    """
    classes: dict[str, str] = {}
    for where, line in annotation_files.read_lines(path):
        code, _, name = line.partition(" ")
        name = name.strip()
        if code != f"c{len(classes):03d}" or not name:
            raise ValueError(
                f"{where}: expected the class c{len(classes):03d} and its name. Received: {line!r}"
            )
        if name in classes.values():
            raise ValueError(f"{where}: the class {name!r} is there more than once")
        classes[code] = name
    if not classes:
        raise ValueError(f"{path} names no classes")
    return classes


def _actions(
    row: annotation_files.Row, classes: Mapping[str, str], labels_file: str
) -> list[TimedLabel]:
    """A row's actions, their times cut to the video; a time that is none may be left."""
    length = _length(row)
    actions = []
    for text in filter(None, map(str.strip, row.cells.get("actions", "").split(";"))):
        found = text.split()
        try:
            code, start, end = found[0], *map(float, found[1:])
        except ValueError:
            code, start, end = "", math.nan, math.nan
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError(
                f"{row.where}: expected an action like 'c092 11.90 21.20'. Received: {text!r}"
            )
        if code not in classes:
            raise ValueError(
                f"{row.where}: class {code!r} is not among the {len(classes)} of {labels_file}"
            )
        actions.append(TimedLabel(classes[code], max(start, 0.0), min(end, length)))
    return actions


def _length(row: annotation_files.Row) -> float:
    """The video's length in seconds; infinite where the list does not tell."""
    text = row.cells.get("length", "")
    try:
        length = float(text) if text else math.inf
    except ValueError:
        length = math.nan
    if not length > 0:
        raise ValueError(f"{row.where}: expected a length in seconds. Received: {text!r}")
    return length


def _warn_of_timeless(places: list[str]) -> None:
    if places:
        logging.warning(
            "%d videos have actions without any time inside the video, which keep their labels "
            "only; the first is on %s",
            len(places),
            places[0],
        )
