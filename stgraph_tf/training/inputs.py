"""What a run is fed, and whether that fits its network and its loss."""

import tensorflow as tf
from ml_collections import ConfigDict

from stgraph_tf.data import pipeline
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.modeling import RegionGraphClassifier
from stgraph_tf.training import distribution
from stgraph_tf.training.distribution import Worker


def training_dataset(
    config: ConfigDict,
    info: DatasetInfo,
    shards: list[str],
    start_step: int = 0,
    worker: Worker = distribution.SINGLE,
) -> tf.data.Dataset:
    """The endless stream of training batches that `config` describes.

    Args:
        config: checked settings, see `stgraph_tf.config`.
        info: the data set's description.
        shards: of the training split.
        start_step: batches to leave out at the start.
        worker: whose share of the batches it is.
    """
    data = config.data
    return pipeline.training_dataset(
        shards,
        num_labels=len(info.labels),
        num_frames=data.num_frames,
        box_stride=data.box_stride,
        num_boxes=data.num_boxes,
        short_side=tuple(data.short_side),
        crop_size=data.crop_size,
        flip=data.flip,
        labels=data.labels,
        batch_size=config.train.batch_size,
        seed=config.seed,
        shuffle_buffer=data.shuffle_buffer,
        start_step=start_step,
        num_videos=info.splits[data.train_split].num_videos,
        shard=(worker.index, worker.count),
        skip_damaged=data.skip_damaged,
    )


def check_box_stride(config: ConfigDict, model: RegionGraphClassifier) -> None:
    """Refuses a config whose boxes would not fall on the backbone's feature frames."""
    stride = model.backbone.temporal_stride
    if config.data.box_stride != stride or config.data.num_frames % stride:
        raise ValueError(
            f"the backbone {config.model.backbone} makes one feature frame of {stride} frames: "
            f"--config.data.box_stride must be {stride}, and --config.data.num_frames a multiple "
            f"of it; they are {config.data.box_stride} and {config.data.num_frames}"
        )


def check_loss(config: ConfigDict, info: DatasetInfo) -> None:
    """Refuses to learn several labels of a video by the loss for a single one."""
    if info.multi_label and config.train.loss == "softmax":
        raise ValueError(
            f"{config.data.dir} has videos with several labels, which --config.train.loss=softmax "
            "cannot learn; use sigmoid"
        )
