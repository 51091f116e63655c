"""Submissions: files of scores or labels in the forms that data sets' publishers evaluate.

`submission_formats` has the forms (`FORMATS`: charades, something_v1, something_v2), their rules,
and where these are from.
"""

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from stgraph_tf import files
from stgraph_tf.data.sources import annotation_files
from stgraph_tf.evaluation.score_files import ScoredVideos
from stgraph_tf.evaluation.submission_formats import FORMATS, Rules


def write(
    path: str,
    file_format: str,
    videos: ScoredVideos,
    labels: Sequence[str] | None = None,
    ids: Collection[str] | None = None,
) -> int:
    """Writes a submission to the file `path`, atomically.

    Scores are written so that they are read as the same float32 again: none change their order,
    and none become equal. Of equal scores, the class that comes first counts as the higher one.

    Args:
        path: the file.
        file_format: one of `FORMATS`.
        videos: what is submitted.
        labels: the classes in the publisher's order, which may be another one than that of
            `videos.label_names`; None if it is the same.
        ids: the videos that must be there, see `read_ids`; None for any.

    Returns:
        The number of videos.

    Raises:
        ValueError: the format is unknown, the number of classes is not the data set's, `labels` are
            not the classes of `videos`, one's id or scores cannot be written, or there is no video,
            one too many, or one is missing. Nothing is written then.
    """
    rules = _rules(file_format)
    names = tuple(labels) if labels is not None else videos.label_names
    rules.check_classes(names)
    scores = videos.scores[:, _columns(videos.label_names, names)]
    lines = []
    for video_id, row in zip(map(str, videos.ids), scores, strict=True):
        where = f"video {video_id!r}"
        if not np.isfinite(row).all():
            raise ValueError(f"{where}: expected finite scores, some are not")
        lines.append((where, rules.separator.join([video_id, *rules.cells(row, names)])))
    if not lines:
        raise ValueError("there is no video to submit")
    num_videos = _check_lines(lines, rules, names, ids, "the scores")
    with files.atomic_writer(path) as file:
        file.write("".join(f"{line}\n" for _, line in lines))
    return num_videos


def check(
    path: str,
    file_format: str,
    labels: Sequence[str] | None = None,
    ids: Collection[str] | None = None,
) -> int:
    """Checks a submission, whoever wrote it, against the format's rules.

    Args:
        path: the file.
        file_format: one of `FORMATS`.
        labels: the classes, see `read_labels`; without them, names of labels are not checked.
        ids: the videos that must be there, see `read_ids`; None for any.

    Returns:
        The number of videos.

    Raises:
        ValueError: naming file and line of the first breach, or a video that is missing.
    """
    rules = _rules(file_format)
    if labels is not None:
        rules.check_classes(labels)
    lines = annotation_files.read_text(path).removesuffix("\n").split("\n")
    numbered = ((f"{path}:{number}", line) for number, line in enumerate(lines, start=1))
    return _check_lines(numbered, rules, labels, ids, path)


def read_ids(path: str, file_format: str) -> tuple[str, ...]:
    """The videos of a publisher's list of a split, in its order.

    Args:
        path: `Charades_v1_test.csv`, `something-something-v1-test.csv` or `test.json`, or a list of
            another split in the same form.
        file_format: one of `FORMATS`.

    Raises:
        ValueError: naming the file: it is missing, lists no videos, or is of another form.
    """
    ids = tuple(_rules(file_format).read_ids(path))
    if not ids or not all(ids):
        raise ValueError(f"{path}: expected a list of videos, each with an id")
    return ids


def read_labels(path: str, file_format: str) -> tuple[str, ...]:
    """The classes in the publisher's order.

    Args:
        path: `Charades_v1_classes.txt`, `something-something-v1-labels.csv` or `labels.json`.
        file_format: one of `FORMATS`.

    Raises:
        ValueError: naming the file: it is missing, or is of another form.
    """
    return _rules(file_format).read_labels(path)


def _rules(file_format: str) -> Rules:
    if file_format not in FORMATS:
        raise ValueError(f"format must be one of {', '.join(FORMATS)}. Received: {file_format!r}")
    return FORMATS[file_format]


def _check_lines(
    lines: Iterable[tuple[str, str]],
    rules: Rules,
    labels: Sequence[str] | None,
    ids: Collection[str] | None,
    origin: str,
) -> int:
    """Checks `(where, line)` of every video, and that `ids` are there; returns their number."""
    wanted = None if ids is None else frozenset(ids)
    places: dict[str, str] = {}
    for where, line in lines:
        video_id = rules.read_line(line, labels, where)
        if video_id in places:
            raise ValueError(f"{where}: video {video_id!r} is already on {places[video_id]}")
        if wanted is not None and video_id not in wanted:
            raise ValueError(f"{where}: {video_id!r} is not among the {len(wanted)} listed videos")
        places[video_id] = where
    if wanted is not None and (missing := sorted(wanted - places.keys())):
        raise ValueError(
            f"{origin}: {len(missing)} of the {len(wanted)} listed videos are missing, the first "
            f"is {missing[0]!r}"
        )
    return len(places)


def _columns(label_names: Sequence[str], labels: Sequence[str]) -> list[int]:
    """Where in `label_names` each of `labels` is."""
    places = {name: column for column, name in enumerate(label_names)}
    if len(label_names) != len(labels) or set(labels) != places.keys():
        strange = sorted(set(labels) ^ places.keys())
        raise ValueError(
            f"expected scores of the {len(labels)} labels given, received scores of "
            f"{len(label_names)}; not in both are {', '.join(map(repr, strange[:3]))}"
        )
    return [places[label] for label in labels]
