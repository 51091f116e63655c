"""The GCN branches against equations 4 and 5 in NumPy, with dense matrices."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import gcn, graphs


def _layer_norm_relu(x: np.ndarray) -> np.ndarray:
    normalized = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return np.maximum(normalized, 0)


def _randomize(layer, seed: int) -> None:
    """Gives the convolutions random weights, the zero-initialized last one too."""
    random = np.random.default_rng(seed)
    for index in range(layer.num_layers):
        for convolution in layer.convolutions(index):
            convolution.kernel.assign(random.normal(size=convolution.kernel.shape))


def _kernels(layer) -> list[list[np.ndarray]]:
    return [
        [convolution.kernel.numpy() for convolution in layer.convolutions(index)]
        for index in range(layer.num_layers)
    ]


def _reference(nodes, dense_graphs, kernels) -> np.ndarray:
    """Equation 5, layer by layer; `kernels[l][i]` belongs to layer l and graph i."""
    for index, layer in enumerate(kernels):
        nodes = sum(graph @ nodes @ w for graph, w in zip(dense_graphs, layer, strict=True))
        if index < len(kernels) - 1:
            nodes = _layer_norm_relu(nodes)
    return nodes


class SimilarityBranchTest(parameterized.TestCase):
    @parameterized.parameters(1, 2, 3)
    def test_equals_equation_4(self, num_layers):
        random = np.random.default_rng(0)
        nodes = random.normal(size=[2, 6, 5]).astype(np.float32)
        graph = random.dirichlet(np.ones(6), size=[2, 6]).astype(np.float32)
        branch = gcn.SimilarityBranch(num_layers)
        branch.build(nodes.shape)
        _randomize(branch, seed=1)
        output = branch(nodes, graph)
        for clip in range(2):
            expected = _reference(nodes[clip], [graph[clip]], _kernels(branch))
            np.testing.assert_allclose(output[clip], expected, rtol=1e-3, atol=1e-4)


class SpatialTemporalBranchTest(absltest.TestCase):
    def test_equals_equation_5_with_dense_graphs(self):
        random = np.random.default_rng(0)
        corners = np.sort(random.uniform(size=[2, 4, 3, 2, 2]), axis=-2)
        boxes = corners.reshape([2, 4, 3, 4]).astype(np.float32)
        blocks = graphs.spatial_temporal_graphs(boxes, np.ones([2, 4, 3], bool))
        front, back = (graph.numpy() for graph in graphs.dense(blocks))
        nodes = random.normal(size=[2, 4, 3, 5]).astype(np.float32)
        branch = gcn.SpatialTemporalBranch(3)
        branch.build(nodes.shape)
        _randomize(branch, seed=1)
        self.assertEqual([layer.name for layer in branch.convolutions(0)], ["front_0", "back_0"])
        output = branch(nodes, *blocks).numpy().reshape([2, 12, 5])
        for clip in range(2):
            expected = _reference(
                nodes[clip].reshape([12, 5]), [front[clip], back[clip]], _kernels(branch)
            )
            np.testing.assert_allclose(output[clip], expected, rtol=1e-3, atol=1e-4)


class LastLayerTest(absltest.TestCase):
    def test_starts_at_zero_and_still_learns(self):
        random = np.random.default_rng(0)
        nodes = random.normal(size=[1, 6, 5]).astype(np.float32)
        graph = random.dirichlet(np.ones(6), size=[1, 6]).astype(np.float32)
        branch = gcn.SimilarityBranch(3)
        with tf.GradientTape() as tape:
            output = branch(nodes, graph)
            loss = tf.reduce_sum(output * random.normal(size=output.shape).astype(np.float32))
        np.testing.assert_array_equal(output, np.zeros([1, 6, 5]))
        gradient = tape.gradient(loss, branch.convolutions(2)[0].kernel)
        self.assertGreater(float(tf.reduce_max(tf.abs(gradient))), 1e-3)

    def test_refuses_no_layers(self):
        with self.assertRaisesRegex(ValueError, "num_layers=0"):
            gcn.SimilarityBranch(0)


if __name__ == "__main__":
    absltest.main()
