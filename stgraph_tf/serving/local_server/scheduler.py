"""The queue before TensorFlow: bounded threads, batches, deadlines."""

import asyncio
import collections
import dataclasses
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor

import grpc
import numpy as np

from stgraph_tf.serving.local_server import batching
from stgraph_tf.serving.local_server.calls import Call
from stgraph_tf.serving.local_server.monitoring import Monitoring
from stgraph_tf.serving.local_server.settings import Settings
from stgraph_tf.serving.local_server.statuses import RequestError, invalid

Outputs = Mapping[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class _Waiting:
    call: Call
    rows: int
    answer: asyncio.Future
    arrival: float


class Scheduler:
    """Hands calls to threads in the order of their arrival. Belongs to the event loop.

    Calls of one kind (`Call.kind`) are computed together, if batching is enabled: a batch starts
    when it is full, or when its first call has waited long enough, and a thread is free. A call
    whose client has gone, or whose time is over, is not computed.

    Args:
        settings: the bounds.
        executor: the threads, of which `settings.num_batch_threads` are used.
        monitoring: is told of what is computed.
    """

    def __init__(self, settings: Settings, executor: Executor, monitoring: Monitoring):
        self._settings = settings
        self._executor = executor
        self._monitoring = monitoring
        self._loop = asyncio.get_running_loop()
        self._free = settings.num_batch_threads
        self._queues: dict[object, collections.deque[_Waiting]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._running: set[asyncio.Task] = set()

    async def compute(self, call: Call, deadline: float | None) -> Outputs:
        """The outputs of a call.

        Args:
            call: what to compute.
            deadline: on the event loop's clock; None for no such.

        Raises:
            RequestError: the call failed, has more rows than a batch may have, or is not done by
                its deadline.
        """
        rows = call.rows if self._settings.enable_batching else None
        if call.signature.name in call.servable.unbatchable:
            rows = None
        if rows and rows > self._settings.max_batch_size:
            # As TF Serving does.
            raise invalid(
                f"the request has {rows} rows, and a batch has at most "
                f"{self._settings.max_batch_size}"
            )
        waiting = _Waiting(call, rows or 1, self._loop.create_future(), self._loop.time())
        # One that cannot be part of a batch has a queue of its own.
        self._queues.setdefault(call.kind if rows else waiting, collections.deque()).append(waiting)
        self._dispatch()
        try:
            timeout = None if deadline is None else deadline - self._loop.time()
            return await asyncio.wait_for(waiting.answer, timeout)
        except asyncio.TimeoutError as error:
            raise RequestError(
                grpc.StatusCode.DEADLINE_EXCEEDED, "the request's time is over"
            ) from error

    async def finish(self) -> None:
        """Returns when no thread computes any more."""
        while self._running:
            await asyncio.wait(self._running)

    def _dispatch(self) -> None:
        """Starts what can be started, and sets the clock for what must wait for more."""
        if self._timer:
            self._timer.cancel()
            self._timer = None
        while self._free:
            ready = self._ready()
            if ready is None:
                return
            if isinstance(ready, float):
                self._timer = self._loop.call_at(ready, self._dispatch)
                return
            self._free -= 1
            task = self._loop.create_task(self._run(ready))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    def _ready(self) -> list[_Waiting] | float | None:
        """The batch that is next; else when there will be one; else None."""
        due = {}
        for key, queue in list(self._queues.items()):
            alive = collections.deque(w for w in queue if not w.answer.done())
            if alive:
                self._queues[key] = alive
                due[key] = self._due(key, alive)
            else:
                del self._queues[key]
        now = self._loop.time()
        ready = [key for key, time in due.items() if time <= now]
        if ready:
            return self._taken(min(ready, key=lambda key: self._queues[key][0].arrival))
        return min(due.values(), default=None)

    def _due(self, key: object, queue: Sequence[_Waiting]) -> float:
        """When a queue's first batch is to start."""
        full = sum(waiting.rows for waiting in queue) >= self._settings.max_batch_size
        if full or key is queue[0]:
            return queue[0].arrival
        return queue[0].arrival + self._settings.batch_timeout_micros / 1e6

    def _taken(self, key: object) -> list[_Waiting]:
        """Takes a batch off its queue."""
        queue = self._queues[key]
        batch = [queue.popleft()]
        rows = batch[0].rows
        while queue and rows + queue[0].rows <= self._settings.max_batch_size:
            batch.append(queue.popleft())
            rows += batch[-1].rows
        if not queue:
            del self._queues[key]
        return batch

    async def _run(self, batch: list[_Waiting]) -> None:
        calls = [waiting.call for waiting in batch]
        answers: Sequence[Outputs | Exception]
        try:
            with calls[0].servable.lease(), self._monitoring.runtime(sum(w.rows for w in batch)):
                answers = await self._loop.run_in_executor(
                    self._executor,
                    batching.run,
                    calls,
                    lambda index: not batch[index].answer.done(),
                )
        except Exception as error:
            answers = [error] * len(batch)
        finally:
            self._free += 1
            self._dispatch()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.answer.done():
                continue
            if isinstance(answer, Exception):
                waiting.answer.set_exception(answer)
            else:
                waiting.answer.set_result(answer)
