"""Pooling the clips of videos."""

import fractions

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import pooling
from stgraph_tf.evaluation.pooling import ClipPool


def _share(*ids: str) -> pooling.VideoScores:
    """A worker's videos, whose one score tells the id's first letter."""
    scores = np.array([[ord(name[0]) / 128] for name in ids], np.float32).reshape(-1, 1)
    return pooling.VideoScores(np.array(ids, dtype=str), scores, np.ones_like(scores))


class ClipPoolTest(parameterized.TestCase):
    def test_takes_the_largest_score_of_each_class_over_scattered_clips(self):
        pool = ClipPool(2)
        pool.add(["b", "a"], np.array([[0.9, 0.2], [0.5, 0.5]]), np.array([[1, 0], [0, 1]]))
        pool.add(["b"], np.array([[0.1, 0.7]]), np.array([[1, 0]]))
        videos = pool.videos()
        self.assertEqual(videos.ids.tolist(), ["a", "b"])
        np.testing.assert_allclose(videos.scores, [[0.5, 0.5], [0.9, 0.7]])
        np.testing.assert_array_equal(videos.labels, [[0, 1], [1, 0]])

    def test_takes_the_mean_over_scattered_clips(self):
        pool = ClipPool(2, "mean")
        pool.add(["b", "a"], np.array([[0.75, 0.25], [0.5, 0.5]]), np.array([[1, 0], [0, 1]]))
        pool.add(["b"], np.array([[0.25, 0.75]]), np.array([[1, 0]]))
        pool.add(["b"], np.array([[0.5, 0.125]]), np.array([[1, 0]]))
        videos = pool.videos()
        self.assertEqual(videos.ids.tolist(), ["a", "b"])
        np.testing.assert_array_equal(videos.scores, [[0.5, 0.5], [0.5, 0.375]])
        np.testing.assert_array_equal(videos.labels, [[0, 1], [1, 0]])

    @parameterized.parameters(*pooling.POOLINGS)
    def test_the_order_of_the_clips_changes_no_bit(self, kind):
        # Their sums in float32 hang on the order of the clips.
        random = np.random.default_rng(0)
        scores = np.float32(10.0 ** random.uniform(-20, 0, [10, 500]))
        pooled = []
        for _ in range(5):
            pool = ClipPool(500, kind)
            for clip in random.permutation(scores):
                pool.add(["video"], clip[np.newaxis], np.ones([1, 500]))
            pooled.append(pool.videos().scores)
        for other in pooled[1:]:
            np.testing.assert_array_equal(other, pooled[0])

    def test_a_mean_is_the_float_next_to_the_exact_one(self):
        scores = np.float32(np.random.default_rng(1).random([7, 20]))
        pool = ClipPool(20, "mean")
        pool.add(["video"] * 7, scores, np.ones([7, 20]))
        exact = [
            float(sum(fractions.Fraction(float(score)) for score in column) / 7)
            for column in scores.T
        ]
        np.testing.assert_array_equal(pool.videos().scores[0], np.float32(exact))

    def test_what_is_added_may_change_afterwards(self):
        for kind in pooling.POOLINGS:
            pool, scores = ClipPool(1, kind), np.array([[0.5]], np.float32)
            pool.add(["a"], scores, np.array([[1.0]]))
            scores[:] = 0.75
            self.assertEqual(pool.videos().scores.tolist(), [[0.5]])

    def test_nothing_is_no_videos_of_that_many_classes(self):
        for kind in pooling.POOLINGS:
            videos = ClipPool(3, kind).videos()
            self.assertEqual(videos.ids.shape, (0,))
            self.assertEqual(videos.scores.shape, (0, 3))
            self.assertEqual(videos.labels.shape, (0, 3))

    def test_names_the_video_whose_score_is_nan(self):
        with self.assertRaisesRegex(ValueError, "NaN for a clip of the video bad"):
            ClipPool(1).add(["good", "bad"], np.array([[0.0], [np.nan]]), np.ones([2, 1]))

    def test_names_the_poolings(self):
        with self.assertRaisesRegex(ValueError, "one of max, mean, received 'median'"):
            ClipPool(1, "median")


class JoinTest(absltest.TestCase):
    def test_the_videos_of_all_shares_in_the_order_of_their_ids(self):
        joined = pooling.join([_share("d", "longer"), _share(), _share("a", "e")])
        for found, expected in zip(joined, _share("a", "d", "e", "longer"), strict=True):
            np.testing.assert_array_equal(found, expected)

    def test_no_videos_at_all(self):
        joined = pooling.join([ClipPool(3).videos(), ClipPool(3).videos()])
        self.assertEqual(joined.scores.shape, (0, 3))

    def test_refuses_a_video_of_two_shares(self):
        with self.assertRaisesRegex(ValueError, "two workers have scored the video b"):
            pooling.join([_share("a", "b"), _share("b", "c")])


if __name__ == "__main__":
    absltest.main()
