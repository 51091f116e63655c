"""The record of one video: a `tf.train.SequenceExample` with MediaSequence's keys.

The keys are those that MediaPipe, Model Garden and DMVR read. Frames are JPEG strings at the data
set's frame rate, with boxes on every one of them, best score first.

Conventions: times are microseconds from the start of the film. Boxes are
`[ymin, xmin, ymax, xmax]`, normalized to [0, 1] of the frame they are on.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import numpy as np
import tensorflow as tf

ID = "example/id"
FRAMES = "image/encoded"
TIMESTAMPS = "image/timestamp"
HEIGHT = "image/height"
WIDTH = "image/width"
FORMAT = "image/format"
FRAME_RATE = "image/frame_rate"
LABELS = "clip/label/index"
LABEL_NAMES = "clip/label/string"
SEGMENT_LABELS = "segment/label/index"
SEGMENT_STARTS = "segment/start/timestamp"
SEGMENT_ENDS = "segment/end/timestamp"
SCORES = "region/label/confidence"
# In the order of a box's four numbers.
BOX_SIDES = ("region/bbox/ymin", "region/bbox/xmin", "region/bbox/ymax", "region/bbox/xmax")


@dataclasses.dataclass(frozen=True)
class Segment:
    """One label's time in a video.

    Attributes:
        label: index into the data set's labels.
        start: microseconds from the start of the film.
        end: microseconds, not before `start`.
    """

    label: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True, eq=False)
class Video:
    """What one record holds; `N` frames, `k` boxes that may differ from frame to frame.

    Attributes:
        id: unique in its split.
        frames: `N` JPEG images of one size.
        timestamps: `N` times in microseconds, increasing.
        height: of every frame, in pixels.
        width: of every frame, in pixels.
        frame_rate: frames a second.
        labels: indices of the video's labels; may be empty.
        label_names: their names, in the same order.
        segments: the labels' times, where they are known.
        boxes: `N` arrays `[k, 4]`, best score first.
        scores: `N` arrays `[k]`.
    """

    id: str
    frames: Sequence[bytes]
    timestamps: Sequence[int]
    height: int
    width: int
    frame_rate: float
    labels: Sequence[int]
    label_names: Sequence[str]
    segments: Sequence[Segment]
    boxes: Sequence[np.ndarray]
    scores: Sequence[np.ndarray]


def encode(video: Video) -> bytes:
    """Serializes a video as a `tf.train.SequenceExample`.

    Raises:
        ValueError: the video has no frames, or its lists do not belong together.
    """
    if len(video.frames) != len(video.timestamps):
        raise ValueError(
            f"video {video.id!r} has {len(video.frames)} frames, "
            f"but {len(video.timestamps)} timestamps"
        )
    head = encode_head(video, [len(frame) for frame in video.frames])
    return b"".join([head, *(encode_frame(len(frame)) + frame for frame in video.frames)])


def encode_head(video: Video, frame_sizes: Sequence[int]) -> bytes:
    """All of a serialized video but its frames, for who cannot hold these in memory.

    `encode_head`, then for every frame `encode_frame` and the frame's bytes, are a serialized
    `tf.train.SequenceExample`: protocol buffers may be written piece by piece, given their sizes.

    Args:
        video: `frames` is not looked at.
        frame_sizes: of the `N` JPEG images, in bytes.

    Raises:
        ValueError: the video has no frames, or its lists do not belong together.
    """
    _check(video)
    context = {
        ID: _bytes([video.id.encode()]),
        FORMAT: _bytes([b"JPEG"]),
        HEIGHT: _ints([video.height]),
        WIDTH: _ints([video.width]),
        FRAME_RATE: _floats([video.frame_rate]),
        LABELS: _ints(video.labels),
        LABEL_NAMES: _bytes(name.encode() for name in video.label_names),
        SEGMENT_LABELS: _ints(segment.label for segment in video.segments),
        SEGMENT_STARTS: _ints(segment.start for segment in video.segments),
        SEGMENT_ENDS: _ints(segment.end for segment in video.segments),
    }
    boxes = [np.asarray(boxes, np.float32).reshape(-1, 4) for boxes in video.boxes]
    lists: dict[str, Iterable[tf.train.Feature]] = {
        TIMESTAMPS: (_ints([timestamp]) for timestamp in video.timestamps),
        SCORES: (_floats(scores) for scores in video.scores),
    }
    for column, side in enumerate(BOX_SIDES):
        lists[side] = [_floats(frame_boxes[:, column]) for frame_boxes in boxes]
    rest = tf.train.SequenceExample(
        context=tf.train.Features(feature=context),
        feature_lists=tf.train.FeatureLists(
            feature_list={key: tf.train.FeatureList(feature=row) for key, row in lists.items()}
        ),
    ).SerializeToString(deterministic=True)
    # SequenceExample.feature_lists = 2, FeatureLists.feature_list = 1: {key = 1, value = 2}.
    size = sum(len(encode_frame(size)) + size for size in frame_sizes)
    opened = _delimited(1, len(FRAMES)) + FRAMES.encode() + _delimited(2, size)
    opened = _delimited(1, len(opened) + size) + opened
    return rest + _delimited(2, len(opened) + size) + opened


def encode_frame(size: int) -> bytes:
    """The bytes that stand before a frame of `size` bytes in a serialized video."""
    # FeatureList.feature = 1, Feature.bytes_list = 1, BytesList.value = 1.
    value = _delimited(1, size)
    value = _delimited(1, len(value) + size) + value
    return _delimited(1, len(value) + size) + value


def parse(serialized: tf.Tensor) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """Parses one record, in a graph or eagerly; frames stay encoded.

    Args:
        serialized: string scalar, as `encode` returns it.

    Returns:
        `id` string `[]`; `frames` string `[N]`; `timestamps` int64 `[N]` in microseconds; `height`,
        `width` int64 `[]`; `frame_rate` float32 `[]`; `boxes` ragged float32 `[N, (k), 4]`;
        `scores` ragged float32 `[N, (k)]`; `labels` int64 `[L]`; `segment_labels`,
        `segment_starts`, `segment_ends` int64 `[S]`.

    A record without any `region/` key, as other MediaSequence writers make them, has no boxes.

    Raises:
        tf.errors.InvalidArgumentError: the record is no SequenceExample, lacks another key, or has
            boxes on some frames only.
    """
    many = tf.io.RaggedFeature(tf.int64)
    ragged = tf.io.RaggedFeature(tf.float32, row_splits_dtype=tf.int64)
    context, lists = tf.io.parse_single_sequence_example(
        serialized,
        context_features={
            ID: tf.io.FixedLenFeature([], tf.string),
            HEIGHT: tf.io.FixedLenFeature([], tf.int64),
            WIDTH: tf.io.FixedLenFeature([], tf.int64),
            FRAME_RATE: tf.io.FixedLenFeature([], tf.float32),
            LABELS: many,
            SEGMENT_LABELS: many,
            SEGMENT_STARTS: many,
            SEGMENT_ENDS: many,
        },
        sequence_features={
            FRAMES: tf.io.FixedLenSequenceFeature([], tf.string),
            TIMESTAMPS: tf.io.FixedLenSequenceFeature([], tf.int64),
            SCORES: ragged,
            **dict.fromkeys(BOX_SIDES, ragged),
        },
    )
    num_frames = tf.size(lists[TIMESTAMPS], tf.int64)
    sides = [lists[side] for side in BOX_SIDES]
    boxes = sides[0].with_flat_values(tf.stack([s.flat_values for s in sides], axis=-1))
    return {
        "id": context[ID],
        "frames": lists[FRAMES],
        "timestamps": lists[TIMESTAMPS],
        "height": context[HEIGHT],
        "width": context[WIDTH],
        "frame_rate": context[FRAME_RATE],
        "boxes": _row_per_frame(boxes, num_frames),
        "scores": _row_per_frame(lists[SCORES], num_frames),
        "labels": context[LABELS],
        "segment_labels": context[SEGMENT_LABELS],
        "segment_starts": context[SEGMENT_STARTS],
        "segment_ends": context[SEGMENT_ENDS],
    }


def _row_per_frame(rows: tf.RaggedTensor, num_frames: tf.Tensor) -> tf.RaggedTensor:
    """`rows`, or as many empty ones as there are frames where the record has none at all."""
    row_lengths = rows.row_lengths()
    missing = tf.where(tf.equal(tf.size(row_lengths), 0), num_frames, 0)
    row_lengths = tf.pad(row_lengths, [[0, missing]])
    tf.debugging.assert_equal(
        tf.size(row_lengths, tf.int64), num_frames, "a record must have boxes on all frames or none"
    )
    return tf.RaggedTensor.from_row_lengths(rows.values, row_lengths, validate=False)


def _check(video: Video) -> None:
    count = len(video.timestamps)
    if not count:
        raise ValueError(f"video {video.id!r} has no frames")
    for name in ("boxes", "scores"):
        if len(getattr(video, name)) != count:
            raise ValueError(
                f"video {video.id!r} has {count} frames, but {len(getattr(video, name))} {name}"
            )
    if len(video.labels) != len(video.label_names):
        raise ValueError(
            f"video {video.id!r} has {len(video.labels)} labels, but {len(video.label_names)} names"
        )
    for frame, (boxes, scores) in enumerate(zip(video.boxes, video.scores, strict=True)):
        if np.shape(boxes) != (len(scores), 4):
            raise ValueError(
                f"video {video.id!r}, frame {frame}: expected boxes of shape [k, 4] and k scores, "
                f"received boxes {list(np.shape(boxes))} and {len(scores)} scores"
            )


def _delimited(field: int, size: int) -> bytes:
    """The tag and the length of a length-delimited field of a protocol buffer."""
    encoded = bytearray([field << 3 | 2])
    while size > 0x7F:
        encoded.append(size & 0x7F | 0x80)
        size >>= 7
    encoded.append(size)
    return bytes(encoded)


def _bytes(values: Iterable[bytes]) -> tf.train.Feature:
    return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))


def _floats(values: Sequence[float] | np.ndarray) -> tf.train.Feature:
    if not len(values):
        return _NO_FLOATS
    return tf.train.Feature(float_list=tf.train.FloatList(value=values))


# Long films without boxes have thousands of these.
_NO_FLOATS = tf.train.Feature(float_list=tf.train.FloatList())


def _ints(values: Iterable[int]) -> tf.train.Feature:
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))
