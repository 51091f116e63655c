"""Requests from their bytes to their answer's, whichever way they came."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import TypeVar

from tensorflow_serving.apis import get_model_metadata_pb2, model_pb2, predict_pb2

from stgraph_tf.serving.local_server import json_messages, predict_messages
from stgraph_tf.serving.local_server.admission import Admission
from stgraph_tf.serving.local_server.model_versions import ModelVersions
from stgraph_tf.serving.local_server.monitoring import Monitoring
from stgraph_tf.serving.local_server.scheduler import Scheduler
from stgraph_tf.serving.local_server.settings import Settings
from stgraph_tf.serving.local_server.statuses import invalid

T = TypeVar("T")


class Answering:
    """What both protocols share. Belongs to the event loop.

    Args:
        settings: the bounds.
        versions: the model.
        scheduler: computes.
        admission: counts who is inside.
        monitoring: is told of every request.
        executor: threads that decode and encode.
    """

    def __init__(
        self,
        settings: Settings,
        versions: ModelVersions,
        scheduler: Scheduler,
        admission: Admission,
        monitoring: Monitoring,
        executor: Executor,
    ):
        self.versions = versions
        self.admission = admission
        self.monitoring = monitoring
        self._settings = settings
        self._scheduler = scheduler
        self._executor = executor

    @contextlib.contextmanager
    def request(self, api: str, entrypoint: str) -> Iterator[None]:
        """Surrounds a request to compute something, from before its message is read.

        Raises:
            RequestError: there is no place for it, or what the block raises.
        """
        with self.monitoring.request(api, entrypoint), self.admission.enter():
            yield

    async def predict_by_message(self, data: bytes, deadline: float | None) -> bytes:
        """Answers a serialized `PredictRequest` with a serialized `PredictResponse`.

        Args:
            data: as it was sent.
            deadline: on the event loop's clock; None for no such.

        Raises:
            RequestError: what is wrong.
        """
        request = await self._in_thread(predict_messages.parse, data, predict_pb2.PredictRequest)
        name, version = named(request.model_spec)
        with self.versions.lease(name, version) as servable:
            call = await self._in_thread(
                predict_messages.decode, request, servable, self._settings.grpc_max_message_bytes
            )
            outputs = await self._scheduler.compute(call, deadline)
            return await self._in_thread(predict_messages.encode, call, outputs, name)

    async def predict_by_json(
        self, name: str, version: int | None, body: bytes, deadline: float
    ) -> bytes:
        """Answers a JSON body with a JSON body, as `predict_by_message`."""
        with self.versions.lease(name, version) as servable:
            call, by_row = await self._in_thread(
                json_messages.decode, body, servable, self._settings.grpc_max_message_bytes
            )
            outputs = await self._scheduler.compute(call, deadline)
            return await self._in_thread(json_messages.encode, call, outputs, by_row)

    def metadata(
        self, name: str, version: int | None
    ) -> tuple[model_pb2.ModelSpec, get_model_metadata_pb2.SignatureDefMap]:
        """Who answers, and the signatures of that version.

        Raises:
            RequestError: there is no such model or version.
        """
        with self.versions.lease(name, version) as servable:
            spec = predict_messages.model_spec(name, servable.version)
            return spec, get_model_metadata_pb2.SignatureDefMap(
                signature_def=servable.signature_defs
            )

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, function, *arguments)


def named(spec: model_pb2.ModelSpec) -> tuple[str, int | None]:
    """The model and the version that a request names; None for the newest.

    Raises:
        RequestError: the version is named by a label.
    """
    if spec.version_label:
        raise invalid(
            f"there is no version with the label {spec.version_label!r}: versions have numbers here"
        )
    return spec.name, spec.version.value if spec.HasField("version") else None
