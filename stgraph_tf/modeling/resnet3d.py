"""The video backbone: a ResNet inflated to three dimensions (I3D), Table 1 of the paper.

One network, told by a table of numbers: `BACKBONES` holds the rows. Tensors are
`[B, T, H, W, channels]`; kernels, strides and pools are (time, height, width).

Padding is symmetric everywhere, as the pretrained weights expect. `padding="same"` is symmetric
only where the stride is 1; where it is 2 TensorFlow pads unevenly, so there the network pads first
and then convolves "valid".
"""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from stgraph_tf.modeling.batch_norm import FrozenBatchNormalization, FusedBatchNormalization
from stgraph_tf.modeling.non_local import NonLocalBlock


def _alternating(blocks: int) -> tuple[int, ...]:
    """Temporal kernels 3 in every second block, starting with the first."""
    return tuple(3 if index % 2 == 0 else 1 for index in range(blocks))


# Temporal kernels: Table 1 draws a 3x1x1 in every block, which would cost about 171 GFLOPs. Only 3
# in all of res2, in every second block of res3 and res4, and in the middle block of res5 gives the
# paper's 153, and it is what the authors' own public backbone does.
_R50 = {
    "widths": (64, 128, 256, 512),
    "temporal_kernels": ((3, 3, 3), _alternating(4), _alternating(6), (1, 3, 1)),
    "spatial_strides": (1, 2, 2, 1),
}

_R101 = {
    **_R50,
    "temporal_kernels": ((3, 3, 3), _alternating(4), _alternating(23), (1, 3, 1)),
    "stem_stride": (2, 2, 2),
    "pool1_size": (2, 3, 3),
    "pool1_stride": (2, 2, 2),
}

_TINY = {
    "widths": (16, 32, 32),
    "temporal_kernels": ((3,), (3,), (3, 3)),
    "spatial_strides": (1, 1, 1),
    "stem_width": 16,
    "stem_kernel": (3, 5, 5),
}

# The non-local blocks stand where the authors' code has them.
BACKBONES: dict[str, dict[str, Any]] = {
    # 32 frames of 224 x 224 at 6 fps -> 16 x 14 x 14 x 2048.
    "r50": _R50,
    "r50_nl": {**_R50, "non_local": ((), (1, 3), (1, 3, 5), ())},
    # 128 frames of 288 x 288 at 24 fps -> 16 x 18 x 18 x 2048.
    "r101": _R101,
    "r101_nl": {**_R101, "non_local": ((), (1, 3), (6, 13, 20), ())},
    # 16 frames of 64 x 64 -> 8 x 16 x 16 x 128, for small pictures and for tests.
    "tiny": _TINY,
    "tiny_nl": {**_TINY, "non_local": ((), (), (1,))},
}


@keras.saving.register_keras_serializable(package="stgraph_tf")
class ResNet3D(keras.Model):
    """Inflated 3-D ResNet of bottleneck blocks `t x1x1 -> 1x3x3 -> 1x1x1`.

    ```python
    backbone = ResNet3D(**BACKBONES["r50"])
    features = backbone(tf.zeros([1, 32, 224, 224, 3]))  # [1, 16, 14, 14, 2048]
    ```

    Args:
        widths: channels inside the bottlenecks of each stage (res2, res3, ...).
        temporal_kernels: for each stage, the temporal kernel of each of its blocks.
        spatial_strides: spatial stride of each stage's first block.
        expansion: a block's output channels over its width.
        stem_width: channels of conv1.
        stem_kernel: kernel of conv1.
        stem_stride: stride of conv1.
        pool1_size: max-pooling after conv1.
        pool1_stride: its stride.
        pool1_padded: whether it is padded in space, to 56 x 56 at full size (Table 1), or not, to
            55 x 55 (the authors' public weights).
        pool2_size: temporal max-pooling after res2, with stride 2; an odd size is padded.
        non_local: for each stage, the blocks (counted from 0) after which a non-local block stands;
            () for none at all.
        stride_on_1x1: whether a stage's spatial stride lies on the first convolution of its first
            block, as in Caffe's and Keras' ResNets, instead of the 3x3.
        freeze_batch_norm: True for the paper's protocol, in which batch normalization keeps its
            pretrained statistics, scale and shift for good; False to train from scratch.

    Call arguments:
        inputs: float `[B, T, H, W, 3]`, normalized as the weights expect.

    Returns:
        `[B, T', H', W', widths[-1] * expansion]`.
    """

    def __init__(
        self,
        widths: Sequence[int],
        temporal_kernels: Sequence[Sequence[int]],
        spatial_strides: Sequence[int],
        expansion: int = 4,
        stem_width: int = 64,
        stem_kernel: Sequence[int] = (5, 7, 7),
        stem_stride: Sequence[int] = (1, 2, 2),
        pool1_size: Sequence[int] = (1, 3, 3),
        pool1_stride: Sequence[int] = (1, 2, 2),
        pool1_padded: bool = True,
        pool2_size: int = 3,
        non_local: Sequence[Sequence[int]] = (),
        stride_on_1x1: bool = False,
        freeze_batch_norm: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not len(widths) == len(temporal_kernels) == len(spatial_strides) >= 1:
            raise ValueError(
                "`widths`, `temporal_kernels` and `spatial_strides` must have one entry a stage. "
                f"Received: widths={widths}, temporal_kernels={temporal_kernels}, "
                f"spatial_strides={spatial_strides}"
            )
        _check_non_local(non_local, temporal_kernels)
        self.widths = tuple(widths)
        self.temporal_kernels = tuple(tuple(kernels) for kernels in temporal_kernels)
        self.spatial_strides = tuple(spatial_strides)
        self.expansion = expansion
        self.stem_width = stem_width
        self.stem_kernel = tuple(stem_kernel)
        self.stem_stride = tuple(stem_stride)
        self.pool1_size = tuple(pool1_size)
        self.pool1_stride = tuple(pool1_stride)
        self.pool1_padded = pool1_padded
        self.pool2_size = pool2_size
        self.non_local = tuple(tuple(indices) for indices in non_local)
        self.stride_on_1x1 = stride_on_1x1
        self.freeze_batch_norm = freeze_batch_norm

        self.stem = _ConvolutionBN(
            stem_width,
            stem_kernel,
            stem_stride,
            freeze_batch_norm,
            name="conv1",
            dtype=self.dtype_policy,
        )
        # An attribute each: TensorFlow's checkpoints do not see layers in a Keras layer's list.
        for stage, (width, kernels, spatial_stride) in enumerate(
            zip(widths, temporal_kernels, spatial_strides, strict=True), start=2
        ):
            for index, temporal_kernel in enumerate(kernels):
                block = Bottleneck(
                    width,
                    temporal_kernel,
                    spatial_stride if index == 0 else 1,
                    expansion,
                    freeze_batch_norm,
                    stride_on_1x1,
                    name=f"res{stage}_{index}",
                    dtype=self.dtype_policy,
                )
                setattr(self, block.name, block)
        for stage, indices in enumerate(self.non_local, start=2):
            for index in indices:
                block = NonLocalBlock(
                    freeze_batch_norm=freeze_batch_norm,
                    name=f"nonlocal{stage}_{index}",
                    dtype=self.dtype_policy,
                )
                setattr(self, block.name, block)

    def blocks(self) -> list["Bottleneck"]:
        """The residual blocks in order, `res2_0`, `res2_1`, ..."""
        return [
            layer for stage in self.stages() for layer in stage if isinstance(layer, Bottleneck)
        ]

    def stages(self) -> list[list[keras.layers.Layer]]:
        """The layers of res2, res3, ... in order: `res2_0`, ... and `nonlocal3_1` among them."""
        stages = []
        for stage, kernels in enumerate(self.temporal_kernels, start=2):
            names = [
                f"{kind}{stage}_{index}"
                for index in range(len(kernels))
                for kind in ("res", "nonlocal")
            ]
            stages.append([getattr(self, name) for name in names if hasattr(self, name)])
        return stages

    def build(self, input_shape):
        channels = input_shape[-1]
        self.stem.build((None, None, None, None, channels))
        channels = self.stem_width
        for width, stage in zip(self.widths, self.stages(), strict=True):
            for layer in stage:
                layer.build((None, None, None, None, channels))
                channels = width * self.expansion
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        x = tf.nn.relu(self.stem(inputs, training=training))
        x = self._pool1(x)
        for index, stage in enumerate(self.stages()):
            for layer in stage:
                x = layer(x, training=training)
            if index == 0:
                x = self._pool2(x)
        return x

    def _pool1(self, x: tf.Tensor) -> tf.Tensor:
        space = [size // 2 if self.pool1_padded else 0 for size in self.pool1_size[1:]]
        return _max_pool(x, self.pool1_size, self.pool1_stride, (0, *space))

    def _pool2(self, x: tf.Tensor) -> tf.Tensor:
        time = (self.pool2_size - 1) // 2
        return _max_pool(x, (self.pool2_size, 1, 1), (2, 1, 1), (time, 0, 0))

    @property
    def temporal_stride(self) -> int:
        """Input frames a feature frame, T / T'."""
        return self.stem_stride[0] * self.pool1_stride[0] * 2

    def compute_output_shape(self, input_shape):
        batch, time, *space, _ = input_shape
        shape = _strided((time, *space), self.stem_kernel, self.stem_stride, padded=True)
        padded = (False, self.pool1_padded, self.pool1_padded)
        shape = _strided(shape, self.pool1_size, self.pool1_stride, padded)
        shape = _strided(shape, (self.pool2_size, 1, 1), (2, 1, 1), padded=self.pool2_size % 2 == 1)
        for stride in self.spatial_strides:
            shape = _strided(shape, (1, 3, 3), (1, stride, stride), padded=True)
        return (batch, *shape, self.widths[-1] * self.expansion)

    def get_config(self):
        return {
            **super().get_config(),
            "widths": self.widths,
            "temporal_kernels": self.temporal_kernels,
            "spatial_strides": self.spatial_strides,
            "expansion": self.expansion,
            "stem_width": self.stem_width,
            "stem_kernel": self.stem_kernel,
            "stem_stride": self.stem_stride,
            "pool1_size": self.pool1_size,
            "pool1_stride": self.pool1_stride,
            "pool1_padded": self.pool1_padded,
            "pool2_size": self.pool2_size,
            "non_local": self.non_local,
            "stride_on_1x1": self.stride_on_1x1,
            "freeze_batch_norm": self.freeze_batch_norm,
        }


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
        self.conv_a = self._convolution(self.width, kernel_a, stride_a, name="a")
        self.conv_b = self._convolution(self.width, (1, 3, 3), stride_b, name="b")
        self.conv_c = self._convolution(outputs, (1, 1, 1), name="c")
        self.conv_a.build(input_shape)
        self.conv_b.build((*input_shape[:-1], self.width))
        self.conv_c.build((*input_shape[:-1], self.width))
        self.shortcut = None
        if self.spatial_stride != 1 or input_shape[-1] != outputs:
            self.shortcut = self._convolution(outputs, (1, 1, 1), stride, name="shortcut")
            self.shortcut.build(input_shape)

    def _convolution(self, filters, kernel, stride=(1, 1, 1), *, name) -> "_ConvolutionBN":
        return _ConvolutionBN(
            filters, kernel, stride, self.freeze_batch_norm, name=name, dtype=self.dtype_policy
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        x = tf.nn.relu(self.conv_a(inputs, training=training))
        x = tf.nn.relu(self.conv_b(x, training=training))
        x = self.conv_c(x, training=training)
        shortcut = inputs if self.shortcut is None else self.shortcut(inputs, training=training)
        return tf.nn.relu(x + shortcut)

    def compute_output_shape(self, input_shape):
        batch, *shape, _ = input_shape
        stride = (1, self.spatial_stride, self.spatial_stride)
        return (
            batch,
            *_strided(shape, (1, 3, 3), stride, padded=True),
            self.width * self.expansion,
        )

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


class _ConvolutionBN(keras.layers.Layer):
    """A symmetrically padded convolution without bias, then batch normalization."""

    def __init__(self, filters, kernel, stride, freeze_batch_norm, **kwargs):
        super().__init__(**kwargs)
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
            inputs = _pad(inputs, self.padding)
        x = self.convolution(inputs)
        return self.norm(x) if self.freeze_batch_norm else self.norm(x, training=training)

    def compute_output_shape(self, input_shape):
        batch, *shape, _ = input_shape
        shape = _strided(shape, self.kernel, self.stride, padded=True)
        return (batch, *shape, self.convolution.filters)


def _max_pool(x: tf.Tensor, size, stride, padding) -> tf.Tensor:
    # Not zeros: what comes out of a non-local block may be negative.
    return tf.nn.max_pool3d(_pad(x, padding, x.dtype.min), size, stride, padding="VALID")


def _pad(x: tf.Tensor, padding: Sequence[int], value: float = 0.0) -> tf.Tensor:
    if not any(padding):
        return x
    paddings = [[0, 0], *([side, side] for side in padding), [0, 0]]
    return tf.raw_ops.PadV2(input=x, paddings=paddings, constant_values=tf.cast(value, x.dtype))


def _check_non_local(non_local, temporal_kernels) -> None:
    counts = [len(kernels) for kernels in temporal_kernels]
    if not non_local:
        return
    if len(non_local) != len(counts) or any(
        not 0 <= index < count
        for indices, count in zip(non_local, counts, strict=True)
        for index in indices
    ):
        raise ValueError(
            "`non_local` must have one entry a stage, each with indices of that stage's blocks; "
            f"the stages have {counts} blocks. Received: non_local={non_local}"
        )


def _strided(shape, kernel, stride, padded) -> tuple[int | None, ...]:
    """Output sizes of a convolution or pool, None where the input size is not known."""
    padded = padded if isinstance(padded, tuple) else (padded,) * len(shape)
    return tuple(
        None if size is None else (size + (2 * (k // 2) if pad else 0) - k) // step + 1
        for size, k, step, pad in zip(shape, kernel, stride, padded, strict=True)
    )
