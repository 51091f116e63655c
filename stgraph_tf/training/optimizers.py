"""The optimizer that a config asks for."""

from collections.abc import Mapping
from typing import Any

import keras

from stgraph_tf.training.schedules import StepDecay


def build_optimizer(settings: Mapping[str, Any]) -> keras.optimizers.Optimizer:
    """Builds SGD with momentum, as in the paper, or AdamW for training from scratch.

    Args:
        settings: the `train` part of a config, see `stgraph_tf.config`.

    Returns:
        The optimizer. SGD leaves weight decay to the training step, where it is the L2 term of
        Caffe2's and PyTorch's SGD; AdamW decays by itself, decoupled from the gradient.
    """
    schedule = StepDecay(
        settings["learning_rate"],
        settings["decay_steps"],
        settings["decay_rate"],
        settings["warmup_steps"],
    )
    if settings["optimizer"] == "adamw":
        return keras.optimizers.AdamW(schedule, weight_decay=settings["weight_decay"])
    return keras.optimizers.SGD(schedule, momentum=settings["momentum"])
