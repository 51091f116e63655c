"""A model on a server, over gRPC: TensorFlow Serving's `PredictionService`."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    model_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from stgraph_tf.serving.client import connection, errors
from stgraph_tf.serving.client.connection import Metadata
from stgraph_tf.serving.client.errors import RequestError
from stgraph_tf.serving.client.retries import Retries

Response = TypeVar("Response", bound=Message)

_OPTIONS = (
    # A connection of its own: channels to one server would share how long they wait to reconnect.
    ("grpc.use_local_subchannel_pool", 1),
    # gRPC itself waits up to two minutes after a refused connection, and `Retries` is in charge.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
    ("grpc.enable_retries", 0),
    # To all servers that stand behind one name.
    ("grpc.service_config", '{"loadBalancingConfig": [{"round_robin": {}}]}'),
)


class GrpcConnection:
    """See `connection.connect` and `connection.Connection`."""

    def __init__(
        self, server: str, model_name: str, timeout: float, retries: Retries, max_message_bytes: int
    ):
        self.server = server
        self.model_name = model_name
        self._timeout = timeout
        self._retries = retries
        self._max_message_bytes = max_message_bytes
        options = (*_OPTIONS, ("grpc.max_send_message_length", max_message_bytes))
        if server.startswith("grpcs://"):
            target = server.removeprefix("grpcs://")
            self._channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options)
        else:
            self._channel = grpc.insecure_channel(server, options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def metadata(self, version: int | None) -> Metadata:
        request = get_model_metadata_pb2.GetModelMetadataRequest(
            model_spec=self._model_spec(version), metadata_field=["signature_def"]
        )
        response = self._call(self._stub.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return Metadata(
            response.model_spec.version.value,
            {
                name: {key: _last_axis(info.tensor_shape) for key, info in found.outputs.items()}
                for name, found in signatures.signature_def.items()
            },
        )

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        connection.check_size(inputs, self._max_message_bytes)
        request = predict_pb2.PredictRequest(model_spec=self._model_spec(version, signature))
        for name, array in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        size = request.ByteSize()
        if size > self._max_message_bytes:
            raise errors.too_large(size, self._max_message_bytes)
        response = self._call(self._stub.Predict, request)
        missing = [name for name in outputs if name not in response.outputs]
        if missing:
            raise RequestError(
                errors.INTERNAL, f"{self.server}: {signature} gave no {', '.join(missing)}"
            )
        return {name: tf.make_ndarray(tensor) for name, tensor in response.outputs.items()}

    def close(self) -> None:
        self._channel.close()

    def _model_spec(self, version: int | None, signature: str = "") -> model_pb2.ModelSpec:
        spec = model_pb2.ModelSpec(name=self.model_name, signature_name=signature)
        if version is not None:
            spec.version.value = version
        return spec

    def _call(self, method: Callable[..., Response], request: Message) -> Response:
        def attempt(seconds: float) -> Response:
            try:
                return method(request, timeout=seconds)
            except grpc.RpcError as error:
                code = error.code().name
                if code == errors.DEADLINE_EXCEEDED:
                    raise errors.too_late(self.server, self._timeout) from error
                raise errors.answered(self.server, code, error.details() or "") from error
            except ValueError as error:  # gRPC's own, of a channel that `close` closed meanwhile.
                raise errors.answered(self.server, errors.CANCELLED, str(error)) from error

        return self._retries.run(attempt, self._timeout)


def _last_axis(shape: tf.TensorShape) -> int | None:
    """The size of the last axis of a `TensorShapeProto`; None where it is free or there is none."""
    size = shape.dim[-1].size if shape.dim else -1
    return size if size >= 0 else None
