"""A batch explained by a network, against what the network's parts say one by one."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import GRAPHS
from stgraph_tf.viz import explain
from tests.training import tiny_training


def batch() -> dict[str, np.ndarray]:
    return {
        name: value.numpy() for name, value in next(iter(tiny_training.clips(2, steps=1))).items()
    }


class ExplainTest(parameterized.TestCase):
    @parameterized.product(graph=GRAPHS, precision=("float32", "mixed_bfloat16"))
    def test_clips_have_the_scores_and_the_graphs_of_the_model(self, graph, precision):
        model = tiny_training.model(graph, precision=precision)
        given = batch()
        clips = explain(model, given)
        logits = model({name: given[name] for name in ("frames", "boxes", "mask")}, training=False)
        self.assertLen(clips, 2)
        for index, clip in enumerate(clips):
            expected = 1 / (1 + np.exp(-logits.numpy()[index].astype(np.float64)))
            np.testing.assert_allclose(clip.scores, expected, atol=1e-5)
            np.testing.assert_array_equal(clip.frames, given["frames"][index])
            np.testing.assert_array_equal(clip.mask, given["mask"][index])
            self.assertEqual(clip.title, f"clip-{index}")
            self.assertEqual(clip.true_labels, np.flatnonzero(given["labels"][index]).tolist())
            self.assertEqual(clip.has_similarity, graph in ("similarity", "joint"))
            self.assertEqual(clip.has_spatial_temporal, graph in ("spatial_temporal", "joint"))

    def test_neighbours_are_the_largest_entries_of_the_similarity_graph(self):
        model, given = tiny_training.model("similarity"), batch()
        nodes = model.roi_align(model.extract_features(given["frames"]), given["boxes"])
        flat = tf.reshape(nodes, [2, 6, -1])
        graph = model.similarity_graph(flat, given["mask"].reshape(2, 6)).numpy()
        for index, clip in enumerate(explain(model, given)):
            for node in range(6):
                weights = clip.neighbour_weights[node]
                np.testing.assert_allclose(weights, np.sort(graph[index, node])[::-1], atol=1e-6)
                kept = weights > 0
                places = clip.neighbour_indices[node][kept]
                np.testing.assert_allclose(graph[index, node, places], weights[kept], atol=1e-6)
                self.assertTrue(np.all(clip.neighbour_indices[node][~kept] == -1))

    def test_softmax_scores_add_up_to_one(self):
        for clip in explain(tiny_training.model(), batch(), loss="softmax"):
            self.assertAlmostEqual(float(clip.scores.sum()), 1.0, places=5)

    def test_mask_labels_and_ids_may_be_left_out(self):
        model, given = tiny_training.model(), batch()
        given["mask"][:] = True
        full = explain(model, given)
        bare = explain(model, {name: given[name] for name in ("frames", "boxes")})
        for one, other in zip(full, bare, strict=True):
            np.testing.assert_array_equal(one.scores, other.scores)
            self.assertEqual((other.title, other.true_labels), ("", None))

    def test_the_baseline_needs_frames_alone(self):
        (clip, _) = explain(tiny_training.model("none"), {"frames": batch()["frames"]})
        self.assertEqual(clip.boxes.shape, (2, 0, 4))

    def test_unknown_labels_are_not_known(self):
        given = batch()
        given["labels"][:] = 0
        self.assertIsNone(explain(tiny_training.model(), given)[0].true_labels)

    def test_refuses_what_does_not_fit(self):
        model = tiny_training.model()
        with self.assertRaisesRegex(ValueError, "loss must be one of sigmoid, softmax"):
            explain(model, batch(), loss="hinge")
        with self.assertRaisesRegex(ValueError, "graph='joint' needs the boxes"):
            explain(model, {"frames": batch()["frames"]})


if __name__ == "__main__":
    absltest.main()
