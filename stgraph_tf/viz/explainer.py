"""What a Keras model makes of a batch of clips, with the graphs that it reasoned on."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf

from stgraph_tf.evaluation.views import ACTIVATIONS
from stgraph_tf.serving import explanation
from stgraph_tf.viz.explained_clip import ExplainedClip

_INPUTS = ("frames", "boxes", "mask")


def explain(
    model: keras.Model, batch: Mapping[str, tf.Tensor | np.ndarray], *, loss: str = "sigmoid"
) -> list[ExplainedClip]:
    """Scores the clips of a batch, and keeps the edges that the scores come from.

    ```python
    clips = stgraph_tf.viz.explain(model, batch)
    stgraph_tf.viz.show(clips, labels)
    ```

    Args:
        model: a built `RegionGraphClassifier`, with any graph or none.
        batch: of `stgraph_tf.data.pipeline`, or made by hand: `frames` uint8 `[B, T, H, W, 3]`,
            `boxes` float32 `[B, T', K, 4]`, and where there are any `mask` bool `[B, T', K]` (by
            default, an empty box is padding), `labels` `[B, C]` of zeros and ones, and `id` string
            `[B]`. A model without proposals needs the frames alone.
        loss: that the model was trained with, `sigmoid` or `softmax`: it tells what scores are.

    Returns:
        A clip for each of the batch.

    Raises:
        ValueError: the model needs boxes and there are none, or there is no such loss.
    """
    if loss not in ACTIVATIONS:
        raise ValueError(f"loss must be one of {', '.join(ACTIVATIONS)}, received {loss!r}")
    if model.uses_boxes and "boxes" not in batch:
        raise ValueError(f"a model with graph={model.graph!r} needs the boxes of the batch")
    frames, boxes, mask = _inputs(batch)
    features = model.extract_features(frames, training=False)
    if boxes is None or mask is None:
        boxes = tf.zeros([*features.shape[:2], 0, 4])
        mask = tf.zeros(boxes.shape[:3], tf.bool)
    logits, edges = model.explain_features(features, boxes, mask, training=False)
    outputs = {"scores": ACTIVATIONS[loss](tf.cast(logits, tf.float32))}
    outputs |= explanation.outputs(edges)
    arrays = {name: value.numpy() for name, value in outputs.items()}
    boxes = np.where(mask.numpy()[..., np.newaxis], boxes.numpy(), np.float32(0))
    labels, ids = (np.asarray(batch[name]) if name in batch else None for name in ("labels", "id"))
    return [
        ExplainedClip(
            frames=clip_frames,
            boxes=boxes[index],
            title="" if ids is None else _text(ids[index]),
            true_labels=None if labels is None else np.flatnonzero(labels[index]).tolist() or None,
            **{name: values[index] for name, values in arrays.items()},
        )
        for index, clip_frames in enumerate(frames.numpy())
    ]


def _inputs(
    batch: Mapping[str, tf.Tensor | np.ndarray],
) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor | None]:
    """`frames`, and `boxes` with `mask` where there are any."""
    frames, boxes, mask = (
        tf.convert_to_tensor(batch[name]) if name in batch else None for name in _INPUTS
    )
    if boxes is not None:
        boxes = tf.cast(boxes, tf.float32)
        if mask is None:
            mask = tf.reduce_all(boxes[..., 2:] > boxes[..., :2], axis=-1)
    return frames, boxes, mask


def _text(value: bytes | str) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
