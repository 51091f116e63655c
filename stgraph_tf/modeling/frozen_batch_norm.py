"""Batch normalization whose statistics, scale and shift never change.

Section 6 of the paper: "we freeze the parameters in all Batch Normalization layers during
training". A Keras layer with `trainable = False` thaws when somebody sets `trainable = True` on the
model around it; this one cannot.
"""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="stgraph_tf")
class FrozenBatchNormalization(keras.layers.Layer):
    """`(x - mean) / sqrt(variance + epsilon) * gamma + beta`, all four from the initial weights.

    Its weights have the names and the order of `keras.layers.BatchNormalization`, so that files
    and checkpoints of either load into the other.

    Args:
        epsilon: added to the variance (1e-5, as in Caffe2 and PyTorch).
    """

    def __init__(self, epsilon: float = 1e-5, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def build(self, input_shape):
        for name, initializer in (
            ("gamma", "ones"),
            ("beta", "zeros"),
            ("moving_mean", "zeros"),
            ("moving_variance", "ones"),
        ):
            weight = self.add_weight(
                shape=(input_shape[-1],),
                initializer=initializer,
                trainable=False,
                autocast=False,
                name=name,
            )
            setattr(self, name, weight)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        scale = self.gamma * tf.math.rsqrt(self.moving_variance + self.epsilon)
        shift = self.beta - self.moving_mean * scale
        return inputs * tf.cast(scale, inputs.dtype) + tf.cast(shift, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
