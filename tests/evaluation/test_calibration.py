"""Tests of the calibration curve by hand, against scikit-learn, and as loops."""

import numpy as np
from absl.testing import absltest, parameterized
from sklearn import calibration as sklearn_calibration

from stgraph_tf.evaluation import calibration


def random_case(seed, shape=(50, 7)):
    generator = np.random.default_rng(seed)
    scores = generator.random(shape)
    scores.ravel()[::10] = np.round(scores.ravel()[::10], 1)  # On the edges of bins.
    return (generator.random(shape) < scores**2).astype(np.float32), scores


class CalibrationCurveTest(parameterized.TestCase):
    def test_by_hand(self):
        labels = [0, 0, 1, 1, 0, 1]
        scores = [0.0, 0.5, 0.25, 0.75, 1.0, 0.75]
        curve = calibration.calibration_curve(labels, scores, num_bins=2)
        # 0, 0.25 and 0.5 are in the lower bin.
        np.testing.assert_allclose(curve.mean_score, [0.25, 2.5 / 3])
        np.testing.assert_allclose(curve.fraction, [1 / 3, 2 / 3])
        np.testing.assert_array_equal(curve.count, [3, 3])

    def test_leaves_out_empty_bins(self):
        curve = calibration.calibration_curve([1, 0, 1], [0.05, 0.95, 0.96], num_bins=10)
        np.testing.assert_allclose(curve.mean_score, [0.05, 0.955])
        np.testing.assert_allclose(curve.fraction, [1, 0.5])
        np.testing.assert_array_equal(curve.count, [1, 2])

    @parameterized.parameters((0, 10), (1, 15), (2, 3))
    def test_counts_are_of_the_bins_that_scikit_learn_has(self, seed, num_bins):
        labels, scores = random_case(seed)
        curve = calibration.calibration_curve(labels, scores, num_bins)
        expected = sklearn_calibration.calibration_curve(
            labels.ravel(), scores.ravel(), n_bins=num_bins
        )
        np.testing.assert_allclose(curve.fraction, expected[0])
        np.testing.assert_allclose(curve.mean_score, expected[1])
        # Fractions and means weighed by their counts must be the whole table's.
        self.assertEqual(curve.count.sum(), labels.size)
        self.assertAlmostEqual(np.sum(curve.fraction * curve.count), labels.sum(), places=9)
        self.assertAlmostEqual(np.sum(curve.mean_score * curve.count), scores.sum(), places=9)

    @parameterized.parameters(0, 1)
    def test_labels_of_one_kind(self, label):
        curve = calibration.calibration_curve([label] * 2, [0.31, 0.33])
        np.testing.assert_allclose(curve.fraction, [label])
        np.testing.assert_array_equal(curve.count, [2])

    @parameterized.parameters(
        ([0, 1], [0.5, 0.5], 0, "num_bins must be positive, received 0"),
        ([0, 1], [0.5], 2, "labels' shape \\[2\\], received \\[1\\]"),
        ([], [], 2, "no prediction"),
        ([0, 2], [0.5, 0.5], 2, "0 and 1"),
        ([0, 1], [0.5, 1.5], 2, "scores in \\[0, 1\\], received 1 others, the first is 1.5"),
        ([0, 1], [float("nan"), 0.5], 2, "received 1 others, the first is nan"),
    )
    def test_refuses(self, labels, scores, num_bins, message):
        with self.assertRaisesRegex(ValueError, message):
            calibration.calibration_curve(labels, scores, num_bins)


class ExpectedCalibrationErrorTest(parameterized.TestCase):
    def test_by_hand(self):
        labels, scores = [1, 0, 1, 1], [0.2, 0.4, 0.8, 0.8]
        # The lower bin: 0.5 true, 0.3 expected. The upper one: 1 true, 0.8 expected.
        value = calibration.expected_calibration_error(labels, scores, num_bins=2)
        self.assertAlmostEqual(value, 0.2 * 2 / 4 + 0.2 * 2 / 4)

    @parameterized.parameters(0, 1, 2)
    def test_equals_definition_as_loops(self, seed):
        labels, scores = random_case(seed)
        total = 0.0
        for number in range(15):
            inside = [
                (label, score)
                for label, score in zip(labels.ravel(), scores.ravel(), strict=True)
                if number / 15 < score <= (number + 1) / 15 or (number == 0 and score == 0)
            ]
            total += abs(sum(label - score for label, score in inside))
        self.assertAlmostEqual(
            calibration.expected_calibration_error(labels, scores, num_bins=15),
            total / labels.size,
            places=9,
        )

    def test_is_nothing_where_scores_are_the_shares(self):
        labels, scores = [0, 1, 1, 1], [0.75] * 4
        self.assertEqual(calibration.expected_calibration_error(labels, scores), 0)


class BestClassTest(parameterized.TestCase):
    def test_by_hand(self):
        labels, scores = calibration.best_class(
            [[1, 0, 0], [1, 0, 0], [0, 1, 0]], [[0.2, 0.7, 0.1], [0.6, 0.3, 0.1], [0.4, 0.4, 0.2]]
        )
        np.testing.assert_array_equal(labels, [0, 1, 0])
        np.testing.assert_array_equal(scores, [0.7, 0.6, 0.4])

    @parameterized.parameters(([2], [2]), ([2, 3], [2, 4]), ([2, 0], [2, 0]))
    def test_refuses(self, labels, scores):
        with self.assertRaisesRegex(ValueError, "expected labels and scores of one shape"):
            calibration.best_class(np.zeros(labels), np.zeros(scores))


if __name__ == "__main__":
    absltest.main()
