"""A reader as PyTorch programs have it: one process a core makes whole batches with OpenCV.

What `torch.utils.data.DataLoader` does with as many workers as cores and `prefetch_factor=2`: a
worker decodes whole frames, crops, resizes, mirrors, moves the boxes, stacks a batch into fresh
shared memory and tells the main process where it lies. It has one advantage: the films lie in its
memory already.
"""

import dataclasses
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from multiprocessing import shared_memory
from multiprocessing.connection import Connection

import numpy as np

from benchmarks import measure

_PREFETCHED = 2


@dataclasses.dataclass(frozen=True)
class Film:
    """A film in memory: JPEG images, and boxes `[N, k, 4]` normalized to [0, 1]."""

    frames: Sequence[bytes]
    boxes: np.ndarray


@dataclasses.dataclass(frozen=True)
class Transform:
    """What a training clip is; the names are those of `pipeline.training_dataset`."""

    num_frames: int
    box_stride: int
    num_boxes: int
    short_side: tuple[int, int]
    crop_size: int
    batch_size: int


class MultiprocessReader:
    """Batches of random clips of films, made by `num_processes` processes."""

    def __init__(self, films: Sequence[Film], transform: Transform, num_processes: int):
        self._transform = transform
        self._workers = []
        context = multiprocessing.get_context("spawn")
        for seed in range(num_processes):
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, films, transform, seed), daemon=True
            )
            process.start()
            theirs.close()
            self._workers.append((process, ours))
        for _, connection in self._workers:
            connection.recv()

    def take_turn(self, num_clips: int) -> measure.Turn:
        """Reads at least so many clips, after as many batches as it keeps ready."""
        num_batches = -(-num_clips // self._transform.batch_size)
        in_flight = _PREFETCHED * len(self._workers)
        batches = self._batches(num_batches + in_flight)
        for _ in range(in_flight):
            next(batches)
        start = time.perf_counter()
        with measure.stopwatch() as took:
            cpu_seconds = sum(next(batches)[1] for _ in range(num_batches))
        seconds = time.perf_counter() - start
        return measure.Turn(
            num_batches * self._transform.batch_size, seconds, cpu_seconds + took()[1]
        )

    def _batches(self, count: int) -> Iterator[tuple[dict[str, np.ndarray], float]]:
        """Batches in order, each valid until the next, with the CPU seconds that each cost."""
        connections = [connection for _, connection in self._workers]
        in_flight = min(count, _PREFETCHED * len(connections))
        for number in range(in_flight):
            connections[number % len(connections)].send("a batch")
        for number in range(count):
            connection = connections[number % len(connections)]
            name, cpu_seconds = connection.recv()
            if number + in_flight < count:
                connection.send("a batch")
            memory = shared_memory.SharedMemory(name)
            try:
                yield _arrays(memory, self._transform), cpu_seconds
            finally:
                memory.close()
                memory.unlink()

    def close(self) -> None:
        """Ends the processes."""
        for process, connection in self._workers:
            connection.close()
            process.join()


def _serve(connection: Connection, films: Sequence[Film], transform: Transform, seed: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    random = np.random.default_rng(seed)
    connection.send("ready")
    while True:
        try:
            connection.recv()
        except EOFError:
            return
        before = time.process_time()
        clips = [
            read_clip(films[int(random.integers(len(films)))], transform, random)
            for _ in range(transform.batch_size)
        ]
        memory = shared_memory.SharedMemory(create=True, size=_batch_bytes(transform))
        for name, array in _arrays(memory, transform).items():
            np.stack([clip[name] for clip in clips], out=array)
        del array
        memory.close()
        connection.send((memory.name, time.process_time() - before))


def read_clip(
    film: Film, transform: Transform, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """A random clip of a film, in a random square, half of the time mirrored."""
    import cv2

    start = int(random.integers(len(film.frames) - transform.num_frames + 1))
    mirrored = random.random() < 0.5
    side = transform.crop_size
    frames = np.empty([transform.num_frames, side, side, 3], np.uint8)
    first = _decoded(film.frames[start])
    size = first.shape[0], first.shape[1]
    window = top, left, length = _random_window(size, transform, random)
    for number in range(transform.num_frames):
        picture = _decoded(film.frames[start + number]) if number else first
        crop = cv2.resize(picture[top : top + length, left : left + length], (side, side))
        frames[number] = cv2.flip(crop, 1) if mirrored else crop
    chosen = slice(start, start + transform.num_frames, transform.box_stride)
    boxes, mask = _crop_boxes(film.boxes[chosen], window, size, transform.num_boxes)
    if mirrored:
        boxes[..., 1], boxes[..., 3] = mask * (1 - boxes[..., 3]), mask * (1 - boxes[..., 1])
    return {"frames": frames, "boxes": boxes, "mask": mask}


def _decoded(jpeg: bytes) -> np.ndarray:
    import cv2

    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR_RGB)
    if picture is None:
        raise ValueError("OpenCV cannot decode a frame")
    return picture


def _random_window(
    size: tuple[int, int], transform: Transform, random: np.random.Generator
) -> tuple[int, int, int]:
    """Top, left and side of the square that a random scale and a random crop show."""
    scaled = random.uniform(*transform.short_side)
    side = min(round(transform.crop_size * min(size) / scaled), *size)
    top, left = (int(random.integers(length - side + 1)) for length in size)
    return top, left, side


def _crop_boxes(
    boxes: np.ndarray, window: tuple[int, int, int], size: tuple[int, int], num_boxes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The first boxes `[T', K, 4]` of which the window shows something, and their mask."""
    top, left, side = window
    boxes = (
        boxes * np.array([*size, *size], np.float32) - np.array([top, left] * 2, np.float32)
    ) / side
    boxes = np.clip(boxes, 0, 1)
    visible = np.all(boxes[..., 2:] > boxes[..., :2], axis=-1)
    order = np.argsort(~visible, axis=-1, kind="stable")[:, :num_boxes]
    mask = np.take_along_axis(visible, order, axis=-1)
    best = np.take_along_axis(boxes, order[..., np.newaxis], axis=1) * mask[..., np.newaxis]
    missing = num_boxes - order.shape[1]
    return (
        np.pad(best, [(0, 0), (0, missing), (0, 0)]).astype(np.float32),
        np.pad(mask, [(0, 0), (0, missing)]),
    )


def _shapes(transform: Transform) -> dict[str, tuple[list[int], type]]:
    clips, side = transform.batch_size, transform.crop_size
    boxes = [clips, transform.num_frames // transform.box_stride, transform.num_boxes]
    return {
        "boxes": ([*boxes, 4], np.float32),
        "mask": (boxes, np.bool_),
        "frames": ([clips, transform.num_frames, side, side, 3], np.uint8),
    }


def _batch_bytes(transform: Transform) -> int:
    return sum(
        int(np.prod(shape)) * np.dtype(dtype).itemsize
        for shape, dtype in _shapes(transform).values()
    )


def _arrays(memory: shared_memory.SharedMemory, transform: Transform) -> dict[str, np.ndarray]:
    """The arrays of a batch, one behind the other in shared memory."""
    arrays, offset = {}, 0
    for name, (shape, dtype) in _shapes(transform).items():
        arrays[name] = np.ndarray(shape, dtype, memory.buf, offset)
        offset += arrays[name].nbytes
    return arrays
