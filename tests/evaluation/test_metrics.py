"""Tests of the measures against scikit-learn, the definition written as loops, and by hand."""

import warnings

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sklearn_metrics

from stgraph_tf.evaluation import metrics


def official_average_precision(labels, scores):
    """`THUMOSeventclspr` of Charades' official evaluation, loop by loop."""
    order = sorted(range(len(scores)), key=lambda video: -scores[video])  # Stable.
    true_positives = false_positives = 0
    total = 0.0
    for video in order:
        if labels[video] == 1:
            true_positives += 1
            total += true_positives / (true_positives + false_positives)
        else:
            false_positives += 1
    return total / true_positives if true_positives else float("nan")


def random_case(seed, videos=40, classes=6, share=0.3):
    generator = np.random.default_rng(seed)
    labels = generator.random((videos, classes)) < share
    return labels.astype(np.float32), generator.normal(size=(videos, classes))


class AveragePrecisionTest(parameterized.TestCase):
    def test_by_hand(self):
        # Ranks 1, 3 and 4 of five show the class.
        labels = [0, 1, 1, 0, 1]
        scores = [0.6, 0.1, 0.9, 0.05, 0.3]
        expected = (1 / 1 + 2 / 3 + 3 / 4) / 3
        self.assertAlmostEqual(metrics.average_precision(labels, scores), expected, places=12)

    @parameterized.parameters(
        ([0, 1, 1, 0], (1 / 2 + 2 / 3) / 2),
        ([1, 1, 0, 0], 1.0),
        ([0, 0, 1, 1], (1 / 3 + 2 / 4) / 2),
    )
    def test_equal_scores_keep_the_order_of_rows(self, labels, expected):
        self.assertAlmostEqual(metrics.average_precision(labels, [0.5] * 4), expected, places=12)

    def test_scikit_learn_ranks_equal_scores_as_one(self):
        labels, scores = [0, 1, 1, 0], [0.5] * 4
        self.assertEqual(sklearn_metrics.average_precision_score(labels, scores), 0.5)
        self.assertNotAlmostEqual(metrics.average_precision(labels, scores), 0.5)

    @parameterized.parameters(range(8))
    def test_equals_scikit_learn_without_equal_scores(self, seed):
        labels, scores = random_case(seed)
        for column in range(labels.shape[1]):
            self.assertAlmostEqual(
                metrics.average_precision(labels[:, column], scores[:, column]),
                sklearn_metrics.average_precision_score(labels[:, column], scores[:, column]),
                places=12,
            )

    @parameterized.parameters(range(8))
    def test_equals_official_definition_with_equal_scores(self, seed):
        labels, scores = random_case(seed)
        scores = np.round(scores)
        for column in range(labels.shape[1]):
            self.assertAlmostEqual(
                metrics.average_precision(labels[:, column], scores[:, column]),
                official_average_precision(labels[:, column], scores[:, column]),
                places=12,
            )

    def test_is_nan_without_positives(self):
        self.assertTrue(np.isnan(metrics.average_precision([0, 0], [0.1, 0.2])))

    def test_infinite_scores_rank_at_the_ends(self):
        scores = [-np.inf, 3.0, np.inf]
        self.assertEqual(metrics.average_precision([0, 0, 1], scores), 1.0)
        self.assertAlmostEqual(metrics.average_precision([1, 0, 0], scores), 1 / 3)

    @parameterized.parameters(
        ([0, 1], [0.5, float("nan")], "NaN, the first at \\[1\\]"),
        ([0, 2], [0.5, 0.1], "0 and 1"),
        ([0, 1], [0.5, 0.1, 0.2], "expected scores of the labels' shape \\[2\\], received \\[3\\]"),
        ([[0, 1]], [[0.5, 0.1]], "expected labels of shape \\[V\\]"),
    )
    def test_refuses(self, labels, scores, message):
        with self.assertRaisesRegex(ValueError, message):
            metrics.average_precision(labels, scores)


class MeanAveragePrecisionTest(parameterized.TestCase):
    def test_classes_without_positives_do_not_count(self):
        labels = np.array([[1, 0, 0], [0, 0, 1], [1, 0, 0]])
        scores = np.array([[0.9, 0.5, 0.3], [0.8, 0.5, 0.2], [0.1, 0.5, 0.1]])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            mean, per_class = metrics.mean_average_precision(labels, scores)
        np.testing.assert_allclose(per_class, [(1 + 2 / 3) / 2, np.nan, 1 / 2])
        self.assertAlmostEqual(mean, ((1 + 2 / 3) / 2 + 1 / 2) / 2)

    @parameterized.parameters(range(4))
    def test_unlabelled_videos_count_as_in_official_evaluation(self, seed):
        labels, scores = random_case(seed, share=0.15)
        unlabelled = ~labels.any(axis=1)
        self.assertTrue(unlabelled.any())
        # The official evaluation gives them the lowest score there is.
        ranked_last = np.where(unlabelled[:, np.newaxis], -np.inf, scores)
        columns = range(labels.shape[1])
        expected = [official_average_precision(labels[:, c], ranked_last[:, c]) for c in columns]
        mean, per_class = metrics.mean_average_precision(labels, scores)
        np.testing.assert_allclose(per_class, expected, rtol=0, atol=1e-12)
        self.assertAlmostEqual(mean, np.nanmean(expected), places=12)

    @parameterized.parameters(
        (np.zeros([2, 3]), np.zeros([2, 3]), "none of the 2 videos has a label"),
        (np.zeros([0, 3]), np.zeros([0, 3]), "none of the 0 videos has a label"),
        (np.zeros([2]), np.zeros([2]), "shape \\[V, C\\], received \\[2\\]"),
        (np.ones([2, 2]), np.full([2, 2], np.nan), "4 scores are NaN, the first at \\[0, 0\\]"),
    )
    def test_refuses(self, labels, scores, message):
        with self.assertRaisesRegex(ValueError, message):
            metrics.mean_average_precision(labels, scores)


class RandomMeanAveragePrecisionTest(absltest.TestCase):
    def test_approaches_class_frequency_for_many_videos(self):
        labels = np.zeros([2000, 2], int)
        labels[:, 0] = 1
        labels[:500, 1] = 1
        # A class that is always there has 1, one in every fourth video about 1/4.
        value = metrics.random_mean_average_precision(labels, draws=20)
        self.assertAlmostEqual(value, (1 + 0.25) / 2, delta=0.01)

    def test_is_exact_for_one_positive(self):
        # Its rank among four is 1, 2, 3 or 4, equally often.
        value = metrics.random_mean_average_precision([[1, 1], [0, 1], [0, 1], [0, 1]], draws=4000)
        self.assertAlmostEqual(value, (1 + (1 + 1 / 2 + 1 / 3 + 1 / 4) / 4) / 2, delta=0.01)

    def test_seed_decides(self):
        labels, _ = random_case(0)
        first, again, other = (
            metrics.random_mean_average_precision(labels, draws=3, seed=seed) for seed in (1, 1, 2)
        )
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    def test_refuses_no_draws(self):
        with self.assertRaisesRegex(ValueError, "draws must be positive, received 0"):
            metrics.random_mean_average_precision([[1]], draws=0)


class TopKAccuracyTest(parameterized.TestCase):
    @parameterized.parameters((1, 1 / 3), (2, 2 / 3), (3, 1.0), (5, 1.0))
    def test_by_hand(self, k, expected):
        labels = np.eye(3)
        scores = [[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
        self.assertAlmostEqual(metrics.top_k_accuracy(labels, scores, k), expected)

    @parameterized.parameters(1, 2, 5)
    def test_equals_scikit_learn_without_ties(self, k):
        generator = np.random.default_rng(k)
        classes = generator.integers(8, size=50)
        scores = generator.normal(size=(50, 8))
        self.assertAlmostEqual(
            metrics.top_k_accuracy(np.eye(8)[classes], scores, k),
            sklearn_metrics.top_k_accuracy_score(classes, scores, k=k, labels=np.arange(8)),
        )

    @parameterized.parameters((1, 0.0), (2, 0.0), (3, 1.0))
    def test_ties_count_against_the_prediction(self, k, expected):
        self.assertEqual(metrics.top_k_accuracy([[0, 1, 0]], [[0.4, 0.4, 0.4]], k), expected)

    def test_leaves_out_unlabelled_videos(self):
        labels = [[0, 0], [0, 1]]
        self.assertEqual(metrics.top_k_accuracy(labels, [[0.1, 0.2], [0.1, 0.2]], 1), 1.0)

    @parameterized.parameters(
        ([[1, 0]], [[0.1, 0.2]], 0, "k must be positive, received 0"),
        ([[1, 1]], [[0.1, 0.2]], 1, "one label a video, received 2"),
        ([[0, 0]], [[0.1, 0.2]], 1, "none of the 1 videos has a label"),
        ([[1, 0]], [[0.1, float("nan")]], 1, "1 scores are NaN, the first at \\[0, 1\\]"),
    )
    def test_refuses(self, labels, scores, k, message):
        with self.assertRaisesRegex(ValueError, message):
            metrics.top_k_accuracy(labels, scores, k)


if __name__ == "__main__":
    absltest.main()
