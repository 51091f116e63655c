"""False alarms counted by hand, and by a loop over the definition."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation.report import co_occurrence


def by_definition(labels, scores):
    """Pairs one by one, ranks by Python's own stable sort."""
    num_videos, num_classes = labels.shape
    alarms = np.zeros([num_classes, num_classes], int)
    videos = np.zeros([num_classes, num_classes], int)
    for b in range(num_classes):
        ranked = sorted(range(num_videos), key=lambda v, b=b: -scores[v, b])
        top = ranked[: int(labels[:, b].sum())]
        for a in range(num_classes):
            for video in range(num_videos):
                if labels[video, a] and not labels[video, b]:
                    videos[a, b] += 1
                    alarms[a, b] += video in top
    return alarms, videos


class FalseAlarmsTest(absltest.TestCase):
    def test_by_hand(self):
        # Two videos show class 0. Of the two that score highest for it, one shows class 1 only.
        labels = np.array([[1, 0], [1, 0], [0, 1], [0, 1]])
        scores = np.array([[0.9, 0.1], [0.2, 0.2], [0.8, 0.9], [0.1, 0.8]])
        found = co_occurrence.false_alarms(labels, scores)
        np.testing.assert_array_equal(found.alarms, [[0, 0], [1, 0]])
        np.testing.assert_array_equal(found.videos, [[0, 2], [2, 0]])
        np.testing.assert_allclose(found.usual, [0.5, 0])

    def test_as_the_definition_says(self):
        random = np.random.default_rng(0)
        labels = (random.random([40, 6]) < 0.4).astype(float)
        labels[:, 0] = 1  # every video shows it
        labels[:, 1] = 0  # none does
        scores = random.integers(0, 5, [40, 6]) / 4  # with ties
        found = co_occurrence.false_alarms(labels, scores)
        alarms, videos = by_definition(labels, scores)
        np.testing.assert_array_equal(found.alarms, alarms)
        np.testing.assert_array_equal(found.videos, videos)
        self.assertEqual(found.usual[0], 0)

    def test_videos_without_labels_are_left_out(self):
        labels = np.array([[1, 0], [0, 1], [0, 0]])
        scores = np.array([[0.5, 0.1], [0.1, 0.5], [0.9, 0.9]])
        self.assertEqual(co_occurrence.false_alarms(labels, scores).alarms.sum(), 0)


if __name__ == "__main__":
    absltest.main()
