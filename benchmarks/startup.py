"""Starting: `--help` of every program and `import stgraph_tf`, next to Python's own start.

Every start is a process of its own, timed from outside until it ends. The files are in the
system's memory: each is read once before the first turn.
"""

import functools
import os
import resource
import subprocess
import sys
import time

from benchmarks import measure

_ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_FOLDERS = ("tools", "export")


def run(options: measure.Options) -> measure.Report:
    """Measures, in starts a second; `options.amount` is starts in a turn.

    Raises:
        ValueError: a program does not answer `--help`.
    """
    amount = options.amount or 1
    contestants = _contestants()
    for name, command in contestants.items():
        _check(name, command)
    rows = measure.take_turns(
        {name: functools.partial(_turn, command, amount) for name, command in contestants.items()},
        unit="starts",
        rounds=options.rounds,
    )
    title = f"Starts of Python {sys.version.split()[0]}; {amount} in a turn"
    return measure.Report(title, rows, seconds_each=True)


def _contestants() -> dict[str, list[str]]:
    """Commands by name; Python alone comes first, and everyone's share is of its speed."""
    statements = ("pass", "import stgraph_tf", "import numpy", "import tensorflow")
    commands = {f"python -c '{text}'": [sys.executable, "-c", text] for text in statements}
    for folder in _FOLDERS:
        for name in sorted(os.listdir(os.path.join(_ROOT, folder))):
            if name.endswith(".py"):
                path = os.path.join(_ROOT, folder, name)
                commands[f"{folder}/{name} --help"] = [sys.executable, path, "--help"]
    return commands


def _check(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=_ROOT, check=False)
    # absl's status after --help is 1.
    answered = "flags:" in done.stdout if name.endswith("--help") else done.returncode == 0
    if not answered:
        raise ValueError(f"{name} fails: {done.stderr.strip() or done.stdout.strip()}")


def _turn(command: list[str], amount: int) -> measure.Turn:
    cpu, started = _children_seconds(), time.perf_counter()
    for _ in range(amount):
        subprocess.run(command, capture_output=True, cwd=_ROOT, check=False)
    return measure.Turn(amount, time.perf_counter() - started, _children_seconds() - cpu)


def _children_seconds() -> float:
    """CPU seconds of all processes that were started here and have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
