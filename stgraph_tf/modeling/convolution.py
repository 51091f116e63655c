"""3-D convolution, with bias and ReLU, whose gradients are as fast on a CPU as itself.

TensorFlow's CPU kernel for the gradient of a convolution's weights reaches about half of the
forward pass's speed where they reach into time alone (3x1x1) or are a single point, and where the
stride is not 1. The same sums are a matrix product, or a 2-D convolution frame by frame. On a GPU
the plain gradient is used.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf


def convolution(
    inputs: tf.Tensor,
    kernel: tf.Tensor,
    bias: tf.Tensor | None = None,
    *,
    strides: Sequence[int],
    padding: str,
    relu: bool = False,
) -> tf.Tensor:
    """`tf.nn.conv3d` and, where they are asked for, `tf.nn.bias_add` and `tf.nn.relu`.

    All in one, they become one kernel in a `tf.function`. No gradient goes to `bias`.

    Args:
        inputs: float `[B, T, H, W, C]`.
        kernel: float `[t, h, w, C, D]`.
        bias: float `[D]`; None for none.
        strides: in time, height and width.
        padding: "VALID" or "SAME".
        relu: whether a ReLU follows.

    Returns:
        `[B, T', H', W', D]`.
    """
    settings: dict[str, Any] = {"strides": (1, *strides, 1), "padding": padding}

    @tf.custom_gradient
    def convolve(inputs, kernel):
        outputs = tf.nn.conv3d(inputs, kernel, **settings)
        if bias is not None:
            outputs = tf.nn.bias_add(outputs, bias)
        if relu:
            outputs = tf.nn.relu(outputs)

        def gradients(upstream):
            if relu:
                upstream = tf.raw_ops.ReluGrad(gradients=upstream, features=outputs)
            of_inputs = tf.raw_ops.Conv3DBackpropInputV2(
                input_sizes=tf.shape(inputs), filter=kernel, out_backprop=upstream, **settings
            )
            return of_inputs, kernel_gradient(inputs, kernel.shape, upstream, **settings)

        return outputs, gradients

    return convolve(inputs, kernel)


def kernel_gradient(
    inputs: tf.Tensor,
    shape: Sequence[int],
    upstream: tf.Tensor,
    strides: Sequence[int],
    padding: str,
) -> tf.Tensor:
    """The gradient of a convolution's kernel.

    Args:
        inputs: `[B, T, H, W, C]`.
        shape: of the kernel, `(t, h, w, C, D)`.
        upstream: the gradient of the output, `[B, T', H', W', D]`.
        strides: of all five dimensions.
        padding: "VALID" or "SAME".
    """
    gradient = _plain
    if not tf.config.list_logical_devices("GPU"):
        time, height, width = shape[:3]
        strided = max(strides) > 1
        if height == width == 1 and not strided and (time == 1 or (time, padding) == (3, "SAME")):
            gradient = _as_product
        elif time == 1 and strides[1] == 1 and strided:
            gradient = _frame_by_frame
    return gradient(inputs, tuple(shape), upstream, strides, padding)


def _plain(inputs, shape, upstream, strides, padding) -> tf.Tensor:
    return tf.raw_ops.Conv3DBackpropFilterV2(
        input=inputs,
        filter_sizes=shape,
        out_backprop=upstream,
        strides=strides,
        padding=padding,
    )


def _frame_by_frame(inputs, shape, upstream, strides, padding) -> tf.Tensor:
    """Of a kernel that reaches into space alone."""
    gradient = tf.raw_ops.Conv2DBackpropFilter(
        input=_frames(inputs),
        filter_sizes=shape[1:],
        out_backprop=_frames(upstream),
        strides=(1, *strides[2:]),
        padding=padding,
    )
    return gradient[None]


def _as_product(inputs, shape, upstream, strides, padding) -> tf.Tensor:
    """Of a kernel that reaches one frame back and one ahead, or nowhere."""
    del strides, padding  # all 1, "SAME"
    time, _, _, channels, outputs = shape
    if time == 3:
        # Through its first weights, an input frame reaches the output of the frame behind it.
        none = tf.zeros_like(upstream[:, :1])
        after = tf.concat([upstream[:, 1:], none], axis=1)
        before = tf.concat([none, upstream[:, :-1]], axis=1)
        upstream = tf.concat([after, upstream, before], axis=-1)
    product = tf.matmul(
        tf.reshape(inputs, [-1, channels]),
        tf.reshape(upstream, [-1, time * outputs]),
        transpose_a=True,
    )
    product = tf.transpose(tf.reshape(product, [channels, time, outputs]), [1, 0, 2])
    return tf.reshape(product, shape)


def _frames(clips: tf.Tensor) -> tf.Tensor:
    """`[B, T, H, W, C]` to `[B T, H, W, C]`."""
    return tf.reshape(clips, tf.concat([[-1], tf.shape(clips)[2:]], axis=0))
