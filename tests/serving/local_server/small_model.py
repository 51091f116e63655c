"""A SavedModel that loads in no time, for the server's own behaviour."""

import atexit
import functools
import os
import shutil
import tempfile
from collections.abc import Sequence

import tensorflow as tf

NAME = "small"

# Every type that requests may have, but for complex numbers, which JSON does not have.
TYPES = (
    *(tf.bool, tf.string, tf.float16, tf.bfloat16, tf.float32, tf.float64),
    *(tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32, tf.uint64),
)
COMPLEX_TYPES = (tf.complex64, tf.complex128)


def _specs(types: Sequence[tf.DType]) -> list[tf.TensorSpec]:
    return [tf.TensorSpec(None, dtype, dtype.name) for dtype in types]


class _Small(tf.Module):
    def __init__(self, version: int):
        super().__init__()
        self.scale = tf.Variable(float(version))

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def scaled(self, x):
        """Rows times the version; numbers must be finite."""
        finite = tf.reduce_all(tf.math.is_finite(x))
        with tf.control_dependencies([tf.debugging.Assert(finite, ["x must be finite"])]):
            return {"y": x * self.scale, "rows": tf.fill(tf.shape(x)[:1], tf.shape(x)[0])}

    @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, "x")])
    def total(self, x):
        """A number for the whole request, however many rows it has."""
        return {"total": tf.reduce_sum(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "text")])
    def doubled(self, text):
        return {"doubled": text + text, "doubled_bytes": text + text}

    @tf.function(input_signature=[tf.TensorSpec([1], tf.string, "path")])
    def wait(self, path):
        """Waits until somebody opens the pipe `path` for reading."""
        with tf.control_dependencies([tf.io.write_file(path[0], "let go")]):
            return {"path": tf.identity(path)}

    @tf.function(input_signature=_specs(TYPES))
    def same(self, *tensors):
        return {dtype.name: tensor for dtype, tensor in zip(TYPES, tensors, strict=True)}

    @tf.function(input_signature=_specs(COMPLEX_TYPES))
    def same_complex(self, first, second):
        return {"complex64": first, "complex128": second}


@functools.cache
def _saved(version: int) -> str:
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    model = _Small(version)
    signatures = {
        "serving_default": model.scaled,
        "total": model.total,
        "doubled": model.doubled,
        "wait": model.wait,
        "same": model.same,
        "same_complex": model.same_complex,
    }
    tf.saved_model.save(model, folder, signatures=signatures)
    return folder


def publish(base_path: str, version: int, *, broken: bool = False, warm_up: bytes = b"") -> None:
    """Puts a version into a folder, by rename.

    Args:
        base_path: the folder of the versions.
        version: its number, which is also what it multiplies by.
        broken: whether its weights are missing.
        warm_up: the file of its warm-up requests; none by default.
    """
    hidden = os.path.join(base_path, f".{version}")
    shutil.copytree(_saved(version), hidden)
    if broken:
        shutil.rmtree(os.path.join(hidden, "variables"))
    if warm_up:
        os.mkdir(os.path.join(hidden, "assets.extra"))
        with open(os.path.join(hidden, "assets.extra/tf_serving_warmup_requests"), "wb") as file:
            file.write(warm_up)
    os.rename(hidden, os.path.join(base_path, str(version)))
