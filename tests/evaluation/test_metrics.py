"""Tests of the measures against scikit-learn, the definition written as loops, and by hand."""

import warnings

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import metrics as sklearn_metrics

from stgraph_tf.evaluation import metrics


def official_average_precision(labels, scores):
    """`THUMOSeventclspr` of `Charades_v1_classify.m`, loop by loop."""
    order = sorted(range(len(scores)), key=lambda video: -scores[video])  # Stable, as MATLAB's.
    true_positives = false_positives = 0
    total = 0.0
    for video in order:
        if labels[video] == 1:
            true_positives += 1
            total += true_positives / (true_positives + false_positives)
        else:
            false_positives += 1
    return total / true_positives if true_positives else float("nan")


def official_mean_average_precision(truth, predictions, num_classes):
    """`Charades_v1_classify.m` from its input on, in plain Python.

    Args:
        truth: `(id, classes)` of the videos, in the order of the list. As in the official
            `load_charades`, a video without classes loses its id.
        predictions: scores by id; some videos may lack them.
        num_classes: 157 there.

    Returns:
        `map` and `ap_all`.
    """
    table, scores = [], []
    for video_id, classes in truth:
        video_id = video_id if classes else None
        table.append([1 if number in classes else 0 for number in range(num_classes)])
        scores.append(predictions.get(video_id, [float("-inf")] * num_classes))
    per_class = []
    for number in range(num_classes):
        column = [row[number] for row in table], [row[number] for row in scores]
        per_class.append(official_average_precision(*column))
    return sum(per_class) / num_classes, per_class


def random_submission(seed, *, videos=60, classes=9):
    """`truth` and `predictions` with ties, missing scores and missing labels."""
    generator = np.random.default_rng(seed)
    truth, predictions = [], {}
    for number in range(videos):
        # The last class is never shown, and some videos show none.
        shown = np.flatnonzero(generator.random(classes - 1) < 0.15)
        truth.append((f"v{number}", set(shown.tolist())))
        if generator.random() < 0.85:
            # Eleven different scores: most are shared by several videos.
            predictions[f"v{number}"] = np.round(generator.random(classes), 1).tolist()
    return truth, predictions


def as_arrays(truth, predictions, classes=9):
    """What our functions take for the same videos."""
    labels = [[number in shown for number in range(classes)] for _, shown in truth]
    missing = [-np.inf] * classes
    return np.array(labels), np.array([predictions.get(name, missing) for name, _ in truth])


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
        # Two videos share the score 0.5; the one that shows the class is the second row.
        labels, scores = [1, 0, 1, 0], [0.9, 0.5, 0.5, 0.1]
        # One after the other: ranks 1 and 3 show the class.
        self.assertAlmostEqual(metrics.average_precision(labels, scores), (1 + 2 / 3) / 2)
        # As one: when the third is found, so is the second. With half of the recall each:
        expected = 1 * 1 / 2 + 2 / 3 * 1 / 2
        self.assertAlmostEqual(sklearn_metrics.average_precision_score(labels, scores), expected)
        # With the rows the other way round, ours is 1, and scikit-learn's the same as before.
        labels = [1, 1, 0, 0]
        self.assertEqual(metrics.average_precision(labels, scores), 1)
        self.assertAlmostEqual(sklearn_metrics.average_precision_score(labels, scores), expected)

    def test_scikit_learn_gives_constant_scores_the_share_of_positives(self):
        labels, scores = [0, 1, 1, 0], [0.5] * 4
        self.assertEqual(sklearn_metrics.average_precision_score(labels, scores), 1 / 2)
        self.assertAlmostEqual(metrics.average_precision(labels, scores), (1 / 2 + 2 / 3) / 2)

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

    @parameterized.parameters(range(20))
    def test_equals_official_evaluation(self, seed):
        truth, predictions = random_submission(seed)
        labels, scores = as_arrays(truth, predictions)
        self.assertFalse(labels.any(axis=1).all())  # Videos without labels,
        self.assertTrue(np.isneginf(scores).any())  # without scores,
        self.assertLess(len(np.unique(scores)), 13)  # and ties.
        official, official_per_class = official_mean_average_precision(truth, predictions, 9)
        mean, per_class = metrics.mean_average_precision(labels, scores)
        np.testing.assert_allclose(per_class, official_per_class, rtol=0, atol=1e-9)
        # The class without videos makes the official mean NaN; without it, the means are equal.
        self.assertTrue(np.isnan(official))
        official, _ = official_mean_average_precision(truth, predictions, 8)
        self.assertAlmostEqual(mean, official, delta=1e-9)
        mean, _ = metrics.mean_average_precision(labels[:, :8], scores[:, :8])
        self.assertAlmostEqual(mean, official, delta=1e-9)

    @parameterized.parameters(range(4))
    def test_unlabelled_videos_could_be_left_out(self, seed):
        labels, scores = random_case(seed, share=0.15)
        scores = np.round(scores)
        known = labels.any(axis=1)
        self.assertFalse(known.all())
        with_all, _ = metrics.mean_average_precision(labels, scores)
        without, _ = metrics.mean_average_precision(labels[known], scores[known])
        self.assertEqual(with_all, without)

    def test_unlabelled_videos_count_among_videos_without_scores(self):
        # Rows 0 and 1 share negative infinity, one for want of labels, one for want of scores.
        labels = [[0], [1], [1]]
        scores = [[0.9], [-np.inf], [0.2]]
        mean, _ = metrics.mean_average_precision(labels, scores)
        self.assertAlmostEqual(mean, (1 + 2 / 3) / 2)
        mean, _ = metrics.mean_average_precision(labels[1:], scores[1:])
        self.assertEqual(mean, 1)

    @parameterized.parameters(
        (np.zeros([2, 3]), np.zeros([2, 3]), "none of the 2 videos has a label"),
        (np.zeros([0, 3]), np.zeros([0, 3]), "none of the 0 videos has a label"),
        (np.zeros([2]), np.zeros([2]), "shape \\[V, C\\], received \\[2\\]"),
        (np.ones([2, 2]), np.full([2, 2], np.nan), "4 scores are NaN, the first at \\[0, 0\\]"),
    )
    def test_refuses(self, labels, scores, message):
        with self.assertRaisesRegex(ValueError, message):
            metrics.mean_average_precision(labels, scores)


class NormalizedAveragePrecisionTest(parameterized.TestCase):
    def test_by_hand(self):
        # One positive of four videos, on rank 2. Taken as 6 positives and 3 negatives, it stands
        # for 6 true positives, and the negative before it for 1 false positive.
        value = metrics.average_precision(
            [0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6], class_size=metrics.ClassSize(6, 3)
        )
        self.assertAlmostEqual(value, 6 / 7)

    def test_of_the_sizes_that_a_class_has_is_the_usual(self):
        labels, scores = random_case(3)
        for column in range(labels.shape[1]):
            positives = int(labels[:, column].sum())
            self.assertAlmostEqual(
                metrics.average_precision(
                    labels[:, column],
                    scores[:, column],
                    class_size=metrics.ClassSize(positives, len(labels) - positives),
                ),
                metrics.average_precision(labels[:, column], scores[:, column]),
                places=12,
            )

    @parameterized.parameters(range(4))
    def test_equals_published_definition(self, seed):
        labels, scores = as_arrays(*random_submission(seed))
        ranked = np.where(labels.any(axis=1, keepdims=True), scores, -np.inf)
        mean, per_class = metrics.mean_average_precision(
            labels, scores, class_size=metrics.CHARADES_CLASS_SIZE
        )
        expected = []
        for column in range(8):
            hits = [labels[v, column] for v in np.argsort(-ranked[:, column], kind="stable")]
            recall = np.cumsum(hits) / np.sum(hits)
            false_positive_rate = np.cumsum(np.logical_not(hits)) / np.sum(np.logical_not(hits))
            precision = 104 * recall / (104 * recall + 1759 * false_positive_rate)
            expected.append(np.mean([p for p, hit in zip(precision, hits, strict=True) if hit]))
        np.testing.assert_allclose(per_class, [*expected, np.nan], rtol=0, atol=1e-9)
        self.assertAlmostEqual(mean, np.mean(expected), delta=1e-9)

    def test_class_that_all_videos_show(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            value = metrics.average_precision(
                [1, 1], [0.1, 0.2], class_size=metrics.CHARADES_CLASS_SIZE
            )
        self.assertEqual(value, 1)


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
        self.assertEqual(metrics.top_k_accuracy(labels, [[0.9, 0.9], [0.1, 0.2]], 1), 1.0)

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
