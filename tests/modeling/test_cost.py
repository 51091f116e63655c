"""The cost of a network against Table 1 by hand, TensorFlow's own counter, and a traced step."""

import math

import tensorflow as tf
from absl.testing import absltest, parameterized
from tensorflow.python.framework import ops

from stgraph_tf import config as settings
from stgraph_tf.modeling import BACKBONES, ResNet3D, build_model, cost, gcn, graphs
from tests.modeling.three_stages import THREE_STAGES

R50_CLIP = cost.Clip(num_frames=32, height=224, width=224, num_boxes=50)
R101_CLIP = cost.Clip(num_frames=128, height=288, width=288, num_boxes=50)
SMALL_CLIP = cost.Clip(num_frames=6, height=19, width=22, num_boxes=4)

_PRODUCTS = ("Conv3D", "MatMul", "BatchMatMulV2")


def _settings(backbone: str, graph: str = "none", **changes):
    model = settings.default().model
    model.update({"backbone": backbone, "graph": graph, "feature_dim": 8, **changes})
    return model


def _giga(parts, *names) -> float:
    return sum(part.multiply_adds for name, part in parts.items() if name in names) / 1e9


def _inputs(clip: cost.Clip, feature_frames: int) -> dict[str, tf.TensorSpec]:
    return {
        "frames": tf.TensorSpec([1, clip.num_frames, clip.height, clip.width, 3]),
        "boxes": tf.TensorSpec([1, feature_frames, clip.num_boxes, 4]),
        "mask": tf.TensorSpec([1, feature_frames, clip.num_boxes], tf.bool),
    }


def _counted_by_tensorflow(function, *specs) -> int:
    """Multiply-adds of the products in a traced function; TensorFlow counts two flops for each."""
    graph = tf.function(function).get_concrete_function(*specs).graph
    return sum(
        ops.get_stats_for_node_def(graph, operation.node_def, "flops").value // 2
        for operation in graph.get_operations()
        if operation.type in _PRODUCTS
    )


def _kept_by_tensorflow(forward, variables, *specs: tf.TensorSpec) -> int:
    """Values that go from the forward into the backward pass of a traced training step."""

    @tf.function
    def step(*inputs):
        with tf.GradientTape() as tape:
            tape.watch([tensor for tensor in inputs if tensor.dtype.is_floating])
            loss = tf.reduce_sum(forward(*inputs))
        with tf.name_scope("backward"):
            return tape.gradient(loss, [inputs[0], *variables()])

    graph = step.get_concrete_function(*specs).graph
    # The order in which the operations were made: forward, then backward.
    operations = graph.get_operations()
    start = next(place for place, made in enumerate(operations) if "backward" in made.name)
    forward_pass, needed = set(operations[:start]), _needed_for(graph.outputs)
    kept = {
        _uncopied(tensor).ref()
        for operation in operations[start:]
        if operation in needed
        for tensor in operation.inputs
    }
    made_of_inputs = _made_of(graph.inputs[: len(specs)])
    return sum(
        math.prod(tensor.shape)
        for tensor in (reference.deref() for reference in kept)
        if tensor.op in forward_pass & made_of_inputs and _is_activation(tensor)
    )


def _made_of(inputs: list[tf.Tensor]) -> set[tf.Operation]:
    """The operations that compute something from the inputs: not from weights alone."""
    made = {tensor.op for tensor in inputs}
    for operation in inputs[0].graph.get_operations():
        if any(tensor.op in made for tensor in operation.inputs):
            made.add(operation)
    return made


def _is_activation(tensor: tf.Tensor) -> bool:
    return (
        tensor.dtype == tf.float32
        # What a kernel reserves for itself has no known rank.
        and tensor.shape.rank is not None
        and (tensor.shape.rank >= 3 or tensor.op.type == "MatMul")
        # The mask as numbers, and what layer normalization makes of its input.
        and tensor.op.type != "Cast"
        and "/norm_" not in tensor.op.name
    )


def _needed_for(outputs) -> set[tf.Operation]:
    seen, waiting = set(), [tensor.op for tensor in outputs]
    while waiting:
        operation = waiting.pop()
        if operation not in seen:
            seen.add(operation)
            waiting += [tensor.op for tensor in operation.inputs]
    return seen


def _uncopied(tensor: tf.Tensor) -> tf.Tensor:
    """What a tensor is a padded, reshaped or renamed copy of."""
    while tensor.op.type in ("PadV2", "Reshape", "Identity", "IdentityN"):
        tensor = tensor.op.inputs[tensor.value_index if tensor.op.type == "IdentityN" else 0]
    return tensor


class PapersNumbersTest(parameterized.TestCase):
    def test_r50_by_hand_from_table_1(self):
        # Positions of the feature maps, and each stage's multiply-adds at one of them.
        conv1, res2 = 32 * 112 * 112, 32 * 56 * 56
        res3_in, res3, res4_in, res4 = 16 * 56 * 56, 16 * 28 * 28, 16 * 28 * 28, 16 * 14 * 14
        expected = {
            "stem": conv1 * 5 * 7 * 7 * 3 * 64,
            "res2": res2
            * (
                (3 * 64 * 64 + 2 * 3 * 256 * 64)  # 3x1x1, after 64, 256 and 256 channels
                + 3 * (9 * 64 * 64 + 64 * 256)
                + 64 * 256  # shortcut
            ),
            "res3": res3_in * 3 * 256 * 128
            + res3 * ((1 + 3 + 1) * 512 * 128 + 4 * (9 * 128 * 128 + 128 * 512) + 256 * 512),
            "res4": res4_in * 3 * 512 * 256
            + res4
            * ((1 + 3 + 1 + 3 + 1) * 1024 * 256 + 6 * (9 * 256 * 256 + 256 * 1024) + 512 * 1024),
            "res5": res4
            * (
                (1 * 1024 * 512 + (3 + 1) * 2048 * 512)
                + 3 * (9 * 512 * 512 + 512 * 2048)
                + 1024 * 2048
            ),
        }
        parts, features = cost.backbone_cost(ResNet3D(**BACKBONES["r50"]), R50_CLIP)
        self.assertEqual({name: part.multiply_adds for name, part in parts.items()}, expected)
        self.assertEqual(features, (16, 14, 14, 2048))

    def test_i3d_costs_153_g_and_the_joint_gcn_under_4_g_beside_it(self):
        parts = cost.network_cost(settings.default().model, 157, R50_CLIP)
        stages = ("stem", "res2", "res3", "res4", "res5")
        self.assertAlmostEqual(_giga(parts, *stages), 153, delta=1)
        gcn = [name for name in parts if "graph" in name or "branch" in name]
        self.assertLen(gcn, 4)
        # 800 nodes of 512: query, key and affinities; then three layers of G X W for the
        # similarity graph, and of two graphs of 15 blocks of 50 x 50.
        similarity = 2 * 800 * 512**2 + 800**2 * 512 + 3 * (800 * 512**2 + 800**2 * 512)
        spatial_temporal = 3 * 2 * (800 * 512**2 + 15 * 50**2 * 512)
        self.assertEqual(_giga(parts, *gcn), (similarity + spatial_temporal) / 1e9)
        self.assertLess(_giga(parts, *gcn), 4)
        # 4 corners for each of 14 x 14 samples a box; the 7 x 7 bins are kept for their maximum.
        self.assertEqual(parts["RoIAlign"].multiply_adds, 800 * 14 * 14 * 512 * 4)
        self.assertEqual(parts["RoIAlign"].kept_float32, 800 * 7 * 7 * 512)

    def test_r101_costs_about_three_times_as_much(self):
        r50 = cost.total(cost.backbone_cost(ResNet3D(**BACKBONES["r50"]), R50_CLIP)[0])
        r101 = cost.total(cost.backbone_cost(ResNet3D(**BACKBONES["r101"]), R101_CLIP)[0])
        self.assertAlmostEqual(r101.multiply_adds / r50.multiply_adds, 3, delta=0.5)


class TracedNetworkTest(parameterized.TestCase):
    @parameterized.parameters(
        ("tiny", "none"),
        ("tiny", "avgpool"),
        ("tiny", "spatial_temporal"),
        ("tiny", "similarity"),
        ("tiny", "joint"),
        ("tiny_nl", "joint"),
        # Settings of pretrained weights.
        ("r50", "joint", {"pool1_padded": False, "pool2_size": 2, "stride_on_1x1": True}),
    )
    def test_parameters_and_multiply_adds_of_the_whole_network(self, backbone, graph, changes=None):
        model_settings = _settings(backbone, graph, **(changes or {}))
        model = build_model(model_settings, num_classes=5)
        parts = cost.network_cost(model_settings, 5, SMALL_CLIP)
        self.assertEqual(cost.total(parts).parameters, model.count_params())
        # RoIAlign samples in a loop, without a product that TensorFlow would count.
        products = cost.total(parts).multiply_adds
        products -= parts.get("RoIAlign", cost.Cost()).multiply_adds
        counted = _counted_by_tensorflow(model.__call__, _inputs(SMALL_CLIP, feature_frames=3))
        self.assertEqual(products, counted)

    @parameterized.parameters(
        {"stride_on_1x1": True},
        {"pool1_padded": False, "pool2_size": 2},
        {"stem_stride": (2, 2, 2), "pool1_size": (2, 3, 3), "pool1_stride": (2, 2, 2)},
        {"non_local": ((0,), (), (0, 1))},
    )
    def test_multiply_adds_of_other_backbones(self, **changes):
        backbone = ResNet3D(**{**THREE_STAGES, **changes})
        clip = cost.Clip(num_frames=9, height=33, width=38, num_boxes=0)
        parts, features = cost.backbone_cost(backbone, clip)
        shape = (1, clip.num_frames, clip.height, clip.width, 3)
        self.assertEqual(features, backbone.compute_output_shape(shape)[1:])
        counted = _counted_by_tensorflow(backbone.__call__, tf.TensorSpec(shape))
        self.assertEqual(cost.total(parts).multiply_adds, counted)

    def test_the_largest_at_full_size(self):
        backbone = ResNet3D(**BACKBONES["r101_nl"])
        parts, features = cost.backbone_cost(backbone, R101_CLIP)
        shape = (1, 128, 288, 288, 3)
        self.assertEqual(features, (16, 18, 18, 2048))
        counted = _counted_by_tensorflow(backbone.__call__, tf.TensorSpec(shape))
        self.assertEqual(cost.total(parts).multiply_adds, counted)
        self.assertEqual(cost.total(parts).parameters, backbone.count_params())

    @parameterized.product(freeze_batch_norm=(True, False), stride_on_1x1=(True, False))
    def test_activations_are_what_a_traced_training_step_keeps(self, **changes):
        backbone = ResNet3D(**THREE_STAGES, non_local=((), (), (1,)), **changes)
        parts, _ = cost.backbone_cost(backbone, SMALL_CLIP)
        kept = _kept_by_tensorflow(
            # The square stands for whatever comes next: it needs the features back.
            lambda frames: tf.square(backbone(frames, training=True)),
            lambda: backbone.trainable_variables,
            tf.TensorSpec([1, SMALL_CLIP.num_frames, SMALL_CLIP.height, SMALL_CLIP.width, 3]),
        )
        self.assertEqual(cost.total(parts).kept + cost.total(parts).kept_float32, kept)

    def test_activations_of_the_similarity_graph_and_branch(self):
        graph, branch = graphs.SimilarityGraph(), gcn.SimilarityBranch(num_layers=3)
        kept = _kept_by_tensorflow(
            lambda nodes, valid: branch(nodes, graph(nodes, valid)),
            lambda: graph.trainable_variables + branch.trainable_variables,
            tf.TensorSpec([1, 12, 8]),
            tf.TensorSpec([1, 12], tf.bool),
        )
        parts = cost.network_cost(_settings("tiny", "similarity"), 5, SMALL_CLIP)
        counted = parts["similarity graph"] + parts["similarity branch"]
        nodes = parts["RoIAlign"].kept
        self.assertEqual(nodes, 12 * 8)
        self.assertEqual(nodes + counted.kept + counted.kept_float32, kept)

    def test_activations_of_the_spatial_temporal_graph_and_branch(self):
        branch = gcn.SpatialTemporalBranch(num_layers=3)
        kept = _kept_by_tensorflow(
            lambda nodes, boxes, mask: branch(
                nodes, *graphs.spatial_temporal_graphs(tf.stop_gradient(boxes), mask)
            ),
            lambda: branch.trainable_variables,
            tf.TensorSpec([1, 3, 4, 8]),
            tf.TensorSpec([1, 3, 4, 4]),
            tf.TensorSpec([1, 3, 4], tf.bool),
        )
        parts = cost.network_cost(_settings("tiny", "spatial_temporal"), 5, SMALL_CLIP)
        counted = parts["spatial-temporal graph"] + parts["spatial-temporal branch"]
        self.assertEqual(parts["RoIAlign"].kept + counted.kept, kept)


class ActivationsTest(absltest.TestCase):
    def test_half_precision_halves_all_but_what_stays_in_float32(self):
        part = cost.Cost(kept=10, kept_float32=3)
        self.assertEqual(part.activation_bytes(4), 52)
        self.assertEqual(part.activation_bytes(2), 32)


class MistakesTest(absltest.TestCase):
    def test_unknown_backbone(self):
        with self.assertRaisesRegex(ValueError, "must be one of .*r101.*; it is 'r18'"):
            cost.network_cost(_settings("r18"), 5, SMALL_CLIP)

    def test_clip_too_small(self):
        clip = cost.Clip(num_frames=2, height=224, width=224, num_boxes=1)
        with self.assertRaisesRegex(ValueError, r"\(1, 112, 112\).* kernel of \(2, 3, 3\)"):
            cost.network_cost(_settings("r101"), 5, clip)


if __name__ == "__main__":
    absltest.main()
