"""The bound on the requests that are in the server at a time."""

import asyncio
import contextlib
from collections.abc import Iterator

import grpc

from stgraph_tf.serving.local_server.statuses import RequestError


class Admission:
    """Counts requests in and out. Belongs to the event loop.

    Args:
        limit: that are inside at a time, from before their message is read until they are answered.
    """

    def __init__(self, limit: int):
        self._limit = limit
        self._inside = 0
        self._empty = asyncio.Event()
        self._empty.set()
        self.accepted = 0
        self.refused = 0

    @property
    def inside(self) -> int:
        """Requests that have been accepted and not been answered."""
        return self._inside

    @contextlib.contextmanager
    def enter(self) -> Iterator[None]:
        """Holds a place for a request.

        Raises:
            RequestError: there is none.
        """
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

    async def wait_until_empty(self, timeout: float) -> None:
        """Returns when all accepted requests are answered, or after `timeout` seconds."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._empty.wait(), timeout)
