"""Runs a study's processes side by side, each on cores of its own, and goes on where it stopped."""

import contextlib
import fcntl
import itertools
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from tqdm import tqdm

from stgraph_tf import files, program
from stgraph_tf.study.plan import Run
from stgraph_tf.training.stopping import StopRequest

LOG_FILE = "train.log"
RECORD_FILE = "run.json"
METRICS_FILE = "metrics.json"
_POLL = 0.1  # seconds


class Failure(NamedTuple):
    """A run that did not end well: what it said last, and its log."""

    run: str
    reason: str
    log: str


class Outcome(NamedTuple):
    """How a study ended.

    Attributes:
        failures: runs whose process ended with an error.
        waiting: names of the runs that were not started, since the one before them failed.
    """

    failures: list[Failure]
    waiting: list[str]


def is_complete(run: Run) -> bool:
    """Whether the run was trained and evaluated, with the settings that it has now."""
    record = _read_record(run)
    metrics = os.path.join(run.folder, METRICS_FILE)
    return record.get("config") == run.config and os.path.exists(metrics)


def seconds_spent(run: Run) -> float:
    """The time that its processes have taken so far, interrupted ones with them."""
    return _read_record(run).get("seconds", 0.0)


@contextlib.contextmanager
def locked(output: str) -> Iterator[int]:
    """Keeps other studies out of a folder until this one and all of its processes are over.

    Yields:
        A file descriptor for the processes to inherit, which is what holds the lock.

    Raises:
        ValueError: the folder is in use.
    """
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, ".lock"), "w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValueError(
                f"{output} is in use by another study, or by a process that one has left behind "
                "which was killed; wait for its end, or end it"
            ) from error
        yield file.fileno()


def shares(jobs: int) -> list[set[int] | None]:
    """The cores of each of `jobs` processes: as many for each, or one, shared, with few cores.

    None, for all cores, where the system has no way to say so.
    """
    if not hasattr(os, "sched_getaffinity"):
        return [None] * jobs
    cores = sorted(os.sched_getaffinity(0))
    if jobs > len(cores):
        return [{cores[job % len(cores)]} for job in range(jobs)]
    bounds = [len(cores) * job // jobs for job in range(jobs + 1)]
    return [set(cores[low:high]) for low, high in itertools.pairwise(bounds)]


def run_all(
    runs: Sequence[Run],
    jobs: int,
    lock: int,
    stop: StopRequest,
    on_complete: Callable[[Run], object] = lambda run: None,
) -> Outcome:
    """Runs what is not complete yet, `jobs` runs at a time.

    Args:
        runs: those that others wait for first.
        jobs: how many at once.
        lock: from `locked`.
        stop: asked all the time. Once a stop is requested, the processes are asked to end, too,
            and have saved when this returns.
        on_complete: called after each run that ends well.

    Returns:
        What went wrong.
    """
    complete = {run.name for run in runs if is_complete(run)}
    waiting = [run for run in runs if run.name not in complete]
    free = shares(jobs)
    active: list[_Process] = []
    failures: list[Failure] = []
    with (
        program.progress_bar(len(runs), unit="run", done=len(complete)) as bar,
        _ended(active),
    ):
        while waiting or active:
            for process in [process for process in active if process.poll() is not None]:
                active.remove(process)
                free.append(process.cores)
                if process.failure:
                    failures.append(process.failure)
                else:
                    complete.add(process.run.name)
                    bar.update()
                    on_complete(process.run)
                _tell(bar, active)
            if stop.made:
                break
            ready = [run for run in waiting if run.after is None or run.after in complete]
            if not ready and not active:
                break
            for run in ready[: len(free)]:
                waiting.remove(run)
                active.append(_Process(run, free.pop(0), lock))
                _tell(bar, active)
            time.sleep(_POLL)
    return Outcome(failures, [run.name for run in waiting])


class _Process:
    """A run that is being made: one command after the other."""

    def __init__(self, run: Run, cores: set[int] | None, lock: int):
        self.run = run
        self.cores = cores
        self.failure: Failure | None = None
        self._lock = lock
        self._before = seconds_spent(run)
        self._began = time.monotonic()
        self._commands = list(run.commands)
        os.makedirs(run.folder, exist_ok=True)
        self._log = os.path.join(run.folder, LOG_FILE)
        self._process = self._start()

    def poll(self) -> int | None:
        """The exit status of the last command, or of the first that failed; None before that."""
        status = self._process.poll()
        if status == 0 and self._commands:
            self._process = self._start()
            return None
        if status is not None:
            if status:
                words = _last_words(self._log, self._log_begin)
                self.failure = Failure(self.run.name, f"{words} ({_ending(status)})", self._log)
            self._record(complete=not status)
        return status

    def terminate(self) -> None:
        """Asks the process to save and end."""
        self._process.terminate()

    def wait(self) -> None:
        """Waits until it has."""
        self._process.wait()
        self._record(complete=False)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _start(self) -> subprocess.Popen:
        command = self._commands.pop(0)
        with open(self._log, "a") as log, _on_cores(self.cores):
            self._log_begin = log.tell()
            print(f"$ {' '.join(command)}", file=log, flush=True)
            # In a session of its own, so that Ctrl-C reaches it once, by us.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=(self._lock,),
                start_new_session=True,
            )

    def _record(self, *, complete: bool) -> None:
        record = _read_record(self.run)
        if complete:
            record["config"] = self.run.config
        record["seconds"] = self._before + time.monotonic() - self._began
        files.write_json(os.path.join(self.run.folder, RECORD_FILE), record)


@contextlib.contextmanager
def _ended(active: list[_Process]) -> Iterator[None]:
    """Ends the processes that are active when the block ends: when it raises, without mercy."""
    try:
        yield
        for process in active:
            process.terminate()
        for process in active:
            process.wait()
    except BaseException:
        for process in active:
            process.kill()
        raise


@contextlib.contextmanager
def _on_cores(cores: set[int] | None) -> Iterator[None]:
    """Has the processes that are started in the block run on these cores alone."""
    if cores is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)  # Of this thread; what it starts inherits that.
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _tell(bar: tqdm, active: Sequence[_Process]) -> None:
    bar.set_postfix_str(", ".join(process.run.name for process in active))


def _last_words(log: str, begin: int) -> str:
    """The error that a process has printed, or its last line, in its log from a byte on."""
    with open(log, "rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    lines = [line.strip() for line in re.split(r"[\r\n]+", text) if line.strip()]
    errors = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    return (errors or lines)[-1]


def _ending(status: int) -> str:
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def _read_record(run: Run) -> dict:
    path = os.path.join(run.folder, RECORD_FILE)
    return files.read_json(path) if os.path.exists(path) else {}
