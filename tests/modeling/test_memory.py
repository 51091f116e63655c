"""The memory of a training step: a built network's variables, a traced step, sizes by hand."""

import math

import keras
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf import config as settings
from stgraph_tf.modeling import ResNet3D, build_model, cost, memory
from tests.modeling.three_stages import THREE_STAGES

CLIP = cost.Clip(num_frames=6, height=22, width=26, num_boxes=4)


def _settings(**changes):
    model = settings.default().model
    model.update({"backbone": "tiny_nl", "feature_dim": 8, **changes})
    return model


def _kept_by_tensorflow(backbone: ResNet3D) -> int:
    """Bytes that go from the forward into the backward pass of a traced training step."""

    @tf.function
    def step(frames):
        with tf.GradientTape() as tape:
            # The square stands for whatever comes next: it needs the features back.
            loss = tf.reduce_sum(tf.square(backbone(frames, training=True)))
        with tf.name_scope("backward"):
            return tape.gradient(loss, [v.value for v in backbone.trainable_variables])

    shape = [1, CLIP.num_frames, CLIP.height, CLIP.width, 3]
    graph = step.get_concrete_function(tf.TensorSpec(shape, backbone.compute_dtype)).graph
    # The order in which the operations were made: forward, then backward.
    start = next(i for i, o in enumerate(graph.get_operations()) if "backward" in o.name)
    place = {operation: index for index, operation in enumerate(graph.get_operations())}
    kept = set()
    for operation in _needed_for(graph.outputs):
        if place[operation] >= start:
            kept |= {_renamed(tensor).ref() for tensor in operation.inputs}
    made_of_frames = _made_of(graph.inputs[0])
    return sum(
        math.prod(tensor.shape) * tensor.dtype.size
        for tensor in (reference.deref() for reference in kept)
        if place[tensor.op] < start and tensor.op in made_of_frames and tensor.shape.rank in (3, 5)
    )


def _made_of(frames: tf.Tensor) -> set[tf.Operation]:
    """The operations that compute something from the frames: not from weights alone."""
    made = {frames.op}
    for operation in frames.graph.get_operations():
        if any(tensor.op in made for tensor in operation.inputs):
            made.add(operation)
    return made


def _needed_for(outputs) -> set[tf.Operation]:
    """The operations behind some outputs; of several tensors passed on, the ones in use."""
    seen, waiting = set(), list(outputs)
    while waiting:
        tensor = _renamed(waiting.pop())
        if tensor.op not in seen:
            seen.add(tensor.op)
            waiting += tensor.op.inputs
    return seen


def _renamed(tensor: tf.Tensor) -> tf.Tensor:
    """What a tensor is another name of."""
    while tensor.op.type in ("Reshape", "Identity", "IdentityN"):
        tensor = tensor.op.inputs[tensor.value_index if tensor.op.type == "IdentityN" else 0]
    return tensor


def _traced_backbone(dtype: str = "float32", **changes) -> ResNet3D:
    return ResNet3D(**{**THREE_STAGES, **changes}, dtype=dtype)


def _kept(unit: list[memory.LayerMemory]) -> cost.Cost:
    return sum((layer.kept for layer in unit), cost.Cost())


class TracedStepTest(parameterized.TestCase):
    @parameterized.parameters(
        {"non_local": ((), (0,), (1,))},
        {"stride_on_1x1": True},
        {"freeze_batch_norm": False, "non_local": ((), (), (0,))},
        {"pool1_padded": False, "pool2_size": 2, "dtype": "mixed_bfloat16"},
        {"stem_stride": (2, 2, 2), "pool1_size": (2, 3, 3), "pool1_stride": (2, 2, 2)},
    )
    def test_what_all_layers_keep(self, **changes):
        backbone = _traced_backbone(**changes)
        kept = sum(map(_kept, memory.unit_memory(backbone, CLIP)), cost.Cost())
        value = tf.as_dtype(backbone.compute_dtype).size
        self.assertEqual(kept.activation_bytes(value), _kept_by_tensorflow(backbone))

    def test_rematerialization_keeps_the_units_inputs_and_the_last_unit(self):
        backbone = _traced_backbone(rematerialize=True, temporal_kernels=((3, 1, 1), (1,), (1, 3)))
        units = memory.unit_memory(backbone, CLIP)
        self.assertLen(units, 5)
        kept = sum(unit[0].inputs for unit in units) + _kept(units[-1]).kept
        self.assertEqual(4 * kept, _kept_by_tensorflow(backbone))


class TrainingMemoryTest(parameterized.TestCase):
    @parameterized.product(stage=("backbone", "graph", "joint"), freeze_batch_norm=(True, False))
    def test_weights_and_what_is_made_of_them(self, stage, freeze_batch_norm):
        model_settings = _settings(freeze_batch_norm=freeze_batch_norm)
        if stage == "backbone":
            model = build_model({**model_settings, "graph": "none"}, num_classes=5)
        else:
            model = build_model(model_settings, num_classes=5)
        if stage == "graph":
            model.backbone.trainable = model.reduction.trainable = False
        gradients = 4 * sum(math.prod(v.shape) for v in model.trainable_variables)
        expected = {"weights": 4 * model.count_params(), "gradients": gradients}
        for name in ("sgd", "adamw"):
            optimizer = {
                "sgd": keras.optimizers.SGD(momentum=0.9, use_ema=True),
                "adamw": keras.optimizers.AdamW(use_ema=True),
            }[name]
            optimizer.build(model.trainable_variables)
            # Without the counter of steps and the learning rate.
            states = 4 * sum(math.prod(v.shape) for v in optimizer.variables if len(v.shape))
            used = memory.training_memory(
                model_settings, 5, CLIP, stage=stage, optimizer=name, use_ema=True
            )
            self.assertEqual({key: getattr(used, key) for key in expected}, expected)
            self.assertEqual(used.optimizer_slots + used.average, states)

    def test_microbatches_add_their_gradients_up(self):
        one, four = (
            memory.training_memory(_settings(), 5, CLIP, microbatches=parts) for parts in (1, 4)
        )
        self.assertEqual(four.gradients, 2 * one.gradients)
        self.assertEqual(four.activations, one.activations)

    def test_half_precision(self):
        whole, half = (
            memory.training_memory(_settings(graph="none", precision=precision), 5, CLIP)
            for precision in ("float32", "mixed_float16")
        )
        self.assertEqual(half.weights, whole.weights)
        self.assertEqual(half.cast_weights, whole.gradients // 2)
        self.assertLess(half.activations, 0.6 * whole.activations)

    def test_a_total_is_the_weights_share_and_the_clips(self):
        used = memory.TrainingMemory(1, 2, 4, 8, 16, activations=100)
        self.assertEqual(used.total(3), 31 + 300)

    def test_the_fixed_backbone_of_r50_needs_its_largest_pooling(self):
        used = memory.training_memory(
            settings.default().model, 157, cost.Clip(32, 224, 224, 50), stage="graph"
        )
        # pool1: conv1's output, that with one more row on each side, and what comes out.
        values = 64 * 32 * (112**2 + 114**2 + 56**2)
        # pool2: res2's output, that with one more frame on each side, and what comes out.
        values = max(values, 256 * 56**2 * (32 + 34 + 16))
        self.assertEqual(used.activations, 4 * values)

    def test_rematerialization_halves_the_activations_at_full_size(self):
        for name, size in (("r50", (32, 224, 224)), ("r101_nl", (128, 288, 288))):
            plain, again = (
                memory.training_memory(
                    _settings(backbone=name, feature_dim=512, rematerialize=flag),
                    157,
                    cost.Clip(*size, num_boxes=50),
                )
                for flag in (False, True)
            )
            self.assertLess(again.activations, 0.5 * plain.activations)
            self.assertEqual(again.gradients, plain.gradients)


if __name__ == "__main__":
    absltest.main()
