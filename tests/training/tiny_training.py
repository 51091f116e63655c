"""A network of a few weights, clips of noise and a trainer, for tests of the training loop."""

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from stgraph_tf import config as settings
from stgraph_tf.modeling import BACKBONES, RegionGraphClassifier, ResNet3D
from stgraph_tf.training import loop, losses, optimizers
from stgraph_tf.training.progress import Progress
from stgraph_tf.training.steps import TrainingStep, trainable_variables

NUM_CLASSES = 5
_TINY = {**BACKBONES["tiny"], "widths": (4, 6), "stem_width": 4}


def clips(batch: int, steps: int = 2) -> tf.data.Dataset:
    """`steps` batches of noise."""
    random = np.random.default_rng(0)
    total = batch * steps
    corners = np.sort(random.uniform(size=[total, 2, 3, 2, 2]), axis=-2)
    return tf.data.Dataset.from_tensor_slices(
        {
            "frames": random.integers(0, 256, [total, 4, 16, 16, 3]).astype(np.uint8),
            "boxes": corners.reshape([total, 2, 3, 4]).astype(np.float32),
            "mask": random.uniform(size=[total, 2, 3]) < 0.8,
            "labels": random.integers(0, 2, [total, NUM_CLASSES]).astype(np.float32),
            "id": [f"clip-{index}" for index in range(total)],
        }
    ).batch(batch)


def config(**train) -> ConfigDict:
    """The defaults for SGD at a rate that moves every weight; `train` changes some."""
    result = settings.default()
    result.stages.joint.learning_rate = 0.1
    result.train.update(train)
    return result


def model(
    graph: str = "joint", *, dropout: float = 0.3, precision: str = "float32", **backbone
) -> RegionGraphClassifier:
    """A network with weights that are the same each time."""
    keras.utils.set_random_seed(1)
    result = RegionGraphClassifier(
        num_classes=NUM_CLASSES,
        graph=graph,
        backbone=ResNet3D(**_TINY, **backbone, name="backbone", dtype=precision),
        feature_dim=8,
        dropout=dropout,
        dtype=precision,
    )
    result.build()
    return result


def step(
    network: RegionGraphClassifier, batch_size: int, run: ConfigDict | None = None, **arguments
) -> TrainingStep:
    """A step of the stage `joint`; to be called in a strategy's scope."""
    run = run or config()
    variables = trainable_variables(network, backbone_fixed=arguments.get("backbone_fixed", False))
    return TrainingStep(
        network,
        optimizers.build_optimizer(run, run.stages.joint, variables),
        losses.sigmoid,
        batch_size=batch_size,
        **arguments,
    )


def trainer(
    training_step: TrainingStep,
    dataset: tf.data.Dataset,
    strategy: tf.distribute.Strategy | None = None,
    **arguments,
) -> loop.Trainer:
    """A trainer at step 0."""
    strategy = strategy or tf.distribute.OneDeviceStrategy("CPU:0")
    return loop.Trainer(
        strategy,
        training_step,
        strategy.experimental_distribute_dataset(dataset),
        tf.Variable(0, dtype=tf.int64),
        Progress(10, 0, training_step.batch_size),
        loop.running_sums(),
        **arguments,
    )
