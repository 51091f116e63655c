"""A client of the tests' own: plain stubs and plain HTTP, so that nothing is tried again."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from stgraph_tf.serving.local_server.server import LocalServer

_SECONDS = 20.0


class Client:
    """Asks one server.

    Args:
        server: which is running.
    """

    def __init__(self, server: LocalServer):
        self.name = server.settings.model_name
        self.port, self.rest_port = server.port, server.rest_api_port
        options = [
            ("grpc.max_send_message_length", -1),
            ("grpc.max_receive_message_length", -1),
            # A connection of its own, as another process would have.
            ("grpc.use_local_subchannel_pool", 1),
        ]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{self.port}", options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.model = model_service_pb2_grpc.ModelServiceStub(self.channel)

    def request(
        self, signature: str = "", version: int | None = None, **inputs: Any
    ) -> predict_pb2.PredictRequest:
        """A request of arrays, or of protos as they are."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = self.name
        request.model_spec.signature_name = signature
        if version is not None:
            request.model_spec.version.value = version
        for name, value in inputs.items():
            if isinstance(value, (np.ndarray, np.generic)):
                value = tf.make_tensor_proto(value)
            request.inputs[name].CopyFrom(value)
        return request

    def send(
        self, request: predict_pb2.PredictRequest, timeout: float = _SECONDS
    ) -> predict_pb2.PredictResponse:
        return self.prediction.Predict(request, timeout=timeout)

    def predict(
        self, signature: str = "", version: int | None = None, **inputs: Any
    ) -> dict[str, np.ndarray]:
        """Outputs by gRPC."""
        response = self.send(self.request(signature, version, **inputs))
        return {name: tf.make_ndarray(proto) for name, proto in response.outputs.items()}

    def status(self, version: int | None = None) -> dict[int, str]:
        """States by version, by gRPC."""
        response = self.statuses(version)
        kinds = get_model_status_pb2.ModelVersionStatus.State
        return {each.version: kinds.Name(each.state) for each in response.model_version_status}

    def states(self) -> dict[int, str]:
        """States by version; empty where no version is known yet."""
        try:
            return self.status()
        except grpc.RpcError:
            return {}

    def statuses(self, version: int | None = None) -> get_model_status_pb2.GetModelStatusResponse:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self.name
        if version is not None:
            request.model_spec.version.value = version
        return self.model.GetModelStatus(request, timeout=_SECONDS)

    def metadata(self, *fields: str) -> get_model_metadata_pb2.GetModelMetadataResponse:
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=fields)
        request.model_spec.name = self.name
        return self.prediction.GetModelMetadata(request, timeout=_SECONDS)

    def http(
        self,
        path: str,
        body: Any = None,
        *,
        method: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, Any]:
        """The status and the content of an answer by REST; a body that is not bytes is JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.rest_port, timeout=_SECONDS)
        try:
            if body is not None and not isinstance(body, bytes):
                body = json.dumps(body).encode()
            method = method or ("GET" if body is None else "POST")
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            content = response.read()
            if response.headers.get_content_type() == "application/json":
                return response.status, json.loads(content)
            return response.status, content.decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """A figure of the metrics page, named with its labels."""
        _, page = self.http("/monitoring/prometheus/metrics")
        (line,) = [line for line in page.splitlines() if line.startswith(name + " ")]
        return float(line.rsplit(" ", 1)[1])

    def inside(self) -> int:
        """Requests that are not answered."""
        return int(self.metric(":stgraph_tf:local_server:requests_inside"))

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Returns when a condition is true; fails when that takes too long."""
        end = time.monotonic() + _SECONDS
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("the condition did not become true")
            time.sleep(0.02)

    def wait_for_version(self, version: int) -> None:
        """Returns when a version is served."""
        self.wait_until(lambda: self.states().get(version) == "AVAILABLE")

    def close(self) -> None:
        self.channel.close()
