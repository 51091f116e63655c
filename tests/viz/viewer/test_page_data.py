"""What the script of the page gets: compact, whole, and nothing twice."""

import base64
import io

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.viz.viewer import page_data
from tests.viz.viewer import sample_clips


def of(*clips, **options):
    return page_data.of_clips(clips, sample_clips.LABELS, **options)


def picture(data, place):
    kind, _, content = data["pictures"][place].partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content))), np.int32)


class PageDataTest(absltest.TestCase):
    def test_pictures_are_the_frames(self):
        data = of(sample_clips.clip())
        (clip,) = data["clips"]
        self.assertEqual((clip["width"], clip["height"], clip["perFrame"]), (80, 60, 2))
        self.assertEqual(clip["pictures"], [0, 1, 2, 3, 4, 5])
        for place, frame in enumerate(sample_clips.frames()):
            self.assertLess(np.abs(picture(data, place) - frame).mean(), 4)

    def test_pictures_that_clips_share_are_held_once(self):
        frames = sample_clips.frames(8)
        data = of(sample_clips.clip(frames=frames[:6]), sample_clips.clip(frames=frames[2:]))
        self.assertEqual(
            [clip["pictures"] for clip in data["clips"]], [[0, 1, 2, 3, 4, 5], [2, 3, 4, 5, 6, 7]]
        )
        self.assertLen(data["pictures"], 8)

    def test_large_frames_are_shrunk_and_many_are_thinned(self):
        frames = np.zeros([12, 500, 1000, 3], np.uint8)
        frames += np.arange(12, dtype=np.uint8)[:, np.newaxis, np.newaxis, np.newaxis] * 20
        data = of(sample_clips.clip(frames=frames, times=np.arange(12) / 24))
        (clip,) = data["clips"]
        self.assertEqual(picture(data, 0).shape, (200, 400, 3))
        # Two for each feature frame of four: its first, and the one in its middle.
        shown = [picture(data, place).mean() / 20 for place in clip["pictures"]]
        np.testing.assert_allclose(shown, [0, 2, 4, 6, 8, 10], atol=0.1)
        self.assertAlmostEqual(clip["pace"], 2 / 24, places=4)
        np.testing.assert_allclose(clip["seconds"], [0, 4 / 24, 8 / 24], atol=1e-5)

    def test_boxes_are_cut_at_the_frame_and_not_padded(self):
        boxes = sample_clips.BOXES.copy()
        boxes[1] = [(-0.1, 0.25, 0.5, 1.2), (0, 0, 0, 0), (0.5, 0.5, 0.6, 0.75)]
        (clip,) = of(sample_clips.clip(boxes=boxes))["clips"]
        self.assertEqual(clip["boxes"][0], [1000, 1000, 5000, 4000, 4000, 5000, 9000, 9500])
        self.assertEqual(
            clip["boxes"][1], [0, 2500, 5000, 10_000, 0, 0, 0, 0, 5000, 5000, 6000, 7500]
        )

    def test_edges_are_triples_and_weak_ones_are_left_out(self):
        edges = sample_clips.steps()
        edges[0, 2, 2] = 1e-6
        (clip,) = of(sample_clips.clip(forward_edges=edges))["clips"]
        first = [0, 0, 90_000, 0, 1, 10_000, 1, 1, 100_000]
        self.assertEqual(clip["forward"], [first, [0, 0, 100_000, 1, 1, 100_000]])
        self.assertEqual(clip["neighbours"][0], [3, 60_000, 6, 20_000, 0, 10_000])
        self.assertEqual(clip["neighbours"][2], [])

    def test_graphs_that_a_model_lacks(self):
        (clip,) = of(sample_clips.clip(**sample_clips.NO_SIMILARITY))["clips"]
        self.assertIsNone(clip["neighbours"])
        self.assertIsNotNone(clip["forward"])
        (clip,) = of(sample_clips.clip(**sample_clips.NO_SPATIAL_TEMPORAL))["clips"]
        self.assertIsNotNone(clip["neighbours"])
        self.assertIsNone(clip["forward"])
        self.assertIsNone(clip["backward"])

    def test_scores_that_are_no_numbers(self):
        scores = sample_clips.SCORES.copy()
        scores[1] = np.nan
        (clip,) = of(sample_clips.clip(scores=scores))["clips"]
        self.assertIsNone(clip["scores"][1])

    def test_films_that_stand_still_play_at_some_pace(self):
        for times in (np.zeros(6), None, np.full(6, np.nan)):
            (clip,) = of(sample_clips.clip(times=times))["clips"]
            self.assertGreater(clip["pace"], 0)

    def test_refuses_what_cannot_be_shown(self):
        with self.assertRaisesRegex(ValueError, "at least one clip to show, received none"):
            of()
        with self.assertRaisesRegex(ValueError, r"expected 6 scores, one a label, received \[2\]"):
            of(sample_clips.clip(scores=np.ones(2, np.float32)))
        with self.assertRaisesRegex(ValueError, r"expected 6 scores, one a label, received \[1\]"):
            of(sample_clips.clip(), pooled_scores=np.ones(1))


if __name__ == "__main__":
    absltest.main()
