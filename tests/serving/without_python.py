"""Runs a SavedModel by `run_saved_model.c`, compiled against what the TensorFlow wheel ships."""

import atexit
import functools
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

_SOURCE = os.path.join(os.path.dirname(__file__), "run_saved_model.c")
_LIBRARIES = ("libtensorflow_cc.so.2", "libtensorflow_framework.so.2")


class Answer(NamedTuple):
    """What a signature came to.

    Attributes:
        code: of the status, a number of `tf.errors`; 0 if all is well.
        message: of the status.
        outputs: by their names in the signature.
    """

    code: int
    message: str
    outputs: dict[str, np.ndarray]


@functools.cache
def program() -> str:
    """The compiled program.

    Raises:
        unittest.SkipTest: there is no C compiler.
    """
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise unittest.SkipTest("there is no C compiler")
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    path = os.path.join(folder, "run_saved_model")
    libraries = os.path.dirname(tf.__file__)
    # The libraries have a gigabyte, through which the usual linker takes 15 seconds.
    fast = [f"-fuse-ld={name}" for name in ("gold", "lld") if shutil.which(f"ld.{name}")]
    subprocess.run(
        [
            *(compiler, "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", _SOURCE, "-o", path),
            *("-I", tf.sysconfig.get_include(), "-L", libraries),
            *(f"-l:{name}" for name in _LIBRARIES),
            *(f"-Wl,-rpath,{libraries}", *fast[:1]),
        ],
        check=True,
    )
    return path


def signatures(saved_model: str) -> Mapping[str, meta_graph_pb2.SignatureDef]:
    """The signatures of a SavedModel, as its `saved_model.pb` has them."""
    with open(os.path.join(saved_model, "saved_model.pb"), "rb") as file:
        (graph,) = saved_model_pb2.SavedModel.FromString(file.read()).meta_graphs
    return graph.signature_def


def run(saved_model: str, requests: Sequence[tuple[str, Mapping[str, np.ndarray]]]) -> list[Answer]:
    """Sends requests, each a signature's name and its inputs, one after the other."""
    known = signatures(saved_model)
    with tempfile.TemporaryDirectory() as folder:
        plan, outputs = [], []
        for number, (name, inputs) in enumerate(requests):
            prefix = os.path.join(folder, str(number))
            for key, value in inputs.items():
                plan.append(_input(known[name].inputs[key], np.asarray(value), f"{prefix}-{key}"))
            files = {key: f"{prefix}={key}" for key in sorted(known[name].outputs)}
            for key, path in files.items():
                plan.append(f"output {_port(known[name].outputs[key])} {path}")
            plan.append("run")
            outputs.append(files)
        done = subprocess.run(
            [program(), saved_model],
            input="\n".join(plan),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise AssertionError(f"run_saved_model ended with {done.returncode}: {done.stderr}")
        lines = done.stdout.splitlines()
        return [_answer(line, files) for line, files in zip(lines, outputs, strict=True)]


def _input(info: meta_graph_pb2.TensorInfo, value: np.ndarray, path: str) -> str:
    with open(path, "wb") as file:
        if info.dtype == tf.string.as_datatype_enum:
            for text in value.ravel().tolist():
                file.write(struct.pack("<I", len(text)) + text)
        else:
            file.write(value.astype(tf.as_dtype(info.dtype).as_numpy_dtype).tobytes())
    sizes = " ".join(map(str, value.shape))
    return f"input {_port(info)} {info.dtype} {path} {value.ndim} {sizes}"


def _port(info: meta_graph_pb2.TensorInfo) -> str:
    operation, index = info.name.split(":")
    return f"{operation} {index}"


def _answer(line: str, files: Mapping[str, str]) -> Answer:
    _, code, rest = line.split(" ", 2)
    if code != "0":
        return Answer(int(code), rest, {})
    numbers, outputs = iter(map(int, rest.split())), {}
    for key, path in files.items():
        dtype, rank = tf.as_dtype(next(numbers)), next(numbers)
        shape = [next(numbers) for _ in range(rank)]
        values = _strings(path) if dtype == tf.string else np.fromfile(path, dtype.as_numpy_dtype)
        outputs[key] = values.reshape(shape)
    return Answer(0, "", outputs)


def _strings(path: str) -> np.ndarray:
    with open(path, "rb") as file:
        lengths = iter(lambda: file.read(4), b"")
        return np.array([file.read(struct.unpack("<I", length)[0]) for length in lengths], object)
