"""Scoring videos by several clips (section 6, "Inference").

The network runs on whole frames, not on crops; a video's clips are scored one by one, and pooled:
the largest of a class's scores is the video's, or their mean.
"""

from collections.abc import Callable, Mapping

import tensorflow as tf

from stgraph_tf.evaluation.pooling import ClipPool, VideoScores

Model = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]
Activation = Callable[[tf.Tensor], tf.Tensor]

# What turns logits into scores, by the loss that the model was trained with.
ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": tf.nn.sigmoid,
    "softmax": tf.nn.softmax,
}

_INPUTS = ("frames", "boxes", "mask")


def score_videos(
    model: Model,
    dataset: tf.data.Dataset,
    activation: Activation,
    *,
    pooling: str = "max",
    on_batch: Callable[[int], object] = lambda clips: None,
) -> VideoScores:
    """Scores every clip of `dataset` and pools the clips of each video.

    Args:
        model: gives logits `[B, C]` from `frames`, `boxes` and `mask`.
        dataset: batches of clips, see `stgraph_tf.data.pipeline.evaluation_dataset`; the clips of a
            video may stand anywhere.
        activation: logits to scores, one of `ACTIVATIONS`.
        pooling: of the clips' scores, `"max"` or `"mean"`.
        on_batch: told the number of clips of each batch when they are scored.

    Raises:
        ValueError: a score is NaN, naming the video, there are no clips, or no such pooling.
    """
    score = compiled(model, activation, dataset.element_spec)
    return pooled_scores(score, dataset, pooling=pooling, on_batch=on_batch)


def compiled(
    model: Model, activation: Activation, clips: Mapping[str, tf.TensorSpec]
) -> tf.types.experimental.PolymorphicFunction:
    """`model` and `activation` as one function of `frames`, `boxes` and `mask`.

    It is traced once, for batches and frames of every size that `clips` leaves open, when it is
    called first.

    Args:
        model: as above.
        activation: as above.
        clips: what a batch is, the `element_spec` of a dataset.
    """

    @tf.function(input_signature=[{name: clips[name] for name in _INPUTS}])
    def score(inputs: Mapping[str, tf.Tensor]) -> tf.Tensor:
        return activation(tf.cast(model(inputs), tf.float32))

    return score


def pooled_scores(
    score: Model,
    dataset: tf.data.Dataset,
    *,
    pooling: str = "max",
    on_batch: Callable[[int], object] = lambda clips: None,
) -> VideoScores:
    """`score_videos` with what `compiled` returned, which may be used over and over again."""
    pool = None
    for batch in dataset:
        scores = score({name: batch[name] for name in _INPUTS}).numpy()
        ids = [video_id.decode() for video_id in batch["id"].numpy()]
        pool = pool or ClipPool(scores.shape[1], pooling)
        pool.add(ids, scores, batch["labels"].numpy())
        on_batch(len(ids))
    if pool is None:
        raise ValueError("there is no clip to evaluate")
    return pool.videos()
