"""Checks of a request inside the graph: INVALID_ARGUMENT and a sentence, from every server.

What a sentence quotes are numbers, never strings of the request, which may be long or no text.
"""

from collections.abc import Sequence

import tensorflow as tf

# The least and the greatest size that an axis may have.
Range = tuple[int | tf.Tensor, int | tf.Tensor]
ANY: Range = (0, tf.int32.max)


def at_least(size: int) -> Range:
    return (size, tf.int32.max)


def exactly(size: int | tf.Tensor) -> Range:
    return (size, size)


def require(condition: tf.Tensor, *sentence: str | int | tf.Tensor) -> tf.Operation:
    """An operation that fails if `condition`, bool `[]`, is false.

    Args:
        condition: what must be true.
        sentence: its parts; numbers read `3, 4`.
    """
    return tf.debugging.Assert(condition, [tf.strings.join([_text(part) for part in sentence])])


def after(checks: Sequence[tf.Operation], tensor: tf.Tensor) -> tf.Tensor:
    """`tensor`, for whoever may see it only when the checks have passed."""
    with tf.control_dependencies(checks):
        return tf.identity(tensor)


def checked_shape(
    name: str, tensor: tf.Tensor, ranges: Sequence[Range], expected: str
) -> tf.Tensor:
    """`tensor`, if each of its axes has a size in that axis' range."""
    static_shape = tensor.shape
    # TensorFlow takes the signature's shape for granted, and would drop a check that it cannot
    # fail; but a server feeds whatever it was sent. So the check sees a tensor of unknown shape.
    tensor = tf.raw_ops.PlaceholderWithDefault(input=tensor, shape=tf.TensorShape(None))
    shape = tf.shape(tensor)
    absent = -1  # A size that no axis has: stands behind the last one.
    least, greatest = zip(*ranges, (absent, absent), strict=True)
    sizes = tf.pad(shape, [[0, len(ranges) + 1]], constant_values=absent)[: len(ranges) + 1]
    fits = tf.reduce_all((sizes >= tf.stack(least)) & (sizes <= tf.stack(greatest)))
    check = require(fits, f"{name} must have shape {expected}, received [", shape, "]")
    return tf.ensure_shape(after([check], tensor), static_shape)


def checked_product(
    name: str, tensor: tf.Tensor, sizes: Sequence[tf.Tensor], greatest: int, what: str
) -> tf.Tensor:
    """`tensor`, if the product of some sizes, integers `[]`, is not too great.

    Args:
        name: of the tensor.
        tensor: whose shape is quoted.
        sizes: the factors.
        greatest: what their product may be.
        what: the product counts, and of whom: "pixels (T * H * W) that a clip".
    """
    check = require(
        product(sizes) <= float(greatest),
        *(f"{name} of shape [", tf.shape(tensor), f"] have more than the {greatest} {what}"),
        " may have",
    )
    return after([check], tensor)


def product(sizes: Sequence[tf.Tensor] | tf.Tensor) -> tf.Tensor:
    """The product of integers as a float64 `[]`, which does not overflow."""
    return tf.reduce_prod(tf.cast(sizes, tf.float64))


def checked_values(name: str, tensor: tf.Tensor, valid: tf.Tensor, problem: str) -> tf.Tensor:
    """`tensor` `[B, frames, ...]`, if `valid`, bool of the same shape, is true throughout."""
    places = tf.where(~valid)
    first = tf.pad(places, [[0, 1], [0, 0]])[0, :2]
    check = require(tf.equal(tf.size(places), 0), f"{name}[", first, f"] {problem}")
    return after([check], tensor)


def row(numbers: tf.Tensor) -> tf.Tensor:
    """Numbers as text, with commas in between."""
    return tf.strings.reduce_join(tf.as_string(tf.reshape(numbers, [-1])), separator=", ")


def _text(part: str | int | tf.Tensor) -> str | tf.Tensor:
    if isinstance(part, (str, int)):
        return str(part)
    return part if part.dtype == tf.string else row(part)
