"""What is inside a clip, and which arrays do not fit together."""

import numpy as np
from absl.testing import absltest, parameterized

from tests.viz.viewer import sample_clips


class ExplainedClipTest(parameterized.TestCase):
    def test_numbers_and_graphs(self):
        clip = sample_clips.clip()
        self.assertEqual((clip.num_feature_frames, clip.stride), (3, 2))
        self.assertTrue(clip.has_similarity and clip.has_spatial_temporal)
        alone = sample_clips.clip(**sample_clips.NO_SIMILARITY, **sample_clips.NO_SPATIAL_TEMPORAL)
        self.assertFalse(alone.has_similarity or alone.has_spatial_temporal)

    def test_mask_leaves_out_what_is_outside_the_frame(self):
        boxes = sample_clips.BOXES.copy()
        boxes[0, 1] = (1.1, 0.2, 1.5, 0.4)
        boxes[2, 0] = (-0.5, -0.5, 0.3, 0.3)
        expected = [[True, False, False], [True, True, True], [True, True, False]]
        np.testing.assert_array_equal(sample_clips.clip(boxes=boxes).mask, expected)

    @parameterized.parameters(
        ({"frames": sample_clips.frames().astype(np.float32)}, "uint8 .* received float32"),
        ({"frames": sample_clips.frames()[0]}, r"received uint8 \[60, 80, 3\]"),
        ({"frames": sample_clips.frames()[:, :0]}, "frames with pixels"),
        ({"frames": sample_clips.frames(7)}, "divides the 7 frames, received 3"),
        ({"boxes": sample_clips.BOXES[0]}, r"boxes \[T', K, 4\], received \[3, 4\]"),
        ({"scores": sample_clips.SCORES[np.newaxis]}, r"scores \[C\], received \[1, 6\]"),
        ({"times": np.zeros(3)}, r"times \[6\], received \[3\]"),
        ({"true_labels": (1, 6)}, r"true labels below 6, received \[6\]"),
        ({"backward_edges": None}, "or neither; received one of them"),
        ({"neighbour_indices": np.zeros([3, 2], int)}, r"neighbour_indices \[9, M\], received"),
        ({"neighbour_weights": np.zeros([9, 2])}, r"neighbour_weights \[9, 4\], received \[9, 2\]"),
        ({"forward_edges": np.zeros([3, 3, 3])}, r"\[2, 3, 3\], received \[3, 3, 3\]"),
    )
    def test_wrong_arrays(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            sample_clips.clip(**changes)


if __name__ == "__main__":
    absltest.main()
