"""Records in, scores of whole videos out: the evaluation of a video inside the graph.

The record is parsed, its clips are chosen, decoded and scaled by the functions of the evaluation's
pipeline (`stgraph_tf.data.pipeline.evaluation_dataset`). Videos go one after the other, and so do
a video's clips: however many there are, the pixels of one clip are in memory.
"""

from collections.abc import Callable

import tensorflow as tf

from stgraph_tf.data import clips, transforms
from stgraph_tf.serving import jpeg_frames, sent_records
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.limits import Limits

# Frames uint8 [1, T, H, W, 3] and boxes float32 [1, T', K, 4] to scores [1, C].
Score = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
# Feature frames uint8 [T', H, W, 3] to boxes [T', K, 4].
Detect = Callable[[tf.Tensor], tf.Tensor]


class VideoScorer:
    """Scores records as `tools/evaluate.py` does.

    Args:
        score: scores a batch of one clip.
        num_classes: C.
        clip: how the clips are cut and their scores pooled.
        limits: of records and frames.
        detect: finds the boxes of videos whose record has none; None to score these without.
    """

    def __init__(
        self,
        score: Score,
        num_classes: int,
        clip: ClipSpec,
        limits: Limits,
        detect: Detect | None = None,
    ):
        self._score = score
        self._num_classes = num_classes
        self._clip = clip
        self._limits = limits
        self._detect = detect

    def __call__(self, records: tf.Tensor) -> tf.Tensor:
        """Scores videos.

        Args:
            records: string `[B]`, see `stgraph_tf.data.schema`.

        Returns:
            float32 `[B, C]`.

        Raises:
            tf.errors.InvalidArgumentError: a record, or a frame of it, is not what it should be.
        """
        return tf.map_fn(
            lambda numbered: self._video_scores(*numbered),
            (records, tf.range(tf.size(records))),
            fn_output_signature=tf.TensorSpec([self._num_classes], tf.float32),
            parallel_iterations=1,
        )

    def _video_scores(self, record: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
        """float32 `[C]`."""
        name = tf.strings.join(["sequence_example[", tf.as_string(number), "]"])
        video = sent_records.parse(record, name, self._limits)
        chosen = clips.evaluation_clips(
            video,
            num_frames=self._clip.num_frames,
            box_stride=self._clip.box_stride,
            num_clips=self._clip.num_clips,
        )
        without_boxes = tf.equal(tf.size(video["boxes"].flat_values), 0)
        # Clips of a short video are alike, and need one look: clips that begin alike are alike.
        starts, places = tf.unique(chosen["frame_indices"][:, 0])
        every_clip = tf.range(self._clip.num_clips)
        distinct = tf.math.unsorted_segment_min(every_clip, places, tf.size(starts))
        scores = tf.map_fn(
            lambda index: self._clip_scores(chosen, index, without_boxes, name),
            distinct,
            fn_output_signature=tf.TensorSpec([self._num_classes], tf.float32),
            parallel_iterations=1,
        )
        if self._clip.pooling == "mean":
            return tf.reduce_mean(tf.gather(scores, places), axis=0)
        return tf.reduce_max(scores, axis=0)

    def _clip_scores(
        self,
        chosen: dict[str, tf.Tensor],
        index: tf.Tensor,
        without_boxes: tf.Tensor,
        name: tf.Tensor,
    ) -> tf.Tensor:
        """float32 `[C]`."""
        jpegs = jpeg_frames.checked(
            tf.gather(chosen["jpegs"], chosen["frame_indices"][index]),
            tf.strings.join(["a clip of ", name]),
            lambda _: tf.strings.join(["a frame of ", name]),
            self._clip,
            self._limits,
        )
        cut = transforms.evaluation_transform(
            {
                "id": name,
                "jpegs": jpegs,
                "boxes": chosen["boxes"][index],
                "mask": chosen["mask"][index],
            },
            short_side=self._clip.short_side,
            num_boxes=self._clip.num_boxes,
        )
        boxes = cut["boxes"]
        if self._detect is not None:
            feature_frames = jpegs[:: self._clip.box_stride]
            boxes = tf.cond(
                without_boxes,
                lambda: self._detect(jpeg_frames.decoded(feature_frames)),
                lambda: cut["boxes"],
            )
        return self._score(cut["frames"][tf.newaxis], boxes[tf.newaxis])[0]
