"""Requests that no client should send, and the answers that are proper.

The mistakes are in `malformed_messages` (gRPC), `malformed_bodies` (REST) and `malformed_bytes`
(what is neither); here they are sent and their answers counted.
"""

import collections
import dataclasses
import threading
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from benchmarks.known_requests import Clip

# Of a quick mistake, for one of a slow one.
_TURNS = 4


@dataclasses.dataclass(frozen=True)
class Target:
    """The server that is asked.

    Attributes:
        port: of gRPC.
        rest_port: of REST.
        clip: one that is in order, which the mistakes are made to.
        max_bytes: its bound on messages and bodies.
    """

    port: int
    rest_port: int
    clip: Clip
    max_bytes: int


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A kind of malformed request.

    Attributes:
        name: in words.
        send: sends one and returns how it was answered, in a word or two.
        proper: the answers that are right.
        is_slow: whether the server must first give the client up.
    """

    name: str
    send: Callable[[np.random.Generator], str]
    proper: frozenset[str]
    is_slow: bool = False


def send(
    mistakes: Sequence[Mistake], count: int, num_clients: int, seed: int = 0
) -> Mapping[str, collections.Counter]:
    """Makes mistakes in turn, several at a time.

    Args:
        mistakes: their kinds; slow ones have a turn where others have four.
        count: of mistakes in all.
        num_clients: that are made at a time.
        seed: of what is random in them.

    Returns:
        The answers to each kind, counted.

    Raises:
        ValueError: an answer is not proper.
    """
    order = [m for m in mistakes if not m.is_slow] * _TURNS + [m for m in mistakes if m.is_slow]
    numbers, lock = iter(range(count)), threading.Lock()
    answers: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    failures = []

    def work() -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            mistake = order[number % len(order)]
            try:
                answer = mistake.send(np.random.default_rng((seed, number)))
            except Exception as error:
                answer = f"{type(error).__name__}: {error}"
            with lock:
                answers[mistake.name][answer] += 1
                if answer not in mistake.proper:
                    failures.append(f"{mistake.name} (number {number}) is answered by {answer}")

    threads = [threading.Thread(target=work) for _ in range(num_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise ValueError(f"{len(failures)} improper answers; {'; '.join(failures[:5])}")
    return answers
