"""The paper's two losses (section 6, "Task specific settings"), one value a clip."""

from collections.abc import Callable

import tensorflow as tf

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def sigmoid(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Binary cross entropy for several labels a clip (Charades), averaged over the classes.

    Args:
        labels: float32 `[B, C]`, 1 for each label that the clip has.
        logits: float32 `[B, C]`.

    Returns:
        float32 `[B]`.
    """
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=-1)


def softmax(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Cross entropy for one label a clip (Something-Something); 0 for a clip without its label.

    Args:
        labels: float32 `[B, C]`, one-hot.
        logits: float32 `[B, C]`.

    Returns:
        float32 `[B]`.
    """
    return tf.nn.softmax_cross_entropy_with_logits(labels, logits)


LOSSES: dict[str, Loss] = {"sigmoid": sigmoid, "softmax": softmax}
