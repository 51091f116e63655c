"""What the page's script reads: the clips as compact JSON, their frames as JPEG.

    {"labels": [C names], "pooled": [C scores] or null, "pooling": "max",
     "pictures": [JPEG as data URIs, each once, however many clips show it],
     "clips": [{"title", "width", "height",
                "pictures": [places in the list above, perFrame of them for each feature frame],
                "perFrame", "seconds": [when each feature frame is shown] or null,
                "pace": seconds from picture to picture,
                "scores": [C], "truth": [class indices] or null,
                "numBoxes": K, "boxes": [T' lists of top, left, bottom, right, top, ...],
                "neighbours": [N lists of node, weight, node, ...] or null,
                "forward": [T'-1 lists of box, box of the next frame, weight, box, ...] or null,
                "backward": [T'-1 lists of box of the next frame, box, weight, ...] or null}]}

Sides of boxes are in 1/10000 of the frame, weights in 1/100000; an edge of less is left out. Padded
boxes are zeros, and left out at the end of a frame.
"""

import base64
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from stgraph_tf.viz.explained_clip import ExplainedClip

BOX_UNIT = 10_000
WEIGHT_UNIT = 100_000
_LONG_SIDE = 400
# Clips of many frames play with fewer pictures: the page stays small, and boxes change no faster.
_MOST_PICTURES_PER_FEATURE_FRAME = 2
_DEFAULT_PACE = 0.15
_QUALITY = 82
# Of smaller frames single pixels are seen, and colours at half the resolution would smear them.
_SMALL_SIDE = 160


def of_clips(
    clips: Iterable[ExplainedClip],
    labels: Sequence[str],
    *,
    pooled_scores: np.ndarray | None = None,
    pooling: str = "max",
) -> dict[str, Any]:
    """The value described above, ready for `json.dumps`.

    Args:
        clips: at least one; they are taken one after the other, and none is kept.
        labels: C names, in the order of the scores.
        pooled_scores: float `[C]`, of the film as a whole.
        pooling: how they come from the clips' scores.

    Raises:
        ValueError: there is no clip, or scores and labels differ in number.
    """
    pictures: dict[str, int] = {}
    values = []
    for clip in clips:
        _check_scores(clip.scores, labels)
        values.append(_clip(clip, pictures))
    if not values:
        raise ValueError("expected at least one clip to show, received none")
    if pooled_scores is not None:
        _check_scores(pooled_scores, labels)
    return {
        "labels": [str(label) for label in labels],
        "pooled": None if pooled_scores is None else _numbers(pooled_scores),
        "pooling": pooling,
        "clips": values,
        "pictures": list(pictures),
    }


def _check_scores(scores: np.ndarray, labels: Sequence[str]) -> None:
    if scores.shape != (len(labels),):
        raise ValueError(
            f"expected {len(labels)} scores, one a label, received {list(scores.shape)}"
        )


def _clip(clip: ExplainedClip, pictures: dict[str, int]) -> dict[str, Any]:
    """One clip's value; its pictures are added to those that are known, with their places."""
    per_frame = min(clip.stride, _MOST_PICTURES_PER_FEATURE_FRAME)
    parts = np.arange(clip.num_feature_frames * per_frame)
    chosen = parts * clip.stride // per_frame
    places = [pictures.setdefault(_jpeg(clip.frames[i]), len(pictures)) for i in chosen]
    boxes = np.where(clip.mask[..., np.newaxis], np.clip(clip.boxes, 0, 1), 0)
    height, width = clip.frames.shape[1:3]
    return {
        "title": clip.title,
        "width": width,
        "height": height,
        "pictures": places,
        "perFrame": per_frame,
        "seconds": None if clip.times is None else _numbers(clip.times[:: clip.stride]),
        "pace": _pace(clip.times, per_frame, clip.stride),
        "scores": _numbers(clip.scores),
        "truth": None if clip.true_labels is None else [int(i) for i in clip.true_labels],
        "numBoxes": clip.boxes.shape[1],
        "boxes": [_without_padding(frame) for frame in boxes],
        "neighbours": _neighbours(clip),
        "forward": _edges(clip.forward_edges),
        "backward": _edges(clip.backward_edges),
    }


def _jpeg(frame: np.ndarray) -> str:
    """A frame as a data URI, scaled down to a bounded side."""
    image = Image.fromarray(frame)
    image.thumbnail((_LONG_SIDE, _LONG_SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    subsampling = "4:4:4" if max(image.size) <= _SMALL_SIDE else "4:2:0"
    image.save(buffer, "JPEG", quality=_QUALITY, subsampling=subsampling, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _pace(times: np.ndarray | None, per_frame: int, stride: int) -> float:
    # A short film repeats its last frame, at the same time: the first step is the frame rate's.
    step = float(times[1] - times[0]) if times is not None and len(times) > 1 else 0.0
    if not math.isfinite(step) or step <= 0:
        return _DEFAULT_PACE
    return round(step * stride / per_frame, 4)


def _without_padding(boxes: np.ndarray) -> list[int]:
    shown = np.flatnonzero(boxes.any(axis=-1))
    last = shown[-1] + 1 if shown.size else 0
    return np.rint(boxes[:last] * BOX_UNIT).astype(int).ravel().tolist()


def _neighbours(clip: ExplainedClip) -> list[list[int]] | None:
    if clip.neighbour_indices is None or clip.neighbour_weights is None:
        return None
    weights = _weights(clip.neighbour_weights)
    rows = []
    for indices, row in zip(clip.neighbour_indices, weights, strict=True):
        kept = (indices >= 0) & (row > 0)
        rows.append(np.stack([indices[kept], row[kept]], axis=-1).ravel().tolist())
    return rows


def _edges(edges: np.ndarray | None) -> list[list[int]] | None:
    if edges is None:
        return None
    steps = []
    for weights in _weights(edges):
        sources, targets = np.nonzero(weights)
        triples = np.stack([sources, targets, weights[sources, targets]], axis=-1)
        steps.append(triples.ravel().tolist())
    return steps


def _weights(weights: np.ndarray) -> np.ndarray:
    return np.rint(np.asarray(weights, np.float64) * WEIGHT_UNIT).astype(np.int64)


def _numbers(values: np.ndarray) -> list[float | None]:
    """To five digits; None for what is not finite, which JSON does not know."""
    return [round(float(x), 5) if math.isfinite(x) else None for x in values]
