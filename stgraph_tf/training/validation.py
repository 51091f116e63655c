"""Scoring the validation videos between epochs, with the model as it is in training.

With several workers, each scores every so-manieth video; then all bring their shares together, so
that every worker comes to the same measures, which are those of a single worker.
"""

import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from stgraph_tf.data import failures
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.evaluation import pooling, protocol, views
from stgraph_tf.evaluation.pooling import VideoScores
from stgraph_tf.training import distribution, losses

Model = Callable[[Mapping[str, tf.Tensor]], tf.Tensor]

_CLIP = ("frames", "boxes", "mask", "labels")


@dataclasses.dataclass(frozen=True, eq=False)
class Measured:
    """What a model reaches on the validation videos.

    Attributes:
        headline: the name of the measure that tells which model is better, `"mAP"` or `"top1"`.
        value: this measure.
        scalars: all measures, and `"loss"`, the mean over the clips.
        scores: float32 `[V, C]`, videos in the order of their ids.
        labels: float32 `[V, C]`, zeros and ones.
    """

    headline: str
    value: float
    scalars: Mapping[str, float]
    scores: np.ndarray
    labels: np.ndarray


class Validation:
    """Measures models on the validation split, over and over again.

    Args:
        config: checked settings, see `stgraph_tf.config`. Of a video,
            `config.train.validation_clips` clips are scored, on the first device of each worker.
        info: the data set's description.
        strategy: of the training run.

    Raises:
        ValueError: the data set has no validation split.
    """

    def __init__(self, config: ConfigDict, info: DatasetInfo, strategy: tf.distribute.Strategy):
        split = config.data.validation_split
        worker = distribution.worker_of(strategy)
        self._shards = info.shard_paths(config.data.dir, split)
        self._num_classes = len(info.labels)
        self._multi_label = info.multi_label
        self._activation = views.ACTIVATIONS[config.train.loss]
        self._loss = losses.LOSSES[config.train.loss]
        self._pooling = config.evaluation.pooling
        num_clips = config.train.validation_clips
        self._dataset = protocol.validation_dataset(
            config, info, self._shards, num_clips=num_clips, shard=(worker.index, worker.count)
        )
        self._gather: Callable[[_Share], Sequence[_Share]]
        self._gather = _Gathering(strategy) if worker.count > 1 else lambda share: [share]
        self._compiled: tuple[Model, Callable[..., Any]] | None = None
        # Every `count`-th video, beginning with the `index`-th.
        num_videos = len(range(worker.index, info.splits[split].num_videos, worker.count))
        self.num_clips = num_videos * num_clips

    def measure(
        self, model: Model, on_batch: Callable[[int], object] = lambda clips: None
    ) -> Measured:
        """Scores the videos. All workers must call it, and all get the same.

        Args:
            model: gives logits `[B, C]` from `frames`, `boxes` and `mask`. It is compiled when it
                is another than in the call before.
            on_batch: told the number of clips of each batch when they are scored; this worker's
                are `num_clips` in all.

        Raises:
            ValueError: a score is NaN (the video is named), a record is damaged, or no video has a
                label.
        """
        if self._compiled is None or model != self._compiled[0]:
            self._compiled = model, self._compile(model)
        with failures.checked(self._shards):
            share = self._score_share(self._compiled[1], on_batch)
        videos, loss = self._joined(self._gather(share))
        scalars = protocol.measures(videos.labels, videos.scores, self._multi_label)
        headline = next(iter(scalars))
        return Measured(
            headline=headline,
            value=scalars[headline],
            scalars={**scalars, "loss": loss},
            scores=videos.scores,
            labels=videos.labels,
        )

    def _compile(self, model: Model) -> tf.types.experimental.PolymorphicFunction:
        """`model` with loss and activation, traced once for batches and frames of every size."""
        spec = self._dataset.element_spec

        @tf.function(input_signature=[{name: spec[name] for name in _CLIP}])
        def score(clips: Mapping[str, tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
            inputs = {name: clips[name] for name in _CLIP if name != "labels"}
            logits = tf.cast(model(inputs), tf.float32)
            return self._activation(logits), self._loss(clips["labels"], logits)

        return score

    def _score_share(
        self, score: Callable[..., Any], on_batch: Callable[[int], object]
    ) -> "_Share":
        pool = pooling.ClipPool(self._num_classes, self._pooling)
        loss, num_clips = 0.0, 0
        for batch in self._dataset:
            scores, clip_losses = score({name: batch[name] for name in _CLIP})
            ids = [video_id.decode() for video_id in batch["id"].numpy()]
            pool.add(ids, scores.numpy(), batch["labels"].numpy())
            loss += float(np.sum(clip_losses.numpy(), dtype=np.float64))
            num_clips += len(ids)
            on_batch(len(ids))
        return _Share(pool.videos(), loss, num_clips)

    def _joined(self, shares: Sequence["_Share"]) -> tuple[VideoScores, float]:
        num_clips = sum(share.num_clips for share in shares)
        if not num_clips:
            raise ValueError(f"{', '.join(self._shards)}: there is no clip to evaluate")
        videos = pooling.join([share.videos for share in shares])
        return videos, sum(share.loss for share in shares) / num_clips


@dataclasses.dataclass(frozen=True, eq=False)
class _Share:
    """What one worker has scored: its videos, and the sum of the losses of its clips."""

    videos: VideoScores
    loss: float
    num_clips: int

    def to_numbers(self) -> np.ndarray:
        """The share as int64 numbers, of which there are as many as it takes."""
        buffer = io.BytesIO()
        np.savez(buffer, *self.videos, np.float64(self.loss), np.int64(self.num_clips))
        return np.frombuffer(buffer.getvalue() + bytes(-buffer.tell() % 8), np.int64)

    @classmethod
    def from_numbers(cls, numbers: np.ndarray) -> "_Share":
        # What a zip archive says of itself stands at its end, behind which only zeros may follow.
        with np.load(io.BytesIO(numbers.tobytes())) as saved:
            *videos, loss, num_clips = (saved[name] for name in saved.files)
        return cls(VideoScores(*videos), float(loss), int(num_clips))


class _Gathering:
    """Brings the shares of all workers together on every one of them."""

    def __init__(self, strategy: tf.distribute.Strategy):
        self._strategy = strategy
        self._per_worker = strategy.num_replicas_in_sync // distribution.worker_of(strategy).count

    def __call__(self, share: _Share) -> list[_Share]:
        sizes, numbers = self._gather(share.to_numbers())
        ends = np.cumsum(sizes.numpy())[:-1]
        parts = np.split(numbers.numpy(), ends)
        return [_Share.from_numbers(part) for part in parts[:: self._per_worker]]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64)])
    def _gather(self, numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        def of_replica(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            context = tf.distribute.get_replica_context()
            # A worker's share comes from its first replica; the others have nothing to add.
            is_first = context.replica_id_in_sync_group % self._per_worker == 0
            numbers = numbers[: tf.where(is_first, tf.size(numbers), 0)]
            sizes = context.all_gather(tf.size(numbers, tf.int64)[tf.newaxis], axis=0)
            return sizes, context.all_gather(numbers, axis=0)

        results = self._strategy.run(of_replica, args=(numbers,))
        return tuple(self._strategy.experimental_local_results(part)[0] for part in results)
