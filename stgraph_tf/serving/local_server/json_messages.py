"""The JSON of TF Serving's REST interface: a request's tensors, and a response's.

Row format: `{"instances": [...]}` is answered by `{"predictions": [...]}`. Column format:
`{"inputs": ...}` is answered by `{"outputs": ...}`. A signature of one input takes the plain value,
and one output is given as such. Binary strings are `{"b64": "..."}`.
"""

import base64
import binascii
import contextlib
import gc
import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from stgraph_tf.serving.local_server import tensors
from stgraph_tf.serving.local_server.calls import Call
from stgraph_tf.serving.local_server.servable import Servable, Signature
from stgraph_tf.serving.local_server.statuses import invalid

# Of outputs that hold bytes, by TF Serving's convention.
_BYTES_SUFFIX = "_bytes"
_KEYS = ("instances", "inputs")
_lock = threading.Lock()


def decode(body: bytes, servable: Servable, max_bytes: int) -> tuple[Call, bool]:
    """The call that a body asks for, and whether it is in row format.

    Args:
        body: as it was sent.
        servable: the version that it goes to.
        max_bytes: the most that a tensor may take.

    Raises:
        RequestError: the body is not JSON, or not what it should be.
    """
    with _parsing():
        return _decoded(body, servable, max_bytes)


def encode(call: Call, outputs: Mapping[str, np.ndarray], by_row: bool) -> bytes:
    """The response to a call.

    Raises:
        RequestError: row format is asked for, and the outputs are not by row.
    """
    if by_row:
        _check_rows(call, outputs)
    values = {name: to_json(name, outputs[name]) for name in call.outputs}
    if len(values) == 1:
        (value,) = values.values()
    elif by_row:
        value = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
    else:
        value = values
    return dump({"predictions" if by_row else "outputs": value})


def dump(value: Any) -> bytes:
    """A body."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")


def to_array(name: str, value: Any, dtype: tf.DType, max_bytes: int) -> np.ndarray:
    """The array that nested lists stand for.

    Raises:
        RequestError: the lists are not rectangular, or a value is not of the input's type.
    """
    leaves: list[Any] = [value]
    shape: list[int] = []
    while leaves and type(leaves[0]) is list:
        size = len(leaves[0])
        if set(map(type, leaves)) != {list} or set(map(len, leaves)) != {size}:
            raise invalid(f"{name} has lists of different lengths, or values beside lists")
        if len(shape) == tensors.MOST_AXES:
            raise invalid(f"{name} has more than {tensors.MOST_AXES} lists in each other")
        leaves = list(itertools.chain.from_iterable(leaves))
        shape.append(size)
    if len(leaves) * tensors.bytes_of_element(dtype) > max_bytes:
        raise invalid(f"{name} takes more than {max_bytes} bytes")
    return _converted(name, leaves, dtype).reshape(shape)


def to_json(name: str, array: np.ndarray) -> Any:
    """An output as nested lists; a float32 as the shortest decimal that means it."""
    if array.dtype == object:
        as_text = _base64 if name.endswith(_BYTES_SUFFIX) else _text
        return _nested([as_text(value) for value in array.ravel()], array.shape)
    if array.dtype.kind in "biu" or array.dtype == np.float64:
        return array.tolist()
    if array.dtype.kind == "c":
        raise invalid(f"the output {name} is complex, for which JSON has no numbers")
    return array.astype(np.float32).astype("U").astype(np.float64).tolist()


@contextlib.contextmanager
def _parsing() -> Iterator[None]:
    """One body at a time, for it takes many times its size; and without looking for garbage.

    Frames are many thousands of lists, at each few hundred of which Python would go through all
    objects of the process: four times the time, in which nobody else is served.
    """
    with _lock:
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            yield
        finally:
            if was_enabled:
                gc.enable()


def _decoded(body: bytes, servable: Servable, max_bytes: int) -> tuple[Call, bool]:
    document = _parsed(body)
    signature_name = document.get("signature_name", "")
    if not isinstance(signature_name, str):
        raise invalid("signature_name must be a string")
    signature = servable.signature(signature_name)
    present = [key for key in _KEYS if key in document]
    if len(present) != 1:
        raise invalid("the body must have one of 'instances' and 'inputs'")
    by_row = present == ["instances"]
    values = (_rows if by_row else _columns)(document[present[0]], signature)
    signature.check_inputs(values)
    inputs = {
        name: to_array(name, value, signature.inputs[name], max_bytes)
        for name, value in values.items()
    }
    return Call(servable, signature, inputs, signature.outputs), by_row


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except RecursionError as error:
        raise invalid("the body has too many lists or objects in each other") from error
    except ValueError as error:
        raise invalid(f"the body is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise invalid("the body must be a JSON object")
    return document


def _rows(instances: Any, signature: Signature) -> dict[str, list]:
    """The values of each input, from a list of values or of objects."""
    if not isinstance(instances, list) or not instances:
        raise invalid("'instances' must be a list that is not empty")
    if not all(map(_is_object, instances)):
        return {_only_input(signature, "instances"): instances}
    names = instances[0].keys()
    if any(instance.keys() != names for instance in instances):
        raise invalid("the objects in 'instances' must have the same keys")
    return {name: [instance[name] for instance in instances] for name in names}


def _columns(inputs: Any, signature: Signature) -> dict[str, Any]:
    return inputs if _is_object(inputs) else {_only_input(signature, "inputs"): inputs}


def _only_input(signature: Signature, key: str) -> str:
    if len(signature.inputs) != 1:
        raise invalid(
            f"'{key}' must name the inputs, which {signature.name} has several of: "
            f"{', '.join(sorted(signature.inputs))}"
        )
    (name,) = signature.inputs
    return name


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not _is_binary(value)


def _is_binary(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _converted(name: str, values: Sequence[Any], dtype: tf.DType) -> np.ndarray:
    """Values as an array `[N]`, checked without a loop in Python: frames have millions."""
    types = set(map(type, values))
    if dtype == tf.string:
        return np.array([*(_bytes(name, value) for value in values), b""], object)[:-1]
    if dtype.is_floating:
        allowed = {int, float}
    elif dtype.is_integer:
        allowed = {int}
    elif dtype == tf.bool:
        allowed = {bool}
    else:
        raise invalid(f"{name} is {dtype.name}, which JSON has no values for")
    if types - allowed:
        raise invalid(f"{name} must have values of {dtype.name}")
    numpy_type = dtype.as_numpy_dtype
    if not values or dtype == tf.bool:
        return np.array(values, numpy_type)
    if dtype.is_integer:
        if min(values) < dtype.min or max(values) > dtype.max:
            raise tensors.out_of_range(name, dtype.name)
        return np.array(values, numpy_type)
    try:
        exact = np.array(values, np.float64)
    except OverflowError as error:
        raise tensors.out_of_range(name, dtype.name) from error
    with np.errstate(over="ignore"):
        array = exact.astype(numpy_type)
    if np.any(np.isfinite(exact) & ~np.isfinite(array)):
        raise tensors.out_of_range(name, dtype.name)
    return array


def _bytes(name: str, value: Any) -> bytes:
    try:
        if type(value) is str:
            return value.encode()
        if _is_binary(value):
            text = value["b64"]
            return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except UnicodeEncodeError as error:
        raise invalid(f"{name} has a string that is no Unicode text") from error
    except (binascii.Error, ValueError) as error:
        raise invalid(f"{name} has a string under b64 that is not base64") from error
    raise invalid(f'{name} must have strings, or objects {{"b64": "..."}} for bytes')


def _check_rows(call: Call, outputs: Mapping[str, np.ndarray]) -> None:
    shapes = {name: outputs[name].shape for name in call.outputs}
    if () in shapes.values() or len({shape[0] for shape in shapes.values()}) > 1:
        described = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items())
        raise invalid(
            f"the outputs of {call.signature.name} have no rows in common ({described}): ask by "
            "'inputs'"
        )


def _base64(value: bytes) -> dict[str, str]:
    return {"b64": base64.b64encode(value).decode()}


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _nested(values: list, shape: tuple[int, ...]) -> Any:
    """Values in the lists of a shape."""
    if not shape:
        return values[0]
    array = np.empty(len(values), object)
    array[:] = values
    return array.reshape(shape).tolist()
