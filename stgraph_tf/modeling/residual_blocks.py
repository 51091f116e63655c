"""The residual block of the backbone, and the padded convolution that it is made of.

Tensors are `[B, T, H, W, channels]`; kernels and strides are (time, height, width). Padding is
symmetric everywhere, as the pretrained weights expect. `padding="same"` is symmetric only where the
stride is 1; where it is 2 TensorFlow pads unevenly, so there the layer pads first and then
convolves "valid".
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from stgraph_tf.modeling.batch_norm import FrozenBatchNormalization, FusedBatchNormalization
from stgraph_tf.modeling.convolution import convolution


@keras.saving.register_keras_serializable(package="stgraph_tf")
class Bottleneck(keras.layers.Layer):
    """One residual block; the last ReLU comes after the sum.

    Args:
        width: channels inside.
        temporal_kernel: kernel in time of the first convolution.
        spatial_stride: stride in space of the block and its shortcut.
        expansion: output channels over width.
        freeze_batch_norm: see `ResNet3D`.
        stride_on_1x1: whether the stride lies on the first convolution instead of the 3x3.
    """

    def __init__(
        self,
        width: int,
        temporal_kernel: int,
        spatial_stride: int,
        expansion: int,
        freeze_batch_norm: bool,
        stride_on_1x1: bool = False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.width = width
        self.temporal_kernel = temporal_kernel
        self.spatial_stride = spatial_stride
        self.expansion = expansion
        self.freeze_batch_norm = freeze_batch_norm
        self.stride_on_1x1 = stride_on_1x1

    def build(self, input_shape):
        stride, unit = (1, self.spatial_stride, self.spatial_stride), (1, 1, 1)
        outputs = self.width * self.expansion
        stride_a, stride_b = (stride, unit) if self.stride_on_1x1 else (unit, stride)
        kernel_a = (self.temporal_kernel, 1, 1)
        self.conv_a = self._convolution(self.width, kernel_a, stride_a, relu=True, name="a")
        self.conv_b = self._convolution(self.width, (1, 3, 3), stride_b, relu=True, name="b")
        self.conv_c = self._convolution(outputs, (1, 1, 1), name="c")
        self.conv_a.build(input_shape)
        self.conv_b.build((*input_shape[:-1], self.width))
        self.conv_c.build((*input_shape[:-1], self.width))
        self.shortcut = None
        if self.spatial_stride != 1 or input_shape[-1] != outputs:
            self.shortcut = self._convolution(outputs, (1, 1, 1), stride, name="shortcut")
            self.shortcut.build(input_shape)

    def _convolution(self, filters, kernel, stride=(1, 1, 1), **kwargs) -> "ConvolutionBN":
        kwargs["dtype"] = self.dtype_policy
        return ConvolutionBN(filters, kernel, stride, self.freeze_batch_norm, **kwargs)

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        x = self.conv_a(inputs, training=training)
        x = self.conv_b(x, training=training)
        x = self.conv_c(x, training=training)
        shortcut = inputs if self.shortcut is None else self.shortcut(inputs, training=training)
        return tf.nn.relu(x + shortcut)

    def compute_output_shape(self, input_shape):
        stride = (1, self.spatial_stride, self.spatial_stride)
        shape = strided_shape(input_shape, (1, 3, 3), stride, (0, 1, 1))
        return (*shape[:-1], self.width * self.expansion)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "temporal_kernel": self.temporal_kernel,
            "spatial_stride": self.spatial_stride,
            "expansion": self.expansion,
            "freeze_batch_norm": self.freeze_batch_norm,
            "stride_on_1x1": self.stride_on_1x1,
        }


class ConvolutionBN(keras.layers.Layer):
    """A symmetrically padded convolution without bias, batch normalization, and maybe a ReLU.

    Normalization that is frozen is computed as part of the convolution, which saves a CPU two walks
    over the activations: its scale goes into the kernel, its shift is the bias.
    """

    def __init__(self, filters, kernel, stride, freeze_batch_norm, relu=False, **kwargs):
        super().__init__(**kwargs)
        self.relu = relu
        self.kernel = tuple(kernel)
        self.stride = tuple(stride)
        self.freeze_batch_norm = freeze_batch_norm
        strided = any(step > 1 and size > 1 for size, step in zip(kernel, stride, strict=True))
        self.padding = tuple(size // 2 for size in kernel) if strided else None
        self.convolution = keras.layers.Conv3D(
            filters,
            self.kernel,
            self.stride,
            padding="valid" if strided else "same",
            use_bias=False,
            kernel_initializer="he_normal",
            name="conv",
            dtype=self.dtype_policy,
        )
        if freeze_batch_norm:
            self.norm = FrozenBatchNormalization(name="bn", dtype=self.dtype_policy)
        else:
            self.norm = FusedBatchNormalization(
                momentum=0.9, epsilon=1e-5, name="bn", dtype=self.dtype_policy
            )

    def build(self, input_shape):
        self.convolution.build(input_shape)
        self.norm.build((*input_shape[:-1], self.convolution.filters))

    def call(self, inputs, training=None):
        if self.padding is not None:
            inputs = pad(inputs, self.padding)
        kernel = tf.convert_to_tensor(self.convolution.kernel)
        settings = {"strides": self.stride, "padding": self.convolution.padding.upper()}
        if not self.freeze_batch_norm:
            x = self.norm(convolution(inputs, kernel, **settings), training=training)
            return tf.nn.relu(x) if self.relu else x
        scale, shift = self.norm.scale_and_shift()
        kernel *= tf.cast(scale, kernel.dtype)
        shift = tf.cast(shift, kernel.dtype)
        return convolution(inputs, kernel, shift, relu=self.relu, **settings)

    def compute_output_shape(self, input_shape):
        padding = [size // 2 for size in self.kernel]
        shape = strided_shape(input_shape, self.kernel, self.stride, padding)
        return (*shape[:-1], self.convolution.filters)


def max_pool(
    x: tf.Tensor, size: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tf.Tensor:
    """Max-pooling of symmetrically padded time, height and width."""
    if max(*size, *stride) == 1:
        return x
    # Not zeros: what comes out of a non-local block may be negative.
    padded = pad(x, padding, x.dtype.min)
    if x.dtype == tf.float16 and not tf.config.list_logical_devices("GPU"):
        # For this type TensorFlow has no such kernel on a CPU; float32 holds the same numbers.
        padded = tf.cast(padded, tf.float32)
    return tf.cast(tf.nn.max_pool3d(padded, size, stride, padding="VALID"), x.dtype)


def strided_shape(
    shape: Sequence[int | None], size: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int | None, ...]:
    """`[B, T, H, W, C]` after a window of that size; None where a size is not known."""
    batch, *sides, channels = shape
    strided = [
        None if side is None else (side + 2 * pad - window) // step + 1
        for side, window, step, pad in zip(sides, size, stride, padding, strict=True)
    ]
    return (batch, *strided, channels)


def pad(x: tf.Tensor, padding: Sequence[int], value: float = 0.0) -> tf.Tensor:
    """`[B, T, H, W, C]` with as many values on both sides of time, height and width."""
    if not any(padding):
        return x
    paddings = [[0, 0], *([side, side] for side in padding), [0, 0]]
    return tf.raw_ops.PadV2(input=x, paddings=paddings, constant_values=tf.cast(value, x.dtype))
