"""A real gRPC server on loopback whose answers a test writes down: for what no good server does."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import tensorflow as tf
from tensorflow.core.framework import types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from stgraph_tf.serving import assets

# What stands for a model: a request, and what to answer it with.
Answer = Callable[[predict_pb2.PredictRequest, grpc.ServicerContext], dict[str, tf.Tensor]]


class ScriptedServer(prediction_service_pb2_grpc.PredictionServiceServicer):
    """The models of a server, as a test wants them.

    Attributes:
        version: that is served; another one is not found.
        labels: of the model.
        clip: how clips are cut.
        signatures: their names.
        answer: gives a prediction's outputs, or aborts the call.
        requests: names of the signatures that were called, in order.
    """

    def __init__(self, labels, clip: assets.ClipSpec, answer: Answer):
        self.version = 1
        self.labels = tuple(labels)
        self.clip = clip
        self.signatures = {"describe", "encoded_frames", "serving_default"}
        self.answer = answer
        self.requests = []
        self._lock = threading.Lock()

    def GetModelMetadata(self, request, context):  # noqa: N802 - the protocol's name
        self._check(request.model_spec, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = self.version
        found = get_model_metadata_pb2.SignatureDefMap()
        for name in self.signatures:
            found.signature_def[name].CopyFrom(_signature_def(len(self.labels)))
        response.metadata["signature_def"].Pack(found)
        return response

    def Predict(self, request, context):  # noqa: N802
        self._check(request.model_spec, context)
        name = request.model_spec.signature_name
        with self._lock:
            self.requests.append(name)
        if name == "describe":
            asked = tf.make_ndarray(request.inputs["asset"]).tolist()
            texts = assets.texts(self.labels, self.clip)
            outputs = {"content": [texts[asset.decode()] for asset in asked]}
        else:
            outputs = self.answer(request, context)
        response = predict_pb2.PredictResponse()
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response

    def _check(self, model_spec, context):
        wanted = model_spec.version.value if model_spec.HasField("version") else self.version
        if model_spec.name != "stgraph" or wanted != self.version:
            problem = f"Servable not found for request: Specific({model_spec.name}, {wanted})"
            context.abort(grpc.StatusCode.NOT_FOUND, problem)


@contextlib.contextmanager
def running(servicer: ScriptedServer, port: int = 0, **options: int) -> Iterator[str]:
    """Gives the address `127.0.0.1:PORT` of a server that runs as long as the block lasts.

    Args:
        servicer: what it serves.
        port: to listen on; a free one by default.
        **options: of gRPC, with `_` for the dots of their names.
    """
    settings = [(name.replace("__", "."), value) for name, value in options.items()]
    server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0), *settings])
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(servicer, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield f"127.0.0.1:{bound}"
    finally:
        server.stop(None).wait()


def _signature_def(num_labels: int) -> meta_graph_pb2.SignatureDef:
    signature = meta_graph_pb2.SignatureDef()
    scores = signature.outputs["scores"]
    scores.dtype = types_pb2.DT_FLOAT
    scores.tensor_shape.CopyFrom(tf.TensorShape([None, num_labels]).as_proto())
    return signature
