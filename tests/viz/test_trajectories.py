"""Trajectories along edges that are written down by hand."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.viz import trajectories
from stgraph_tf.viz.trajectories import Step


def edges(num_frames: int, num_boxes: int, **weights: float) -> np.ndarray:
    """Blocks `[T'-1, K, K]` of zeros, but for entries named `tT_I_J`."""
    blocks = np.zeros([num_frames - 1, num_boxes, num_boxes], np.float32)
    for name, weight in weights.items():
        blocks[tuple(map(int, name[1:].split("_")))] = weight
    return blocks


class FollowTest(absltest.TestCase):
    def test_takes_the_strongest_edge_each_time_in_both_directions(self):
        forward = edges(4, 3, t1_0_1=0.4, t1_0_2=0.6, t2_2_0=1.0, t0_0_0=1.0)
        backward = edges(4, 3, t0_0_1=0.75, t0_0_2=0.25, t1_0_0=1.0)
        self.assertEqual(
            [
                (step.frame, step.box, step.next_frame, step.next_box, round(step.weight, 3))
                for step in trajectories.follow(forward, backward, frame=1, box=0)
            ],
            [(1, 0, 2, 2, 0.6), (2, 2, 3, 0, 1.0), (1, 0, 0, 1, 0.75)],
        )

    def test_ends_where_a_box_has_no_edge(self):
        forward = edges(4, 2, t0_0_1=1.0, t2_1_1=1.0)
        found = trajectories.follow(forward, edges(4, 2), frame=0, box=0)
        self.assertEqual(found, [Step(0, 0, 1, 1, 1.0)])

    def test_a_single_feature_frame_has_no_edges(self):
        none = np.zeros([0, 3, 3], np.float32)
        self.assertEqual(trajectories.follow(none, none, frame=0, box=1), [])


class MiddleFrameTest(absltest.TestCase):
    def test_is_the_nearest_to_the_middle_that_has_a_box(self):
        mask = np.zeros([7, 2], bool)
        self.assertIsNone(trajectories.middle_frame(mask))
        mask[0, 0] = True
        self.assertEqual(trajectories.middle_frame(mask), 0)
        mask[5, 1] = True
        self.assertEqual(trajectories.middle_frame(mask), 5)
        mask[3, 1] = True
        self.assertEqual(trajectories.middle_frame(mask), 3)


class StartsTest(absltest.TestCase):
    def test_are_the_best_boxes_that_lie_apart(self):
        boxes = np.array(
            [
                [0.0, 0.0, 0.4, 0.4],
                [0.0, 0.1, 0.4, 0.5],  # IoU 0.12 / 0.20 with the first
                [0.3, 0.3, 0.7, 0.7],  # IoU 0.01 / 0.31
                [0.8, 0.8, 0.9, 0.9],
                [0.0, 0.8, 0.2, 0.9],
            ]
        )
        mask = np.array([True, True, True, False, True])
        self.assertEqual(trajectories.starts(boxes, mask, 3), [0, 2, 4])
        self.assertEqual(trajectories.starts(boxes, mask, 2), [0, 2])
        self.assertEqual(trajectories.starts(boxes, np.zeros(5, bool), 2), [])


if __name__ == "__main__":
    absltest.main()
