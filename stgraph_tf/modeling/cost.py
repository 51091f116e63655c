"""What a network costs, by part: parameters, multiply-adds and activations, without running it.

Everything follows from the constructors' numbers and the size of a clip, in milliseconds.

Multiply-adds are counted as the paper's "FLOPs" (section 6.1): one for each product that a
convolution or a matrix product sums up, zero padding included, and four for each bilinear sample of
RoIAlign. What is done element by element is not counted: batch and layer normalization, ReLU,
softmax, pooling, overlaps of boxes, biases.

Activations are the values that a training step must keep from the forward for the backward pass,
each once: what convolutions and matrix products with weights to train were given, both factors of
products of two activations, outputs of ReLU and softmax, and the inputs of max-pooling, of layer
normalization, and of batch normalization where it trains. They are counted for one clip, all layers
training. Weights, their gradients, the optimizer's slots, and what a kernel needs for itself while
it runs are not among them.
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from stgraph_tf.modeling.builder import build_backbone
from stgraph_tf.modeling.non_local import NonLocalBlock
from stgraph_tf.modeling.resnet3d import Bottleneck, ResNet3D
from stgraph_tf.modeling.roi_align import RoIAlign


@dataclasses.dataclass(frozen=True)
class Clip:
    """The size of what a network is given.

    Attributes:
        num_frames: input frames T.
        height: of a frame, pixels.
        width: of a frame, pixels.
        num_boxes: proposals a feature frame, K.
    """

    num_frames: int
    height: int
    width: int
    num_boxes: int


@dataclasses.dataclass(frozen=True)
class Cost:
    """What one part costs for one clip; costs can be added.

    Attributes:
        parameters: numbers that a weights file holds, frozen ones included.
        multiply_adds: products summed up in one forward pass.
        kept: values kept for the backward pass in the precision that the network computes in.
        kept_float32: values kept in float32 whatever that precision.
    """

    parameters: int = 0
    multiply_adds: int = 0
    kept: int = 0
    kept_float32: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.kept + other.kept,
            self.kept_float32 + other.kept_float32,
        )

    def activation_bytes(self, bytes_per_value: int) -> int:
        """Memory of the activations; 4 bytes a value in float32, 2 in bfloat16."""
        return self.kept * bytes_per_value + self.kept_float32 * 4


def total(parts: Mapping[str, Cost]) -> Cost:
    """The sum of all parts."""
    return sum(parts.values(), Cost())


def network_cost(settings: Mapping[str, Any], num_classes: int, clip: Clip) -> dict[str, Cost]:
    """The cost of a whole `RegionGraphClassifier`, by part, in the order of the forward pass.

    Args:
        settings: the `model` part of a config, see `stgraph_tf.config`.
        num_classes: classes to score.
        clip: the size of its input.

    Returns:
        Costs of `stem`, `res2`, ..., `non-local`, `reduction`, `RoIAlign`, `similarity graph`,
        `spatial-temporal graph`, `similarity branch`, `spatial-temporal branch` and `head`; parts
        that the network does not have are left out.

    Raises:
        ValueError: when there is no such backbone, or the clip is too small for it.
    """
    parts, (*size, channels) = backbone_cost(build_backbone(settings), clip)
    graph, width, layers = settings["graph"], settings["feature_dim"], settings["gcn_layers"]

    # Its input is res5's kept output; means and RoIAlign need no values of its own output back.
    parts["reduction"] = _matrix(math.prod(size), channels, width, bias=True)
    if graph != "none":
        num_nodes = size[0] * clip.num_boxes
        parts["RoIAlign"] = _roi_align(num_nodes, width)
    if graph in ("similarity", "joint"):
        parts["similarity graph"] = _similarity_graph(num_nodes, width)
    if graph in ("spatial_temporal", "joint"):
        # The blocks between neighbouring frames, forward and backward. No gradient goes to boxes.
        links = 2 * (size[0] - 1) * clip.num_boxes**2
        parts["spatial-temporal graph"] = Cost(kept=links)
    if graph in ("similarity", "joint"):
        # The transformed nodes are kept as well: the graph, the other factor, learns.
        parts["similarity branch"] = _branch(
            num_nodes, width, layers, edges=num_nodes**2, kept_a_layer=num_nodes * width
        )
    if graph in ("spatial_temporal", "joint"):
        parts["spatial-temporal branch"] = _branch(
            num_nodes, width, layers, edges=links, num_graphs=2
        )
    pooled = width * (1 if graph == "none" else 2)
    # Dropout's mask and its output.
    parts["head"] = _matrix(1, pooled, num_classes, bias=True) + Cost(kept_float32=2 * pooled)
    return parts


def backbone_cost(
    backbone: ResNet3D, clip: Clip
) -> tuple[dict[str, Cost], tuple[int, int, int, int]]:
    """The cost of a backbone, which need not be built yet, by stage.

    Args:
        backbone: the network.
        clip: the size of its input.

    Returns:
        The costs of `stem` (to pool1's output), `res2` (to pool2's), ..., and `non-local` (all such
        blocks) where there are any; and the features' size `(T', H', W', channels)`.

    Raises:
        ValueError: when the clip is too small to leave a feature.
    """
    frames = (clip.num_frames, clip.height, clip.width)
    channels = backbone.stem_width
    stem, size = _convolution_bn(
        3, channels, backbone.stem_kernel, frames, backbone.stem_stride, backbone.freeze_batch_norm
    )
    stem += Cost(kept=3 * math.prod(frames) + channels * math.prod(size))  # frames, ReLU
    space = [side // 2 if backbone.pool1_padded else 0 for side in backbone.pool1_size[1:]]
    size = _output_size(size, backbone.pool1_size, backbone.pool1_stride, (0, *space))
    parts = {"stem": stem + Cost(kept=channels * math.prod(size))}

    non_local = Cost()
    for index, stage in enumerate(backbone.stages()):
        name = f"res{index + 2}"
        parts[name] = Cost()
        for layer in stage:
            if isinstance(layer, NonLocalBlock):
                non_local += _non_local_block(channels, size, layer.freeze_batch_norm)
                continue
            cost, size = _bottleneck(layer, channels, size)
            parts[name] += cost
            channels = layer.width * layer.expansion
        if index == 0:
            pool2 = (backbone.pool2_size, 1, 1)
            size = _output_size(size, pool2, (2, 1, 1), ((backbone.pool2_size - 1) // 2, 0, 0))
            parts[name] += Cost(kept=channels * math.prod(size))
    if non_local != Cost():
        parts["non-local"] = non_local
    depth, height, width = size
    return parts, (depth, height, width, channels)


def _bottleneck(
    block: Bottleneck, channels: int, size: Sequence[int]
) -> tuple[Cost, tuple[int, ...]]:
    """The cost of one residual block after an input of that size, and the size of its output."""
    width, outputs = block.width, block.width * block.expansion
    stride, one = (1, block.spatial_stride, block.spatial_stride), (1, 1, 1)
    on_a, on_b = (stride, one) if block.stride_on_1x1 else (one, stride)
    freeze = block.freeze_batch_norm
    kernel_a = (block.temporal_kernel, 1, 1)
    conv_a, size_a = _convolution_bn(channels, width, kernel_a, size, on_a, freeze)
    conv_b, size_b = _convolution_bn(width, width, (1, 3, 3), size_a, on_b, freeze)
    conv_c, _ = _convolution_bn(width, outputs, one, size_b, one, freeze)
    # The outputs of the three ReLUs; they are the inputs of what follows.
    relus = width * (math.prod(size_a) + math.prod(size_b)) + outputs * math.prod(size_b)
    cost = conv_a + conv_b + conv_c + Cost(kept=relus)
    if block.spatial_stride != 1 or channels != outputs:
        cost += _convolution_bn(channels, outputs, one, size, stride, freeze)[0]
    return cost, size_b


def _non_local_block(channels: int, size: Sequence[int], freeze_batch_norm: bool) -> Cost:
    inner = channels // 2
    pooled = _output_size(size, (1, 2, 2), (1, 2, 2), (0, 0, 0))
    queries, keys = math.prod(size), math.prod(pooled)
    cost = _matrix(queries, channels, inner, bias=True)  # theta
    cost += _matrix(keys, channels, inner, bias=True)  # phi
    cost += _matrix(keys, channels, inner, bias=True)  # g
    cost += Cost(multiply_adds=2 * queries * keys * inner, kept_float32=queries * keys)
    cost += _matrix(queries, inner, channels, bias=True)  # out
    cost += _batch_norm(channels, size, freeze_batch_norm)
    # The pooled input, theta, phi, g, their product, and the block's output.
    kept = keys * channels + inner * (2 * queries + 2 * keys) + queries * channels
    return cost + Cost(kept=kept)


def _roi_align(num_nodes: int, width: int) -> Cost:
    """Bins are kept in float32 for the maximum over them; the nodes are its output."""
    layer = RoIAlign()
    samples = num_nodes * (layer.bins * layer.samples) ** 2
    return Cost(
        multiply_adds=4 * samples * width,
        kept=num_nodes * width,
        kept_float32=num_nodes * layer.bins**2 * width,
    )


def _similarity_graph(num_nodes: int, width: int) -> Cost:
    """Query and key, their product, its softmax, and that without the padded nodes.

    Not counted: the nodes' copy in float32, which half precision keeps besides.
    """
    cost = _matrix(num_nodes, width, width) + _matrix(num_nodes, width, width)
    affinities = num_nodes**2
    return cost + Cost(
        multiply_adds=affinities * width,
        kept=affinities,
        kept_float32=2 * num_nodes * width + affinities,
    )


def _branch(
    num_nodes: int, width: int, layers: int, *, edges: int, num_graphs: int = 1, kept_a_layer=0
) -> Cost:
    """`layers` graph convolutions; `edges` counts those of all graphs of a layer together."""
    cost = Cost()
    for _ in range(layers):
        for _ in range(num_graphs):
            cost += _matrix(num_nodes, width, width)
        cost += Cost(multiply_adds=edges * width, kept=kept_a_layer)
    # Between layers: layer normalization with scale and shift, its input; the output of the ReLU.
    between = Cost(parameters=2 * width, kept=2 * num_nodes * width)
    return sum([between] * (layers - 1), cost)


def _matrix(rows: int, inputs: int, outputs: int, bias: bool = False) -> Cost:
    """`rows` vectors times one matrix of weights: a dense layer, or a 1x1x1 convolution."""
    return Cost(
        parameters=inputs * outputs + (outputs if bias else 0),
        multiply_adds=rows * inputs * outputs,
    )


def _convolution_bn(
    channels: int,
    filters: int,
    kernel: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    freeze_batch_norm: bool,
) -> tuple[Cost, tuple[int, ...]]:
    """A symmetrically padded convolution without bias and its batch normalization."""
    outputs = _output_size(size, kernel, stride, [side // 2 for side in kernel])
    cost = _matrix(math.prod(outputs), channels * math.prod(kernel), filters)
    return cost + _batch_norm(filters, outputs, freeze_batch_norm), outputs


def _batch_norm(channels: int, size: Sequence[int], freeze: bool) -> Cost:
    """Frozen it is a fixed line, whose gradient needs no value; trained, it needs its input."""
    return Cost(parameters=4 * channels, kept=0 if freeze else channels * math.prod(size))


def _output_size(
    size: Sequence[int], kernel: Sequence[int], stride: Sequence[int], padding: Sequence[int]
) -> tuple[int, ...]:
    """Sizes after a convolution or pool, symmetrically padded."""
    outputs = tuple(
        (side + 2 * pad - k) // step + 1
        for side, k, step, pad in zip(size, kernel, stride, padding, strict=True)
    )
    if min(outputs) < 1:
        raise ValueError(
            f"a clip of this size leaves nothing for the backbone: {tuple(size)} (frames, height, "
            f"width) before a kernel of {tuple(kernel)} with stride {tuple(stride)}"
        )
    return outputs
