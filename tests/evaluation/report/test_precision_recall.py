"""Precision-recall curves against values worked out by hand."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation import metrics
from stgraph_tf.evaluation.report import precision_recall


class CurvesTest(absltest.TestCase):
    def test_by_hand(self):
        # Ranks of the class's two videos: 1 and 4.
        labels = np.array([[1], [0], [0], [1], [0]])
        scores = np.array([[0.9], [0.8], [0.7], [0.6], [0.5]])
        (curve,) = precision_recall.curves(labels, scores)
        np.testing.assert_allclose(curve, [1.0] * 50 + [0.5] * 50)

    def test_equal_scores_keep_the_order_of_the_videos(self):
        curves = precision_recall.curves(np.array([[0], [1]]), np.zeros([2, 1]))
        np.testing.assert_allclose(curves, 0.5)

    def test_class_without_videos_has_no_curve(self):
        curves = precision_recall.curves(np.array([[1, 0]]), np.zeros([1, 2]))
        np.testing.assert_array_equal(np.isnan(curves[:, 0]), [False, True])

    def test_area_is_the_average_precision(self):
        random = np.random.default_rng(0)
        labels = np.zeros([300, 2], int)
        labels[random.permutation(300)[:50], 0] = 1  # each worth two of the hundred recalls
        labels[random.permutation(300)[:100], 1] = 1
        scores = random.random([300, 2])
        for index, curve in enumerate(precision_recall.curves(labels, scores)):
            expected = metrics.average_precision(labels[:, index], scores[:, index])
            self.assertAlmostEqual(curve.mean(), expected)


if __name__ == "__main__":
    absltest.main()
