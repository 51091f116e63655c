"""What the benchmarks share: rounds that take turns, medians, a table, and what the machine is.

Another process on the machine slows whoever runs at that moment. So the contestants take turns for
several short rounds instead of running one after the other, and the median round counts.
"""

import contextlib
import dataclasses
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from absl import logging

from stgraph_tf import program


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags that all benchmarks have; each reads those that mean something to it.

    Attributes:
        rounds: how often every contestant has its turn.
        amount: how much a contestant works in a round, in the benchmark's unit; None for the
            benchmark's own choice.
        profile: whether to say where the time goes.
        torch_python: an interpreter that has PyTorch, for the benchmarks that compare with it.
        rivals_python: an interpreter that has OpenVINO, ONNX Runtime and tf2onnx, likewise.
        model_base_path: the folder of an exported model's versions, for `load`; None for a model
            that is made for it.
        malformed: how many malformed requests `load` sends, in all rounds together.
    """

    rounds: int = 5
    amount: int | None = None
    profile: bool = False
    torch_python: str | None = None
    rivals_python: str | None = None
    model_base_path: str | None = None
    malformed: int = 10_000


@dataclasses.dataclass(frozen=True)
class Row:
    """One contestant's rounds.

    Attributes:
        name: as the table shows it.
        unit: what is counted in a second.
        rates: of every round, units per second of wall time.
        cpu: of every round, milliseconds of CPU time for a unit, over all of its processes.
        peak_bytes: the most memory that it had at a time, where that is measured.
    """

    name: str
    unit: str
    rates: tuple[float, ...]
    cpu: tuple[float, ...]
    peak_bytes: int | None = None

    @property
    def rate(self) -> float:
        """The median rate."""
        return statistics.median(self.rates)


@dataclasses.dataclass(frozen=True)
class Report:
    """What a benchmark found.

    Attributes:
        title: what was measured, with the sizes.
        rows: the contestants; every rate is also given as a share of the first one's.
        notes: lines below the table.
        seconds_each: whether the table shows seconds for a unit, instead of units in a second.
    """

    title: str
    rows: Sequence[Row]
    notes: Sequence[str] = ()
    seconds_each: bool = False

    def to_json(self) -> dict:
        """All figures, in plain types."""
        rows = [{**dataclasses.asdict(row), "median": row.rate} for row in self.rows]
        return {
            "title": self.title,
            "machine": machine(),
            "date": time.strftime("%Y-%m-%d"),
            "rows": rows,
            "notes": list(self.notes),
        }


class Turn(NamedTuple):
    """What a contestant did in a turn: units, in how much wall time, with how much CPU time."""

    units: int
    seconds: float
    cpu_seconds: float


@contextlib.contextmanager
def stopwatch() -> Iterator[Callable[[], tuple[float, float]]]:
    """Yields what tells, after the block, the wall and the CPU seconds of this process in it."""
    start, cpu_start = time.perf_counter(), time.process_time()
    took: tuple[float, float] = (0.0, 0.0)
    yield lambda: took
    took = time.perf_counter() - start, time.process_time() - cpu_start


def take_turns(
    contestants: Mapping[str, Callable[[], Turn]], *, unit: str, rounds: int
) -> list[Row]:
    """Lets every contestant have a turn in every round.

    Args:
        contestants: by name, what takes a turn and leaves nothing running behind it.
        unit: what they do, in the plural.
        rounds: at least 1.
    """
    turns: dict[str, list[Turn]] = {name: [] for name in contestants}
    for number in range(rounds):
        for name, take in contestants.items():
            turns[name].append(take())
        logging.info("round %d of %d is done", number + 1, rounds)
    return [
        Row(
            name,
            unit,
            tuple(turn.units / turn.seconds for turn in taken),
            tuple(1000 * turn.cpu_seconds / turn.units for turn in taken),
        )
        for name, taken in turns.items()
    ]


def table(report: Report) -> str:
    """The report as aligned text: medians, the range of the rounds, and shares of the first row."""
    unit = report.rows[0].unit
    single = unit.removesuffix("s")
    with_memory = any(row.peak_bytes for row in report.rows)
    rate = f"s/{single}" if report.seconds_each else f"{unit}/s"
    header = ("", rate, "lowest", "highest", f"CPU ms/{single}", "share")
    lines: list[tuple[str, ...]] = [(*header, "peak GiB") if with_memory else header]
    for row in report.rows:
        numbers = [row.rate, min(row.rates), max(row.rates)]
        if report.seconds_each:
            cells = [f"{1 / number:.3f}" for number in (numbers[0], numbers[2], numbers[1])]
        else:
            cells = [f"{number:.1f}" for number in numbers]
        cells += [f"{statistics.median(row.cpu):.1f}", f"{row.rate / report.rows[0].rate:.2f}"]
        if with_memory:
            cells.append(f"{row.peak_bytes / 2**30:.2f}" if row.peak_bytes else "")
        lines.append((row.name, *cells))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = [
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])])
        for line in lines
    ]
    return "\n".join([report.title, machine(), "", *text, "", *report.notes])


def machine() -> str:
    """Cores and processor, in words."""
    return f"{program.num_cores()} cores, {_processor()}, {platform.system()}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            names = [
                line.split(":", 1)[1].strip() for line in file if line.startswith("model name")
            ]
    except OSError:
        names = []
    return names[0] if names else platform.machine()
