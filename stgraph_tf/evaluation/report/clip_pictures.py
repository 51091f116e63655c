"""Small moving pictures of clips: frames with their boxes, as animated WebP."""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from stgraph_tf.data import clips, failures, schema, transforms
from stgraph_tf.evaluation.report.inputs import Films
from stgraph_tf.viz import drawing

_LONG_SIDE = 280
_MAX_FRAMES = 8
_MAX_BOXES = 5
# A picture is made with less and less quality and size until it takes no more bytes than this:
# twelve of them, in base64, stay below two megabytes.
MAX_BYTES = 120_000
_QUALITIES_AND_SHRINKING = ((70, 1), (45, 1), (45, 2), (20, 3))


class ClipPicture(NamedTuple):
    """A clip as files for a page.

    Attributes:
        animation: WebP, at the speed of the film.
        still: WebP of its middle frame.
        width: at which it is shown, in pixels.
        height: at which it is shown, in pixels.
        has_boxes: whether any frame has a box.
    """

    animation: bytes
    still: bytes
    width: int
    height: int
    has_boxes: bool


def read(films: Films, ids: Iterable[str]) -> dict[str, ClipPicture]:
    """Draws the middle clips of some videos.

    Args:
        films: where they are.
        ids: the videos; one that the shards do not hold is left out.

    Returns:
        The pictures by id.

    Raises:
        ValueError: a record is damaged.
    """
    wanted = tf.constant(sorted(ids), tf.string)

    def is_wanted(record: tf.Tensor) -> tf.Tensor:
        context, _ = tf.io.parse_single_sequence_example(
            record, context_features={schema.ID: tf.io.FixedLenFeature([], tf.string)}
        )
        return tf.reduce_any(tf.equal(context[schema.ID], wanted))

    found = {}
    if wanted.shape[0]:
        with failures.checked(films.shards):
            records = tf.data.TFRecordDataset(list(films.shards)).filter(is_wanted)
            for record in records.take(wanted.shape[0]):
                video = schema.parse(record)
                found[video["id"].numpy().decode()] = _picture(films, video)
    return found


def source(content: bytes) -> str:
    """A WebP as what an `img` shows, without a file."""
    return f"data:image/webp;base64,{base64.b64encode(content).decode()}"


def _picture(films: Films, video: Mapping[str, tf.Tensor | tf.RaggedTensor]) -> ClipPicture:
    clip = clips.evaluation_clips(
        dict(video), num_frames=films.num_frames, box_stride=films.box_stride, num_clips=1
    )
    places = clip["frame_indices"][0, :: films.box_stride].numpy()
    chosen = np.unique(np.linspace(0, len(places) - 1, _MAX_FRAMES).round().astype(int))
    jpegs = tf.gather(clip["jpegs"], places).numpy()
    boxes, mask = clip["boxes"][0].numpy(), clip["mask"][0].numpy()
    number = min(films.num_boxes, _MAX_BOXES)
    frames = [
        drawing.draw_boxes(_decode(jpegs[index]), boxes[index][mask[index]][:number])
        for index in chosen
    ]
    rate = float(video["frame_rate"])
    seconds = films.num_frames / rate if rate > 0 else len(frames)
    images = [Image.fromarray(frame) for frame in frames]
    return ClipPicture(
        _encode(images, milliseconds=max(20, round(1000 * seconds / len(frames)))),
        _webp(images[len(images) // 2 :][:1], _QUALITIES_AND_SHRINKING[0][0]),
        *images[0].size,
        bool(mask[:, :number].any()),
    )


def _decode(jpeg: bytes) -> np.ndarray:
    """A frame at the size at which it is shown; small ones are enlarged, for the boxes' lines."""
    image = Image.fromarray(transforms.decode_jpeg(jpeg).numpy())
    zoom = _LONG_SIDE / max(image.size)
    size = [max(1, round(side * zoom)) for side in image.size]
    return np.asarray(image.resize(size, Image.Resampling.LANCZOS))


def _encode(images: Sequence[Image.Image], milliseconds: int) -> bytes:
    for quality, shrinking in _QUALITIES_AND_SHRINKING:
        content = _webp([image.reduce(shrinking) for image in images], quality, milliseconds)
        if len(content) <= MAX_BYTES:
            break
    return content


def _webp(images: Sequence[Image.Image], quality: int, milliseconds: int = 0) -> bytes:
    buffer = io.BytesIO()
    images[0].save(
        buffer,
        "WEBP",
        quality=quality,
        method=4,
        save_all=len(images) > 1,
        append_images=images[1:],
        duration=milliseconds,
        loop=0,
    )
    return buffer.getvalue()
