"""What memory a training step takes on each device, by kind, without running it.

Everything follows from the constructors' numbers and the size of a clip, as in `cost`.

The largest part are the activations: what the forward pass keeps for the backward pass, and the
gradients of those on their way through one layer. The backward pass gives back layer by layer what
was kept, so its most costly moment counts. With `rematerialize` the forward pass keeps the inputs
of the backbone's units (`ResNet3D.units`), and the activations of the last one and of what comes
behind it; the backward pass fills one unit after the other again and drops it. A stage that keeps
the backbone fixed keeps nothing of it; the largest layer of its forward pass counts.

What is not counted: what kernels take for themselves while they run, and TensorFlow itself.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import keras

from stgraph_tf.modeling import cost
from stgraph_tf.modeling.builder import build_backbone
from stgraph_tf.modeling.non_local import NonLocalBlock
from stgraph_tf.modeling.residual_blocks import Bottleneck, strided_shape
from stgraph_tf.modeling.resnet3d import ResNet3D

Shape = tuple[int, ...]

# Copies of every trained weight that an optimizer keeps.
OPTIMIZER_SLOTS = {"sgd": 1, "adamw": 2}

# How the names of the parts begin that make the features; the `graph` stage keeps them as they are.
_FIXED = ("stem", "res", "non-local", "reduction")


@dataclasses.dataclass(frozen=True)
class TrainingMemory:
    """What one device holds while it trains, in bytes.

    Attributes:
        weights: all of them in float32, frozen ones included.
        cast_weights: their copies from the forward to the backward pass: in half precision, or
            those of the backbone scaled by frozen batch normalization, which rematerialization
            makes anew.
        gradients: of the trained weights; twice with microbatches, which add them up.
        optimizer_slots: momentum, or the two moments of AdamW.
        average: the exponential moving average of the trained weights.
        activations: for each clip that the device works through at once.
    """

    weights: int
    cast_weights: int
    gradients: int
    optimizer_slots: int
    average: int
    activations: int

    def total(self, clips: int) -> int:
        """Bytes for that many clips at once."""
        fixed = self.weights + self.cast_weights + self.gradients
        return fixed + self.optimizer_slots + self.average + clips * self.activations


def training_memory(
    settings: Mapping[str, Any],
    num_classes: int,
    clip: cost.Clip,
    *,
    stage: str = "joint",
    optimizer: str = "sgd",
    use_ema: bool = False,
    microbatches: int = 1,
) -> TrainingMemory:
    """The memory of a step of one of the paper's stages.

    Args:
        settings: the `model` part of a config, see `stgraph_tf.config`.
        num_classes: classes to score.
        clip: the size of a clip.
        stage: "backbone", which trains the network without a graph; "graph", which keeps the
            backbone and the reduction fixed; or "joint".
        optimizer: of `OPTIMIZER_SLOTS`.
        use_ema: whether an average of the weights is kept.
        microbatches: parts that a batch is worked through in.

    Raises:
        ValueError: when there is no such backbone, or the clip is too small for it.
    """
    if stage == "backbone":
        settings = {**settings, "graph": "none"}
    backbone = build_backbone(settings)
    parts = cost.network_cost(settings, num_classes, clip)
    learning = {
        name: part
        for name, part in parts.items()
        if stage != "graph" or not name.startswith(_FIXED)
    }
    trained = 4 * cost.total(learning).parameters
    if stage != "graph":
        trained -= 4 * _fixed_parameters(backbone)
    value = 4 if settings["precision"] == "float32" else 2
    scaled = 0
    if backbone.freeze_batch_norm and stage != "graph" and not backbone.rematerialize:
        convolutions = {k: part for k, part in parts.items() if k.startswith(("stem", "res"))}
        scaled = 4 * (cost.total(convolutions).parameters - _fixed_parameters(backbone))
    return TrainingMemory(
        weights=4 * cost.total(parts).parameters,
        cast_weights=scaled if value == 4 else trained // 2,
        gradients=trained * (2 if microbatches > 1 else 1),
        optimizer_slots=trained * OPTIMIZER_SLOTS[optimizer],
        average=trained if use_ema else 0,
        activations=_activations(backbone, parts, clip, stage, value),
    )


def _activations(
    backbone: ResNet3D, parts: Mapping[str, cost.Cost], clip: cost.Clip, stage: str, value: int
) -> int:
    """Bytes for one clip; `value` is the size of a number in the precision of the network."""
    units = unit_memory(backbone, clip)
    behind = cost.total({k: part for k, part in parts.items() if not k.startswith(_FIXED)})
    bins = parts["RoIAlign"].kept_float32 if "RoIAlign" in parts else 0
    if stage == "graph":
        # No gradient passes through RoIAlign: its bins are not kept, its nodes are.
        kept = dataclasses.replace(behind, kept_float32=behind.kept_float32 - bins)
        largest = max(layer.moving for unit in units for layer in unit)
        return max(kept.activation_bytes(value), value * largest)
    most, before = 0, cost.Cost()
    for unit in units:
        if backbone.rematerialize:
            before += cost.Cost(kept=unit[0].inputs)
        kept = before
        for layer in unit:
            kept += layer.kept
            most = max(most, kept.activation_bytes(value) + value * layer.moving)
        if unit is units[-1] or not backbone.rematerialize:
            before = kept
    return max(most, (before + behind).activation_bytes(value) + 4 * bins)


class LayerMemory(NamedTuple):
    """Values of one clip that a layer of the backbone holds, with the pooling behind it.

    Attributes:
        inputs: of the layer.
        kept: for the backward pass; the outputs, the input only where it was padded.
        moving: the gradients on their way through the layer, or what a forward pass alone holds
            while the layer runs.
    """

    inputs: int
    kept: cost.Cost
    moving: int


def unit_memory(backbone: ResNet3D, clip: cost.Clip) -> list[list[LayerMemory]]:
    """What each layer of `ResNet3D.units` holds.

    Args:
        backbone: the network, which need not be built yet.
        clip: the size of its input.
    """
    shapes = backbone.shapes((1, clip.num_frames, clip.height, clip.width, 3))
    before = cast(Iterator[Shape], iter(shapes))
    return [
        [_layer_memory(layer, next(before), backbone.pool_behind(layer)) for layer in unit]
        for unit in backbone.units()
    ]


def _layer_memory(
    layer: keras.layers.Layer, before: Shape, pool: tuple[Sequence[int], ...]
) -> LayerMemory:
    """Of a layer whose input has the shape `before`, and a pooling behind it."""
    shape = layer.compute_output_shape(before)
    inputs, outputs = math.prod(before), math.prod(shape)
    moving = inputs + outputs
    if isinstance(layer, Bottleneck):
        kept = cost.Cost(kept=_kept_by_bottleneck(layer, before, shape))
        # The shortcut's waits while that of the narrow convolutions is computed.
        moving = max(moving, 2 * outputs + layer.width * math.prod(shape[:-1]))
    elif isinstance(layer, NonLocalBlock):
        kept = _kept_by_non_local(layer, before)
        moving += kept.kept_float32
    else:
        trained = 0 if layer.freeze_batch_norm else outputs
        kept = cost.Cost(kept=_padded(before, layer.padding) + outputs + trained)
    size, stride, padding = pool
    if max(*size, *stride) > 1:
        copy = _padded(shape, padding) if any(padding) else 0
        pooled = math.prod(cast(Shape, strided_shape(shape, *pool)))
        kept += cost.Cost(kept=copy + pooled)
        moving = max(moving, outputs + copy + pooled)
    return LayerMemory(inputs, kept, moving)


def _kept_by_bottleneck(block: Bottleneck, before: Shape, shape: Shape) -> int:
    """The outputs of its three ReLUs; unfrozen batch normalization needs its inputs as well."""
    # The first has the input's size unless the stride comes before it.
    inner = (*(shape if block.stride_on_1x1 else before)[:-1], block.width)
    narrow, outputs = math.prod(shape[:-1]) * block.width, math.prod(shape)
    kept = math.prod(inner) + narrow + outputs
    shortcut = block.spatial_stride != 1 or before[-1] != shape[-1]
    if not block.freeze_batch_norm:
        kept *= 2
        kept += outputs if shortcut else 0
    if block.spatial_stride != 1 and not block.stride_on_1x1:
        kept += _padded(inner, (0, 1, 1))
    return kept


def _kept_by_non_local(block: NonLocalBlock, shape: Shape) -> cost.Cost:
    _, time, height, width, channels = shape
    keys, queries = time * (height // 2) * (width // 2), time * height * width
    # The pooled input; phi and g; theta and what attention gives; the output.
    kept = keys * channels + (2 * keys + 2 * queries) * (channels // 2) + queries * channels
    if not block.freeze_batch_norm:
        kept += queries * channels
    return cost.Cost(kept=kept, kept_float32=queries * keys)


def _padded(shape: Shape, padding: Sequence[int] | None) -> int:
    """Values of a tensor of that shape with `padding` on both sides of time, height and width."""
    sides = [side + 2 * pad for side, pad in zip(shape[1:-1], padding or (0, 0, 0), strict=True)]
    return shape[-1] * math.prod(sides)


def _fixed_parameters(backbone: ResNet3D) -> int:
    """The weights of batch normalization that no gradient moves."""
    channels, inputs = backbone.stem_width, backbone.stem_width
    for stage in backbone.stages():
        for layer in stage:
            if isinstance(layer, NonLocalBlock):
                channels += inputs
                continue
            outputs = layer.width * layer.expansion
            shortcut = layer.spatial_stride != 1 or inputs != outputs
            channels += 2 * layer.width + outputs * (2 if shortcut else 1)
            inputs = outputs
    return channels * (4 if backbone.freeze_batch_norm else 2)
