"""The whole picture: which strips it has, and what its heading tells."""

import dataclasses

import numpy as np
from absl.testing import absltest

from stgraph_tf.viz import graph_picture
from stgraph_tf.viz.explained_clip import ExplainedClip

LABELS = ("open a door", "close it", "sit")
GREEN = (92, 205, 150)  # of a score whose class the video shows


def clip(**changes) -> ExplainedClip:
    boxes = np.zeros([3, 2, 4], np.float32)
    boxes[1:, 1] = [0.25, 0.25, 0.75, 0.75]  # the best box has nothing left inside the frame
    values = {
        "frames": np.full([3, 48, 48, 3], 90, np.uint8),
        "boxes": boxes,
        "scores": np.array([0.2, 0.9, 0.1], np.float32),
        "neighbour_indices": np.zeros([6, 2], int),
        "neighbour_weights": np.full([6, 2], 0.5, np.float32),
        "forward_edges": np.zeros([2, 2, 2], np.float32),
        "backward_edges": np.zeros([2, 2, 2], np.float32),
        "title": "film",
        "true_labels": [0],
    }
    return ExplainedClip(**{**values, **changes})


def without_similarity(of: ExplainedClip) -> ExplainedClip:
    return dataclasses.replace(of, neighbour_indices=None, neighbour_weights=None)


def without_spatial_temporal(of: ExplainedClip) -> ExplainedClip:
    return dataclasses.replace(of, forward_edges=None, backward_edges=None)


class DrawTest(absltest.TestCase):
    def test_has_a_strip_for_each_graph(self):
        both = graph_picture.draw(clip(), LABELS)
        similarity = graph_picture.draw(without_spatial_temporal(clip()), LABELS)
        spatial_temporal = graph_picture.draw(without_similarity(clip()), LABELS)
        none = graph_picture.draw(without_similarity(without_spatial_temporal(clip())), LABELS)
        self.assertEqual(both.dtype, np.uint8)
        self.assertEqual(both.shape[1], none.shape[1])
        heights = [len(picture) - len(none) for picture in (both, similarity, spatial_temporal)]
        self.assertEqual(heights, [2 * heights[1], 192 + 34, 192 + 34])

    def test_default_node_is_the_best_box_nearest_to_the_middle(self):
        # Feature frame 1 has box 1 alone: node 3.
        np.testing.assert_array_equal(
            graph_picture.draw(clip(), LABELS), graph_picture.draw(clip(), LABELS, node=3)
        )
        other = graph_picture.draw(clip(), LABELS, node=5)
        self.assertTrue(np.any(other != graph_picture.draw(clip(), LABELS)))

    def test_only_scores_of_classes_that_the_video_shows_are_green(self):
        def width_of_green(true_labels):
            heading = graph_picture.draw(clip(true_labels=true_labels), LABELS)[:80]
            bars = (heading[:, -14 - 160 - 44 : -14 - 44] == GREEN).all(axis=-1)
            return int(bars.sum(axis=1).max())

        self.assertEqual(width_of_green([1]), 145)  # 0.9 of 160 pixels, and the one where it begins
        self.assertEqual(width_of_green([0]), 33)
        self.assertEqual(width_of_green(None), 0)

    def test_a_clip_without_boxes_has_a_heading_alone(self):
        empty = clip(boxes=np.zeros([3, 2, 4], np.float32))
        none = graph_picture.draw(without_similarity(without_spatial_temporal(clip())), LABELS)
        self.assertEqual(graph_picture.draw(empty, LABELS).shape, none.shape)

    def test_long_names_are_drawn(self):
        self.assertEqual(
            graph_picture.draw(clip(title="x" * 999), ["y" * 999, "", "\n"]).shape,
            graph_picture.draw(clip(), LABELS).shape,
        )

    def test_refuses_what_does_not_fit(self):
        with self.assertRaisesRegex(ValueError, "expected 3 labels, one a score, received 2"):
            graph_picture.draw(clip(), LABELS[:2])
        for node in (-1, 0, 6):
            with self.assertRaisesRegex(ValueError, f"node {node} of the clip 'film' is no box"):
                graph_picture.draw(clip(), LABELS, node=node)


if __name__ == "__main__":
    absltest.main()
