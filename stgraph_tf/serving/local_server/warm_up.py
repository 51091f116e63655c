"""Requests that travel with a version, run before it is served: first ones are slow."""

import os

import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from stgraph_tf.data import shards
from stgraph_tf.serving.local_server import predict_messages
from stgraph_tf.serving.local_server.servable import Servable

RECORDS = os.path.join("assets.extra", "tf_serving_warmup_requests")
# TF Serving's own bound.
_MOST_RECORDS = 1000


def replay(servable: Servable, path: str, max_bytes: int) -> int:
    """Runs the requests that lie in a version's folder.

    Args:
        servable: the loaded version.
        path: its folder.
        max_bytes: the most that a tensor may take.

    Returns:
        How many there were; 0 where there are none.

    Raises:
        ValueError: the records are not what they should be, as TF Serving refuses them.
        RequestError: the model refuses one.
    """
    path = os.path.join(path, RECORDS)
    if not tf.io.gfile.exists(path):
        return 0
    count = 0
    for record in shards.scan(path):
        count += 1
        if count > _MOST_RECORDS:
            raise ValueError(f"{path} has more than {_MOST_RECORDS} records")
        log = prediction_log_pb2.PredictionLog.FromString(record.data)
        if not log.HasField("predict_log"):
            raise ValueError(f"{path}: record {count} is no Predict request")
        call = predict_messages.decode(log.predict_log.request, servable, max_bytes)
        servable.run(call.signature, call.inputs)
    return count
