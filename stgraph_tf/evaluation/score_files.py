"""The scores of a split's videos as a file, `scores.npz`, which everything after scoring reads.

A NumPy archive of four arrays: `ids` (text `[V]`), `scores` and `labels` (float32 `[V, C]`) and
`label_names` (text `[C]`). Nothing in it is executed when it is read.
"""

import io
import zipfile
import zlib
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from stgraph_tf import files

# What NumPy raises for a file of another kind, a torn one, or one without these arrays.
_NOT_THE_FILE = (
    AttributeError,
    EOFError,
    KeyError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


class ScoredVideos(NamedTuple):
    """The videos of a split with what a model says of them.

    Attributes:
        ids: str `[V]`, each once.
        scores: float32 `[V, C]`.
        labels: float32 `[V, C]`, zeros and ones; all zeros for a video whose labels are unknown.
        label_names: the `C` classes in order.
    """

    ids: np.ndarray
    scores: np.ndarray
    labels: np.ndarray
    label_names: tuple[str, ...]


def write(path: str, videos: ScoredVideos) -> None:
    """Writes `videos` to the file `path`, atomically.

    Raises:
        ValueError: the arrays do not fit each other.
    """
    arrays: dict[str, Any] = {
        "ids": np.asarray(videos.ids, str),
        "scores": np.asarray(videos.scores, np.float32),
        "labels": np.asarray(videos.labels, np.float32),
        "label_names": np.asarray(videos.label_names, str),
    }
    _check(path, arrays)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with files.atomic_writer(path, "wb") as file:
        file.write(buffer.getvalue())


def read(path: str) -> ScoredVideos:
    """Reads the file `path`.

    Raises:
        ValueError: naming the file: it is missing, is no file of scores, or is damaged.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise ValueError(f"{path} does not exist, or is no file")
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read()
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in ScoredVideos._fields}
    except _NOT_THE_FILE as error:
        expected = ", ".join(ScoredVideos._fields)
        raise ValueError(f"{path} is no file of scores: expected the arrays {expected}") from error
    _check(path, arrays)
    return ScoredVideos(
        arrays["ids"],
        arrays["scores"].astype(np.float32, copy=False),
        arrays["labels"].astype(np.float32, copy=False),
        tuple(arrays["label_names"].tolist()),
    )


def _check(path: str, arrays: dict[str, np.ndarray]) -> None:
    ids, scores, labels, label_names = (arrays[name] for name in ScoredVideos._fields)
    for name, texts in (("ids", ids), ("label_names", label_names)):
        if texts.ndim != 1 or (texts.size and texts.dtype.kind != "U"):
            raise ValueError(
                f"{path}: expected {name} to be a list of texts, received {texts.dtype} "
                f"{list(texts.shape)}"
            )
        names, counts = np.unique(texts, return_counts=True)
        if counts.size and counts.max() > 1:
            raise ValueError(f"{path}: {str(names[counts.argmax()])!r} is twice in {name}")
    expected = (len(ids), len(label_names))
    for name, table in (("scores", scores), ("labels", labels)):
        if table.shape != expected or table.dtype.kind not in "fiub":
            raise ValueError(
                f"{path}: expected {name} to be numbers {list(expected)}, one for each of the ids "
                f"and label_names, received {table.dtype} {list(table.shape)}"
            )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError(f"{path}: expected labels of 0 and 1 only, received others")
