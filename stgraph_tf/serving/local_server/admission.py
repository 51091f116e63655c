"""Who may come in: a bounded number of requests at a time, and none when the server stops."""

import asyncio
import contextlib
from collections.abc import Iterator

import grpc

from stgraph_tf.serving.local_server.statuses import RequestError


class Admission:
    """Counts requests in and out. Belongs to the event loop.

    Args:
        limit: that are inside at a time, from before their message is read until they are answered.

    Attributes:
        accepted: requests that have come in so far.
        refused: those that found no place.
        is_closed: whether no more come in, see `close`.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.accepted = 0
        self.refused = 0
        self.is_closed = False

    @property
    def inside(self) -> int:
        """Requests that have been accepted and not been answered."""
        return self._inside

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Holds a place for a request.

        Raises:
            RequestError: there is none, or the server is stopping.
        """
        if self.is_closed:
            raise RequestError(grpc.StatusCode.UNAVAILABLE, "the server is stopping")
        if self._inside >= self._limit:
            self.refused += 1
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                f"the server is busy with {self._limit} requests and takes no more now",
                http_status=503,
            )
        self.accepted += 1
        self._inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self._inside -= 1
            if not self._inside:
                self._empty.set()

    async def close(self, timeout: float) -> None:
        """Lets no more in, and returns when all are answered, or after `timeout` seconds."""
        self.is_closed = True
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout)
