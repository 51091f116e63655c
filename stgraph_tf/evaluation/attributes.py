"""Attributes of classes and of videos, and the groups that they form.

Which attributes there are, and the layout of both files, is from "What Actions are Needed for
Understanding Human Actions in Videos?" (Sigurdsson et al., ICCV 2017), whose authors publish them
for Charades: `Charades_v1_attributes_class.csv` and `Charades_v1_attributes_video.csv` in the
folder `tool` of the repository `gsig/actions-for-actions`. Any data set may have such files.

Values are numbers; NaN stands for an empty cell, which belongs to no group.
"""

import math
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from stgraph_tf.data.sources import annotation_files

# The attributes of a data set's classes, where its folder holds some.
CLASS_FILE = "attributes_class.csv"

_NUM_QUANTILES = 3
# A column of so few different values counts them; one of more measures something.
_MAX_VALUES = 4


class Bins(NamedTuple):
    """How the values of one attribute are told apart.

    Attributes:
        title: what the attribute asks, for people.
        centres: each group's, in the order in which groups are shown; a value belongs to the
            nearest. Without any, there are groups of equal count.
        names: of the groups; the centres themselves by default.
        limits: the lowest and highest value that the centres are meant for. Where a value lies
            outside, there are groups of equal count instead.
    """

    title: str
    centres: tuple[float, ...] = ()
    names: tuple[str, ...] = ()
    limits: tuple[float, float] = (-math.inf, math.inf)


class Groups(NamedTuple):
    """The groups of one attribute.

    Attributes:
        names: of the groups, `G`.
        members: int `[N]`, the group of each class or video; -1 for none.
    """

    names: tuple[str, ...]
    members: np.ndarray


def _yes_no(title: str, first: int = 0) -> Bins:
    names = ("no", "yes")
    order = (first, 1 - first)
    return Bins(title, order, tuple(names[value] for value in order))


# Centres and their order are those of the authors' plots. The limits of the pose variance are half
# a step beyond its outer centres: all of Charades lies between them.
CHARADES_BINS: dict[str, Bins] = {
    "#Samples": Bins("#Samples", (100, 400, 800, 1200)),
    "#Frames": Bins("#Frames", (1000, 10000, 20000)),
    "Novel": Bins("Novel", (-4.3, -1.33, 1.67)),
    "NewActor": Bins("NewActor", (100, 0)),
    "Extent": Bins("Extent", (10, 15, 20, 25)),
    "Extent-v": Bins("Extent-v", (9, 11.3, 25)),
    "Seq": _yes_no("Part of a sequence?"),
    "Short": _yes_no("Short"),
    "Passive": _yes_no("Passive", first=1),
    "AvgMotion": Bins("AvgMotion", (0.005, 0.0075, 0.01, 0.0125)),
    "AvgMotion-v": Bins("AvgMotion-v", (0, 0.006, 0.017)),
    "PersonSize": Bins("PersonSize", (140, 155, 170)),
    "People": Bins("People", (1, 2)),
    "PoseVar": Bins("Pose variance", (0.675, 0.725, 0.775, 0.825), limits=(0.65, 0.85)),
    "PoseRatio": Bins("PoseRatio", (0.4, 0.5, 0.6, 0.7)),
    "Obj": _yes_no("Involves objects?"),
    "#Obj": Bins("#Obj", (1, 4, 8)),
    "#Verbs": Bins("#Verbs", (1, 5, 10)),
    "Interact": _yes_no("Interact"),
    "Tool": _yes_no("Tool"),
    "#Actions": Bins("#Actions", (3, 6, 15)),
}


def of_data_set(
    data_dir: str, path: str | None, label_names: Sequence[str]
) -> dict[str, np.ndarray] | None:
    """Reads the classes' attributes of a data set: `CLASS_FILE` in its folder, or another file.

    Args:
        data_dir: the data set's folder.
        path: the file; None for the one in the folder.
        label_names: the data set's labels, `C`.

    Returns:
        As `read_class_attributes`; None when `path` is None and the folder has no such file.

    Raises:
        ValueError: as `read_class_attributes`.
    """
    beside = os.path.join(data_dir, CLASS_FILE)
    if path is None and not tf.io.gfile.exists(beside):
        return None
    return read_class_attributes(path or beside, label_names)


def read_class_attributes(path: str, label_names: Sequence[str]) -> dict[str, np.ndarray]:
    """Reads the attributes of classes.

    Args:
        path: CSV with the header `class,ATTRIBUTE,...` and one line a class: a label's name, or
            `c000`, `c001`, ... for its place among the labels, where no label has that name.
        label_names: the data set's labels, `C`.

    Returns:
        Each attribute's values, float64 `[C]`.

    Raises:
        ValueError: naming file and line: a cell is no number, a class is unknown or there twice, a
            column is there twice. Naming the file: a label has no line.
    """
    places = {name: place for place, name in enumerate(label_names)}

    def place_of(name: str) -> int | None:
        if name in places:
            return places[name]
        code = re.fullmatch(r"c(\d{3,})", name)
        place = int(code[1]) if code else len(label_names)
        if place >= len(label_names):
            raise ValueError(
                f"expected the name of one of the {len(label_names)} labels, or c000 to "
                f"c{len(label_names) - 1:03d}, received {name!r}"
            )
        return place

    values, seen = _read(path, "class", place_of, len(label_names))
    missing = [name for name, known in zip(label_names, seen, strict=True) if not known]
    if missing:
        raise ValueError(
            f"{path}: expected a line for each of the {len(label_names)} labels, but "
            f"{missing[0]!r} has none ({len(missing)} lack one)"
        )
    return values


def read_video_attributes(path: str, ids: Iterable[str]) -> dict[str, np.ndarray]:
    """Reads the attributes of videos.

    Args:
        path: CSV with the header `id,ATTRIBUTE,...` and one line a video. Lines of other videos
            than `ids` are passed over.
        ids: the videos, `V`.

    Returns:
        Each attribute's values, float64 `[V]`, NaN for videos that the file does not have.

    Raises:
        ValueError: naming file and line: a cell is no number, a video or a column is there twice.
            Naming the file: it has none of the videos.
    """
    places = {str(name): place for place, name in enumerate(ids)}
    values, seen = _read(path, "id", places.get, len(places))
    if not any(seen):
        raise ValueError(f"{path} has none of the {len(places)} videos")
    return values


def bins_for(attribute: str, values: np.ndarray) -> Bins:
    """The bins of Charades for its attributes; otherwise one a value, or groups of equal count."""
    if attribute in CHARADES_BINS:
        return CHARADES_BINS[attribute]
    distinct = np.unique(values[~np.isnan(values)])
    if len(distinct) > _MAX_VALUES:
        return Bins(attribute)
    return Bins(attribute, tuple(distinct.tolist()))


def group(values: np.ndarray, bins: Bins) -> Groups:
    """Tells which group each value belongs to.

    A value half-way between two centres belongs to the lower one, as in the authors' plots. Groups
    of equal count are thirds, cut at the quantiles; a value at a cut belongs to the lower group,
    and equal values stay together, so that groups may be uneven, or fewer. They are named by
    their lowest and highest value.

    Args:
        values: float `[N]`; NaN belongs to no group.
        bins: what the groups are.
    """
    known = ~np.isnan(values)
    inside = (values[known] >= bins.limits[0]) & (values[known] <= bins.limits[1])
    if not bins.centres or not inside.all():
        return _quantile_groups(values, known)
    order = np.argsort(bins.centres)
    centres = np.asarray(bins.centres, np.float64)[order]
    halfway = (centres[:-1] + centres[1:]) / 2
    members = np.full(len(values), -1)
    members[known] = order[np.searchsorted(halfway, values[known], side="left")]
    return Groups(bins.names or tuple(f"{centre:g}" for centre in bins.centres), members)


def _quantile_groups(values: np.ndarray, known: np.ndarray) -> Groups:
    members = np.full(len(values), -1)
    if not known.any():
        return Groups((), members)
    cuts = np.quantile(values[known], np.arange(1, _NUM_QUANTILES) / _NUM_QUANTILES)
    found = np.searchsorted(cuts, values[known], side="left")
    filled, members[known] = np.unique(found, return_inverse=True)
    names = tuple(_range(values[members == place]) for place in range(len(filled)))
    return Groups(names, members)


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _read(path, key, place_of, count) -> tuple[dict[str, np.ndarray], list[bool]]:
    """Reads values by place; `place_of` a name is None where its line is to be passed over."""
    columns, rows = annotation_files.read_table(path, [key])
    twice = [column for column in columns if columns.count(column) > 1]
    if twice:
        raise ValueError(f"{path}:1: the column {twice[0]!r} is there more than once")
    attributes = [column for column in columns if column != key]
    values = {attribute: np.full(count, np.nan) for attribute in attributes}
    lines: list[str] = [""] * count
    for row in rows:
        try:
            place = place_of(row.cells[key])
        except ValueError as error:
            raise ValueError(f"{row.where}: {error}") from error
        if place is None:
            continue
        if lines[place]:
            raise ValueError(f"{row.where}: {row.cells[key]!r} has a line already, {lines[place]}")
        lines[place] = row.where
        for attribute in attributes:
            values[attribute][place] = _number(row, attribute)
    return values, [bool(line) for line in lines]


def _number(row: annotation_files.Row, attribute: str) -> float:
    cell = row.cells[attribute]
    if not cell:
        return math.nan
    try:
        value = float(cell)
    except ValueError:
        value = math.inf
    if math.isinf(value):
        raise ValueError(
            f"{row.where}: expected a finite number or nothing for {attribute!r}, received {cell!r}"
        )
    return value
