"""Records as anyone may send them: `schema.parse`, after a look at what it takes for granted."""

from collections.abc import Callable

import tensorflow as tf

from stgraph_tf.data import schema
from stgraph_tf.serving import input_checks
from stgraph_tf.serving.limits import Limits

_REQUIRED = {
    schema.ID: tf.string,
    schema.HEIGHT: tf.int64,
    schema.WIDTH: tf.int64,
    schema.FRAME_RATE: tf.float32,
}
_BOX_NUMBERS = (*schema.BOX_SIDES, schema.SCORES)


def parse(
    record: tf.Tensor, name: tf.Tensor, limits: Limits
) -> dict[str, tf.Tensor | tf.RaggedTensor]:
    """Parses a record; nothing is decoded.

    Args:
        record: string `[]`.
        name: string `[]`, what a message calls it.
        limits: of its boxes.

    Returns:
        As `schema.parse`; there is at least one frame.

    Raises:
        tf.errors.InvalidArgumentError: it is no SequenceExample, lacks a key or has it with other
            values than it should; its lists do not belong together; a box is not finite, or a frame
            has more of them than it may.
    """
    context, lists = tf.io.parse_single_sequence_example(
        record,
        context_features={key: tf.io.RaggedFeature(kind) for key, kind in _REQUIRED.items()},
        sequence_features={
            schema.FRAMES: _ragged(tf.string),
            schema.TIMESTAMPS: _ragged(tf.int64),
            **{key: _ragged(tf.float32) for key in _BOX_NUMBERS},
        },
        example_name=name,
    )

    def check(valid: tf.Tensor, *problem: str | tf.Tensor) -> tf.Operation:
        return input_checks.require(valid, name, *problem)

    checks = [
        check(tf.equal(tf.size(context[key]), 1), f" must have one {key}") for key in _REQUIRED
    ]
    frames, times = (lists[key].row_lengths() for key in (schema.FRAMES, schema.TIMESTAMPS))
    num_frames = tf.size(frames)
    checks += [
        check(num_frames >= 1, " has no frames"),
        check(
            tf.equal(num_frames, tf.size(times)),
            *(" has ", num_frames, f" {schema.FRAMES} and ", tf.size(times)),
            f" {schema.TIMESTAMPS}",
        ),
        check(
            tf.reduce_all(frames == 1) & tf.reduce_all(times == 1),
            f" must have one {schema.FRAMES} and one {schema.TIMESTAMPS} a frame",
        ),
        *_box_checks([lists[key] for key in _BOX_NUMBERS], num_frames, check, limits),
    ]
    return schema.parse(input_checks.after(checks, record))


def _box_checks(
    numbers: list[tf.RaggedTensor],
    num_frames: tf.Tensor,
    check: Callable[..., tf.Operation],
    limits: Limits,
) -> list[tf.Operation]:
    """Checks of the four sides and the scores of all boxes, ragged `[num_frames, (k)]` each."""
    first, *others = (number.row_lengths() for number in numbers)
    belong_together = tf.reduce_all([_same(first, other) for other in others])
    num_rows = tf.size(first)
    finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(n.flat_values)) for n in numbers])
    return [
        check(belong_together, f" must have as many {', '.join(_BOX_NUMBERS)} on every frame"),
        check(
            tf.equal(num_rows, 0) | tf.equal(num_rows, num_frames),
            " must have boxes on all frames or none (a frame may have an empty list)",
        ),
        check(
            tf.reduce_max(tf.pad(first, [[0, 1]])) <= limits.record_boxes,
            f" has a frame with more than {limits.record_boxes} boxes",
        ),
        check(finite, " has a box with a number that is not finite"),
    ]


def _ragged(dtype: tf.DType) -> tf.io.RaggedFeature:
    return tf.io.RaggedFeature(dtype, row_splits_dtype=tf.int64)


def _same(counts: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Whether two vectors, whose lengths may differ, are the same."""
    shorter = tf.minimum(tf.size(counts), tf.size(others))
    return tf.equal(tf.size(counts), tf.size(others)) & tf.reduce_all(
        counts[:shorter] == others[:shorter]
    )
