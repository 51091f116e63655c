"""Models without some graph, and clips without something that others have: said in words."""

import numpy as np
from absl.testing import absltest, parameterized

from tests.viz.viewer import sample_clips
from tests.viz.viewer.viewer_case import ViewerTestCase


class LackingTest(ViewerTestCase):
    def choose(self):
        self.page.locator(".box").first.click()

    def test_without_the_similarity_graph(self):
        self.open(sample_clips.clip(**sample_clips.NO_SIMILARITY))
        self.choose()
        self.assertEqual(self.texts("#missing p"), ["This model has no similarity graph."])
        self.assertEqual((self.visible("#similarity"), self.visible("#spatial-temporal")), (0, 1))
        self.assertLen(self.texts("#trajectory li"), 3)

    def test_without_the_spatial_temporal_graph(self):
        self.open(sample_clips.clip(**sample_clips.NO_SPATIAL_TEMPORAL))
        self.choose()
        self.assertEqual(self.texts("#missing p"), ["This model has no spatial-temporal graph."])
        self.assertEqual((self.visible("#similarity"), self.visible("#spatial-temporal")), (1, 0))
        self.assertEqual(self.page.locator(".step").count(), 0)

    def test_without_a_graph(self):
        none = {**sample_clips.NO_SIMILARITY, **sample_clips.NO_SPATIAL_TEMPORAL}
        self.open(sample_clips.clip(**none))
        self.choose()
        self.assertEqual(self.texts("#chosen-name"), ["Box 1 of frame 1"])
        self.assertIn("Its scores come from no edges.", self.texts("#missing p"))
        self.assertEqual((self.visible("#similarity"), self.visible("#spatial-temporal")), (0, 0))

    @parameterized.parameters(0, 3)
    def test_without_boxes(self, num_boxes):
        nodes, steps = 3 * num_boxes, np.zeros([2, num_boxes, num_boxes], np.float32)
        page = self.open(
            sample_clips.clip(
                boxes=np.zeros([3, num_boxes, 4], np.float32),
                neighbour_indices=np.full([nodes, 2], -1),
                neighbour_weights=np.zeros([nodes, 2], np.float32),
                forward_edges=steps,
                backward_edges=steps,
            )
        )
        self.assertEqual(
            self.texts("#missing p"), ["There are no boxes in this clip: its graph has no nodes."]
        )
        self.assertEqual((self.visible(".box"), self.visible("#hint")), (0, 0))
        page.keyboard.press("ArrowRight")
        self.assertEqual(self.position(), "Frame 2 of 3 · 0.3 s")

    def test_one_feature_frame(self):
        page = self.open(
            sample_clips.clip(
                frames=sample_clips.frames(1),
                boxes=sample_clips.BOXES[:1],
                times=None,
                neighbour_indices=np.array([[0, 1], [1, 0], [-1, -1]]),
                neighbour_weights=np.array([[0.8, 0.2], [0.6, 0.4], [0, 0]], np.float32),
                forward_edges=np.zeros([0, 3, 3], np.float32),
                backward_edges=np.zeros([0, 3, 3], np.float32),
            )
        )
        self.choose()
        self.assertEqual(self.position(), "Frame 1 of 1")
        self.assertTrue(page.locator("#play").is_disabled())
        self.assertEqual(
            self.texts("#missing p"),
            ["The clip has one feature frame: no box has a neighbouring frame."],
        )
        self.assertEqual(
            self.texts("#neighbours li"), ["80 % the box itself", "20 % box 2 of frame 1"]
        )
        page.keyboard.press("ArrowRight")
        page.keyboard.press(" ")
        self.assertEqual(self.position(), "Frame 1 of 1")


if __name__ == "__main__":
    absltest.main()
