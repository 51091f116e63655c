"""Requests that travel with a version, run before it is served: first ones are slow."""

from stgraph_tf.serving import warmup
from stgraph_tf.serving.local_server import predict_messages
from stgraph_tf.serving.local_server.servable import Servable


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
    count = 0
    for request in warmup.read(path):
        call = predict_messages.decode(request, servable, max_bytes)
        servable.run(call.signature, call.inputs)
        count += 1
    return count
