"""Which labels a data set has, in which order, and whether a video may have several."""

import os
from collections.abc import Sequence

import tensorflow as tf

from stgraph_tf import files
from stgraph_tf.data.dataset_info import FILE_NAME, DatasetInfo
from stgraph_tf.data.sources import Entry, check_labels


def choose_labels(
    entries: Sequence[Entry], labels_file: str | None, info: DatasetInfo | None, output: str
) -> tuple[str, ...]:
    """The data set's labels in order: of a file, else of `dataset.json`, else sorted by name.

    Args:
        entries: whose labels must all be among them.
        labels_file: a text file with one label a line, or a JSON list (`*.json`).
        info: what `output` holds already.
        output: the data set's folder, for messages.

    Raises:
        ValueError: the file and `dataset.json` disagree, or an entry has another label.
    """
    origin = os.path.join(output, FILE_NAME)
    if labels_file:
        labels = read_labels(labels_file)
        if info and info.labels != labels:
            raise ValueError(f"the labels of {labels_file} are not those of {origin}")
        origin = labels_file
    elif info:
        labels = info.labels
    else:
        return tuple(sorted({label for entry in entries for label in entry.labels}))
    check_labels(entries, labels, origin)
    return labels


def read_labels(path: str) -> tuple[str, ...]:
    """Reads a list of labels: one a line, or a JSON list where the name ends in `.json`.

    Raises:
        ValueError: the file is missing or empty, or names a label twice.
    """
    if path.endswith(".json"):
        labels = files.read_json(path)
    elif tf.io.gfile.exists(path):
        with tf.io.gfile.GFile(path) as file:
            labels = [line.strip() for line in file if line.strip()]
    else:
        raise ValueError(f"the label file {path} does not exist")
    if not labels or not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise ValueError(f"{path}: expected a list of labels, with at least one")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"{path} names label {twice!r} more than once")
    return tuple(labels)


def choose_multi_label(
    entries: Sequence[Entry], choice: bool | None, info: DatasetInfo | None, output: str
) -> bool:
    """Whether videos may have several labels.

    Args:
        entries: of the split.
        choice: what the user says; None for what `dataset.json` says, else what the entries show.
        info: what `output` holds already.
        output: the data set's folder, for messages.

    Raises:
        ValueError: one label each is wanted, and an entry has several.
    """
    several = next((entry for entry in entries if len(entry.labels) > 1), None)
    if choice is None:
        choice = info.multi_label if info else several is not None
    if several and not choice:
        raise ValueError(
            f"{several.where}: video {several.id!r} has {len(several.labels)} labels, but "
            f"{output} is to hold videos of one label each (--multi_label=true allows several)"
        )
    return choice
