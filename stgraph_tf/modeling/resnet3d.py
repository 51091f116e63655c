"""The video backbone: a ResNet inflated to three dimensions (I3D), Table 1 of the paper.

One network, told by a table of numbers: `BACKBONES` holds the rows. Tensors are
`[B, T, H, W, channels]`; kernels, strides and pools are (time, height, width). Padding is symmetric
everywhere, see `residual_blocks`.
"""

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from stgraph_tf.modeling.non_local import NonLocalBlock
from stgraph_tf.modeling.residual_blocks import Bottleneck, ConvolutionBN, max_pool, strided_shape


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

# Each feature pixel sees 25 x 25 pixels of 7 frames: what is further apart is for the graphs.
_TINY = {
    "widths": (16, 32),
    "temporal_kernels": ((3,), (1,)),
    "spatial_strides": (1, 1),
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
    "tiny_nl": {**_TINY, "non_local": ((), (0,))},
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
        rematerialize: True for gradient checkpointing: in training, the parts of `units` but the
            last keep their inputs alone and are computed again for the backward pass. The values
            and gradients are the same; a step takes longer and less memory.

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
        rematerialize: bool = False,
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
        if rematerialize and not freeze_batch_norm:
            raise ValueError(
                "`rematerialize` runs layers twice a step, and batch normalization that trains "
                "would count each batch twice: it needs `freeze_batch_norm=True`. Received: "
                f"rematerialize={rematerialize}, freeze_batch_norm={freeze_batch_norm}"
            )
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
        self.rematerialize = rematerialize

        common = {"freeze_batch_norm": freeze_batch_norm, "dtype": self.dtype_policy}
        self.stem = ConvolutionBN(stem_width, stem_kernel, stem_stride, name="conv1", **common)
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
                    stride_on_1x1=stride_on_1x1,
                    name=f"res{stage}_{index}",
                    **common,
                )
                setattr(self, block.name, block)
        for stage, indices in enumerate(self.non_local, start=2):
            for index in indices:
                block = NonLocalBlock(name=f"nonlocal{stage}_{index}", **common)
                setattr(self, block.name, block)

    def blocks(self) -> list[Bottleneck]:
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

    def units(self) -> list[list[keras.layers.Layer]]:
        """The parts that `rematerialize` keeps the inputs of: the stem, then pairs of blocks.

        A bottleneck's input is larger than all that is inside it, so single blocks as units would
        keep more; whole stages would hold more of what is computed again. The last stage is one
        unit: the backward pass begins with it, while its activations are still there.
        """
        *earlier, last = self.stages()
        pairs = [stage[i : i + 2] for stage in earlier for i in range(0, len(stage), 2)]
        return [[self.stem], *pairs, last]

    def shapes(self, input_shape: Sequence[int | None]) -> list[tuple[int | None, ...]]:
        """The shapes in front of each layer of `units`, one after the other, and of the output."""
        shapes = [tuple(input_shape)]
        for layer in itertools.chain(*self.units()):
            shape = layer.compute_output_shape(shapes[-1])
            shapes.append(strided_shape(shape, *self.pool_behind(layer)))
        return shapes

    def build(self, input_shape):
        layers = itertools.chain(*self.units())
        for layer, shape in zip(layers, self.shapes(input_shape), strict=False):
            layer.build((None, None, None, None, shape[-1]))
        self.built = True

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        *earlier, last = self.units()
        x = inputs
        for unit in earlier:
            run = functools.partial(self._run, unit, training)
            # Keras' facility is tf.recompute_grad, which makes the second computation wait for the
            # gradient of the unit's output: so it neither runs too early nor is merged with the
            # first. (A RematScope around the layers fails in a tf.function: it passes `training`
            # by name, and custom gradients take no such arguments in a graph.)
            x = keras.remat(run)(x) if self.rematerialize and training else run(x)
        return self._run(last, training, x)

    def _run(
        self, unit: list[keras.layers.Layer], training: bool | None, x: tf.Tensor
    ) -> tf.Tensor:
        for layer in unit:
            x = layer(x, training=training)
            if layer is self.stem:
                x = tf.nn.relu(x)
            x = max_pool(x, *self.pool_behind(layer))
        return x

    def pool_behind(self, layer: keras.layers.Layer) -> tuple[Sequence[int], ...]:
        """Size, stride and padding of the max-pooling behind a layer; 1, 1 and 0 for none."""
        if layer is self.stem:
            space = [size // 2 if self.pool1_padded else 0 for size in self.pool1_size[1:]]
            return self.pool1_size, self.pool1_stride, (0, *space)
        if layer is self.stages()[0][-1]:
            return (self.pool2_size, 1, 1), (2, 1, 1), ((self.pool2_size - 1) // 2, 0, 0)
        return (1, 1, 1), (1, 1, 1), (0, 0, 0)

    @property
    def temporal_stride(self) -> int:
        """Input frames a feature frame, T / T'."""
        return self.stem_stride[0] * self.pool1_stride[0] * 2

    @property
    def smallest_side(self) -> int:
        """The least height and width, in pixels, of frames that all layers can work on.

        One position of the features; two by two of them where there are non-local blocks, which
        pool in space.
        """
        strides = (self.stem_stride[2], self.pool1_stride[2], *self.spatial_strides)
        return math.prod(strides) * (2 if any(self.non_local) else 1)

    def compute_output_shape(self, input_shape):
        return self.shapes(input_shape)[-1]

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
            "rematerialize": self.rematerialize,
        }


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
