"""The convolution against TensorFlow's own, values and gradients."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import convolution as module
from stgraph_tf.modeling.convolution import convolution, kernel_gradient

_INPUTS, _OUTPUTS = 6, 5

# Kernel, strides, padding, and the way that the kernel's gradient takes on a CPU.
_CASES = (
    ((3, 1, 1), (1, 1, 1), "SAME", "_as_product"),
    ((1, 1, 1), (1, 1, 1), "SAME", "_as_product"),
    ((1, 1, 1), (1, 1, 1), "VALID", "_as_product"),
    ((1, 1, 1), (1, 2, 2), "SAME", "_frame_by_frame"),
    ((1, 3, 3), (1, 2, 2), "VALID", "_frame_by_frame"),
    ((1, 3, 3), (1, 1, 1), "SAME", "_plain"),
    ((3, 1, 1), (1, 1, 1), "VALID", "_plain"),
    ((3, 1, 1), (1, 2, 2), "SAME", "_plain"),
    ((1, 1, 1), (2, 1, 1), "SAME", "_plain"),
    ((3, 5, 5), (1, 2, 2), "VALID", "_plain"),
)


def _tensor(seed, *shape):
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def _clips():
    return _tensor(0, 2, 5, 8, 7, _INPUTS)


class ConvolutionTest(parameterized.TestCase):
    @parameterized.product(case=_CASES, biased=(False, True), relu=(False, True))
    def test_equals_tensorflows(self, case, biased, relu):
        size, strides, padding, _ = case
        inputs, kernel = _clips(), _tensor(1, *size, _INPUTS, _OUTPUTS)
        bias = _tensor(2, _OUTPUTS) if biased else None

        def ours(inputs, kernel):
            return convolution(inputs, kernel, bias, strides=strides, padding=padding, relu=relu)

        def theirs(inputs, kernel):
            x = tf.nn.conv3d(inputs, kernel, (1, *strides, 1), padding)
            x = x + bias if biased else x
            return tf.nn.relu(x) if relu else x

        @tf.function
        def differentiate(inputs, kernel):
            results = []
            for network in (ours, theirs):
                with tf.GradientTape() as tape:
                    tape.watch((inputs, kernel))
                    outputs = network(inputs, kernel)
                    loss = tf.reduce_sum(outputs * tf.cos(outputs))
                results.append((outputs, *tape.gradient(loss, (inputs, kernel))))
            return results

        for found, expected in zip(*differentiate(inputs, kernel), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)

    @parameterized.parameters(*_CASES)
    def test_every_way_to_the_kernels_gradient_is_taken(self, size, strides, padding, way):
        """The gradient is the very one of the way that the case stands for."""
        inputs, shape = _clips(), (*size, _INPUTS, _OUTPUTS)
        strides = (1, *strides, 1)
        outputs = tf.nn.conv3d(inputs, tf.zeros(shape), strides, padding)
        arguments = (inputs, shape, _tensor(3, *outputs.shape), strides, padding)
        expected = getattr(module, way)(*arguments)
        np.testing.assert_array_equal(kernel_gradient(*arguments), expected)

    def test_half_precision_stays_half(self):
        inputs = tf.cast(_clips(), tf.bfloat16)
        kernel = tf.cast(_tensor(1, 3, 1, 1, _INPUTS, _OUTPUTS), tf.bfloat16)
        with tf.GradientTape() as tape:
            tape.watch((inputs, kernel))
            outputs = convolution(
                inputs,
                kernel,
                tf.zeros(_OUTPUTS, tf.bfloat16),
                strides=(1, 1, 1),
                padding="SAME",
                relu=True,
            )
        for gradient in (outputs, *tape.gradient(outputs, (inputs, kernel))):
            self.assertEqual(gradient.dtype, tf.bfloat16)


if __name__ == "__main__":
    absltest.main()
