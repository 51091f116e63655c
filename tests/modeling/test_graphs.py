"""Both graphs against their equations in NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import graphs


def _boxes(random: np.random.Generator, *shape: int) -> np.ndarray:
    corners = np.sort(random.uniform(size=[*shape, 2, 2]), axis=-2)
    return corners.reshape([*shape, 4]).astype(np.float32)


def _iou(a: np.ndarray, b: np.ndarray) -> float:
    height = min(a[2], b[2]) - max(a[0], b[0])
    width = min(a[3], b[3]) - max(a[1], b[1])
    intersection = max(height, 0) * max(width, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - intersection
    return intersection / union if union > 0 else 0.0


def _reference_graph(boxes: np.ndarray, mask: np.ndarray, step: int) -> np.ndarray:
    """`[N, N]` of one clip by equation 3: edges from frame t to t + step."""
    frames, num_boxes = mask.shape
    graph = np.zeros([frames, num_boxes, frames, num_boxes])
    for t in range(frames):
        if not 0 <= t + step < frames:
            continue
        for i in range(num_boxes):
            for j in range(num_boxes):
                if mask[t, i] and mask[t + step, j]:
                    graph[t, i, t + step, j] = _iou(boxes[t, i], boxes[t + step, j])
    graph = graph.reshape([frames * num_boxes] * 2)
    total = graph.sum(axis=1, keepdims=True)
    return np.divide(graph, total, out=np.zeros_like(graph), where=total > 0)


class IntersectionOverUnionTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("same", [0, 0, 1, 1], [0, 0, 1, 1], 1.0),
        ("half", [0, 0, 1, 1], [0, 0, 0.5, 1], 0.5),
        ("quarter_shifted", [0, 0, 0.5, 0.5], [0.25, 0.25, 0.75, 0.75], 1 / 7),
        ("touching", [0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], 0.0),
        ("apart", [0, 0, 0.1, 0.1], [0.5, 0.5, 1, 1], 0.0),
        ("empty", [0, 0, 0, 0], [0, 0, 0, 0], 0.0),
    )
    def test_by_hand(self, first, second, expected):
        iou = graphs.intersection_over_union(tf.constant([first], tf.float32), [second])
        self.assertAlmostEqual(float(iou[0, 0]), expected, places=6)


class SpatialTemporalGraphsTest(parameterized.TestCase):
    @parameterized.parameters((4, 3), (2, 1), (5, 6))
    def test_dense_view_equals_equation_3(self, frames, num_boxes):
        random = np.random.default_rng(0)
        boxes = _boxes(random, 2, frames, num_boxes)
        mask = random.uniform(size=[2, frames, num_boxes]) < 0.8
        front, back = graphs.dense(graphs.spatial_temporal_graphs(boxes, mask))
        for clip in range(2):
            np.testing.assert_allclose(
                front[clip], _reference_graph(boxes[clip], mask[clip], step=1), atol=1e-6
            )
            np.testing.assert_allclose(
                back[clip], _reference_graph(boxes[clip], mask[clip], step=-1), atol=1e-6
            )

    def test_block_products_equal_dense_products(self):
        random = np.random.default_rng(1)
        boxes = _boxes(random, 2, 5, 4)
        blocks = graphs.spatial_temporal_graphs(boxes, np.ones([2, 5, 4], bool))
        nodes = random.normal(size=[2, 5, 4, 3]).astype(np.float32)
        whole = graphs.dense(blocks)
        for product, dense in (
            (graphs.front_matmul(blocks.front, nodes), whole.front),
            (graphs.back_matmul(blocks.back, nodes), whole.back),
        ):
            expected = dense.numpy() @ nodes.reshape([2, 20, 3])
            np.testing.assert_allclose(product, expected.reshape([2, 5, 4, 3]), atol=1e-5)

    def test_rows_without_overlap_stay_zero(self):
        boxes = np.array([[[[0, 0, 0.2, 0.2]], [[0.5, 0.5, 1, 1]]]], np.float32)
        blocks = graphs.spatial_temporal_graphs(boxes, np.ones([1, 2, 1], bool))
        np.testing.assert_array_equal(blocks.front, np.zeros([1, 1, 1, 1]))
        np.testing.assert_array_equal(blocks.back, np.zeros([1, 1, 1, 1]))

    def test_a_single_feature_frame_has_no_edges(self):
        random = np.random.default_rng(2)
        blocks = graphs.spatial_temporal_graphs(_boxes(random, 1, 1, 3), np.ones([1, 1, 3], bool))
        self.assertEqual(blocks.front.shape, [1, 0, 3, 3])
        nodes = random.normal(size=[1, 1, 3, 2]).astype(np.float32)
        np.testing.assert_array_equal(
            graphs.front_matmul(blocks.front, nodes), np.zeros_like(nodes)
        )
        np.testing.assert_array_equal(graphs.back_matmul(blocks.back, nodes), np.zeros_like(nodes))


class SimilarityGraphTest(parameterized.TestCase):
    def _reference(self, layer, nodes, valid):
        affinity = (nodes @ layer.query.kernel.numpy()) @ (nodes @ layer.key.kernel.numpy()).T
        graph = np.zeros_like(affinity)
        for row in np.flatnonzero(valid):
            weights = np.exp(affinity[row, valid] - affinity[row, valid].max())
            graph[row, valid] = weights / weights.sum()
        return graph

    def test_equals_equations_1_and_2_over_the_valid_nodes(self):
        random = np.random.default_rng(0)
        nodes = random.normal(size=[3, 10, 8]).astype(np.float32)
        valid = random.uniform(size=[3, 10]) < 0.7
        valid[2] = False  # A clip without any box.
        layer = graphs.SimilarityGraph()
        graph = layer(nodes, valid)
        for clip in range(3):
            np.testing.assert_allclose(
                graph[clip], self._reference(layer, nodes[clip], valid[clip]), atol=1e-6
            )

    def test_softmax_is_float32_under_mixed_precision(self):
        random = np.random.default_rng(1)
        nodes = random.normal(size=[1, 800, 16]).astype(np.float32)
        layer = graphs.SimilarityGraph(dtype="mixed_bfloat16")
        graph = layer(nodes, np.ones([1, 800], bool))
        self.assertEqual(graph.dtype, tf.float32)
        # In bfloat16 the sum of 800 weights near 1/800 would be off by percents.
        np.testing.assert_allclose(tf.reduce_sum(graph, axis=-1), np.ones([1, 800]), atol=1e-5)

    def test_affinities_are_float32_under_mixed_precision(self):
        random = np.random.default_rng(2)
        # Nodes that bfloat16 holds exactly, and affinities of tens.
        nodes = random.integers(-8, 9, size=[1, 12, 16]).astype(np.float32)
        valid = np.ones([1, 12], bool)
        layer = graphs.SimilarityGraph(dtype="mixed_bfloat16")
        graph = layer(nodes, valid)
        affinity = (nodes[0] @ layer.query.kernel.numpy()) @ (nodes[0] @ layer.key.kernel.numpy()).T
        self.assertGreater(np.abs(affinity).max(), 20)
        np.testing.assert_allclose(graph[0], self._reference(layer, nodes[0], valid[0]), atol=1e-5)

    def test_large_affinities_do_not_overflow(self):
        nodes = np.full([1, 4, 8], 1e4, np.float32)
        graph = graphs.SimilarityGraph()(nodes, np.array([[True, True, True, False]]))
        np.testing.assert_allclose(graph[0, 0], [1 / 3, 1 / 3, 1 / 3, 0], atol=1e-6)


if __name__ == "__main__":
    absltest.main()
