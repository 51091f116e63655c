"""An exported model against the trained one, on the same clips.

The clips are real ones where the validation shards are at hand. What is compared is what a server
will give: the reloaded SavedModel's scores, of every signature.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from stgraph_tf.data import failures, pipeline, transforms
from stgraph_tf.evaluation.views import ACTIVATIONS
from stgraph_tf.proposals.detector import Detector
from stgraph_tf.serving.assets import ClipSpec

# The largest difference of a score from the float32 network's, by the precision that is served.
# Rounding to bfloat16, with 8 significant bits, moves the logits of a ResNet-50 by 0.5% of their
# standard deviation and a few of some hundred by four times as much: by 0.1 where that is 5. A
# score's slope over its logit is at most 1/4. A model whose scores move further has activations
# that bfloat16 cannot hold.
TOLERANCES = {"float32": 1e-4, "bfloat16": 3e-2}

_MAX_BOXES = 8

Clips = Mapping[str, tf.Tensor]


def real_clips(shards: list[str], clip: ClipSpec, num_labels: int, count: int) -> Iterator[Clips]:
    """The middle clips of the first videos of some shards, one a batch, as evaluation sees them.

    Raises:
        ValueError: a shard is damaged or does not hold what it should; it is named.
    """
    dataset = pipeline.evaluation_dataset(
        shards,
        num_labels=num_labels,
        num_frames=clip.num_frames,
        box_stride=clip.box_stride,
        num_boxes=clip.num_boxes,
        num_clips=1,
        short_side=clip.short_side,
        batch_size=1,
    )
    with failures.checked(shards):
        yield from dataset.take(count)


def random_clips(clip: ClipSpec, count: int, seed: int = 0) -> Iterator[Clips]:
    """Clips of noise with random boxes, some of them padded: for where there are no real ones."""
    random = np.random.default_rng(seed)
    size = (clip.short_side, clip.short_side * 4 // 3)
    boxes_shape = (1, clip.num_frames // clip.box_stride, min(clip.num_boxes, _MAX_BOXES))
    for _ in range(count):
        corners = np.sort(random.uniform(size=(*boxes_shape, 2, 2)), axis=-2)
        mask = random.uniform(size=boxes_shape) < 0.8
        boxes = corners.reshape(*boxes_shape, 4) * mask[..., np.newaxis]
        frames = random.integers(0, 256, (1, clip.num_frames, *size, 3))
        yield {
            "frames": tf.constant(frames, tf.uint8),
            "boxes": tf.constant(boxes, tf.float32),
            "mask": tf.constant(mask),
        }


def largest_difference(
    saved_model: str,
    model: keras.Model,
    clip: ClipSpec,
    clips: Iterable[Clips],
    detector: Detector | None = None,
) -> float:
    """Loads the SavedModel and compares every signature with the trained model.

    Args:
        saved_model: its folder.
        model: the trained network.
        clip: the description that was exported along.
        clips: batches with `frames`, `boxes` and `mask`, such as those of `real_clips`.
        detector: that was exported along, if any.

    Returns:
        The largest absolute difference of a score.

    Raises:
        ValueError: there was no clip, or the trained model's scores are not finite.
    """
    loaded = tf.saved_model.load(saved_model)
    differences = []
    for batch in clips:
        differences += _differences(loaded.signatures, model, clip, batch, detector)
    if not differences:
        raise ValueError("there was no clip to verify the exported model on")
    # Not `max`, which passes over NaN.
    return float(np.max(differences))


def _differences(
    served: Mapping[str, Callable[..., Clips]],
    model: keras.Model,
    clip: ClipSpec,
    batch: Clips,
    detector: Detector | None,
) -> Iterator[float]:
    """How far the scores of each signature are away, for one batch of clips."""
    frames, boxes = batch["frames"], batch["boxes"]
    jpegs, decoded = _compressed(frames)
    scaled = {**batch, "frames": transforms.resize_short_side(decoded, clip.short_side)}

    def difference(output: Clips, expected: Clips) -> float:
        return np.abs(output["scores"] - _trained_scores(model, clip, expected)).max()

    yield difference(served["serving_default"](frames=frames, boxes=boxes), batch)
    yield difference(served["encoded_frames"](encoded_frames=jpegs, boxes=boxes), scaled)
    if detector is not None:
        found = _detected(detector, clip, frames)
        yield difference(served["frames_only"](frames=frames), {**batch, **found})
        found = _detected(detector, clip, decoded)
        yield difference(served["encoded_frames_only"](encoded_frames=jpegs), {**scaled, **found})


def _detected(detector: Detector, clip: ClipSpec, frames: tf.Tensor) -> Clips:
    """What the detector finds on the feature frames of one clip, frames `[1, T, H, W, 3]`."""
    found = detector.detect(frames[0, :: clip.box_stride])
    return {"boxes": found.boxes[tf.newaxis], "mask": found.mask[tf.newaxis]}


def _trained_scores(model: keras.Model, clip: ClipSpec, batch: Clips) -> np.ndarray:
    inputs = {name: batch[name] for name in ("frames", "boxes", "mask")}
    scores = ACTIVATIONS[clip.loss](model(inputs, training=False)).numpy()
    if not np.isfinite(scores).all():
        raise ValueError("the trained model's scores are not finite; it cannot be exported")
    return scores


def _compressed(frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """`frames` `[1, T, H, W, 3]` as JPEG images `[1, T]`, and decoded again."""
    jpegs = [tf.io.encode_jpeg(frame, quality=95) for frame in frames[0]]
    decoded = tf.stack([transforms.decode_jpeg(jpeg) for jpeg in jpegs])
    return tf.stack(jpegs)[tf.newaxis], decoded[tf.newaxis]
