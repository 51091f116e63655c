"""The training step: against NumPy, and the same on one device and on two."""

import keras
import numpy as np
import orbit
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import BACKBONES, RegionGraphClassifier, ResNet3D
from stgraph_tf.training import loop, losses

_TINY = {**BACKBONES["tiny"], "widths": (4, 6, 8), "stem_width": 4}


# Splits the CPU, so that MirroredStrategy has two devices to mirror on.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


def _clips(batch: int, steps: int = 2) -> tf.data.Dataset:
    random = np.random.default_rng(0)
    total = batch * steps
    corners = np.sort(random.uniform(size=[total, 2, 3, 2, 2]), axis=-2)
    return tf.data.Dataset.from_tensor_slices(
        {
            "frames": random.integers(0, 256, [total, 4, 16, 16, 3]).astype(np.uint8),
            "boxes": corners.reshape([total, 2, 3, 4]).astype(np.float32),
            "mask": random.uniform(size=[total, 2, 3]) < 0.8,
            "labels": random.integers(0, 2, [total, 5]).astype(np.float32),
        }
    ).batch(batch)


def _trainer(strategy, optimizer, clips, batch_size, weight_decay=0.0) -> loop.Trainer:
    keras.utils.set_random_seed(1)
    with strategy.scope():
        model = RegionGraphClassifier(
            num_classes=5,
            backbone=ResNet3D(**_TINY, name="backbone"),
            feature_dim=8,
            dropout=0.0,
        )
        model.build()
        optimizer = keras.optimizers.deserialize(keras.optimizers.serialize(optimizer))
        optimizer.build(model.trainable_variables)
        step = orbit.utils.create_global_step()
    return loop.Trainer(
        strategy,
        model,
        optimizer,
        losses.sigmoid,
        clips,
        global_step=step,
        batch_size=batch_size,
        weight_decay=weight_decay,
    )


class DistributionTest(parameterized.TestCase):
    @parameterized.product(
        batch_size=(4, 5),  # An odd batch gives the two devices different shares.
        optimizer=(keras.optimizers.SGD(0.1, momentum=0.9), keras.optimizers.AdamW(1e-3)),
    )
    def test_two_devices_make_the_step_of_one_with_the_whole_batch(self, batch_size, optimizer):
        results = []
        for strategy in (
            tf.distribute.OneDeviceStrategy("CPU:0"),
            tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
        ):
            trainer = _trainer(strategy, optimizer, _clips(batch_size), batch_size, 1e-2)
            output = trainer.train(tf.constant(2))
            results.append((output["loss"], [v.numpy() for v in trainer.model.weights]))
        (one_loss, one), (two_loss, two) = results
        self.assertAlmostEqual(one_loss, two_loss, places=5)
        for first, second in zip(one, two, strict=True):
            np.testing.assert_allclose(first, second, atol=2e-5)


class StepTest(absltest.TestCase):
    def test_sgd_with_l2_decay_by_its_formula(self):
        # v = momentum v - rate (gradient + decay w); w += v, as in Caffe2 and PyTorch.
        rate, momentum, decay = 0.1, 0.9, 0.05
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        optimizer = keras.optimizers.SGD(rate, momentum=momentum)
        clips = _clips(4)
        trainer = _trainer(strategy, optimizer, clips, 4, weight_decay=decay)
        variables = trainer.model.trainable_variables
        expected = [variable.numpy() for variable in variables]
        velocity = [np.zeros_like(value) for value in expected]
        reference = _trainer(strategy, optimizer, clips, 4).model
        for batch in clips:
            for variable, value in zip(reference.trainable_variables, expected, strict=True):
                variable.assign(value)
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(losses.sigmoid(batch["labels"], reference(batch)))
            gradients = tape.gradient(loss, reference.trainable_variables)
            for i, gradient in enumerate(gradients):
                l2 = decay * expected[i] if variables[i].path.endswith("kernel") else 0.0
                velocity[i] = momentum * velocity[i] - rate * (gradient.numpy() + l2)
                expected[i] = expected[i] + velocity[i]
        trainer.train(tf.constant(2))
        for variable, value in zip(variables, expected, strict=True):
            np.testing.assert_allclose(variable.numpy(), value, atol=2e-5, err_msg=variable.path)

    def test_frozen_batch_norm_never_changes(self):
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        trainer = _trainer(strategy, keras.optimizers.SGD(0.5), _clips(4), 4, weight_decay=0.1)
        frozen = [v for v in trainer.model.weights if "/bn/" in v.path]
        others = [v for v in trainer.model.weights if "/bn/" not in v.path]
        before = {v.path: v.numpy() for v in trainer.model.weights}
        trainer.train(tf.constant(2))
        self.assertNotEmpty(frozen)
        for variable in frozen:
            np.testing.assert_array_equal(variable.numpy(), before[variable.path])
        for variable in others:
            self.assertTrue(np.any(variable.numpy() != before[variable.path]), variable.path)

    def test_a_loss_that_is_not_finite_stops_the_run(self):
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        trainer = _trainer(strategy, keras.optimizers.SGD(0.1), _clips(4), 4)
        trainer.model.classifier.bias.assign(np.full(5, np.nan))
        with self.assertRaisesRegex(ValueError, "became nan between steps 0 and 2"):
            trainer.train(tf.constant(2))


if __name__ == "__main__":
    absltest.main()
