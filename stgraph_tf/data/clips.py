"""Choosing a clip from a stored video: which frames, which boxes, which labels.

Nothing is decoded here: frames are still JPEG strings, so that only the chosen ones are decoded
later. Every function works in a graph and eagerly.

Conventions: a clip is `T` stored frames in a row; frame `i` of a clip that starts at stored frame
`s` is stored frame `s + i`, or the last one where the video ends before. The network has
`T' = T / box_stride` feature frames; feature frame `i` takes the boxes of clip frame
`box_stride * i`. `N` is the number of stored frames, `V` the number of clips of a video, `k` the
largest number of boxes on a frame of the clip. Times are microseconds.
"""

import tensorflow as tf

LABEL_SOURCES = ("clip", "video")

_MICROSECONDS = 1e6


def random_start(num_stored: tf.Tensor, num_frames: int, seed: tf.Tensor) -> tf.Tensor:
    """The first frame of a training clip, every start that keeps the clip inside equally likely.

    Args:
        num_stored: int64 `[]`, `N`.
        num_frames: `T`.
        seed: int64 `[2]`; equal seeds give equal starts.

    Returns:
        int64 `[]`; 0 for a video that is not longer than the clip.
    """
    return tf.random.stateless_uniform(
        [], seed, minval=0, maxval=_last_start(num_stored, num_frames) + 1, dtype=tf.int64
    )


def spaced_starts(num_stored: tf.Tensor, num_frames: int, num_clips: int) -> tf.Tensor:
    """The first frames of `V` clips spaced evenly from a video's start to its end.

    `linspace(0, max(N - T, 0), V)` rounded half up, in integers, so that it is the same on every
    machine. A single clip is the middle one.

    Args:
        num_stored: int64 `[]`, `N`.
        num_frames: `T`.
        num_clips: `V`.

    Returns:
        int64 `[V]`, not decreasing.
    """
    last = _last_start(num_stored, num_frames)
    if num_clips == 1:
        return (last // 2)[tf.newaxis]
    gaps = num_clips - 1
    return (2 * last * tf.range(num_clips, dtype=tf.int64) + gaps) // (2 * gaps)


def frame_indices(starts: tf.Tensor, num_stored: tf.Tensor, num_frames: int) -> tf.Tensor:
    """The stored frames of the clips that begin at `starts`.

    Args:
        starts: int64 `[...]`.
        num_stored: int64 `[]`, `N`, at least 1.
        num_frames: `T`.

    Returns:
        int64 `[..., T]`; a video that ends before the clip repeats its last frame.
    """
    window = starts[..., tf.newaxis] + tf.range(num_frames, dtype=tf.int64)
    return tf.minimum(window, num_stored - 1)


def training_clip(
    video: dict[str, tf.Tensor | tf.RaggedTensor],
    *,
    num_frames: int,
    box_stride: int,
    labels: str,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """One random clip of a video.

    Args:
        video: as `schema.parse` returns it.
        num_frames: `T`.
        box_stride: clip frames to a feature frame; divides `T`.
        labels: `"clip"` for the labels whose segments overlap the clip (all of the video's labels
            where the video has no segments), `"video"` for all of the video's labels.
        seed: int64 `[2]`.

    Returns:
        `id` string `[]`; `jpegs` string `[T]`; `boxes` float32 `[T', k, 4]` and `mask` bool
        `[T', k]`, in the record's order; `labels` int64 `[L]`, indices.
    """
    num_stored = _num_stored(video)
    indices = frame_indices(random_start(num_stored, num_frames, seed), num_stored, num_frames)
    boxes, mask = _boxes_at(video, indices[::box_stride])
    clip_labels = video["labels"]
    if labels == "clip":
        clip_labels = _labels_between(video, indices[0], indices[-1])
    return {
        "id": video["id"],
        "jpegs": tf.gather(video["frames"], indices),
        "boxes": boxes,
        "mask": mask,
        "labels": clip_labels,
    }


def evaluation_clips(
    video: dict[str, tf.Tensor | tf.RaggedTensor],
    *,
    num_frames: int,
    box_stride: int,
    num_clips: int,
) -> dict[str, tf.Tensor]:
    """All evaluation clips of a video, with the frames that they share held once.

    Args:
        video: as `schema.parse` returns it.
        num_frames: `T`.
        box_stride: clip frames to a feature frame; divides `T`.
        num_clips: `V`.

    Returns:
        `id` string `[]`; `jpegs` string `[U]`, every stored frame that some clip shows, once;
        `frame_indices` int32 `[V, T]`, which of these make up each clip; `boxes` float32
        `[V, T', k, 4]` and `mask` bool `[V, T', k]`; `labels` int64 `[L]`, the video's.
    """
    num_stored = _num_stored(video)
    indices = evaluation_indices(num_stored, num_frames, num_clips)
    shown, places = tf.unique(tf.reshape(indices, [-1]))
    boxes, mask = _boxes_at(video, tf.reshape(indices[:, ::box_stride], [-1]))
    clips = [num_clips, num_frames // box_stride]
    most = tf.shape(mask)[-1]
    return {
        "id": video["id"],
        "jpegs": tf.gather(video["frames"], shown),
        "frame_indices": tf.reshape(places, [num_clips, num_frames]),
        "boxes": tf.reshape(boxes, [*clips, most, 4]),
        "mask": tf.reshape(mask, [*clips, most]),
        "labels": video["labels"],
    }


def evaluation_indices(num_stored: tf.Tensor, num_frames: int, num_clips: int) -> tf.Tensor:
    """The stored frames of all evaluation clips of a video.

    Args:
        num_stored: int64 `[]`, `N`, at least 1.
        num_frames: `T`.
        num_clips: `V`.

    Returns:
        int64 `[V, T]`.
    """
    starts = spaced_starts(num_stored, num_frames, num_clips)
    return frame_indices(starts, num_stored, num_frames)


def multi_hot(labels: tf.Tensor, num_labels: int, video_id: tf.Tensor) -> tf.Tensor:
    """Label indices as a vector of zeros and ones.

    Args:
        labels: int64 `[L]`; an index may occur several times.
        num_labels: `C`.
        video_id: string `[]`, named when an index is outside `[0, C)`.

    Returns:
        float32 `[C]`.

    Raises:
        tf.errors.InvalidArgumentError: an index is outside `[0, C)`.
    """
    outside = tf.boolean_mask(labels, (labels < 0) | (labels >= num_labels))
    problem = tf.strings.join(
        [
            *["video ", video_id, " has a label outside the ", str(num_labels)],
            *[" of the data set, index ", tf.strings.reduce_join(_text(outside), separator=", ")],
        ]
    )
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(tf.size(outside), 0), [problem])]):
        hits = tf.equal(tf.range(num_labels, dtype=tf.int64), labels[:, tf.newaxis])
    return tf.cast(tf.reduce_any(hits, axis=0), tf.float32)


def _last_start(num_stored: tf.Tensor, num_frames: int) -> tf.Tensor:
    return tf.maximum(num_stored - num_frames, 0)


def _num_stored(video: dict[str, tf.Tensor | tf.RaggedTensor]) -> tf.Tensor:
    num_stored = tf.size(video["frames"], tf.int64)
    problem = tf.strings.join(["video ", video["id"], " has no frames"])
    with tf.control_dependencies([tf.debugging.Assert(num_stored > 0, [problem])]):
        return tf.identity(num_stored)


def _boxes_at(
    video: dict[str, tf.Tensor | tf.RaggedTensor], indices: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes `[F, k, 4]` and mask `[F, k]` of the stored frames `indices` `[F]`."""
    rows = tf.gather(video["boxes"], indices)
    boxes = tf.ensure_shape(rows.to_tensor(), [*indices.shape, None, 4])
    return boxes, tf.ensure_shape(tf.sequence_mask(rows.row_lengths()), boxes.shape[:2])


def _labels_between(
    video: dict[str, tf.Tensor | tf.RaggedTensor], first: tf.Tensor, last: tf.Tensor
) -> tf.Tensor:
    """Labels of the segments that share some time with stored frames `first` to `last`.

    A frame is shown until the next one, so the last one's time counts for `1 / fps` more.
    """
    shown = tf.math.divide_no_nan(tf.constant(_MICROSECONDS, tf.float32), video["frame_rate"])
    start = video["timestamps"][first]
    end = video["timestamps"][last] + tf.cast(tf.round(shown), tf.int64)
    shared = tf.minimum(video["segment_ends"], end) - tf.maximum(video["segment_starts"], start)
    overlapping = tf.boolean_mask(video["segment_labels"], shared > 0)
    has_segments = tf.size(video["segment_labels"]) > 0
    return tf.cond(has_segments, lambda: overlapping, lambda: video["labels"])


def _text(values: tf.Tensor) -> tf.Tensor:
    return tf.strings.as_string(values)
