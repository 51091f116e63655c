"""The `.pkl` files of video-nonlocal-net, from which the paper's authors started.

Caffe2 names: `conv1_w`, `res_conv1_bn_s|b|rm|riv`, `res2_0_branch2a_w` (2a, 2b, 2c; 1 is the
shortcut), `nonlocal_conv3_1_theta_w`, `pred_w`. Kernels are `[out, in, t, h, w]`, or
`[out, in, h, w]` in files of ImageNet networks. In spite of its name, `riv` holds the variance and
not its inverse.
"""

import re
from collections.abc import Mapping

import numpy as np

from stgraph_tf.weights import safe_pickle
from stgraph_tf.weights.assign import Conventions, Source
from stgraph_tf.weights.kernels import from_channels_first

_LAYERS = (
    (r"conv1", "conv1", "res_conv1_bn"),
    (r"(res\d+_\d+)/([abc])", r"\1_branch2\2", r"\1_branch2\2_bn"),
    (r"(res\d+_\d+)/shortcut", r"\1_branch1", r"\1_branch1_bn"),
    (r"nonlocal(\d+_\d+)", r"nonlocal_conv\1", r"nonlocal_conv\1_bn"),
)
_NORM = {"gamma": "s", "beta": "b", "moving_mean": "rm", "moving_variance": "riv"}
_SUFFIXES = {"kernel": "w", "bias": "b"}
_EPSILON = 1e-5


class Caffe2Source(Source):
    """A `.pkl` file of video-nonlocal-net.

    Files for fine-tuning have batch normalization turned into a scale and a shift (`s` and `b`
    without `rm` and `riv`): then the mean is 0, and the variance 1 - epsilon, so that the layer
    multiplies by the scale and adds the shift.
    """

    format = "caffe2"
    conventions = Conventions(
        channel_order="rgb",
        input_mean=(114.75, 114.75, 114.75),
        input_std=(57.375, 57.375, 57.375),
        stride_on_1x1=False,
        pool1_padded=False,
        pool2_size=2,
    )
    dropped: Mapping[str, str] = {
        r".*_momentum": "state of the optimizer",
        r"lr|model_iter|epoch": "state of the training",
        r"pred_[wb]": "classifier of the source's classes",
    }

    def __init__(self, path: str):
        super().__init__(path, _read(path))
        self._affine = not any(name.endswith(("_rm", "_riv")) for name in self.tensors)
        self._non_local = any(name.startswith("nonlocal_conv") for name in self.tensors)
        self._non_local_norm = any(
            re.fullmatch(r"nonlocal_conv\d+_\d+_bn_s", name) for name in self.tensors
        )
        if self._affine:
            self.batch_norm = "an affine layer in the file: mean 0, variance 1 - epsilon"

    def value(self, weight: str) -> np.ndarray | None:
        layer, kind, leaf = weight.rsplit("/", 2)
        if weight.startswith("nonlocal"):
            if not self._non_local:
                return None
            if kind in ("theta", "phi", "g", "out"):
                tensor = self.take(f"{_renamed(layer, 1)}_{kind}_{_SUFFIXES[leaf]}")
                return from_channels_first(tensor) if leaf == "kernel" else tensor
            if not self._non_local_norm:
                return self._identity(layer, leaf)
        elif kind == "conv":
            return from_channels_first(self.take(f"{_renamed(layer, 1)}_w"))
        return self._norm(_renamed(layer, 2), leaf)

    def _norm(self, prefix: str, leaf: str) -> np.ndarray:
        if self._affine and leaf.startswith("moving"):
            shape = self.take(f"{prefix}_b").shape
            return np.full(shape, 0 if leaf == "moving_mean" else 1 - _EPSILON, np.float32)
        return self.take(f"{prefix}_{_NORM[leaf]}")

    def _identity(self, layer: str, leaf: str) -> np.ndarray:
        """A non-local block without normalization, as the authors' code fine-tunes them."""
        shape = self.take(f"{_renamed(layer, 1)}_out_b").shape
        value = {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1 - _EPSILON}
        return np.full(shape, value[leaf], np.float32)


def _renamed(layer: str, column: int) -> str:
    """The file's name for a layer: of its convolution (column 1) or its normalization (2)."""
    for row in _LAYERS:
        if re.fullmatch(row[0], layer):
            return re.sub(row[0], row[column], layer)
    raise ValueError(f"the layer {layer} has no counterpart in Caffe2's networks")


def _read(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        blobs = safe_pickle.load(file, path, {**safe_pickle.CONTAINERS, **safe_pickle.NUMPY})
    if isinstance(blobs, dict) and "blobs" in blobs:
        blobs = blobs["blobs"]
    if not isinstance(blobs, dict):
        raise ValueError(f"{path} must hold a dict of blobs; it holds a {type(blobs).__name__}")
    tensors = {}
    for name, blob in blobs.items():
        array = safe_pickle.as_array(blob)
        if not isinstance(name, str) or array is None:
            raise ValueError(
                f"{path} must hold arrays by name; {name!r:.80} is a {type(blob).__name__}"
            )
        tensors[name] = array
    return tensors
