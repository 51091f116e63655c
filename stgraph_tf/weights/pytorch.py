"""ResNet state dicts of PyTorch: torchvision's and timm's 2-D networks, and an I3D ResNet.

2-D: `conv1.weight`, `bn1.*`, `layer1.0.conv1.weight`, `layer1.0.bn1.*`, `layer1.0.downsample.0|1`,
`fc.*`. I3D, the layout of Something-Else's `kinetics-res50.pth`: `layer1.0.conv1.0.weight`
(convolution), `layer1.0.conv1.1.*` (normalization), `layer1.0.shortcut.0|1.*`, `classifier.*`.
Kernels are `[out, in, (t,) h, w]`. A prefix `module.` on all names is stripped.
"""

import re
from collections.abc import Mapping

import numpy as np

from stgraph_tf.weights import torch_files
from stgraph_tf.weights.assign import Conventions, Source
from stgraph_tf.weights.kernels import from_channels_first

_NORM = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
# For each layout, the convolution and the normalization of conv1, a block's convolution and a
# block's shortcut; {0} is the block, {1} the number of its convolution.
_FLAT = {
    "conv1": ("conv1", "bn1"),
    "block": ("{0}.conv{1}", "{0}.bn{1}"),
    "shortcut": ("{0}.downsample.0", "{0}.downsample.1"),
}
_I3D = {
    "conv1": ("conv1", "bn1"),
    "block": ("{0}.conv{1}.0", "{0}.conv{1}.1"),
    "shortcut": ("{0}.shortcut.0", "{0}.shortcut.1"),
}


class PytorchSource(Source):
    """A `.safetensors` file, or a `.pth` or `.pt` file whose pickle is not executed."""

    format = "pytorch"
    dropped: Mapping[str, str] = {
        r".*\.num_batches_tracked": "a counter of batch normalization",
        r"(fc|classifier)\.(weight|bias)": "classifier of the source's classes",
    }

    def __init__(self, path: str):
        tensors = torch_files.read(path)
        if tensors and all(name.startswith("module.") for name in tensors):
            tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
        super().__init__(path, tensors)
        i3d = any(re.fullmatch(r"layer\d+\.\d+\.conv\d\.[01]\..*", name) for name in tensors)
        self._names = _I3D if i3d else _FLAT
        # Both pipelines scale pixels to [0, 1] first: these are ImageNet's figures times 255.
        self.conventions = Conventions(
            channel_order="rgb",
            input_mean=(123.675, 116.28, 103.53),
            input_std=(58.395, 57.12, 57.375),
            stride_on_1x1=False,
            pool1_padded=not i3d,
            pool2_size=2 if i3d else None,
        )

    def value(self, weight: str) -> np.ndarray | None:
        if weight.startswith("nonlocal"):
            return None
        layer, kind, leaf = weight.rsplit("/", 2)
        convolution, norm = self._layer(layer)
        if kind == "conv":
            return from_channels_first(self.take(f"{convolution}.weight"))
        return self.take(f"{norm}.{_NORM[leaf]}")

    def _layer(self, layer: str) -> tuple[str, str]:
        """The file's names for a layer's convolution and normalization."""
        if layer == "conv1":
            return self._names["conv1"]
        stage, index, part = re.split("[_/]", layer.removeprefix("res"))
        block = f"layer{int(stage) - 1}.{index}"
        if part == "shortcut":
            number, names = 0, self._names["shortcut"]
        else:
            number, names = "abc".index(part) + 1, self._names["block"]
        convolution, norm = names
        return convolution.format(block, number), norm.format(block, number)
