"""Margins worked out by hand, and the choice of the best and the worst."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation.report.margins import extremes, margins


class MarginsTest(absltest.TestCase):
    def test_by_hand(self):
        labels = np.array([[1, 1, 0], [0, 0, 1], [0, 0, 0], [1, 1, 1]])
        scores = np.array([[0.9, 0.5, 0.6], [0.7, 0.1, 0.2], [1, 1, 1], [0.3, 0.6, 0.9]])
        np.testing.assert_allclose(margins(labels, scores), [0.1, -0.5, np.nan, 0.6])

    def test_most_extreme_first_without_unlabelled_videos(self):
        labels = np.array([[1, 0]] * 5 + [[0, 0]])
        scores = np.array([[0.3, 0], [0.5, 0], [0.1, 0], [0.9, 0], [0.7, 0], [1, 0]])
        found = extremes(labels, scores, 2)
        self.assertEqual(found.best.tolist(), [3, 4])
        self.assertEqual(found.worst.tolist(), [2, 0])

    def test_no_video_is_best_and_worst(self):
        labels, scores = np.array([[1, 0]] * 3), np.array([[0.3, 0], [0.5, 0], [0.1, 0]])
        found = extremes(labels, scores, 6)
        self.assertEqual(found.best.tolist(), [1, 0])
        self.assertEqual(found.worst.tolist(), [2])

    def test_single_video_is_the_best(self):
        found = extremes(np.array([[1]]), np.array([[0.5]]), 6)
        self.assertEqual((found.best.tolist(), found.worst.tolist()), ([0], []))


if __name__ == "__main__":
    absltest.main()
