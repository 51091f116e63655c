"""ImageNet weights of `keras.applications.ResNet50` and `ResNet101`, inflated to 3-D.

Three things differ from the backbone: convolutions have a bias, which goes into the mean of the
normalization behind; that one has an epsilon of 1.001e-5; a stage's stride lies on the first 1x1.
The input is Caffe's: BGR, a mean subtracted, no scaling.
"""

import io
import re
import zipfile
from collections.abc import Mapping

import h5py
import numpy as np

from stgraph_tf.weights.assign import Conventions, Source

# What is added to the variance so that our epsilon of 1e-5 makes theirs.
_EPSILON_DIFFERENCE = 1.001e-5 - 1e-5
# The order of a layer's variables in Keras 3's files, by their number.
_VARIABLES = {
    1: ("kernel",),
    2: ("kernel", "bias"),
    4: ("gamma", "beta", "moving_mean", "moving_variance"),
}


class KerasImagenetSource(Source):
    """A `.h5`, `.weights.h5` or `.keras` file; of the last, only the weights are read."""

    format = "keras_imagenet"
    conventions = Conventions(
        channel_order="bgr",
        input_mean=(103.939, 116.779, 123.68),
        input_std=(1.0, 1.0, 1.0),
        stride_on_1x1=True,
        pool1_padded=True,
        pool2_size=None,
    )
    dropped: Mapping[str, str] = {
        r"(predictions|probs|fc1000)/(kernel|bias)": "classifier of ImageNet's classes",
    }
    batch_norm = "as in the file, the convolutions' biases folded into the moving means"

    def __init__(self, path: str):
        super().__init__(path, _read(path))

    def value(self, weight: str) -> np.ndarray | None:
        if weight.startswith("nonlocal"):
            return None
        layer, kind, leaf = weight.rsplit("/", 2)
        prefix = _renamed(layer)
        if kind == "conv":
            return self.take(f"{prefix}_conv/kernel")
        value = self.take(f"{prefix}_bn/{leaf}")
        if leaf == "moving_mean":
            value = value - self.take(f"{prefix}_conv/bias")
        elif leaf == "moving_variance":
            value = value + np.float32(_EPSILON_DIFFERENCE)
        return value


def _renamed(layer: str) -> str:
    """`res2_0/a` to `conv2_block1_1`, and the shortcut to `conv2_block1_0`."""
    if layer == "conv1":
        return "conv1"
    stage, index, part = re.split("[_/]", layer.removeprefix("res"))
    number = ("shortcut", "a", "b", "c").index(part)
    return f"conv{stage}_block{int(index) + 1}_{number}"


def _read(path: str) -> dict[str, np.ndarray]:
    """The weights by layer and kind, `conv1_conv/kernel`, from any of Keras' formats."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                content = io.BytesIO(archive.read("model.weights.h5"))
            with h5py.File(content, "r") as file:
                return _read_h5(path, file)
        with h5py.File(path, "r") as file:
            return _read_h5(path, file)
    except FileNotFoundError:
        raise
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a weights file of Keras: {error}") from error


def _read_h5(path: str, file: h5py.File) -> dict[str, np.ndarray]:
    if "layers" in file:
        return _read_keras3(path, file["layers"])
    layers = file.get("model_weights", file)
    tensors = {}
    for layer, group in layers.items():
        for name in group.attrs.get("weight_names", ()):
            name = name.decode() if isinstance(name, bytes) else name
            leaf = name.rsplit("/", 1)[-1].removesuffix(":0")
            tensors[f"{layer}/{leaf}"] = np.asarray(group[name])
    return tensors


def _read_keras3(path: str, layers: h5py.Group) -> dict[str, np.ndarray]:
    tensors = {}
    for group in layers.values():
        variables = group["vars"]
        if not len(variables):
            continue
        if "name" not in variables.attrs or len(variables) not in _VARIABLES:
            raise ValueError(
                f"{path} does not name its layers as keras.applications' ResNets do; "
                "save the network again with a recent Keras 3"
            )
        for index, leaf in enumerate(_VARIABLES[len(variables)]):
            tensors[f"{variables.attrs['name']}/{leaf}"] = np.asarray(variables[str(index)])
    return tensors
