"""Where the replicas of the model stand."""

import tensorflow as tf


def local_strategy() -> tf.distribute.Strategy:
    """All visible GPUs, or all logical CPUs where there is no GPU.

    Returns:
        `MirroredStrategy` over more than one device, else the plain strategy for the one there is.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.OneDeviceStrategy(devices[0].name)
