"""What TensorBoard shows of a run: scalars, precision-recall curves, and clips with their boxes.

As with `tf.summary`, everything goes to the default writer:

    with writer.as_default():
        summaries.write_scalars({"loss": 0.3}, step=20)
"""

from collections.abc import Mapping, Sequence

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw
from tensorboard.plugins.pr_curve import summary as pr_curve

from stgraph_tf.training.validation import Measured
from stgraph_tf.viz import drawing, lettering

_NUM_FRAMES = 4  # of a clip
_FRAME_HEIGHT = 224  # pixels at least
_GAP, _MARGIN = 6, 12
_TEXT_SIZE = 16
_CAPTION = 52  # the height of the two lines below the frames
_BACKGROUND, _TEXT, _LABEL, _MUTED = (
    (22, 25, 31),
    (238, 240, 244),
    (255, 190, 92),
    (150, 158, 170),
)


def write_scalars(scalars: Mapping[str, float], step: int) -> None:
    """Writes each value under its name."""
    for name, value in scalars.items():
        tf.summary.scalar(name, value, step)


def write_pr_curves(
    measured: Measured, label_names: Sequence[str], step: int, max_classes: int = 20
) -> None:
    """Writes a precision-recall curve for each of the classes that most videos show.

    Args:
        measured: scores in [0, 1].
        label_names: of all `C` classes.
        step: the global step.
        max_classes: curves at most. Classes that no video shows have none.
    """
    frequencies = measured.labels.sum(axis=0)
    for index in np.argsort(-frequencies, kind="stable")[:max_classes]:
        if frequencies[index] == 0:
            break
        curve = pr_curve.pb(
            f"classes/{label_names[index]}",
            labels=measured.labels[:, index] > 0,
            predictions=measured.scores[:, index],
            display_name=label_names[index],
        )
        tf.summary.experimental.write_raw_pb(curve.SerializeToString(), step)


def write_clips(
    batch: Mapping[str, tf.Tensor],
    step: int,
    max_clips: int = 3,
    label_names: Sequence[str] | None = None,
) -> None:
    """Writes the first clips of a batch as pictures, to see what the network is given.

    Args:
        batch: see `stgraph_tf.data.pipeline`; its tensors on this machine.
        step: the global step.
        max_clips: clips at most.
        label_names: of all `C` classes; they are numbered where there are none.
    """
    shown = {name: np.asarray(values[:max_clips]) for name, values in batch.items()}
    pictures = [
        draw_clip(
            frames=shown["frames"][index],
            boxes=shown["boxes"][index],
            mask=shown["mask"][index],
            title=shown["id"][index].decode(errors="replace"),
            labels=[
                label_names[label] if label_names is not None else f"label {label}"
                for label in np.flatnonzero(shown["labels"][index]).tolist()
            ],
        )
        for index in range(len(shown["id"]))
    ]
    tf.summary.image("clips", np.stack(pictures), step, max_outputs=max_clips)


def draw_clip(
    frames: np.ndarray,
    boxes: np.ndarray,
    mask: np.ndarray,
    title: str,
    labels: Sequence[str],
) -> np.ndarray:
    """Draws some of a clip's frames side by side, each with its boxes, the best ones only.

    Args:
        frames: uint8 `[T, H, W, 3]`.
        boxes: float `[T', K, 4]`, best first; those of feature frame `i` are on frame
            `i * T / T'`.
        mask: bool `[T', K]`.
        title: stands below the frames.
        labels: stand below the title.

    Returns:
        uint8 `[height, width, 3]`.
    """
    stride = len(frames) // len(boxes)
    chosen = np.unique(np.linspace(0, len(boxes) - 1, _NUM_FRAMES).round().astype(int))
    zoom = max(1, -(-_FRAME_HEIGHT // frames.shape[1]))
    tiles = [
        _tile(frames[index * stride], boxes[index][mask[index]], index * stride, zoom)
        for index in chosen
    ]
    height, width = tiles[0].shape[:2]
    size = (2 * _MARGIN + len(tiles) * (width + _GAP) - _GAP, 2 * _MARGIN + height + _CAPTION)
    image = Image.new("RGB", size, _BACKGROUND)
    for place, tile in enumerate(tiles):
        image.paste(Image.fromarray(tile), (_MARGIN + place * (width + _GAP), _MARGIN))
    _write_lines(image, _MARGIN + height, title, labels)
    return np.asarray(image)


def _tile(frame: np.ndarray, boxes: np.ndarray, number: int, zoom: int) -> np.ndarray:
    """A frame, enlarged by whole pixels, with its boxes and its number."""
    frame = frame.repeat(zoom, axis=0).repeat(zoom, axis=1)
    picture = drawing.draw_boxes(frame, boxes, max_boxes=len(drawing.RANK_COLORS))
    return drawing.draw_note(picture, f"frame {number}")


def _write_lines(image: Image.Image, top: int, title: str, labels: Sequence[str]) -> None:
    pen, width = ImageDraw.Draw(image), image.width - 2 * _MARGIN
    lettering.write(pen, (_MARGIN, top + 8), title, _TEXT_SIZE, _TEXT, width)
    text, color = (", ".join(labels), _LABEL) if labels else ("no label", _MUTED)
    lettering.write(pen, (_MARGIN, top + 32), text, _TEXT_SIZE, color, width)
