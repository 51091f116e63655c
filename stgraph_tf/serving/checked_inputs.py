"""The inputs of the signatures, checked: what comes out of here may be decoded and scored."""

import tensorflow as tf

from stgraph_tf.serving import jpeg_frames
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.input_checks import (
    ANY,
    Range,
    at_least,
    checked_product,
    checked_shape,
    checked_values,
    exactly,
    row,
)
from stgraph_tf.serving.limits import Limits


class CheckedInputs:
    """Every method returns its input, or fails with `tf.errors.InvalidArgumentError`.

    Args:
        clip: how clips are cut.
        limits: of a request.
    """

    def __init__(self, clip: ClipSpec, limits: Limits):
        self._clip = clip
        self._limits = limits
        self._num_feature_frames = clip.num_frames // clip.box_stride

    def frames(self, frames: tf.Tensor, most_clips: int = tf.int32.max) -> tf.Tensor:
        """Raw frames `[B, T, H, W, 3]`."""
        num_frames, side = self._clip.num_frames, self._limits.smallest_side
        batch = (1, most_clips)
        frames = checked_shape(
            "frames",
            frames,
            [batch, exactly(num_frames), at_least(side), at_least(side), exactly(3)],
            f"[B, {num_frames}, H, W, 3] with B of {_text(batch)}, H and W of at least {side}",
        )
        of_clip, of_request = self._limits.clip_pixels, self._limits.seen_pixels
        sizes = tf.unstack(tf.shape(frames)[:4])
        frames = checked_product(
            "frames", frames, sizes[1:], of_clip, "pixels (T * H * W) that a clip"
        )
        return checked_product(
            "frames", frames, sizes, of_request, "pixels (B * T * H * W) that a request"
        )

    def jpegs(self, encoded_frames: tf.Tensor, most_clips: int = tf.int32.max) -> tf.Tensor:
        """JPEG frames `[B, T]`, flattened to `[B T]`: small enough to be decoded and scaled."""
        name, num_frames, batch = "encoded_frames", self._clip.num_frames, (1, most_clips)
        encoded_frames = checked_shape(
            name,
            encoded_frames,
            [batch, exactly(num_frames)],
            f"[B, {num_frames}] with B of {_text(batch)}",
        )

        def name_of(index: tf.Tensor) -> tf.Tensor:
            place = tf.stack([index // num_frames, index % num_frames])
            return tf.strings.join([f"{name}[", row(place), "]"])

        jpegs = tf.reshape(encoded_frames, [-1])
        return jpeg_frames.checked(jpegs, name, name_of, self._clip, self._limits)

    def boxes(self, boxes: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        """Boxes `[B, T', K, 4]` of `batch` clips: finite, and not too many for the graph."""
        frames = self._num_feature_frames
        boxes = checked_shape(
            "boxes",
            boxes,
            [exactly(batch), exactly(frames), ANY, exactly(4)],
            f"[B, {frames}, K, 4] with the B of the frames",
        )
        batch, _, most, _ = tf.unstack(tf.shape(boxes))
        boxes = checked_product(
            "boxes",
            boxes,
            [batch, frames, most, frames, most],
            self._limits.edges,
            "edges (B * N * N, of N boxes a clip) that a request",
        )
        return checked_values(
            "boxes", boxes, tf.math.is_finite(boxes), "has a number that is not finite"
        )

    def records(self, sequence_example: tf.Tensor) -> tf.Tensor:
        """Records `[B]`; what is in them is checked later, one by one."""
        batch = (1, self._clip.max_clips)
        return checked_shape(
            "sequence_example", sequence_example, [batch], f"[B] with B of {_text(batch)}"
        )


def _text(sizes: Range) -> str:
    least, greatest = sizes
    return f"at least {least}" if greatest == tf.int32.max else f"{least} to {greatest}"
