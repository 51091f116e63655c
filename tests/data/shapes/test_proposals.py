import numpy as np
from absl.testing import absltest

from stgraph_tf.data.shapes.proposals import MAX_BOXES, propose


def iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    both = np.prod(np.maximum(high - low, 0))
    return both / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - both)


class ProposalsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        one = np.array([[0.1, 0.1, 0.3, 0.3], [0.4, 0.6, 0.6, 0.8], [0.8, 0.0, 1.0, 0.2]])
        self.boxes = np.tile(one, (500, 1, 1))
        self.seen = np.ones((500, 3), bool)

    def test_boxes_lie_in_the_frame_best_first(self):
        for boxes, scores in propose(self.boxes, self.seen, np.random.default_rng(0)):
            self.assertLessEqual(len(boxes), MAX_BOXES)
            self.assertEqual(len(boxes), len(scores))
            self.assertTrue((boxes >= 0).all())
            self.assertTrue((boxes <= 1).all())
            self.assertTrue((boxes[:, :2] < boxes[:, 2:]).all())
            self.assertTrue((np.diff(scores) <= 0).all())
            self.assertTrue(((scores > 0) & (scores < 1)).all())

    def test_some_are_missed_some_false_and_none_exact(self):
        # A box found on a shape, however far off: the one nearest to it, no more than one a frame.
        frames = propose(self.boxes, self.seen, np.random.default_rng(0))
        true_scores, false_scores = [], []
        for boxes, scores in frames:
            overlaps = np.array([[iou(box, true) for box in boxes] for true in self.boxes[0]])
            nearest = {int(row.argmax()) for row in overlaps if row.max() > 0.3}
            for index, score in enumerate(scores):
                (true_scores if index in nearest else false_scores).append(score)
            self.assertLess(overlaps.max(), 0.9999)
        self.assertBetween(len(true_scores) / self.seen.size, 0.85, 0.97)
        self.assertBetween(len(false_scores) / len(frames), 0.5, 3)
        self.assertGreater(np.mean(true_scores), np.mean(false_scores) + 0.2)
        self.assertLess(np.min(true_scores), np.max(false_scores))

    def test_hidden_shapes_are_not_proposed(self):
        self.seen[:, 1] = False
        hits = sum(
            iou(box, self.boxes[0, 1]) > 0.5
            for boxes, _ in propose(self.boxes, self.seen, np.random.default_rng(0))
            for box in boxes
        )
        self.assertLess(hits, 50)  # false boxes alone, by chance or for a while


if __name__ == "__main__":
    absltest.main()
