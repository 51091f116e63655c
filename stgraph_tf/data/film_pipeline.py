"""The films of a split as an Apache Beam pipeline: one film, one element.

    shards -> their films -> (dealt anew over all workers) what came of each -> whole shards

Beam moves only names between workers. Records stay in the staging folder, one file a film, and a
shard is put together from them when its films are done; so a worker holds one frame of one film,
and whoever comes back finds every film that was finished.
"""

import functools
import os
import re
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence

import psutil
import tensorflow as tf

from stgraph_tf import files, program
from stgraph_tf.data import film_files, memory, records
from stgraph_tf.data.beam_runner import WORKER_MODULE, PipelineOptions, beam, choose_runner
from stgraph_tf.data.staging import BEGUN, FAILURE, LOST, RECORD, Layout, ShardTasks

# Seconds between two looks at the worker processes, and at the staging folder.
_POLL, _PAUSE = 0.1, 1.0
# Looking at the staging folder takes no larger share of the time than this.
_LOOKING_SHARE = 0.05
# Beam takes as long to end, once its workers have.
_GRACE = 10.0


class DeadWorkerError(ValueError):
    """A worker process died. Beam waits for it for ever, and cannot be ended but by force."""


class ReadTasks(beam.DoFn):
    """`ShardTasks` -> `(shard, place, task)` of every film."""

    def __init__(self, layout: Layout):
        self._layout = layout

    def process(self, tasks: tuple[int, int, int]) -> Iterator[tuple[int, int, records.Task]]:
        shard_tasks = ShardTasks(*tasks)
        for place, task in enumerate(self._layout.read_tasks(shard_tasks)):
            yield shard_tasks.shard, place, task


class ReadFilm(beam.DoFn):
    """`(shard, place, task)` -> `(shard, place)`, once what came of the film is in its file."""

    def __init__(self, layout: Layout, settings: records.Settings):
        self._layout = layout
        self._settings = settings

    def setup(self) -> None:
        memory.keep_freed()

    def process(self, element: tuple[int, int, records.Task]) -> Iterator[tuple[int, int]]:
        shard, place, task = element
        if tf.io.gfile.exists(self._layout.stop()):
            return
        if not self._layout.outcome(shard, place):
            paths = [self._layout.film(shard, place, suffix) for suffix in (RECORD, FAILURE)]
            with film_files.begun(self._layout.film(shard, place, BEGUN), task):
                film_files.write(task, self._settings, *paths)
        yield shard, place


class Assemble(beam.DoFn):
    """`(shard, places)` -> the finished shard's number."""

    def __init__(self, layout: Layout):
        self._layout = layout

    def process(self, element: tuple[int, Iterable[int]]) -> Iterator[int]:
        shard, places = element
        if not tf.io.gfile.exists(self._layout.stop()):
            self._layout.assemble(shard, sum(1 for _ in places))
            yield shard


def read_films(
    layout: Layout,
    settings: records.Settings,
    pending: Sequence[ShardTasks],
    *,
    options: PipelineOptions,
    max_failures: int | None,
) -> None:
    """Runs the pipeline until the pending shards are finished, showing progress.

    Args:
        layout: of the staging folder, which holds the file of tasks.
        settings: how films become records.
        pending: the shards to make.
        options: Beam's; without a runner, films are read by processes of this machine.
        max_failures: of these shards' films; None for no limit.

    Raises:
        ValueError: more films cannot be read (the first is named).
        DeadWorkerError: a process died on a film (it is named). The program must end by
            `os._exit`, or waits for ever.
        OSError: the staging folder cannot be written to.
    """
    if not pending:
        return
    pipeline = _Run(functools.partial(_run, layout, settings, pending, options))
    progress = _Progress(layout, pending)
    with program.progress_bar(progress.total, unit="film", done=progress.look()) as bar:
        try:
            while not pipeline.wait(_POLL):
                pipeline.check_workers(layout)
                if progress.is_worth_a_look():
                    bar.update(progress.look() - bar.n)
                    _check_failures(progress, max_failures)
        except DeadWorkerError:
            raise
        except BaseException:
            # Workers leave the films alone that they have not begun.
            files.write_json(layout.stop(), True)
            pipeline.wait(None)
            raise
        bar.update(progress.look() - bar.n)
    _check_failures(progress, max_failures)
    pipeline.check(layout)


def _run(
    layout: Layout,
    settings: records.Settings,
    pending: Sequence[ShardTasks],
    options: PipelineOptions,
) -> None:
    with beam.Pipeline(runner=choose_runner(options), options=options) as pipeline:
        (
            pipeline
            | "Shards" >> beam.Create([tuple(tasks) for tasks in pending])
            | "Tasks" >> beam.ParDo(ReadTasks(layout))
            | "Deal" >> beam.Reshuffle()
            | "ReadFilm" >> beam.ParDo(ReadFilm(layout, settings))
            | "ByShard" >> beam.GroupByKey()
            | "Assemble" >> beam.ParDo(Assemble(layout))
        )


class _Run:
    """The pipeline in a thread of its own, so that this one can look after it."""

    def __init__(self, run: functools.partial):
        self._error: BaseException | None = None
        self._workers: dict[int, psutil.Process] = {}
        self._last_count = 0.0
        # Not the thread's own `join`: one that Ctrl-C breaks off takes the thread for ended.
        self._ended = threading.Event()
        threading.Thread(target=self._target, args=[run], daemon=True).start()

    def wait(self, seconds: float | None) -> bool:
        """Waits so long at most; tells whether the pipeline has ended."""
        return self._ended.wait(seconds)

    def check_workers(self, layout: Layout) -> None:
        """Raises `DeadWorkerError` if a process died while the pipeline goes on without it."""
        if time.monotonic() - self._last_count > _PAUSE:
            # Not at every look: it takes as long as there are processes on the machine.
            for child in psutil.Process().children(recursive=True):
                if child.pid not in self._workers and _is_worker(child):
                    self._workers[child.pid] = child
            self._last_count = time.monotonic()
        dead = [pid for pid, child in self._workers.items() if not _is_alive(child)]
        if dead and (lost := _lost_films(layout, dead)):
            raise _dead_worker(lost)
        if dead and not self.wait(_GRACE):
            raise _dead_worker([])

    def check(self, layout: Layout) -> None:
        """Raises what the pipeline raised, in words that help."""
        if self._error is None:
            return
        if lost := _lost_films(layout):
            raise _dead_worker(lost) from self._error
        # Beam gives the error of another process as text.
        text = f"{type(self._error).__name__}: {self._error}"
        name = records.StorageError.__name__
        if found := re.search(rf"{name}: (.*?)(?: \[while running|\n|$)", text):
            raise OSError(found[1]) from self._error
        raise self._error

    def _target(self, run: functools.partial) -> None:
        try:
            run()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()


class _Progress:
    """What is done, as the staging folder shows it."""

    def __init__(self, layout: Layout, pending: Sequence[ShardTasks]):
        self.total = sum(tasks.count for tasks in pending)
        self.failures: list[str] = []
        self._layout = layout
        self._pending = {tasks.shard: tasks.count for tasks in pending}
        self._finished_films = 0
        self._finished_failures: list[str] = []
        self._last, self._took = 0.0, 0.0

    def is_worth_a_look(self) -> bool:
        """Whether enough time has passed since the last look for what it takes."""
        pause = max(_PAUSE, self._took / _LOOKING_SHARE)
        return time.monotonic() - self._last > pause

    def look(self) -> int:
        """Counts the films that are done."""
        start = time.monotonic()
        done, failures = 0, []
        for shard, count in list(self._pending.items()):
            if tf.io.gfile.exists(self._layout.summary(shard)):
                del self._pending[shard]
                summary = self._layout.read_summary(shard)
                self._finished_films += count
                self._finished_failures += [failure.reason for failure in summary.failures]
            elif tf.io.gfile.exists(self._layout.films(shard)):
                names = tf.io.gfile.listdir(self._layout.films(shard))
                done += sum(name.endswith((RECORD, FAILURE, LOST)) for name in names)
                failures += [
                    os.path.join(self._layout.films(shard), name)
                    for name in names
                    if name.endswith((FAILURE, LOST))
                ]
        self.failures = self._finished_failures + failures
        self._last = time.monotonic()
        self._took = self._last - start
        return self._finished_films + done


def _check_failures(progress: _Progress, max_failures: int | None) -> None:
    if max_failures is None or len(progress.failures) <= max_failures:
        return
    reason: str | None = progress.failures[max_failures]
    if reason and reason.endswith((FAILURE, LOST)):
        reason = film_files.read_outcome(reason).failure
    allowed = f" ({max_failures} other films were set aside)" if max_failures else ""
    raise ValueError(f"{reason}{allowed}")


def _is_worker(process: psutil.Process) -> bool:
    try:
        return WORKER_MODULE in process.cmdline()
    except psutil.Error:
        return False


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _lost_films(layout: Layout, dead: Collection[int] | None = None) -> list[str]:
    """Sets the films aside that processes had in hand when they died; None for all processes."""
    return [
        film_files.give_up(path, path.removesuffix(BEGUN) + LOST)
        for path in tf.io.gfile.glob(os.path.join(layout.folder, "films", "*", f"*{BEGUN}"))
        if dead is None or film_files.begun_by(path) in dead
    ]


def _dead_worker(lost: Sequence[str]) -> DeadWorkerError:
    films = f" on {', '.join(lost)}, which will be left out" if lost else ""
    return DeadWorkerError(
        f"a worker process died{films}: memory ran out, or the decoder crashed; "
        f"the same command goes on with the other films"
    )
