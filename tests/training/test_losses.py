"""The losses against their formulas in NumPy."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.training import losses


class LossesTest(absltest.TestCase):
    def test_sigmoid_is_the_mean_binary_cross_entropy(self):
        random = np.random.default_rng(0)
        logits = random.normal(scale=4, size=[6, 5]).astype(np.float32)
        labels = random.integers(0, 2, [6, 5]).astype(np.float32)
        p = 1 / (1 + np.exp(-logits.astype(np.float64)))
        expected = -(labels * np.log(p) + (1 - labels) * np.log(1 - p)).mean(axis=1)
        np.testing.assert_allclose(losses.sigmoid(labels, logits), expected, rtol=1e-5)

    def test_softmax_is_the_negative_log_likelihood(self):
        random = np.random.default_rng(0)
        logits = random.normal(scale=4, size=[6, 5]).astype(np.float32)
        targets = random.integers(0, 5, 6)
        exponents = np.exp(logits.astype(np.float64))
        p = exponents / exponents.sum(axis=1, keepdims=True)
        labels = np.eye(5, dtype=np.float32)[targets]
        np.testing.assert_allclose(
            losses.softmax(labels, logits), -np.log(p[np.arange(6), targets]), rtol=1e-5
        )

    def test_a_clip_without_its_label_costs_nothing_under_softmax(self):
        self.assertEqual(float(losses.softmax(np.zeros([1, 3]), np.ones([1, 3]))[0]), 0.0)

    def test_huge_logits_stay_finite(self):
        logits = np.array([[1e4, -1e4]], np.float32)
        labels = np.array([[0.0, 1.0]], np.float32)
        np.testing.assert_allclose(losses.sigmoid(labels, logits), [1e4])
        np.testing.assert_allclose(losses.softmax(labels, logits), [2e4])


if __name__ == "__main__":
    absltest.main()
