"""The network as it is served: the trained one's scores, with nothing left of the training.

Batch normalization, frozen or trained, is a fixed scale and shift by now. Both go into the kernels
and biases of the convolutions in front of them, once, in float64; so do the pixels' standard
deviation, the order of the colour channels and the scale of the non-local affinities. Dropout, the
optimizer and Keras stay behind. What is left are convolutions with bias, whose sums and ReLUs
TensorFlow computes in the same kernel.

In bfloat16, the convolutions and matrix products take and give bfloat16. The similarity graph's
affinities, every softmax, the moments of layer normalization, RoIAlign, the pooled features, the
classifier and the scores stay float32, as they do in training with `mixed_bfloat16`.
"""

import itertools
from collections.abc import Sequence
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from stgraph_tf.modeling.batch_norm import FrozenBatchNormalization
from stgraph_tf.modeling.non_local import NonLocalBlock, attend, pool_keys, positions
from stgraph_tf.modeling.region_graph import RegionGraphClassifier
from stgraph_tf.modeling.residual_blocks import Bottleneck, ConvolutionBN, pad
from stgraph_tf.modeling.resnet3d import ResNet3D

PRECISIONS = ("float32", "bfloat16")

# Channels from which on a 3x1x1 convolution is computed as products: in 0.6 of the time of oneDNN's
# kernel for AVX2. With 1024 channels, its kernel is as fast as with fewer.
_WIDE = 2048


class ServedClassifier(RegionGraphClassifier):
    """A trained classifier whose backbone is folded, to be called but not to be trained.

    Args:
        trained: the network to serve; it is left as it is.
        precision: that the network computes in, one of `PRECISIONS`, whatever it was trained in.

    Raises:
        ValueError: there is no such precision.
    """

    def __init__(self, trained: RegionGraphClassifier, precision: str = "float32"):
        if precision not in PRECISIONS:
            raise ValueError(f"`precision` must be one of {PRECISIONS}. Received: {precision!r}")
        # The kernel of the first convolution sees to the order of the channels and to their scale.
        order = slice(None, None, -1 if trained.channel_order == "bgr" else 1)
        super().__init__(
            num_classes=trained.num_classes,
            graph=trained.graph,
            backbone=_Backbone(trained.backbone, trained.input_std, order, precision),
            feature_dim=trained.feature_dim,
            gcn_layers=trained.gcn_layers,
            dropout=0.0,
            input_mean=cast(tuple[float, float, float], trained.input_mean[order]),
            name="served_classifier",
            dtype="float32" if precision == "float32" else "mixed_bfloat16",
        )
        self.build()
        weights = {_name(weight): weight for weight in trained.weights}
        for weight in self.weights:
            weight.assign(weights[_name(weight)])

    @property
    def served_variables(self) -> list[tf.Variable]:
        """All that the network's scores depend on."""
        return [*self.backbone.variables, *(weight.value for weight in self.weights)]

    def extract_features(self, frames: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        centred = tf.cast(frames, tf.float32) - self.input_mean
        return self.reduction(self.backbone(tf.cast(centred, self.compute_dtype)))


class _Backbone(tf.Module):
    """A `ResNet3D` without batch normalization, in one precision."""

    built = True

    def __init__(self, trained: ResNet3D, input_std, channel_order: slice, precision: str):
        super().__init__(name="backbone")
        self._trained_shape = trained.compute_output_shape
        self._layers, self._pools = [], []
        for layer in itertools.chain(*trained.units()):
            if layer is trained.stem:
                kernel, bias = _folded(layer.convolution, layer.norm)
                kernel = (kernel / np.reshape(input_std, [-1, 1]))[..., channel_order, :]
                folded = _Convolution(kernel, bias, precision, layer.stride, layer.padding, True)
            elif isinstance(layer, Bottleneck):
                folded = _Bottleneck(layer, precision)
            else:
                folded = _NonLocal(layer, precision)
            self._layers.append(folded)
            self._pools.append(trained.pool_behind(layer))

    def __call__(self, x: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        for layer, pool in zip(self._layers, self._pools, strict=True):
            x = _max_pool(layer(x), *pool)
        return x

    def compute_output_shape(self, input_shape):
        return self._trained_shape(input_shape)


class _Bottleneck(tf.Module):
    def __init__(self, trained: Bottleneck, precision: str):
        super().__init__(name=trained.name)
        self._a, self._b = (_convolution(c, precision) for c in (trained.conv_a, trained.conv_b))
        # The ReLU comes after the sum.
        self._c = _convolution(trained.conv_c, precision, relu=True)
        self._shortcut = trained.shortcut and _convolution(trained.shortcut, precision)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        shortcut = self._shortcut(x) if self._shortcut else x
        return self._c(self._b(self._a(x)), added=shortcut)


class _NonLocal(tf.Module):
    def __init__(self, trained: NonLocalBlock, precision: str):
        super().__init__(name=trained.name)
        kernel, bias = _folded(trained.theta)
        scale = kernel.shape[-1] ** -0.5 if trained.scaled else 1.0
        self._theta = _Convolution(kernel * scale, bias * scale, precision)
        self._phi, self._g = (
            _Convolution(*_folded(layer), precision) for layer in (trained.phi, trained.g)
        )
        self._out = _Convolution(*_folded(trained.out, trained.norm), precision)

    def __call__(self, x: tf.Tensor) -> tf.Tensor:
        queries, pooled = self._theta(x), pool_keys(x)
        attended = attend(*map(positions, (queries, self._phi(pooled), self._g(pooled))))
        return self._out(tf.reshape(attended, tf.shape(queries)), added=x)


class _Convolution(tf.Module):
    """A convolution with bias, and what TensorFlow's kernel for it can do in the same walk.

    Args:
        kernel: `[t, h, w, C, D]`.
        bias: `[D]`.
        precision: that the weights are kept in.
        strides: in time, height and width.
        padding: of zeros on both sides of time, height and width; None for as many as keep the size
            where the stride is 1.
        relu: whether a ReLU follows.
    """

    def __init__(
        self,
        kernel: np.ndarray,
        bias: np.ndarray,
        precision: str,
        strides: Sequence[int] = (1, 1, 1),
        padding: Sequence[int] | None = None,
        relu: bool = False,
    ):
        super().__init__()
        self._products = kernel.shape[:3] == (3, 1, 1) and kernel.shape[3] >= _WIDE
        if self._products:
            channels, outputs = kernel.shape[3:]
            kernel = np.reshape(np.moveaxis(kernel[:, 0, 0], 0, 1), [channels, 3 * outputs])
        self._kernel, self._bias = (
            # Rounded once, from float64.
            tf.Variable(tf.cast(values, precision), trainable=False)
            for values in (kernel, bias)
        )
        self._strides = (1, *strides, 1)
        self._padding = padding
        self._relu = relu

    def __call__(self, x: tf.Tensor, added: tf.Tensor | None = None) -> tf.Tensor:
        """The convolution of `x`, plus `added` if it is given, and then the ReLU."""
        x = tf.nn.bias_add(self._convolve(x), self._bias)
        if added is not None:
            x = x + added
        return tf.nn.relu(x) if self._relu else x

    def _convolve(self, x: tf.Tensor) -> tf.Tensor:
        if self._padding is not None:
            return tf.nn.conv3d(pad(x, self._padding), self._kernel, self._strides, "VALID")
        if self._products:
            return _three_products(x, self._kernel)
        return tf.nn.conv3d(x, self._kernel, self._strides, "SAME")


def _three_products(x: tf.Tensor, kernels: tf.Tensor) -> tf.Tensor:
    """A convolution over three frames: the products of each with three kernels, then their sums.

    Args:
        x: `[B, T, H, W, C]`.
        kernels: `[C, 3 D]`.

    Returns:
        `[B, T, H, W, D]`.
    """
    products = tf.matmul(tf.reshape(x, [-1, kernels.shape[0]]), kernels)
    shape = tf.concat([tf.shape(x)[:-1], kernels.shape[1:]], axis=0)
    before, same, after = tf.split(tf.reshape(products, shape), 3, axis=-1)
    # The first frame has none before it, the last one none after it.
    ends = [[0, 0]] * 3
    return tf.add_n(
        [
            same,
            tf.pad(before[:, :-1], [[0, 0], [1, 0], *ends]),
            tf.pad(after[:, 1:], [[0, 0], [0, 1], *ends]),
        ]
    )


def _max_pool(
    x: tf.Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tf.Tensor:
    """Max-pooling over space, then over time, each as of images.

    TensorFlow pads images while it pools them, but clips only in a walk before, and its kernel for
    images is several times as fast. The gradient of that kernel takes three times as long as
    that of clips, or more: training has `residual_blocks.max_pool`, which gives the same numbers.
    """
    batch, time, height, width, _ = tf.unstack(tf.shape(x))
    if max(*size[1:], *stride[1:]) > 1:
        images = tf.reshape(x, [batch * time, height, width, x.shape[-1]])
        images = _pool_images(images, size[1:], stride[1:], padding[1:])
        height, width = tf.unstack(tf.shape(images)[1:3])
        x = tf.reshape(images, [batch, time, height, width, x.shape[-1]])
    if max(size[0], stride[0]) > 1:
        images = tf.reshape(x, [batch, time, height * width, x.shape[-1]])
        images = _pool_images(images, (size[0], 1), (stride[0], 1), (padding[0], 0))
        x = tf.reshape(images, [batch, -1, height, width, x.shape[-1]])
    return x


def _pool_images(x: tf.Tensor, size, stride, padding) -> tf.Tensor:
    sides = [[0, 0], *([side, side] for side in padding), [0, 0]]
    return tf.nn.max_pool2d(x, size, stride, sides if any(padding) else "VALID")


def _convolution(trained: ConvolutionBN, precision: str, relu: bool = False) -> _Convolution:
    kernel, bias = _folded(trained.convolution, trained.norm)
    return _Convolution(
        kernel, bias, precision, trained.stride, trained.padding, relu or trained.relu
    )


def _folded(
    convolution: keras.layers.Conv3D,
    norm: FrozenBatchNormalization | keras.layers.BatchNormalization | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias, float64, of a convolution with the normalization that follows."""
    kernel = _numbers(convolution.kernel)
    bias = _numbers(convolution.bias) if convolution.use_bias else np.zeros(kernel.shape[-1])
    if norm is None:
        return kernel, bias
    deviation = np.sqrt(_numbers(norm.moving_variance) + norm.epsilon)
    scale = _numbers(norm.gamma) / deviation
    return kernel * scale, (bias - _numbers(norm.moving_mean)) * scale + _numbers(norm.beta)


def _numbers(variable: keras.Variable) -> np.ndarray:
    return keras.ops.convert_to_numpy(variable).astype(np.float64)


def _name(weight: keras.Variable) -> str:
    """The weight's name inside the classifier."""
    return weight.path.split("/", 1)[1]
