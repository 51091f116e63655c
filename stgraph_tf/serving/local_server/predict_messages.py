"""`PredictRequest` and `PredictResponse`, from and to bytes."""

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
from google.protobuf import message
from tensorflow_serving.apis import model_pb2, predict_pb2

from stgraph_tf.serving.local_server import tensors
from stgraph_tf.serving.local_server.calls import Call
from stgraph_tf.serving.local_server.servable import Servable
from stgraph_tf.serving.local_server.statuses import invalid

Message = TypeVar("Message", bound=message.Message)


def parse(data: bytes, kind: type[Message]) -> Message:
    """A message of a kind.

    Raises:
        RequestError: the bytes are none.
    """
    try:
        return kind.FromString(data)
    except (message.DecodeError, RecursionError) as error:
        raise invalid(f"the message is no {kind.DESCRIPTOR.name}") from error


def decode(request: predict_pb2.PredictRequest, servable: Servable, max_bytes: int) -> Call:
    """The call that a request asks for.

    Args:
        request: as it was sent.
        servable: the version that it goes to.
        max_bytes: the most that a tensor may take.

    Raises:
        RequestError: there is no such signature or output, an input is missing, unknown, or not
            what it should be.
    """
    signature = servable.signature(request.model_spec.signature_name)
    signature.check_inputs(request.inputs.keys())
    inputs = {
        name: tensors.to_array(name, proto, signature.inputs[name], max_bytes)
        for name, proto in request.inputs.items()
    }
    return Call(servable, signature, inputs, signature.chosen_outputs(request.output_filter))


def encode(call: Call, outputs: Mapping[str, np.ndarray], model_name: str) -> bytes:
    """The response to a call."""
    response = predict_pb2.PredictResponse(
        model_spec=model_spec(model_name, call.servable.version, call.signature.name)
    )
    for name in call.outputs:
        response.outputs[name].CopyFrom(tensors.to_proto(outputs[name]))
    return response.SerializeToString()


def model_spec(name: str, version: int, signature_name: str = "") -> model_pb2.ModelSpec:
    """Who answered."""
    spec = model_pb2.ModelSpec(name=name, signature_name=signature_name)
    spec.version.value = version
    return spec
