"""The boxes of many films: decoded ahead in threads, frames of equal size detected together.

    threads: film -> frames -> (a queue) -> frames by size -> a batch -> its boxes -> their films

A batch takes frames of any films. So short films fill it together, and the end of one does not
leave it half empty. Memory holds the queue and the batches that are being filled, never a film; of
a film there are only its boxes.
"""

import dataclasses
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from stgraph_tf.data import video
from stgraph_tf.data.frame_boxes import FrameDetector
from stgraph_tf.data.sources import Entry

# Frames that wait for others of their size, in batches; and how many films a film waits for them.
_WAITING_BATCHES = 4
_WAITING_FILMS = 16
# Seconds after which a thread looks whether it is still wanted.
_LOOK = 0.1


@dataclasses.dataclass
class FilmBoxes:
    """What was found in a film.

    Attributes:
        entry: the film.
        timestamps: of its frames, in microseconds.
        boxes: for every frame, float32 `[k, 4]`, normalized, best score first.
        scores: for every frame, float32 `[k]`.
        failure: why the film cannot be read; then the rest does not count.
    """

    entry: Entry
    timestamps: list[int] = dataclasses.field(default_factory=list)
    boxes: list[np.ndarray | None] = dataclasses.field(default_factory=list)
    scores: list[np.ndarray | None] = dataclasses.field(default_factory=list)
    failure: str | None = None


@dataclasses.dataclass(eq=False)
class _Film:
    """A film that is being looked at: `missing` frames have no boxes yet."""

    found: FilmBoxes
    missing: int = 0
    is_decoded: bool = False
    last: "_Look | None" = None

    def is_done(self) -> bool:
        return self.is_decoded and (not self.missing or self.found.failure is not None)


class _Decoded(NamedTuple):
    """What a thread hands over: a film's next frame; or, where there is none, its end."""

    film: _Film
    frame: video.Frame | None = None


class _Look(NamedTuple):
    """A picture to look at, and the frames of its film that show it."""

    film: _Film
    picture: Image.Image
    frames: list[int]


def detect(
    entries: Sequence[Entry],
    detector: FrameDetector,
    *,
    fps: float,
    short_side: int,
    num_decoders: int = 2,
) -> Iterator[FilmBoxes]:
    """Finds the boxes of films.

    Args:
        entries: the films.
        detector: what finds boxes.
        fps: frames a second to look at, from the film's first.
        short_side: larger frames are shrunk to so many pixels before.
        num_decoders: threads that decode, a film each at a time.

    Yields:
        Every film once, as soon as all of its frames were looked at, or once it is known that it
        cannot be read.
    """
    decoders = _Decoders(entries, fps, short_side, num_decoders, 2 * detector.batch_size)
    batches = _Batches(detector)
    # Which film it is, counted in the order in which they begin.
    waiting: dict[_Film, int] = {}
    num_begun = 0
    try:
        for film, frame in decoders.take():
            if film not in waiting:
                waiting[film] = num_begun
                num_begun += 1
            if frame is None:
                film.is_decoded, film.last = True, None
            else:
                batches.add(film, frame)
            # The first film is the one that has waited longest.
            decoded = [known for known in waiting if known.is_decoded]
            if decoded and num_begun - waiting[decoded[0]] > _WAITING_FILMS:
                batches.look_for(decoded[0])
            for known in decoded:
                if known.is_done():
                    del waiting[known]
                    yield known.found
    finally:
        decoders.stop()
    batches.look_at_rest()
    for film in waiting:
        yield film.found


class _Batches:
    """Frames by size until there are enough of a size, or too many in all."""

    def __init__(self, detector: FrameDetector):
        self._detector = detector
        self._waiting: dict[tuple[int, int], list[_Look]] = {}

    def add(self, film: _Film, frame: video.Frame) -> None:
        """Takes the next frame of a film."""
        index = len(film.found.timestamps)
        film.found.timestamps.append(frame.timestamp)
        film.found.boxes.append(None)
        film.found.scores.append(None)
        film.missing += 1
        if film.last is not None and film.last.picture is frame.picture:
            self._show_again(film, film.last, index)
            return
        film.last = _Look(film, frame.picture, [index])
        size = frame.picture.size
        self._waiting.setdefault(size, []).append(film.last)
        if len(self._waiting[size]) == self._detector.batch_size:
            self._look_at(size)
        elif sum(map(len, self._waiting.values())) > _WAITING_BATCHES * self._detector.batch_size:
            self._look_at(max(self._waiting, key=lambda size: len(self._waiting[size])))

    def look_for(self, film: _Film) -> None:
        """Looks at the batches that hold frames of a film."""
        for size, looks in list(self._waiting.items()):
            if any(look.film is film for look in looks):
                self._look_at(size)

    def look_at_rest(self) -> None:
        """Looks at all frames that wait."""
        for size in list(self._waiting):
            self._look_at(size)

    def _show_again(self, film: _Film, look: _Look, index: int) -> None:
        """A picture that is shown for several frames is looked at once."""
        look.frames.append(index)
        if film.found.boxes[look.frames[0]] is not None:
            film.found.boxes[index] = film.found.boxes[look.frames[0]]
            film.found.scores[index] = film.found.scores[look.frames[0]]
            film.missing -= 1

    def _look_at(self, size: tuple[int, int]) -> None:
        looks = [look for look in self._waiting.pop(size) if look.film.found.failure is None]
        if not looks:
            return
        images = [np.asarray(look.picture) for look in looks]
        found = zip(*self._detector.detect(images), strict=True)
        for look, (boxes, scores) in zip(looks, found, strict=True):
            look.film.missing -= len(look.frames)
            for index in look.frames:
                look.film.found.boxes[index] = boxes
                look.film.found.scores[index] = scores


class _Decoders:
    """Threads that decode films into a queue of so many frames."""

    def __init__(
        self, entries: Sequence[Entry], fps: float, short_side: int, num_threads: int, capacity: int
    ):
        self._films: queue.SimpleQueue[Any] = queue.SimpleQueue()
        for entry in entries:
            self._films.put(entry)
        self._fps = fps
        self._short_side = short_side
        self._num_films = len(entries)
        self._decoded: queue.Queue[_Decoded | BaseException] = queue.Queue(capacity)
        self._is_stopped = threading.Event()
        for _ in range(num_threads):
            threading.Thread(target=self._work, daemon=True).start()

    def take(self) -> Iterator[_Decoded]:
        """Yields every film's frames, in order, and its end; films come mixed."""
        num_ended = 0
        while num_ended < self._num_films:
            decoded = self._decoded.get()
            if isinstance(decoded, BaseException):
                raise decoded
            num_ended += decoded.frame is None
            yield decoded

    def stop(self) -> None:
        """Lets the threads end after the frame that they have in hand."""
        self._is_stopped.set()

    def _work(self) -> None:
        try:
            while not self._is_stopped.is_set():
                film = _Film(FilmBoxes(self._films.get_nowait()))
                for decoded in self._decode(film):
                    self._put(decoded)
        except queue.Empty:
            return
        except BaseException as error:  # It is raised where frames are taken.
            self._put(error)

    def _decode(self, film: _Film) -> Iterator[_Decoded]:
        entry = film.found.entry
        try:
            frames = video.read_frames(
                entry.path, self._fps, short_side=self._short_side, source_fps=entry.fps
            )
            for frame in frames:
                if self._is_stopped.is_set():
                    return
                yield _Decoded(film, frame)
        except (ValueError, OSError) as error:
            film.found.failure = " ".join(f"{entry.where}: {error}".split())
        except tf.errors.OpError as error:
            film.found.failure = " ".join(f"{entry.where}: {error.message}".split())
        yield _Decoded(film)

    def _put(self, decoded: _Decoded | BaseException) -> None:
        while not self._is_stopped.is_set():
            try:
                self._decoded.put(decoded, timeout=_LOOK)
                return
            except queue.Full:
                continue
