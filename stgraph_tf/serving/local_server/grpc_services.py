"""TF Serving's gRPC services: PredictionService and ModelService."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
from absl import logging
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
)

from stgraph_tf.serving.local_server import predict_messages
from stgraph_tf.serving.local_server.answering import Answering, named
from stgraph_tf.serving.local_server.settings import Settings
from stgraph_tf.serving.local_server.statuses import RequestError, invalid, let_go

_PREDICTION = "/tensorflow.serving.PredictionService/"
_MODEL = "/tensorflow.serving.ModelService/"
_NOT_OFFERED = frozenset(
    {
        _PREDICTION + "Classify",
        _PREDICTION + "Regress",
        _PREDICTION + "MultiInference",
        _MODEL + "HandleReloadConfigRequest",
    }
)
_METADATA_FIELD = "signature_def"
_LARGEST_QUESTION = 64 * 1024

_Method = Callable[[AsyncIterator[bytes], grpc.aio.ServicerContext], Awaitable[bytes]]


class GrpcServices(grpc.GenericRpcHandler):
    """Answers both services.

    A method of one message each way looks on the wire like one whose client may send several. Taken
    as such, it is handled before its message has arrived: so a request that finds no place is
    refused unread, and one whose message does not arrive is given up.

    Args:
        answering: does the work.
        settings: the bounds.
    """

    def __init__(self, answering: Answering, settings: Settings):
        self._answering = answering
        self._settings = settings

    def service(
        self, handler_call_details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler | None:
        method = handler_call_details.method
        handle: _Method
        if method == _PREDICTION + "Predict":
            handle = self._predict
        elif method == _PREDICTION + "GetModelMetadata":
            handle = self._question(self._metadata)
        elif method == _MODEL + "GetModelStatus":
            handle = self._question(self._status)
        elif method in _NOT_OFFERED:
            handle = _refuse
        else:
            return None
        return grpc.stream_unary_rpc_method_handler(_answered(handle))

    async def _predict(
        self, messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext
    ) -> bytes:
        remaining = context.time_remaining()
        deadline = None if remaining is None else asyncio.get_running_loop().time() + remaining
        with self._answering.request("Predict", "GRPC"):
            data = await self._received(messages)
            return await self._answering.predict_by_message(data, deadline)

    def _question(self, answer: Callable[[bytes], bytes]) -> _Method:
        async def handle(
            messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext
        ) -> bytes:
            data = await self._received(messages)
            if len(data) > _LARGEST_QUESTION:
                raise invalid(f"the message must have at most {_LARGEST_QUESTION} bytes")
            return answer(data)

        return handle

    def _metadata(self, data: bytes) -> bytes:
        request = predict_messages.parse(data, get_model_metadata_pb2.GetModelMetadataRequest)
        if not request.metadata_field:
            raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != _METADATA_FIELD:
                raise invalid(f"Metadata field {field} is not supported")
        spec, signatures = self._answering.metadata(*named(request.model_spec))
        response = get_model_metadata_pb2.GetModelMetadataResponse(model_spec=spec)
        response.metadata[_METADATA_FIELD].Pack(signatures)
        return response.SerializeToString()

    def _status(self, data: bytes) -> bytes:
        request = predict_messages.parse(data, get_model_status_pb2.GetModelStatusRequest)
        return self._answering.versions.statuses(*named(request.model_spec)).SerializeToString()

    async def _received(self, messages: AsyncIterator[bytes]) -> bytes:
        """The one message of a request."""
        try:
            return await asyncio.wait_for(
                messages.__anext__(), self._settings.client_timeout_seconds
            )
        except asyncio.TimeoutError as error:
            raise RequestError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"the message did not arrive in {self._settings.client_timeout_seconds:g} seconds",
            ) from error
        except StopAsyncIteration as error:
            raise invalid("the request has no message") from error


def _answered(handle: _Method) -> _Method:
    """`handle` whose errors become statuses."""

    async def method(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
        try:
            return await handle(messages, context)
        except RequestError as error:
            code, message = error.code, error.message
            let_go(error)
        except Exception as error:
            logging.exception("a request failed")
            code, message = grpc.StatusCode.INTERNAL, "the server failed"
            let_go(error)
        # Not by `abort`: grpcio 1.85 never forgets the error that it raises, nor the one before it.
        context.set_code(code)
        context.set_details(message)
        return b""

    return method


async def _refuse(messages: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
    raise RequestError(
        grpc.StatusCode.UNIMPLEMENTED,
        "the local server has Predict, GetModelMetadata and GetModelStatus; TF Serving has more",
    )
