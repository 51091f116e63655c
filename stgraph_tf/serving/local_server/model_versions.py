"""The versions of the model: found in its folder, loaded beside each other, drained, unloaded."""

import asyncio
import contextlib
import dataclasses
import gc
import os
from collections.abc import Iterator
from concurrent.futures import Executor

import grpc
import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import get_model_status_pb2

from stgraph_tf.serving import versions
from stgraph_tf.serving.local_server import warm_up
from stgraph_tf.serving.local_server.monitoring import Monitoring
from stgraph_tf.serving.local_server.servable import Servable
from stgraph_tf.serving.local_server.settings import Settings
from stgraph_tf.serving.local_server.statuses import RequestError, of_tensorflow

State = get_model_status_pb2.ModelVersionStatus.State
# Versions that are gone, and of which the status still tells.
_MOST_ENDED = 16
_LONGEST_MESSAGE = 500
# A folder's files with their sizes and times.
_Content = frozenset[tuple[str, int, int]]


@dataclasses.dataclass
class _Status:
    state: int  # one of `State`
    code: grpc.StatusCode = grpc.StatusCode.OK
    message: str = ""


class ModelVersions:
    """What of the model is in memory. Belongs to the event loop.

    The newest versions of the folder are served, `settings.num_versions` of them. A new one is
    loaded and warmed up beside the old ones, and only then takes over; an old one is unloaded when
    its last request is answered. One that cannot be loaded is refused, the next older one stays or
    takes its place, and it is tried again when its files have changed.

    Args:
        settings: where the model is.
        executor: one thread for the files and for loading.
        monitoring: is told of loads.
    """

    def __init__(self, settings: Settings, executor: Executor, monitoring: Monitoring):
        self._settings = settings
        self._executor = executor
        self._monitoring = monitoring
        self._served: dict[int, Servable] = {}
        self._statuses: dict[int, _Status] = {}
        self._refused: dict[int, _Content] = {}
        self._draining: set[asyncio.Task] = set()
        self._complaint = ""

    @property
    def is_available(self) -> bool:
        """Whether requests can be answered."""
        return bool(self._served)

    @contextlib.contextmanager
    def lease(self, name: str, version: int | None) -> Iterator[Servable]:
        """The version that a request asks for, kept in memory for the block.

        Args:
            name: the model's.
            version: a number; None for the newest.

        Raises:
            RequestError: there is no such model or version, or none is loaded yet.
        """
        self._check_name(name)
        if version is None and not self._served:
            raise RequestError(
                grpc.StatusCode.UNAVAILABLE, f"no version of the model {name} is loaded yet"
            )
        servable = self._served.get(max(self._served) if version is None else version)
        if servable is None:
            raise RequestError(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: Specific({name}, {version})",
            )
        with servable.lease():
            yield servable

    def statuses(
        self, name: str, version: int | None
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """The states of all versions, newest first, or of one.

        Raises:
            RequestError: there is no such model, or nothing is known of that version.
        """
        self._check_name(name)
        numbers = sorted(self._statuses, reverse=True) if version is None else [version]
        if not numbers or not set(numbers) <= set(self._statuses):
            what = "any versions" if version is None else f"version {version}"
            raise RequestError(grpc.StatusCode.NOT_FOUND, f"Could not find {what} of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number in numbers:
            status = self._statuses[number]
            added = response.model_version_status.add(version=number, state=status.state)
            added.status.error_code = status.code.value[0]
            added.status.error_message = status.message
        return response

    async def watch(self) -> None:
        """Looks into the folder until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception:
                logging.exception("looking for versions failed; it goes on")
            await asyncio.sleep(self._settings.file_system_poll_wait_seconds)

    async def look(self) -> None:
        """Loads what is new, and unloads what is not wanted any more."""
        found = await self._in_thread(_found, self._settings.model_base_path)
        if isinstance(found, str):
            self._complain(found)
            return
        self._forget(found)
        wanted: list[int] = []
        for number in reversed(found):
            if len(wanted) == self._settings.num_versions:
                break
            if number in self._served or await self._load(number):
                wanted.append(number)
        if not wanted:
            self._complain(
                f"{self._settings.model_base_path} has no version that can be served; waiting for "
                "one"
            )
        for number in set(self._served) - set(wanted):
            self._unload(number)

    async def close(self) -> None:
        """Returns when no version is used any more; none is served from now on."""
        while self._draining:
            await asyncio.wait(self._draining)
        for number in list(self._served):
            servable = self._served.pop(number)
            await servable.wait_until_idle()
            await self._in_thread(servable.close)

    async def _load(self, number: int) -> bool:
        """Loads a version, unless it was refused and has not changed; whether it is served now."""
        path = versions.path_of(self._settings.model_base_path, number)
        content = await self._in_thread(_content, path)
        if self._refused.get(number) == content or self._is_draining(number):
            return False
        self._statuses[number] = _Status(State.LOADING)
        logging.info("loading %s", path)
        try:
            servable, num_requests = await self._in_thread(_load, path, number, self._settings)
        except Exception as error:
            self._refuse(number, content, path, error)
            return False
        self._refused.pop(number, None)
        self._complaint = ""
        self._served[number] = servable
        self._statuses[number] = _Status(State.AVAILABLE)
        self._monitoring.loaded(grpc.StatusCode.OK)
        logging.info("serving version %d (%d warm-up requests)", number, num_requests)
        return True

    def _refuse(self, number: int, content: _Content, path: str, error: Exception) -> None:
        self._refused[number] = content
        if isinstance(error, tf.errors.OpError):
            error = of_tensorflow(error.error_code, error.message)
        code = error.code if isinstance(error, RequestError) else grpc.StatusCode.INVALID_ARGUMENT
        message = " ".join(str(error).split())[:_LONGEST_MESSAGE] or type(error).__name__
        self._statuses[number] = _Status(State.END, code, message)
        self._monitoring.loaded(code)
        served = ", ".join(map(str, sorted(self._served))) or "none"
        logging.error("%s is refused (served: %s): %s", path, served, message)

    def _unload(self, number: int) -> None:
        self._statuses[number] = _Status(State.UNLOADING)
        task = asyncio.get_running_loop().create_task(self._drain(self._served.pop(number)))
        self._draining.add(task)
        task.add_done_callback(self._draining.discard)

    async def _drain(self, servable: Servable) -> None:
        await servable.wait_until_idle()
        number = servable.version
        await self._in_thread(servable.close)
        del servable
        # The graph refers to itself in circles.
        await self._in_thread(gc.collect)
        self._statuses[number] = _Status(State.END)
        logging.info("version %d is unloaded", number)

    def _is_draining(self, number: int) -> bool:
        status = self._statuses.get(number)
        return status is not None and status.state == State.UNLOADING

    def _forget(self, found: list[int]) -> None:
        """Drops what is known of versions that are gone, but for the last few."""
        for number in set(self._refused) - set(found):
            del self._refused[number]
        ended = [
            number
            for number, status in sorted(self._statuses.items())
            if status.state == State.END and number not in found
        ]
        for number in ended[:-_MOST_ENDED]:
            del self._statuses[number]

    def _complain(self, sentence: str) -> None:
        """Logs a sentence, unless it was the last one."""
        if sentence != self._complaint:
            logging.warning("%s", sentence)
        self._complaint = sentence

    def _check_name(self, name: str) -> None:
        if not name:
            raise RequestError(grpc.StatusCode.INVALID_ARGUMENT, "the request names no model")
        if name != self._settings.model_name:
            raise RequestError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({name})"
            )

    async def _in_thread(self, function, *arguments):
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, function, *arguments)


def _found(base_path: str) -> list[int] | str:
    """The versions in a folder, rising; or why it cannot be read."""
    try:
        if tf.io.gfile.isdir(base_path):
            return versions.numbers(base_path)
        return f"there is no folder {base_path} any more; what is loaded stays"
    except (OSError, tf.errors.OpError) as error:
        return f"{base_path} cannot be read ({error}); what is loaded stays"


def _load(path: str, number: int, settings: Settings) -> tuple[Servable, int]:
    options = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=settings.tensorflow_intra_op_parallelism,
        inter_op_parallelism_threads=settings.tensorflow_inter_op_parallelism,
    )
    servable = Servable(path, number, options)
    if not settings.enable_model_warmup:
        return servable, 0
    return servable, warm_up.replay(servable, path, settings.grpc_max_message_bytes)


def _content(path: str) -> _Content:
    """What tells whether a version has changed; empty where it cannot be read."""
    found = set()
    with contextlib.suppress(OSError, tf.errors.OpError):
        for folder, _, names in tf.io.gfile.walk(path):
            for name in names:
                stat = tf.io.gfile.stat(os.path.join(folder, name))
                found.add((os.path.join(folder, name), stat.length, stat.mtime_nsec))
    return frozenset(found)
