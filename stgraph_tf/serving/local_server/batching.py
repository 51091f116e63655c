"""Several calls computed as one, along axis 0."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from stgraph_tf.serving.local_server.calls import Call
from stgraph_tf.serving.local_server.statuses import RequestError

Outputs = Mapping[str, np.ndarray]


def run(calls: Sequence[Call], wanted: Callable[[int], bool]) -> Sequence[Outputs | RequestError]:
    """Computes calls of one kind together.

    Where that fails, each is computed by itself, so that one's mistake is not the others'.

    Args:
        calls: of one `kind`, or just one.
        wanted: tells by index whether somebody still waits for the answer.

    Returns:
        The outputs of each call, or what is wrong with it.
    """
    if len(calls) > 1 and (together := _run_together(calls)):
        return together
    return [_run_alone(call) if wanted(index) else {} for index, call in enumerate(calls)]


def _run_alone(call: Call) -> Outputs | RequestError:
    try:
        return call.servable.run(call.signature, call.inputs)
    except RequestError as error:
        # Another one: the traceback of this one leads to the callers, and by them back to itself.
        return RequestError(error.code, error.message, error.http_status)


def _run_together(calls: Sequence[Call]) -> list[Outputs] | None:
    """The outputs of each call; None where they must be computed one by one."""
    servable, signature = calls[0].servable, calls[0].signature
    inputs = {
        name: np.concatenate([call.inputs[name] for call in calls]) for name in calls[0].inputs
    }
    try:
        outputs = servable.run(signature, inputs)
    except RequestError:
        return None
    ends = np.cumsum([call.rows for call in calls])
    if any(array.shape[:1] != (ends[-1],) for array in outputs.values()):
        servable.unbatchable.add(signature.name)
        return None
    parts = {name: np.split(array, ends[:-1]) for name, array in outputs.items()}
    return [{name: split[index] for name, split in parts.items()} for index in range(len(calls))]
