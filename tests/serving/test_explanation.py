"""The signature `explain`, against the paper's formulas in NumPy."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.serving import explanation
from tests.serving.exported import BOX_STRIDE, NUM_FRAMES, ExportedTestCase, request

NUM_FEATURE_FRAMES = NUM_FRAMES // BOX_STRIDE


def similarity(nodes, valid, query, key):
    """Equations 1 and 2: nodes `[N, d]`, valid `[N]`; rows and columns of padding are zero."""
    affinity = (nodes @ query) @ (nodes @ key).T
    exponentials = np.exp(affinity - affinity[:, valid].max(axis=1, keepdims=True)) * valid
    return exponentials / exponentials.sum(axis=1, keepdims=True) * valid[:, np.newaxis]


def overlap(box, other):
    """Intersection over union of two boxes."""
    sides = np.minimum(box[2:], other[2:]) - np.maximum(box[:2], other[:2])
    shared = np.prod(np.maximum(sides, 0))
    areas = [np.prod(b[2:] - b[:2]) for b in (box, other)]
    return shared / (sum(areas) - shared) if shared else 0.0


def normalized(rows):
    totals = rows.sum(axis=1, keepdims=True)
    return np.divide(rows, totals, out=np.zeros_like(rows), where=totals > 0)


class ExplainTest(ExportedTestCase):
    def explained(self, num_boxes, padded):
        """A request in which one clip has padded boxes, what it comes to, and which boxes count."""
        frames, boxes = request(num_boxes=num_boxes)
        boxes[1, 0, :padded] = 0
        boxes[0, 1, 0] += 0.5  # Reaches out of the frame.
        outputs = self.outputs("explain", frames=frames, boxes=boxes)
        cut = np.clip(boxes, 0, 1)
        valid = (cut[..., 2:] > cut[..., :2]).all(axis=-1)
        self.assertEqual(np.count_nonzero(~valid[1]), padded)
        return frames, np.where(valid[..., np.newaxis], cut, 0), valid, outputs

    @parameterized.parameters((7, 5), (3, 2))
    def test_the_strongest_neighbours_are_those_of_the_formula(self, num_boxes, padded):
        frames, boxes, valid, outputs = self.explained(num_boxes, padded)
        features = self.model.extract_features(tf.constant(frames))
        nodes = self.model.roi_align(features, tf.constant(boxes)).numpy().astype(np.float64)
        graph = self.model.similarity_graph
        query, key = (getattr(graph, name).kernel.numpy() for name in ("query", "key"))
        num_nodes = NUM_FEATURE_FRAMES * num_boxes
        most = min(10, num_nodes)
        indices, weights = outputs["neighbour_indices"], outputs["neighbour_weights"]
        self.assertEqual((indices.dtype, weights.dtype), (np.int32, np.float32))
        self.assertEqual(indices.shape, (2, num_nodes, most))
        self.assertLess(np.median(weights[..., 0]), 0.9)
        for clip in range(2):
            rows = nodes[clip].reshape(num_nodes, -1)
            is_node = valid[clip].reshape(num_nodes)
            edges = similarity(rows, is_node, query, key)
            strongest = -np.sort(-edges, axis=1)[:, :most]
            np.testing.assert_allclose(weights[clip], strongest, atol=1e-5)
            for node in range(num_nodes):
                neighbours = indices[clip, node][indices[clip, node] >= 0]
                self.assertLen(set(neighbours), is_node[node] * min(most, is_node.sum()))
                np.testing.assert_allclose(
                    edges[node, neighbours], weights[clip, node, : len(neighbours)], atol=1e-5
                )

    def test_the_spatial_temporal_edges_are_those_of_the_formula(self):
        _, boxes, _, outputs = self.explained(7, 5)
        self.assertEqual(outputs["forward_edges"].shape, (2, NUM_FEATURE_FRAMES - 1, 7, 7))
        linked = 0
        for clip in range(2):
            for frame in range(NUM_FEATURE_FRAMES - 1):
                rows = np.array(
                    [[overlap(a, b) for b in boxes[clip, frame + 1]] for a in boxes[clip, frame]]
                )
                linked += np.count_nonzero(rows)
                for name, expected in (
                    ("forward_edges", normalized(rows)),
                    ("backward_edges", normalized(rows.T)),
                ):
                    np.testing.assert_allclose(outputs[name][clip, frame], expected, atol=1e-5)
        self.assertGreater(linked, 10)

    def test_scores_are_those_of_serving_default(self):
        frames, boxes = request()
        scores = self.call("serving_default", frames=frames, boxes=boxes)
        explained = self.outputs("explain", frames=frames, boxes=boxes)
        np.testing.assert_allclose(explained["scores"], scores, atol=1e-6)

    def test_without_boxes_there_is_nothing_to_tell(self):
        frames, boxes = request()
        outputs = self.outputs("explain", frames=frames, boxes=boxes[:, :, :0])
        self.assertEqual(outputs["neighbour_indices"].shape, (2, 0, 0))
        self.assertEqual(outputs["forward_edges"].shape, (2, NUM_FEATURE_FRAMES - 1, 0, 0))

    def test_wrong_requests_are_refused(self):
        frames, boxes = request()
        self.assert_refused("frames must have shape", "explain", frames=frames[:0], boxes=boxes)
        self.assert_refused("boxes must have shape", "explain", frames=frames, boxes=boxes[:1])


class StrongestNeighboursTest(absltest.TestCase):
    def test_of_equal_ones_the_lower_index_first(self):
        edges = np.zeros([1, 3, 3], np.float32)
        edges[0, 0], edges[0, 1] = [0.25, 0.5, 0.25], [0.5, 0.0, 0.5]
        indices, weights = explanation.strongest_neighbours(tf.constant(edges))
        np.testing.assert_array_equal(indices[0], [[1, 0, 2], [0, 2, -1], [-1, -1, -1]])
        np.testing.assert_array_equal(weights[0], [[0.5, 0.25, 0.25], [0.5, 0.5, 0], [0, 0, 0]])


if __name__ == "__main__":
    absltest.main()
