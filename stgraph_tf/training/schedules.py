"""The learning rate over the steps of a run."""

from collections.abc import Sequence

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="stgraph_tf")
class StepDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A rate that is multiplied by `decay_rate` at each of `decay_steps` (section 6 of the paper).

    Args:
        learning_rate: the rate of the first steps.
        decay_steps: the steps from which on the rate is multiplied once more.
        decay_rate: the factor.
        warmup_steps: steps over which the rate first rises linearly from zero.
    """

    def __init__(
        self,
        learning_rate: float,
        decay_steps: Sequence[int] = (),
        decay_rate: float = 0.1,
        warmup_steps: int = 0,
    ):
        if learning_rate <= 0:
            raise ValueError(f"`learning_rate` must be positive. Received: {learning_rate}")
        if list(decay_steps) != sorted(decay_steps):
            raise ValueError(f"`decay_steps` must ascend. Received: {tuple(decay_steps)}")
        self.learning_rate = learning_rate
        self.decay_steps = tuple(decay_steps)
        self.decay_rate = decay_rate
        self.warmup_steps = warmup_steps

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.float32)
        passed = tf.add_n(
            [tf.zeros([])] + [tf.cast(step >= at, tf.float32) for at in self.decay_steps]
        )
        rate = self.learning_rate * tf.pow(self.decay_rate, passed)
        if self.warmup_steps:
            rate *= tf.minimum((step + 1) / self.warmup_steps, 1.0)
        return rate

    def get_config(self):
        return {
            "learning_rate": self.learning_rate,
            "decay_steps": self.decay_steps,
            "decay_rate": self.decay_rate,
            "warmup_steps": self.warmup_steps,
        }
