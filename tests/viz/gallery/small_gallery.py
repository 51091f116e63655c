"""A network that was never trained for a small data set, as a training run and as a SavedModel."""

import os

import keras
import tensorflow as tf

from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.modeling import RegionGraphClassifier, build_model
from stgraph_tf.serving import export
from stgraph_tf.training.workdir import Workdir
from tests import small_dataset, untrained


def network(data: str) -> RegionGraphClassifier:
    """The network, the same each time."""
    keras.utils.set_random_seed(3)
    model = build_model(small_dataset.config(data).model, len(DatasetInfo.load(data).labels))
    untrained.awaken(model)
    return model


def save_model(data: str, saved_model: str) -> None:
    """Exports the network as version 1."""
    info = DatasetInfo.load(data)
    clip = export.clip_spec(small_dataset.config(data), info, "ckpt-7")
    export.save(os.path.join(saved_model, "1"), network(data), info.labels, clip)


def save_run(data: str, workdir: str) -> RegionGraphClassifier:
    """Makes the folder of a run that has the network as its only checkpoint; returns it."""
    model, folder = network(data), Workdir(workdir)
    folder.start(small_dataset.config(data), DatasetInfo.load(data))
    checkpoint = tf.train.Checkpoint(model=model)
    manager = tf.train.CheckpointManager(checkpoint, folder.checkpoint_dir("joint"), max_to_keep=1)
    manager.save(checkpoint_number=1)
    return model
