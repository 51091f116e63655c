"""What travels with an exported model: `assets/labels.txt` and `assets/clip.json`.

With these two files and the signatures a client knows how to cut clips from a film, and what the
scores stand for.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from stgraph_tf import files
from stgraph_tf.evaluation.pooling import POOLINGS

FOLDER = "assets"
LABELS_FILE = "labels.txt"
CLIP_FILE = "clip.json"
FORMAT_VERSION = 1
# Enough for requests that a GPU is busy with, and bounded memory on a CPU.
MAX_CLIPS = 8


@dataclasses.dataclass(frozen=True)
class ClipSpec:
    """How clips are cut from a film, as the model was trained and evaluated.

    Attributes:
        model: the name of its config.
        checkpoint: the name of the checkpoint that it was exported from.
        loss: `sigmoid` (scores are independent of each other) or `softmax` (they add up to 1).
        multi_label: whether a video of the training data may have several labels.
        frame_rate: frames a second.
        stored_short_side: films are first shrunk to this short side, in pixels, as they were for
            the training data (and stored as JPEG).
        short_side: the short side of the frames that `serving_default` takes, in pixels.
        num_frames: T, frames of a clip.
        box_stride: T / T'; feature frame i takes the boxes of frame `i * box_stride`.
        num_boxes: K, the most boxes that the model was trained with on a feature frame.
        num_clips: clips of a film, evenly spaced.
        rpn: the name of the Region Proposal Network inside, for signatures without boxes; empty if
            there is none.
        pooling: of the clips' scores to the film's, `max` or `mean`.
        max_clips: clips that a request may hold at most, if their frames are twice as wide as high;
            of smaller ones more, see `limits`. Whole videos that a request may hold at most.
    """

    model: str
    checkpoint: str
    loss: str
    multi_label: bool
    frame_rate: float
    stored_short_side: int
    short_side: int
    num_frames: int
    box_stride: int
    num_boxes: int
    num_clips: int
    # What the first files of this version do not have:
    rpn: str = ""
    pooling: str = "max"
    max_clips: int = MAX_CLIPS


def texts(labels: Sequence[str], clip: ClipSpec) -> dict[str, str]:
    """Both files' names and contents, labels first.

    Raises:
        ValueError: a label is empty or has a line break, and would not fit on its line.
    """
    for label in labels:
        if not label or "\n" in label:
            raise ValueError(f"the label {label!r} does not fit on a line of {LABELS_FILE}")
    values = {"format_version": FORMAT_VERSION, **dataclasses.asdict(clip)}
    return {
        LABELS_FILE: "".join(f"{label}\n" for label in labels),
        CLIP_FILE: json.dumps(values, indent=2, ensure_ascii=False) + "\n",
    }


def parse(contents: Mapping[str, str], where: str) -> tuple[tuple[str, ...], ClipSpec]:
    """Labels and clips' description from both files' contents, by name.

    Args:
        contents: as `texts` gives them.
        where: what they are from, for messages: a folder, a server.

    Raises:
        ValueError: a content is not what it should be; its file is named.
    """
    path = os.path.join(where, CLIP_FILE)
    try:
        value = json.loads(contents[CLIP_FILE])
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    labels = contents[LABELS_FILE].removesuffix("\n").split("\n")
    return tuple(labels), _clip_spec(value, path)


def write(directory: str, labels: Sequence[str], clip: ClipSpec) -> tuple[str, str]:
    """Writes both files into `directory`; returns their paths, labels first.

    Raises:
        ValueError: as `texts`.
    """
    paths = []
    for name, text in texts(labels, clip).items():
        paths.append(os.path.join(directory, name))
        with files.atomic_writer(paths[-1]) as file:
            file.write(text)
    labels_path, clip_path = paths
    return labels_path, clip_path


def read(saved_model: str) -> tuple[tuple[str, ...], ClipSpec]:
    """Reads the labels, in the order of the scores, and the clips' description.

    Args:
        saved_model: the folder of one version.

    Raises:
        ValueError: a file is missing or is not what it should be; it is named.
    """
    folder = os.path.join(saved_model, FOLDER)
    contents = {}
    for name in (LABELS_FILE, CLIP_FILE):
        path = os.path.join(folder, name)
        if not tf.io.gfile.exists(path):
            raise ValueError(
                f"{saved_model} was not made by export/export_saved_model.py: it has no {path}"
            )
        with tf.io.gfile.GFile(path, "rb") as file:
            contents[name] = file.read().decode()
    return parse(contents, folder)


def _clip_spec(value: Any, path: str) -> ClipSpec:
    version = value.get("format_version") if isinstance(value, dict) else None
    if version != FORMAT_VERSION:
        raise ValueError(f"{path}: expected format_version {FORMAT_VERSION}, received {version!r}")
    found = {f.name: value[f.name] for f in dataclasses.fields(ClipSpec) if f.name in value}
    required = [f.name for f in dataclasses.fields(ClipSpec) if f.default is dataclasses.MISSING]
    missing = [name for name in required if found.get(name) is None]
    if missing:
        raise ValueError(f"{path} lacks {', '.join(missing)}")
    if found.get("pooling", "max") not in POOLINGS:
        raise ValueError(
            f"{path}: pooling must be one of {', '.join(POOLINGS)}, received {found['pooling']!r}"
        )
    return ClipSpec(**found)
