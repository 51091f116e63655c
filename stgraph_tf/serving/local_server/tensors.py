"""TensorProtos that strangers sent as arrays, and arrays as TensorProtos.

A proto of a few bytes can claim any shape, and TensorFlow repeats its last value to fill it. So the
shape is weighed before anything is allocated.
"""

import math

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from stgraph_tf.serving.local_server.statuses import RequestError, invalid

# NumPy 1 has no more axes than this; TensorFlow has 254.
MOST_AXES = 32
# What TensorFlow allocates for a string, however short.
_BYTES_OF_A_STRING = 24

_FIELDS = {
    **dict.fromkeys((tf.float16, tf.bfloat16), "half_val"),
    tf.float32: "float_val",
    tf.float64: "double_val",
    **dict.fromkeys((tf.int8, tf.int16, tf.int32, tf.uint8, tf.uint16), "int_val"),
    tf.int64: "int64_val",
    tf.uint32: "uint32_val",
    tf.uint64: "uint64_val",
    tf.bool: "bool_val",
    tf.string: "string_val",
    tf.complex64: "scomplex_val",
    tf.complex128: "dcomplex_val",
}


def to_array(
    name: str, proto: tensor_pb2.TensorProto, dtype: tf.DType, max_bytes: int
) -> np.ndarray:
    """The array that a proto stands for, as TensorFlow reads it.

    Args:
        name: of the input, for messages.
        proto: what was sent.
        dtype: what the signature takes.
        max_bytes: the most that the array may take.

    Returns:
        An array of `dtype`, of objects for strings. It may be read-only and share the proto's
        bytes.

    Raises:
        RequestError: INVALID_ARGUMENT, with what is wrong.
    """
    if proto.dtype != dtype.as_datatype_enum:
        raise invalid(f"{name} must be {dtype.name}, received {_dtype_name(proto.dtype)}")
    if dtype not in _FIELDS:
        raise invalid(f"{name} is {dtype.name}, of which this server takes no values")
    shape, size = _checked_shape(name, proto, dtype, max_bytes)
    if proto.tensor_content:
        return _from_content(name, proto.tensor_content, dtype, shape, size)
    return _from_values(name, getattr(proto, _FIELDS[dtype]), dtype, size).reshape(shape)


def to_proto(array: np.ndarray) -> tensor_pb2.TensorProto:
    """An output as it is sent."""
    return tf.make_tensor_proto(array)


def bytes_of_element(dtype: tf.DType) -> int:
    """What an element of an array takes."""
    return _BYTES_OF_A_STRING if dtype == tf.string else dtype.size


def _dtype_name(number: int) -> str:
    try:
        return tf.as_dtype(number).name
    except TypeError:
        return "no type" if number == 0 else f"type {number}"


def _checked_shape(
    name: str, proto: tensor_pb2.TensorProto, dtype: tf.DType, max_bytes: int
) -> tuple[tuple[int, ...], int]:
    """The shape, and how many elements it has."""
    if proto.tensor_shape.unknown_rank:
        raise invalid(f"{name} must have a shape, received one of unknown rank")
    shape = tuple(axis.size for axis in proto.tensor_shape.dim)
    if len(shape) > MOST_AXES:
        raise invalid(f"{name} must have at most {MOST_AXES} axes, received {len(shape)}")
    if any(size < 0 for size in shape):
        raise invalid(f"{name} has a negative size in its shape {list(shape)}")
    # A giant axis is as bad beside an empty one: the product is not computed by Python everywhere.
    if math.prod(max(size, 1) for size in shape) * bytes_of_element(dtype) > max_bytes:
        raise invalid(f"{name} of shape {list(shape)} takes more than {max_bytes} bytes")
    return shape, math.prod(shape)


def _from_content(
    name: str, content: bytes, dtype: tf.DType, shape: tuple[int, ...], size: int
) -> np.ndarray:
    if dtype == tf.string:
        raise invalid(f"{name} must have its strings in string_val, received tensor_content")
    if len(content) != size * dtype.size:
        raise invalid(
            f"{name} of shape {list(shape)} takes {size * dtype.size} bytes, received "
            f"{len(content)} in tensor_content"
        )
    if dtype == tf.bool and content.strip(b"\0\1"):
        content = (np.frombuffer(content, np.uint8) != 0).tobytes()
    return np.frombuffer(content, dtype.as_numpy_dtype).reshape(shape)


def _from_values(name: str, values: list, dtype: tf.DType, size: int) -> np.ndarray:
    """The values in a field of the proto; the last one fills up, and none means zeros."""
    if dtype.is_complex:
        parts = _converted(name, values, dtype.real_dtype.as_numpy_dtype)
        if len(parts) % 2:
            raise invalid(f"{name} has a complex number without an imaginary part")
        found = parts.view(dtype.as_numpy_dtype)
    elif dtype in (tf.float16, tf.bfloat16):
        found = _converted(name, values, np.uint16).view(dtype.as_numpy_dtype)
    elif dtype == tf.string:
        found = np.array([*values, b""], object)[:-1]
    else:
        found = _converted(name, values, dtype.as_numpy_dtype)
    if len(found) > size:
        raise invalid(f"{name} has {len(found)} values, and {size} fit into its shape")
    if len(found) == size:
        return found
    last = found[-1] if len(found) else (b"" if dtype == tf.string else 0)
    filled = np.full(size, last, found.dtype)
    filled[: len(found)] = found
    return filled


def _converted(name: str, values: list, dtype: type) -> np.ndarray:
    """Values of a field, which for small integers is wider than they are."""
    found = np.array(values, None if len(values) else dtype)
    if np.issubdtype(dtype, np.integer) and len(values):
        info = np.iinfo(dtype)
        if found.min() < info.min or found.max() > info.max:
            raise out_of_range(name, np.dtype(dtype).name)
    return found.astype(dtype)


def out_of_range(name: str, type_name: str) -> RequestError:
    """A number that the input's type cannot hold."""
    return invalid(f"{name} has a number that does not fit into {type_name}")
