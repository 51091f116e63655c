"""A clip's space-time region graph as one picture, after the paper's Figures 3 and 4.

Below a heading (the video, its labels, the highest scores) stands a strip of feature frames for
each graph that the model has.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from stgraph_tf.viz import graph_strips, lettering, trajectories
from stgraph_tf.viz.explained_clip import ExplainedClip

_TEXT, _LABEL, _MUTED, _RIGHT, _TRACK = (
    (238, 240, 244),
    (255, 190, 92),
    (150, 158, 170),
    (92, 205, 150),
    (44, 49, 58),
)
_MIN_WIDTH = 760
_MARGIN = 14
_TITLE, _BODY, _SMALL = 18, 14, 12
_NUM_SCORES = 5
_ROW = 20  # the height of a score's line
_SCORES_WIDTH = 460
_BAR_WIDTH = 160
_NUMBER_WIDTH = 44


def draw(clip: ExplainedClip, labels: Sequence[str], *, node: int | None = None) -> np.ndarray:
    """Draws the graphs that a clip's scores come from.

    Args:
        clip: of a model with a graph.
        labels: names of all `C` classes.
        node: whose neighbours are shown, `t * K + k`; by default the best box of the feature frame
            nearest to the middle that has any. It depends on no weight, so pictures of a clip at
            several times of a training are of the same node.

    Returns:
        uint8 `[height, width, 3]`.

    Raises:
        ValueError: scores and labels differ in number, or `node` is no box of the clip.
    """
    if len(labels) != len(clip.scores):
        raise ValueError(f"expected {len(clip.scores)} labels, one a score, received {len(labels)}")
    mask = clip.mask
    middle = trajectories.middle_frame(mask)
    if node is None and middle is not None:
        node = middle * mask.shape[1] + int(mask[middle].argmax())
    elif node is not None and not (0 <= node < mask.size and mask.flat[node]):
        raise ValueError(f"node {node} of the clip {clip.title!r} is no box")

    parts = []
    if clip.has_similarity and node is not None:
        frame = node // mask.shape[1] * clip.stride
        about = (
            f"Similarity graph: the strongest neighbours of the orange box of frame {frame}, the "
            "bluer the stronger; the percentages are the strongest weight of each frame"
        )
        parts.append((about, graph_strips.similarity(clip, node)))
    if clip.has_spatial_temporal and middle is not None:
        about = (
            f"Spatial-temporal graph: boxes of frame {middle * clip.stride}, followed along their "
            "strongest forward edges to the right and backward edges to the left"
        )
        parts.append((about, graph_strips.spatial_temporal(clip, middle)))
    width = max([_MIN_WIDTH, *(strip.width for _, strip in parts)])
    bands = [_heading(clip, labels, width), *(_band(about, strip, width) for about, strip in parts)]
    height = sum(band.height for band in bands) + 2 * _MARGIN
    image = Image.new("RGB", (width + 2 * _MARGIN, height), graph_strips.BACKGROUND)
    top = _MARGIN
    for band in bands:
        image.paste(band, (_MARGIN, top))
        top += band.height
    return np.asarray(image)


def _heading(clip: ExplainedClip, labels: Sequence[str], width: int) -> Image.Image:
    """The video and its labels to the left, the highest scores to the right."""
    order = np.argsort(-clip.scores, kind="stable")[:_NUM_SCORES]
    image = Image.new("RGB", (width, max(3, len(order)) * _ROW + 4), graph_strips.BACKGROUND)
    pen, middle = ImageDraw.Draw(image), width - min(width // 2, _SCORES_WIDTH)
    lettering.write(pen, (0, 0), clip.title, _TITLE, _TEXT, middle - _MARGIN)
    known = clip.true_labels or ()
    shown = ", ".join(labels[index] for index in known)
    text, color = (shown, _LABEL) if shown else ("no label", _MUTED)
    lettering.write(pen, (0, 28), text, _BODY, color, middle - _MARGIN)
    for place, index in enumerate(order.tolist()):
        top, score = place * _ROW, float(clip.scores[index])
        color = _RIGHT if index in known else _TEXT
        name_width = width - middle - _BAR_WIDTH - _NUMBER_WIDTH - _MARGIN
        lettering.write(pen, (middle, top), labels[index], _BODY, color, name_width)
        left = width - _BAR_WIDTH - _NUMBER_WIDTH
        pen.rectangle((left, top + 5, left + _BAR_WIDTH, top + 13), _TRACK)
        if score > 0:
            end = left + round(_BAR_WIDTH * min(1.0, score))
            pen.rectangle((left, top + 5, end, top + 13), color)
        number = (width - _NUMBER_WIDTH + 8, top)
        lettering.write(pen, number, f"{score:.2f}", _BODY, color, _NUMBER_WIDTH)
    return image


def _band(about: str, strip: Image.Image, width: int) -> Image.Image:
    """A strip below what it shows."""
    image = Image.new("RGB", (width, strip.height + 34), graph_strips.BACKGROUND)
    lettering.write(ImageDraw.Draw(image), (0, 12), about, _SMALL, _MUTED, width)
    image.paste(strip, (0, 34))
    return image
