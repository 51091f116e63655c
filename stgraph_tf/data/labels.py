"""Which labels a data set has, in which order, and whether a video may have several."""

import os
from collections.abc import Iterable
from typing import Any

from stgraph_tf.data.dataset_info import FILE_NAME, DatasetInfo
from stgraph_tf.data.sources import Annotations, annotation_files, check_labels


def choose_labels(
    annotations: Annotations, info: DatasetInfo | None, output: str
) -> tuple[str, ...]:
    """The labels in order: as the annotations list them, else of `dataset.json`, else by name.

    Args:
        annotations: of one split; a file of labels that the user gives is among what they say.
        info: what `output` holds already.
        output: the data set's folder, for messages.

    Raises:
        ValueError: the annotations and `dataset.json` disagree, or a video has another label.
    """
    origin = os.path.join(output, FILE_NAME)
    if annotations.labels is not None:
        if info and info.labels != annotations.labels:
            raise ValueError(f"the labels of {annotations.files[-1]} are not those of {origin}")
        return annotations.labels
    if info:
        check_labels(annotations.entries, info.labels, origin)
        return info.labels
    return tuple(sorted({label for entry in annotations.entries for label in entry.labels}))


def read_labels(path: str) -> tuple[str, ...]:
    """Reads a list of labels, in any of the forms in which publishers ship them.

    Args:
        path: text with one label a line; CSV with the header `id,name`; JSON (`*.json`), either a
            list or an object of the labels with their indices.

    Raises:
        ValueError: the file is missing or empty, names a label twice, or has indices other than
            0, 1, 2, ..., one each.
    """
    if path.endswith(".json"):
        labels = annotation_files.read_json(path)
        if isinstance(labels, dict):
            labels = _by_index(((index, label) for label, index in labels.items()), path)
    else:
        labels = [line for _, line in annotation_files.read_lines(path)]
        if labels and labels[0].lower() == "id,name":
            (first, second), rows = annotation_files.read_table(path, [])
            labels = _by_index(((row.cells[first], row.cells[second]) for row in rows), path)
    if not labels or not isinstance(labels, list) or not all(isinstance(x, str) for x in labels):
        raise ValueError(f"{path}: expected a list of labels, with at least one")
    if len(set(labels)) < len(labels):
        twice = next(label for label in labels if labels.count(label) > 1)
        raise ValueError(f"{path} names label {twice!r} more than once")
    return tuple(labels)


def choose_multi_label(
    annotations: Annotations, choice: bool | None, info: DatasetInfo | None, output: str
) -> bool:
    """Whether videos may have several labels.

    Args:
        annotations: of one split.
        choice: what the user says; None for what `dataset.json` says, else the annotations, else
            what their videos show.
        info: what `output` holds already.
        output: the data set's folder, for messages.

    Raises:
        ValueError: one label each is wanted, and a video has several.
    """
    several = next((entry for entry in annotations.entries if len(entry.labels) > 1), None)
    if choice is None and info:
        choice = info.multi_label
    if choice is None:
        choice = annotations.multi_label
    if choice is None:
        choice = several is not None
    if several and not choice:
        raise ValueError(
            f"{several.where}: video {several.id!r} has {len(several.labels)} labels, but "
            f"{output} is to hold videos of one label each (--multi_label=true allows several)"
        )
    return choice


def _by_index(pairs: Iterable[tuple[Any, Any]], path: str) -> list[Any]:
    """Labels in the order of their indices, which publishers also write as text."""
    by_index: dict[int, Any] = {}
    for index, label in pairs:
        try:
            number = int(index)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path}: label {label!r} has no index, but {index!r}") from error
        if number in by_index:
            raise ValueError(
                f"{path}: labels {by_index[number]!r} and {label!r} have one index, {number}"
            )
        by_index[number] = label
    if sorted(by_index) != list(range(len(by_index))):
        raise ValueError(f"{path}: expected the indices 0 to {len(by_index) - 1}, one each")
    return [by_index[index] for index in range(len(by_index))]
