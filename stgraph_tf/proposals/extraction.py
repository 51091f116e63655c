"""Films in, a proposals file out (`stgraph_tf.data.boxes` describes it).

    boxes.jsonl             the films' boxes, in the films' order; it appears when all are looked at
    boxes.made_by.json      the detector and settings that it was made with
    boxes.failures.jsonl    films that cannot be read, and why; only where there are some
    .boxes.jsonl.partial/   until then: `plan.json`, and `videos.jsonl` with the films looked at

A line is appended when its film was looked at. Whoever comes back with the same detector and
settings goes on after the last whole line; with others, it is refused. To a finished file the
same command adds what it lacks: new films, and those that could not be read.
"""

import contextlib
import dataclasses
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

import stgraph_tf
from stgraph_tf import files, program
from stgraph_tf.data import boxes as box_files
from stgraph_tf.data.sources import Entry
from stgraph_tf.proposals import film_detection
from stgraph_tf.proposals.frame_detector import DetectorSpec

# A hundredth of a pixel of a frame of 1000.
_DECIMALS = 5
_MICROSECOND_DECIMALS = 6


@dataclasses.dataclass(frozen=True)
class Settings:
    """How boxes are found.

    Attributes:
        detector: what finds them.
        fps: frames a second to look at.
        short_side: larger frames are shrunk to so many pixels before.
    """

    detector: DetectorSpec
    fps: float
    short_side: int

    def plan(self) -> dict[str, Any]:
        """All that decides what is found, as JSON has it."""
        return {
            "stgraph_tf": stgraph_tf.__version__,
            "detector": self.detector.detector,
            "detector_sha256": self.detector.sha256,
            "num_boxes": self.detector.num_boxes,
            "min_score": self.detector.min_score,
            "fps": self.fps,
            "short_side": self.short_side,
        }


@dataclasses.dataclass(frozen=True)
class Summary:
    """What a run did.

    Attributes:
        num_films: in the file.
        num_before: of these, how many earlier runs had looked at.
        num_frames: that this run looked at.
        num_boxes: that it found.
        failures: by id, why a film cannot be read.
    """

    num_films: int
    num_before: int
    num_frames: int
    num_boxes: int
    failures: Mapping[str, str]


def extract(
    entries: Sequence[Entry], settings: Settings, output: str, *, num_decoders: int = 2
) -> Summary:
    """Writes the boxes of all films, showing progress.

    Args:
        entries: the films, each with an id of its own.
        settings: how boxes are found.
        output: the proposals file.
        num_decoders: threads that decode films.

    Raises:
        ValueError: the output was begun with another detector or other settings, or not one film
            can be read.
    """
    partial = _Partial(output, settings.plan())
    done = partial.find_done()
    missing = [entry for entry in entries if entry.id not in done]
    num_before = len(entries) - len(missing)
    if not missing and tf.io.gfile.exists(output) and len(done) == len(entries):
        return Summary(len(entries), num_before, 0, 0, {})
    failures, num_frames, num_boxes = {}, 0, 0
    with partial.appending() as file:
        detector = settings.detector.open()
        found = film_detection.detect(
            missing,
            detector,
            fps=settings.fps,
            short_side=settings.short_side,
            num_decoders=num_decoders,
        )
        for film in _shown(found, len(entries), num_before):
            if film.failure is not None:
                failures[film.entry.id] = film.failure
                continue
            file.write(_line(film))
            file.flush()
            num_frames += len(film.boxes)
            num_boxes += sum(len(boxes) for boxes in film.boxes if boxes is not None)
        if len(failures) == len(entries):
            raise ValueError(
                f"not one of {len(entries)} films can be read: {next(iter(failures.values()))}"
            )
    partial.publish([entry.id for entry in entries], failures)
    return Summary(len(entries) - len(failures), num_before, num_frames, num_boxes, failures)


class _Partial:
    """The hidden folder in which a file grows, begun now or by an earlier run.

    Raises:
        ValueError: it, or the finished file, was made in another way.
    """

    def __init__(self, output: str, plan: Mapping[str, Any]):
        self._output = output
        self._plan = json.loads(json.dumps(plan))
        folder, name = os.path.split(output)
        self._folder = os.path.join(folder, f".{name}.partial")
        self._videos = os.path.join(self._folder, "videos.jsonl")
        self._plan_path = os.path.join(self._folder, "plan.json")
        stem = os.path.splitext(output)[0]
        self._made_by_path = f"{stem}.made_by.json"
        self._failures_path = f"{stem}.failures.jsonl"
        if tf.io.gfile.exists(self._plan_path):
            self._check_plan(self._plan_path, self._folder)
        elif tf.io.gfile.exists(output):
            if not tf.io.gfile.exists(self._made_by_path):
                raise ValueError(f"{output} is there already, and nothing says how it was made")
            self._check_plan(self._made_by_path, output)

    def find_done(self) -> Set[str]:
        """The ids of films that were looked at, begun or finished."""
        path = self._videos if tf.io.gfile.exists(self._plan_path) else self._output
        if not tf.io.gfile.exists(path):
            return frozenset()
        self._cut_torn_line(path)
        return box_files.index_proposals(path).lines.keys()

    @contextlib.contextmanager
    def appending(self) -> Iterator[tf.io.gfile.GFile]:
        """The lines, open for more; where the block raises, they stay if there are any."""
        if not tf.io.gfile.exists(self._plan_path):
            tf.io.gfile.makedirs(self._folder)
            if tf.io.gfile.exists(self._output):
                tf.io.gfile.copy(self._output, self._videos, overwrite=True)
            else:
                with files.atomic_writer(self._videos):
                    pass
            files.write_json(self._plan_path, self._plan)
        try:
            with tf.io.gfile.GFile(self._videos, "ab") as file:
                yield file
        except BaseException:
            if tf.io.gfile.stat(self._videos).length:
                logging.warning("what is finished is kept: the same command goes on from there")
            else:
                files.remove(self._folder)
            raise

    def publish(self, ids: Sequence[str], failures: Mapping[str, str]) -> None:
        """Writes the finished file, with the films in order, and removes the folder."""
        lines = box_files.index_proposals(self._videos).lines
        files.write_json(self._made_by_path, self._plan)
        files.remove(self._failures_path)
        if failures:
            with files.atomic_writer(self._failures_path) as file:
                for name, reason in failures.items():
                    value = {"id": name, "reason": reason}
                    file.write(json.dumps(value, ensure_ascii=False) + "\n")
        with (
            files.atomic_writer(self._output, "wb") as file,
            tf.io.gfile.GFile(self._videos, "rb") as videos,
        ):
            for name in ids:
                if name in lines:
                    videos.seek(lines[name].offset)
                    file.write(videos.readline())
        files.remove(self._folder)

    def _cut_torn_line(self, path: str) -> None:
        """Cuts off the last line if a killed run could not end it."""
        size = tf.io.gfile.stat(path).length
        with tf.io.gfile.GFile(path, "rb") as file:
            file.seek(max(0, size - 1))
            if file.read() in (b"", b"\n"):
                return
            logging.warning("%s: the last line was torn, and is cut off", path)
            file.seek(0)
            with files.atomic_writer(path, "wb") as whole:
                for line in file:
                    whole.write(line if line.endswith(b"\n") else b"")

    def _check_plan(self, path: str, what: str) -> None:
        plan = files.read_json(path)
        for name, received in self._plan.items():
            there = plan.get(name) if isinstance(plan, dict) else None
            if there != received:
                raise ValueError(
                    f"{what} was begun with {name} {there!r}, received {received!r}: remove it to "
                    f"begin anew, or choose another --output"
                )


def _line(film: film_detection.FilmBoxes) -> bytes:
    """A film's line; the id comes first, where an index finds it without parsing the line."""
    value = {
        "id": film.entry.id,
        "times": [round(stamp / 1e6, _MICROSECOND_DECIMALS) for stamp in film.timestamps],
        "boxes": [_rounded(boxes) for boxes in film.boxes if boxes is not None],
        "scores": [_rounded(scores) for scores in film.scores if scores is not None],
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _rounded(values: np.ndarray) -> list[Any]:
    return values.astype(np.float64).round(_DECIMALS).tolist()


def _shown(
    films: Iterator[film_detection.FilmBoxes], total: int, done: int
) -> Iterator[film_detection.FilmBoxes]:
    """Passes films on, while a line tells how many, how many frames a second, and the time left."""
    num_frames, start = 0, time.monotonic()
    with program.progress_bar(total, unit="film", done=done) as bar:
        for film in films:
            yield film
            num_frames += len(film.boxes)
            rate = num_frames / (time.monotonic() - start)
            bar.set_postfix_str(f"{rate:.1f} frames/s", refresh=False)
            bar.update()
