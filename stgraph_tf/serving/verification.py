"""An exported model against the trained one, on the same clips and videos.

These are real ones where the validation shards are at hand. What is compared is what a server will
give: the reloaded SavedModel's scores, of every signature. Its warm-up requests are replayed, too:
a server refuses a version of which one fails.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

import keras
import numpy as np
import tensorflow as tf

from stgraph_tf.data import clips as clip_choice
from stgraph_tf.data import failures, pipeline, schema, transforms
from stgraph_tf.evaluation.pooling import pool_clips
from stgraph_tf.evaluation.views import ACTIVATIONS
from stgraph_tf.proposals.detector import Detector
from stgraph_tf.serving import warmup
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

    The first one comes with the whole video's `record`, string `[]`.

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
        for index, batch in enumerate(dataset.take(count)):
            if index == 0:
                record = next(iter(tf.data.TFRecordDataset(shards)))
                batch = {**batch, "record": record}
            yield batch


def random_clips(clip: ClipSpec, count: int, seed: int = 0) -> Iterator[Clips]:
    """Clips of noise with random boxes, some of them padded: for where there are no real ones.

    The first one comes with the `record` of a video that is as long as the clip.
    """
    random = np.random.default_rng(seed)
    size = (clip.short_side, clip.short_side * 4 // 3)
    boxes_shape = (1, clip.num_frames // clip.box_stride, min(clip.num_boxes, _MAX_BOXES))
    for index in range(count):
        corners = np.sort(random.uniform(size=(*boxes_shape, 2, 2)), axis=-2)
        mask = random.uniform(size=boxes_shape) < 0.8
        boxes = corners.reshape(*boxes_shape, 4) * mask[..., np.newaxis]
        frames = random.integers(0, 256, (1, clip.num_frames, *size, 3))
        batch = {
            "frames": tf.constant(frames, tf.uint8),
            "boxes": tf.constant(boxes, tf.float32),
            "mask": tf.constant(mask),
        }
        yield {**batch, "record": _record(batch, clip)} if index == 0 else batch


def largest_difference(
    saved_model: str,
    model: keras.Model,
    clip: ClipSpec,
    clips: Iterable[Clips],
    detector: Detector | None = None,
) -> float:
    """Loads the SavedModel, warms it up and compares every signature with the trained model.

    Args:
        saved_model: its folder.
        model: the trained network.
        clip: the description that was exported along.
        clips: batches of one clip with `frames`, `boxes` and `mask`, and perhaps with the `record`
            of a video, such as those of `real_clips`.
        detector: that was exported along, if any.

    Returns:
        The largest absolute difference of a score.

    Raises:
        ValueError: there was no clip, the trained model's scores are not finite, or a warm-up
            request fails.
    """
    loaded = tf.saved_model.load(saved_model)
    warmup.replay(saved_model, loaded.signatures)
    found: list[float] = []
    for batch in clips:
        found += differences(loaded.signatures, model, clip, batch, detector)
    if not found:
        raise ValueError("there was no clip to verify the exported model on")
    # Not `max`, which passes over NaN.
    return float(np.max(found))


def differences(
    served: Mapping[str, Callable[..., Clips]],
    model: keras.Model,
    clip: ClipSpec,
    batch: Clips,
    detector: Detector | None = None,
) -> Iterator[float]:
    """How far the scores of each signature are away.

    Args:
        served: the signatures of a loaded model.
        model: as for `largest_difference`, which has the other arguments, too.
        clip: likewise.
        batch: one of its `clips`.
        detector: likewise.
    """
    frames, boxes = batch["frames"], batch["boxes"]
    jpegs, decoded = _compressed(frames)
    scaled = {**batch, "frames": transforms.resize_short_side(decoded, clip.short_side)}

    def difference(output: Clips, expected: Clips) -> float:
        return np.abs(output["scores"] - _trained_scores(model, clip, expected)).max()

    yield difference(served["serving_default"](frames=frames, boxes=boxes), batch)
    yield difference(served["encoded_frames"](encoded_frames=jpegs, boxes=boxes), scaled)
    if "explain" in served:
        yield difference(served["explain"](frames=frames, boxes=boxes), batch)
    if "record" in batch:
        record = batch["record"]
        scores = served["sequence_example"](sequence_example=record[tf.newaxis])["scores"]
        yield np.abs(scores[0] - _trained_video_scores(model, clip, record, detector)).max()
    if detector is not None:
        found = _detected(detector, clip, frames)
        yield difference(served["frames_only"](frames=frames), {**batch, **found})
        found = _detected(detector, clip, decoded)
        yield difference(served["encoded_frames_only"](encoded_frames=jpegs), {**scaled, **found})


def _trained_video_scores(
    model: keras.Model, clip: ClipSpec, record: tf.Tensor, detector: Detector | None
) -> np.ndarray:
    """The scores `[C]` that evaluation gives a video."""
    video = schema.parse(record)
    chosen = clip_choice.evaluation_clips(
        video, num_frames=clip.num_frames, box_stride=clip.box_stride, num_clips=clip.num_clips
    )
    cut = transforms.evaluation_transform(
        chosen, short_side=clip.short_side, num_boxes=clip.num_boxes
    )
    without_boxes = tf.size(video["boxes"].flat_values) == 0
    scores = []
    for indices, boxes, mask in zip(cut["frame_indices"], cut["boxes"], cut["mask"], strict=True):
        batch = {
            "frames": tf.gather(cut["frames"], indices)[tf.newaxis],
            "boxes": boxes[tf.newaxis],
            "mask": mask[tf.newaxis],
        }
        if detector is not None and without_boxes:
            decoded = [transforms.decode_jpeg(chosen["jpegs"][index]) for index in indices]
            batch |= _detected(detector, clip, tf.stack(decoded)[tf.newaxis])
        scores.append(_trained_scores(model, clip, batch)[0])
    return pool_clips(scores, clip.pooling)


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


def _record(batch: Clips, clip: ClipSpec) -> tf.Tensor:
    """The record of a video that shows one clip, its boxes on every frame."""
    jpegs, _ = _compressed(batch["frames"])
    boxes = [
        tf.boolean_mask(
            batch["boxes"][0, index // clip.box_stride], batch["mask"][0, index // clip.box_stride]
        ).numpy()
        for index in range(clip.num_frames)
    ]
    return tf.constant(warmup.record_of_clip("noise", clip, list(jpegs[0].numpy()), boxes))
