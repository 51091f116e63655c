"""Both batch normalizations against Keras's, weight by weight."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf.modeling.batch_norm import FrozenBatchNormalization, FusedBatchNormalization


def _inputs() -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=[2, 3, 5, 4, 6]) * 3 + 2).astype(np.float32)


def _with_random_weights(layer):
    layer.build((None, None, None, None, 6))
    random = np.random.default_rng(1)
    for weight in layer.weights:
        weight.assign(random.uniform(0.5, 1.5, weight.shape))
    return layer


class FrozenTest(absltest.TestCase):
    def test_equals_keras_at_inference(self):
        frozen = _with_random_weights(FrozenBatchNormalization(epsilon=1e-5))
        reference = _with_random_weights(keras.layers.BatchNormalization(epsilon=1e-5))
        self.assertEqual([w.name for w in frozen.weights], [w.name for w in reference.weights])
        np.testing.assert_allclose(
            frozen(_inputs()), reference(_inputs(), training=False), rtol=1e-5, atol=1e-5
        )
        self.assertEmpty(frozen.trainable_weights)


class FusedTest(absltest.TestCase):
    def test_trains_as_keras_does(self):
        fused = _with_random_weights(FusedBatchNormalization(momentum=0.9, epsilon=1e-5))
        reference = _with_random_weights(
            keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
        )
        coefficients = np.random.default_rng(2).normal(size=_inputs().shape).astype(np.float32)
        results = []
        for layer in (fused, reference):
            x = tf.constant(_inputs())
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = layer(x, training=True)
                loss = tf.reduce_sum(y * coefficients)
            gradients = tape.gradient(loss, [x, *layer.trainable_weights])
            results.append([y, *gradients, *layer.weights])
        for value, expected in zip(*results, strict=True):
            np.testing.assert_allclose(value, expected, rtol=1e-3, atol=1e-3)

    def test_at_inference_it_is_keras(self):
        fused = _with_random_weights(FusedBatchNormalization(epsilon=1e-5))
        reference = _with_random_weights(keras.layers.BatchNormalization(epsilon=1e-5))
        np.testing.assert_array_equal(fused(_inputs()), reference(_inputs()))


if __name__ == "__main__":
    absltest.main()
