"""Confusion counted by hand."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation.report import confusion


class CountsTest(absltest.TestCase):
    def test_by_hand(self):
        labels = np.eye(3)[[0, 0, 1, 2]]
        scores = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.9, 0], [0.4, 0.3, 0.3]])
        found = confusion.counts(labels, scores)
        np.testing.assert_array_equal(found, [[1, 1, 0], [0, 1, 0], [1, 0, 0]])

    def test_first_of_equal_scores_is_predicted(self):
        found = confusion.counts(np.array([[0, 1]]), np.array([[0.5, 0.5]]))
        np.testing.assert_array_equal(found, [[0, 0], [1, 0]])

    def test_videos_without_label_are_passed_over(self):
        self.assertEqual(confusion.counts(np.zeros([3, 2]), np.ones([3, 2])).sum(), 0)


if __name__ == "__main__":
    absltest.main()
