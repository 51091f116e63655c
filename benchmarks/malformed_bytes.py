"""What is neither gRPC nor HTTP, or only its beginning, see `malformed_requests`."""

import contextlib
import re
import socket

import numpy as np

from benchmarks import http2_frames
from benchmarks.known_requests import PATH
from benchmarks.malformed_requests import Mistake, Target

_SECONDS = 120
_CLOSED = frozenset({"closed"})
# What gRPC itself says of a connection that breaks (1 is CANCELLED, 14 is UNAVAILABLE), or the
# server of a message that does not come (3 is INVALID_ARGUMENT, 4 is DEADLINE_EXCEEDED).
_BROKEN = _CLOSED | {f"grpc-status {code}" for code in (1, 3, 4, 14)}
_BODY = b'{"inputs": {}}'


def mistakes(target: Target) -> list[Mistake]:
    """One of each kind, each sent over a connection of its own."""

    def answer(port: int, data: bytes, *, half_close: bool = False) -> str:
        """How what was sent is answered, until the other side closes."""
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            found = b""
            with contextlib.suppress(ConnectionError):
                connection.sendall(data)
                if half_close:
                    connection.shutdown(socket.SHUT_WR)
                found = http2_frames.received(connection, b"grpc-status")
            return _described(found)

    def gone(port: int, data: bytes) -> str:
        """Sends and leaves."""
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as connection:
            connection.sendall(data)
        return "left"

    head = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n".encode()
    request = head % len(_BODY) + _BODY
    opening = http2_frames.opening()
    half_message = http2_frames.message(b"half", claimed=10**6, last=False)

    def noise(random: np.random.Generator) -> bytes:
        return random.bytes(int(random.integers(1, 3000)))

    def cut(random: np.random.Generator, data: bytes) -> bytes:
        return data[: random.integers(1, len(data))]

    left = frozenset({"left"})
    return [
        Mistake(
            "noise on the port of REST",
            lambda random: answer(target.rest_port, noise(random) + b"\r\n\r\n"),
            frozenset({"HTTP 400", "closed"}),
        ),
        Mistake(
            "noise on the port of gRPC", lambda random: answer(target.port, noise(random)), _CLOSED
        ),
        Mistake(
            "noise after gRPC's beginning",
            lambda random: answer(target.port, opening + noise(random)),
            _BROKEN,
            is_slow=True,
        ),
        Mistake(
            "half a body, slowly",
            lambda random: answer(target.rest_port, head % 100 + b"half"),
            frozenset({"HTTP 408"}),
            is_slow=True,
        ),
        Mistake(
            "half a head, slowly",
            lambda random: answer(target.rest_port, cut(random, head % 100)),
            _CLOSED,
            is_slow=True,
        ),
        Mistake(
            "half a message, slowly",
            lambda random: answer(target.port, opening + half_message),
            frozenset({"grpc-status 4"}),
            is_slow=True,
        ),
        Mistake(
            "half a request, then half-closed",
            lambda random: answer(target.rest_port, cut(random, request), half_close=True),
            frozenset({"closed", "HTTP 400"}),
        ),
        Mistake(
            "a whole request, then half-closed",
            lambda random: answer(target.rest_port, request, half_close=True),
            frozenset({"closed", "HTTP 400"}),
        ),
        Mistake(
            "half a message, then half-closed",
            lambda random: answer(target.port, opening + half_message, half_close=True),
            _BROKEN,
        ),
        Mistake(
            "half a request, and gone",
            lambda random: gone(target.rest_port, cut(random, request)),
            left,
        ),
        Mistake(
            "half a message, and gone",
            lambda random: gone(target.port, cut(random, opening + half_message)),
            left,
        ),
    ]


def _described(found: bytes) -> str:
    if match := re.match(rb"HTTP/1\.\d (\d+)", found):
        return f"HTTP {match[1].decode()}"
    if b"grpc-status" in found:
        # The value follows its length, in the same frame.
        value = found.split(b"grpc-status", 1)[1]
        return f"grpc-status {value[1 : 1 + value[0]].decode()}"
    return "closed"
