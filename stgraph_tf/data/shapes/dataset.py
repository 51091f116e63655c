"""All films of a shapes data set, written to a folder with their annotations.

    DIR/labels.txt                                   one label a line, in class order
    DIR/attributes_class.csv                         what kind of action each class is
    DIR/videos/SPLIT-INDEX.mp4                       the films
    DIR/SPLIT.jsonl                                  labels and timed segments, one line a film
    DIR/SPLIT_proposals.jsonl                        what a detector might find, one line a film
    DIR/SPLIT_objects.jsonl                          what is there: exact boxes, with tracks

`SPLIT` is `train` or `validation`. Paths in the annotations start from `DIR`.
"""

import collections
import functools
import json
import os
from typing import Any

import tensorflow as tf

from stgraph_tf import files, program
from stgraph_tf.data import film_pool
from stgraph_tf.data.shapes import attributes
from stgraph_tf.data.shapes.actions import LABELS
from stgraph_tf.data.shapes.film import SPLITS, Film, FilmSettings, make_film

_ATTRIBUTES_FILE = "attributes_class.csv"


def write_dataset(
    output: str, settings: FilmSettings, num_videos: dict[str, int], num_workers: int | None = None
) -> None:
    """Renders a data set; the same one whatever the number of processes.

    Annotations appear when all films of their split do, and those of an earlier data set in the
    folder go first: at no time do they speak of films that are not there.

    Args:
        output: the folder; made when missing.
        settings: what all films have in common.
        num_videos: how many films each split has; a split of none is not made.
        num_workers: processes that render; None for as many as pay.

    Raises:
        ValueError: for an unknown split, a negative number, or no films at all.
        tf.errors.OpError: when the folder cannot be written.
    """
    _check(num_videos, num_workers)
    for name in ("labels.txt", _ATTRIBUTES_FILE):
        files.remove(os.path.join(output, name))
    for split in SPLITS:
        for path in _annotation_paths(output, split):
            files.remove(path)
    tf.io.gfile.makedirs(os.path.join(output, "videos"))
    num_samples: collections.Counter[str] = collections.Counter()
    for split, count in num_videos.items():
        if count:
            shown = _write_split(output, settings, split, count, num_workers)
            if split == "train":
                num_samples = shown
    with files.atomic_writer(os.path.join(output, _ATTRIBUTES_FILE)) as file:
        file.write(attributes.class_attributes(num_samples))
    with files.atomic_writer(os.path.join(output, "labels.txt")) as file:
        file.write("".join(f"{label}\n" for label in LABELS))


def _check(num_videos: dict[str, int], num_workers: int | None) -> None:
    for split, count in num_videos.items():
        if split not in SPLITS:
            raise ValueError(f"a split is one of {', '.join(SPLITS)}; received {split!r}")
        if count < 0:
            raise ValueError(f"the number of {split} videos must not be negative; received {count}")
    if not sum(num_videos.values()):
        raise ValueError("there are no videos to make: the number is 0 for every split")
    if num_workers is not None and num_workers < 1:
        raise ValueError(f"num_workers must be at least 1; received {num_workers}")


def _annotation_paths(output: str, split: str) -> tuple[str, str, str]:
    path = os.path.join(output, split)
    return f"{path}.jsonl", f"{path}_proposals.jsonl", f"{path}_objects.jsonl"


def _write_split(
    output: str, settings: FilmSettings, split: str, count: int, num_workers: int | None
) -> collections.Counter[str]:
    """Makes a split; returns how often each label is shown."""
    films = film_pool.map_ordered(
        functools.partial(make_film, settings, split),
        range(count),
        num_workers or film_pool.worth_starting(count),
    )
    manifest, proposals, objects = [], [], []
    for film in program.progress(films, total=count, unit=f"{split} film"):
        video = os.path.join("videos", f"{film.id}.mp4")
        with files.atomic_writer(os.path.join(output, video), "wb") as file:
            file.write(film.mp4)
        manifest.append(_manifest_entry(film, video))
        proposals.append({"id": film.id, **film.proposals})
        objects.append({"id": film.id, **film.objects})
    manifest_path, proposals_path, objects_path = _annotation_paths(output, split)
    _write_lines(objects_path, objects)
    _write_lines(proposals_path, proposals)
    _write_lines(manifest_path, manifest)
    return collections.Counter(
        segment["label"] for entry in manifest for segment in entry["segments"]
    )


def _manifest_entry(film: Film, video: str) -> dict[str, Any]:
    return {"id": film.id, "video": video, "labels": film.labels, "segments": film.segments}


def _write_lines(path: str, entries: list[dict[str, Any]]) -> None:
    with files.atomic_writer(path) as file:
        for entry in entries:
            file.write(json.dumps(entry) + "\n")
