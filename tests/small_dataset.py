"""A few real shards of small noisy videos, for tests that train, evaluate and export."""

import io
import os

import numpy as np
from PIL import Image

from stgraph_tf import config as settings
from stgraph_tf.data import schema, shards
from stgraph_tf.data.dataset_info import DatasetInfo, SplitInfo

LABELS = ("open", "close", "throw")
_NUM_FRAMES = 12


def write(
    directory: str, *, num_videos: int = 6, multi_label: bool = True, labelled: bool = True
) -> DatasetInfo:
    """Writes the splits `train` and `validation`, two shards each, and `dataset.json`."""
    splits = {}
    for split in ("train", "validation"):
        names = []
        for index in range(2):
            name = shards.shard_name(split, index, 2)
            videos = range(index, num_videos, 2)
            shards.write(
                os.path.join(directory, name),
                [schema.encode(_video(f"{split}-{video}", video, labelled)) for video in videos],
            )
            names.append(name)
        splits[split] = SplitInfo(num_videos, num_videos * _NUM_FRAMES, 0, names)
    info = DatasetInfo(
        labels=LABELS, multi_label=multi_label, frame_rate=6.0, short_side=32, splits=splits
    )
    info.save(directory)
    return info


def config(directory: str):
    """Settings that train a very small network on it."""
    result = settings.for_variant("tiny_i3d_joint", backbones=("tiny",))
    result.model.feature_dim = 8
    result.data.dir = directory
    result.data.num_frames = 4
    result.data.num_boxes = 3
    result.data.short_side = (32, 36)
    result.data.crop_size = 32
    result.train.batch_size = 2
    result.train.stages = ("joint",)
    result.train.log_interval = 1
    result.train.validation_interval = -1
    result.train.deterministic = False  # Tests share a process, for which it cannot be undone.
    result.stages.joint.steps = 4
    result.stages.joint.learning_rate = 0.01
    result.evaluation.num_clips = 2
    result.evaluation.short_side = 32
    return result


def _video(video_id: str, index: int, labelled: bool) -> schema.Video:
    random = np.random.default_rng(index)
    frames = []
    for _ in range(_NUM_FRAMES):
        buffer = io.BytesIO()
        Image.fromarray(random.integers(0, 256, [32, 40, 3], np.uint8)).save(buffer, "JPEG")
        frames.append(buffer.getvalue())
    corners = np.sort(random.uniform(size=[_NUM_FRAMES, 4, 2, 2]), axis=-2)
    boxes = corners.reshape([_NUM_FRAMES, 4, 4]).astype(np.float32)
    labels = [index % len(LABELS)] if labelled else []
    return schema.Video(
        id=video_id,
        frames=frames,
        timestamps=[frame * 1_000_000 // 6 for frame in range(_NUM_FRAMES)],
        height=32,
        width=40,
        frame_rate=6.0,
        labels=labels,
        label_names=[LABELS[label] for label in labels],
        segments=[],
        boxes=list(boxes),
        scores=[np.linspace(0.9, 0.3, 4).astype(np.float32)] * _NUM_FRAMES,
    )
