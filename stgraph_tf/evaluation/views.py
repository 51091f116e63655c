"""Scoring videos by several clips (section 6, "Inference").

The network runs on whole frames, not on crops; a video's clips are scored one by one, and the
largest of a class's scores is the video's.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
import tensorflow as tf

# What turns logits into scores, by the loss that the model was trained with.
ACTIVATIONS: dict[str, Callable[[tf.Tensor], tf.Tensor]] = {
    "sigmoid": tf.nn.sigmoid,
    "softmax": tf.nn.softmax,
}


class VideoScores(NamedTuple):
    """The videos of a split, in the order of their ids.

    Attributes:
        ids: str `[V]`.
        scores: float32 `[V, C]`, the largest of the clips' scores.
        labels: float32 `[V, C]`, zeros and ones.
    """

    ids: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


def score_videos(
    model: Callable[[Mapping[str, tf.Tensor]], tf.Tensor],
    dataset: Iterable[Mapping[str, tf.Tensor]],
    activation: Callable[[tf.Tensor], tf.Tensor],
    on_batch: Callable[[int], object] = lambda clips: None,
) -> VideoScores:
    """Scores every clip of `dataset` and max-pools the clips of each video.

    Args:
        model: gives logits `[B, C]` from `frames`, `boxes` and `mask`.
        dataset: batches of clips, see `stgraph_tf.data.pipeline.evaluation_dataset`; the clips of a
            video may stand anywhere.
        activation: logits to scores, one of `ACTIVATIONS`.
        on_batch: told the number of clips of each batch when they are scored.

    Raises:
        ValueError: a score is NaN, naming the video, or there are no clips.
    """

    @tf.function(reduce_retracing=True)
    def score(inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return activation(model(inputs))

    pooled: dict[str, np.ndarray] = {}
    labels: dict[str, np.ndarray] = {}
    for batch in dataset:
        scores = score({name: batch[name] for name in ("frames", "boxes", "mask")}).numpy()
        ids = [video_id.decode() for video_id in batch["id"].numpy()]
        for video_id, clip_scores, clip_labels in zip(
            ids, scores, batch["labels"].numpy(), strict=True
        ):
            if np.isnan(clip_scores).any():
                raise ValueError(f"the model gives NaN for a clip of the video {video_id}")
            labels[video_id] = clip_labels
            best = pooled.get(video_id, clip_scores)
            pooled[video_id] = np.maximum(best, clip_scores)
        on_batch(len(ids))
    if not pooled:
        raise ValueError("there is no clip to evaluate")
    order = sorted(pooled)
    return VideoScores(
        np.array(order),
        np.stack([pooled[video_id] for video_id in order]),
        np.stack([labels[video_id] for video_id in order]),
    )
