"""Processes that work when they are told to, each with one network of one software.

A process of its own shows what a software needs in memory, and may have another interpreter than
the benchmark, with other packages: nothing but the standard library and NumPy is imported here. A
process reads commands from its standard input, a line each, and answers each with a line of JSON.
"""

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Any, Protocol, cast


class Contestant(Protocol):
    """What a process serves, beside the methods that are its kinds of work."""

    def check(self) -> dict[str, Any]:
        """What its work comes to, to be compared with what others' work comes to."""


class Trainer(Contestant, Protocol):
    """A network, its optimizer, and a batch: `check` has `logits`, `loss` and `loss_after`."""

    def step(self) -> None:
        """Makes a training step and waits for its end."""

    def forward(self) -> None:
        """Computes the reduced features of the batch, no gradient, and waits for their end."""


class Scorer(Contestant, Protocol):
    """A network and a clip: `check` has its `scores`."""

    def score(self, batch: int) -> None:
        """Scores a batch of as many clips and waits for the scores."""


def serve(make: Callable[[], Contestant]) -> None:
    """Answers commands until the standard input ends.

    A command is the name of a method and maybe whole numbers to call it with. An answer has what
    the method returned, and `seconds`, `cpu_seconds`, `peak_bytes` and `load_seconds`, the time
    that `make` took.
    """
    # What libraries print must not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    start = time.perf_counter()
    contestant = make()
    load_seconds = time.perf_counter() - start
    for line in sys.stdin:
        command, *numbers = line.split()
        start, cpu_start = time.perf_counter(), time.process_time()
        answer = getattr(contestant, command)(*map(int, numbers)) or {}
        answer |= {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - cpu_start,
            "peak_bytes": _peak_bytes(),
            "load_seconds": load_seconds,
        }
        print(json.dumps(answer), file=answers, flush=True)


def _peak_bytes() -> int:
    """The most memory that this process had."""
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    # Includes, on Linux, what the process had that started this one.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


class StepProcess:
    """The benchmark's end of such a process.

    Args:
        python: the interpreter.
        module: what it runs; calls `serve`.
        arguments: for it.
        environment: variables to add.
    """

    def __init__(
        self,
        python: str,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str] | None = None,
    ):
        self._module = module
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [python, "-m", module, *arguments],
            cwd=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
            env={**os.environ, **(environment or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self._asked = cast(IO[str], self._process.stdin)
        self._answered = cast(IO[str], self._process.stdout)

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to a command, such as "check" or "score 4".

        Raises:
            ValueError: the process ended, with the last line that it printed.
        """
        try:
            self._asked.write(f"{command}\n")
            self._asked.flush()
            answer = self._answered.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._process.wait()
            self._errors.seek(0)
            lines = self._errors.read().strip().splitlines() or ["it printed nothing"]
            raise ValueError(f"{self._module} ended while asked for a {command!r}: {lines[-1]}")
        return json.loads(answer)

    def close(self) -> None:
        """Ends the process."""
        with contextlib.suppress(BrokenPipeError):
            self._asked.close()
        self._process.wait()
        self._answered.close()
        self._errors.close()
