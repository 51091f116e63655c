"""The non-local block: against NumPy, at its start, in training, precision, saving."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import BACKBONES, NonLocalBlock, ResNet3D


def _block(channels: int = 6, gamma: float | None = None, seed: int = 0, **kwargs) -> NonLocalBlock:
    """A block with random weights; its scale stays at zero unless `gamma` is given."""
    block = NonLocalBlock(**kwargs)
    block.build((None, None, None, None, channels))
    random = np.random.default_rng(seed)
    for convolution in (block.theta, block.phi, block.g, block.out):
        for weight in convolution.weights:
            weight.assign(random.normal(size=weight.shape))
    if gamma is not None:
        block.norm.gamma.assign(np.full(channels, gamma))
        block.norm.beta.assign(random.normal(size=channels))
        block.norm.moving_mean.assign(random.normal(size=channels))
        block.norm.moving_variance.assign(random.uniform(0.5, 2, size=channels))
    return block


def _features(height: int, width: int, channels: int = 6, clips: int = 2) -> np.ndarray:
    shape = [clips, 3, height, width, channels]
    return np.random.default_rng(5).normal(size=shape).astype(np.float32)


def _reference(block: NonLocalBlock, x: np.ndarray, scaled: bool) -> np.ndarray:
    """The formula, one clip and one position after the other, in float64."""
    x = x.astype(np.float64)
    clips, time, height, width, channels = x.shape

    def project(convolution, vector):
        return vector @ convolution.kernel.numpy()[0, 0, 0] + convolution.bias.numpy()

    gamma, beta, mean, variance = (weight.numpy() for weight in block.norm.weights)
    result = x.copy()
    for clip in range(clips):
        pooled = [
            x[clip, t, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].max(axis=(0, 1))
            for t, i, j in np.ndindex(time, height // 2, width // 2)
        ]
        keys = [project(block.phi, vector) for vector in pooled]
        values = np.array([project(block.g, vector) for vector in pooled])
        for place in np.ndindex(time, height, width):
            query = project(block.theta, x[clip][place])
            affinity = np.array([query @ key for key in keys])
            if scaled:
                affinity /= np.sqrt(channels // 2)
            weights = np.exp(affinity - affinity.max())
            y = project(block.out, (weights / weights.sum()) @ values)
            result[clip][place] += (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    return result


class NonLocalBlockTest(parameterized.TestCase):
    @parameterized.product(size=((4, 6), (5, 4), (3, 7), (2, 2)), scaled=(True, False))
    def test_equals_numpy_at_even_and_odd_sizes(self, size, scaled):
        block, x = _block(gamma=0.7, scaled=scaled), _features(*size)
        np.testing.assert_allclose(block(x), _reference(block, x, scaled), rtol=1e-4, atol=1e-4)

    def test_the_last_row_of_an_odd_height_is_seen_by_nobody_else(self):
        block, x = _block(gamma=1.0), _features(5, 4)
        changed = x.copy()
        changed[:, :, 4] += 1
        np.testing.assert_array_equal(block(x)[:, :, :4], block(changed)[:, :, :4])
        self.assertGreater(np.abs(block(x)[:, :, 4] - block(changed)[:, :, 4]).max(), 0.1)

    @parameterized.parameters(True, False)
    def test_is_the_identity_at_its_start(self, freeze_batch_norm):
        block, x = _block(freeze_batch_norm=freeze_batch_norm), _features(4, 6)
        np.testing.assert_array_equal(block(x), x)
        np.testing.assert_array_equal(block(x, training=True), x)

    def test_starts_as_the_authors_code_does(self):
        block = NonLocalBlock()
        block.build((None, None, None, None, 512))
        for convolution in (block.theta, block.phi, block.g, block.out):
            self.assertAlmostEqual(float(np.std(convolution.kernel)), 0.01, delta=2e-4)
            np.testing.assert_array_equal(convolution.bias, np.zeros(convolution.filters))
        self.assertEqual(block.theta.filters, 256)

    def test_sizes_may_be_unknown_when_traced(self):
        block = _block(gamma=1.0)
        traced = tf.function(block, input_signature=[tf.TensorSpec([None] * 4 + [6])])
        for x in (_features(4, 6), _features(5, 3, clips=1)):
            np.testing.assert_allclose(traced(x), block(x), rtol=1e-4, atol=1e-4)

    def test_refuses_what_it_cannot_halve(self):
        with self.assertRaisesRegex(ValueError, r"even number of them. .*\(None, 4, 4, 4, 5\)"):
            NonLocalBlock().build((None, 4, 4, 4, 5))
        with self.assertRaisesRegex(ValueError, "at least 2 x 2 positions"):
            _block()(_features(1, 4))


class TrainingTest(parameterized.TestCase):
    def _gradients(self, block: NonLocalBlock) -> dict[str, float]:
        x = _features(4, 6)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(block(x, training=True) - 1))
        variables = block.trainable_variables
        gradients = tape.gradient(loss, variables)
        return {
            variable.path.partition("/")[2]: float(tf.reduce_max(tf.abs(gradient)))
            for variable, gradient in zip(variables, gradients, strict=True)
        }

    def test_a_gradient_reaches_every_weight_of_an_awake_block(self):
        gradients = self._gradients(_block(gamma=1.0))
        self.assertLen(gradients, 8)
        for path, largest in gradients.items():
            # A bias of phi adds the same to all affinities of a position: softmax ignores it.
            if path != "phi/bias":
                self.assertGreater(largest, 1e-6, path)

    def test_an_unfrozen_new_block_wakes_by_itself(self):
        block = _block(freeze_batch_norm=False)
        first = self._gradients(block)
        self.assertGreater(first["bn/gamma"], 0)
        self.assertEqual(first["theta/kernel"], 0)
        block.norm.gamma.assign(np.full(6, 1e-2))
        self.assertGreater(self._gradients(block)["theta/kernel"], 0)

    def test_frozen_batch_norm_has_no_trainable_weight(self):
        block = _block(gamma=1.0)
        block.trainable = False
        block.trainable = True
        self.assertFalse([v.path for v in block.trainable_variables if "bn/" in v.path])


class PrecisionTest(absltest.TestCase):
    def test_bfloat16_stays_near_float32(self):
        reduced, full = _block(gamma=0.5, dtype="mixed_bfloat16"), _block(gamma=0.5)
        x = _features(6, 6)
        y = reduced(x)
        self.assertEqual(y.dtype, tf.bfloat16)
        np.testing.assert_allclose(tf.cast(y, tf.float32), full(x), rtol=0.05, atol=0.1)

    def test_the_softmax_is_in_float32(self):
        block = _block(channels=2, gamma=1.0, dtype="mixed_bfloat16")
        graph = tf.function(block).get_concrete_function(tf.TensorSpec([1, 1, 4, 4, 2])).graph
        softmaxes = [op for op in graph.get_operations() if op.type == "Softmax"]
        self.assertEqual([op.outputs[0].dtype for op in softmaxes], [tf.float32])


class SavingTest(absltest.TestCase):
    def _backbone(self, seed: int) -> ResNet3D:
        keras.utils.set_random_seed(seed)
        backbone = ResNet3D(**{**BACKBONES["tiny_nl"], "widths": (4, 6), "stem_width": 4})
        backbone.build((None, None, None, None, 3))
        random = np.random.default_rng(seed)
        for weight in backbone.weights:
            weight.assign(weight + random.uniform(0.01, 0.1, weight.shape))
        return backbone

    def test_saved_and_loaded_as_a_keras_file(self):
        backbone, x = self._backbone(0), _features(16, 20, channels=3)
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "backbone.keras")
            backbone.save(path)
            loaded = keras.models.load_model(path)
        self.assertEqual(loaded.get_config(), backbone.get_config())
        self.assertTrue(loaded.nonlocal3_0.scaled)
        np.testing.assert_array_equal(loaded(x), backbone(x))

    def test_saved_and_restored_by_a_checkpoint(self):
        backbone, other = self._backbone(0), self._backbone(1)
        x = _features(16, 20, channels=3)
        with tempfile.TemporaryDirectory() as folder:
            path = tf.train.Checkpoint(model=backbone).save(os.path.join(folder, "checkpoint"))
            tf.train.Checkpoint(model=other).restore(path).assert_consumed()
        for restored, saved in zip(other.weights, backbone.weights, strict=True):
            np.testing.assert_array_equal(restored, saved, err_msg=saved.path)
        np.testing.assert_array_equal(other(x), backbone(x))


if __name__ == "__main__":
    absltest.main()
