"""The forms in which data sets' publishers evaluate scores and labels, with their rules.

`charades`: a line `ID SCORE_1 ... SCORE_157` a video. The rules are those that
    `Charades_v1_classify.m` reads by, and the README beside it ("'vector' is a whitespace delimited
    list of 157 floating point numbers"): the first word is the id, and the rest is cut at every
    single space (or every tab), so that there must be exactly one between numbers. What is not a
    number would become NaN there, and a missing video is ranked last in every class; here both are
    errors.
`something_v2`: a line `ID;LABEL_1;...;LABEL_5` a video, with the label ids of `labels.json`, most
    likely first. So writes the publishers' baseline (`get_submission` in TwentyBN's
    smth-smth-v2-baseline), and Temporal Shift Module's `test_models.py`.
`something_v1`: a line `ID;LABEL` a video, with the most likely label's name as in
    `something-something-v1-labels.csv`. So writes Temporal Shift Module's `test_models.py`.

What the publishers' server for Something-Something asked for could not be found in its own words.
None of the forms has a header. Every video is there once; the order of the lines is free.
"""

import abc
import re
from collections.abc import Sequence

import numpy as np

from stgraph_tf.data import labels as label_files
from stgraph_tf.data.sources import annotation_files, charades

# How many labels of a video a Something-Something V2 submission has.
TOP = 5


class Rules(abc.ABC):
    """A format: lines of a video's id and cells, with a separator between them.

    Attributes:
        name: of the format.
        num_classes: of the data set.
        video_id: the pattern of an id.
        separator: one character.
        num_cells: how many cells follow the id.
        what: what the cells are, for messages.
    """

    name: str
    num_classes: int
    video_id: str
    separator: str
    num_cells: int
    what: str

    @abc.abstractmethod
    def cells(self, scores: np.ndarray, labels: Sequence[str]) -> list[str]:
        """A video's cells from its scores `[C]` and the classes in the publisher's order."""

    @abc.abstractmethod
    def check_cells(self, cells: Sequence[str], labels: Sequence[str] | None, where: str) -> None:
        """Raises ValueError for cells that break the rules."""

    @abc.abstractmethod
    def read_ids(self, path: str) -> list[str]:
        """The ids in the publisher's list of a split."""

    def read_labels(self, path: str) -> tuple[str, ...]:
        """The classes in the publisher's order."""
        return label_files.read_labels(path)

    def check_classes(self, labels: Sequence[str]) -> None:
        if len(labels) != self.num_classes:
            raise ValueError(
                f"{self.name}: expected {self.num_classes} classes, received {len(labels)}"
            )

    def read_line(self, line: str, labels: Sequence[str] | None, where: str) -> str:
        """Checks a line, and returns its video's id."""
        video_id, *cells = line.split(self.separator)
        if not re.fullmatch(self.video_id, video_id) or len(cells) != self.num_cells:
            start = line if len(line) <= 60 else f"{line[:60]}..."
            raise ValueError(
                f"{where}: expected a video id and {self.num_cells} {self.what}, with one "
                f"{self.separator!r} between each two. Received: {start!r}"
            )
        self.check_cells(cells, labels, where)
        return video_id


class Charades(Rules):
    name = "charades"
    num_classes = num_cells = 157
    video_id = r"\S+"
    separator = " "
    what = "scores"

    def cells(self, scores, labels):
        # NumPy writes the shortest number that is read as the same float32 again.
        return scores.astype(np.float32).astype(str).tolist()

    def check_cells(self, cells, labels, where):
        for column, cell in enumerate(cells, start=1):
            # Python reads more as a number ("1_0", "nan") than the official evaluation shall.
            number = re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", cell, re.ASCII)
            if not number or not np.isfinite(float(cell)):
                raise ValueError(
                    f"{where}: expected score {column} to be a finite number. Received: {cell!r}"
                )

    def read_ids(self, path):
        _, rows = annotation_files.read_table(path, ["id"])
        return [row.cells["id"] for row in rows]

    def read_labels(self, path):
        return tuple(charades.read_classes(path).values())


class SomethingV1(Rules):
    name = "something_v1"
    num_classes = 174
    num_cells = 1
    video_id = r"[^;\s]+"
    separator = ";"
    what = "label"

    def cells(self, scores, labels):
        return [labels[int(scores.argmax())]]

    def check_cells(self, cells, labels, where):
        if not cells[0] or (labels is not None and cells[0] not in labels):
            raise ValueError(f"{where}: expected the name of a class. Received: {cells[0]!r}")

    def read_ids(self, path):
        return [line.partition(";")[0].strip() for _, line in annotation_files.read_lines(path)]


class SomethingV2(Rules):
    name = "something_v2"
    num_classes = 174
    num_cells = TOP
    video_id = r"[^;\s]+"
    separator = ";"
    what = "label ids"

    def cells(self, scores, labels):
        return [str(label) for label in np.argsort(-scores, kind="stable")[:TOP]]

    def check_cells(self, cells, labels, where):
        for cell in cells:
            if not re.fullmatch(r"\d+", cell, re.ASCII) or int(cell) >= self.num_classes:
                raise ValueError(
                    f"{where}: expected label ids from 0 to {self.num_classes - 1}. "
                    f"Received: {cell!r}"
                )
        if len({int(cell) for cell in cells}) < len(cells):
            raise ValueError(
                f"{where}: expected {TOP} different label ids. Received: {', '.join(cells)}"
            )

    def read_ids(self, path):
        records = annotation_files.read_json(path)
        try:
            return [str(record["id"]) for record in records]
        except (KeyError, TypeError) as error:
            raise ValueError(f'{path}: expected a list of objects with "id"') from error


FORMATS: dict[str, Rules] = {
    rules.name: rules for rules in (Charades(), SomethingV1(), SomethingV2())
}
