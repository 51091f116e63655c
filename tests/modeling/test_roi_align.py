"""RoIAlign against the operator's definition, written sample by sample in NumPy."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import RoIAlign, roi_align


def _bilinear(frame: np.ndarray, y: float, x: float) -> np.ndarray:
    """Reads `frame` at a pixel-index position, as the reference operators do.

    A position outside by more than a pixel reads zero; one outside by less reads the border.
    """
    height, width = frame.shape[:2]
    if y < -1 or y > height or x < -1 or x > width:
        return np.zeros(frame.shape[2])
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(np.floor(y)), int(np.floor(x))
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    dy, dx = y - top, x - left
    upper = frame[top, left] * (1 - dx) + frame[top, right] * dx
    lower = frame[bottom, left] * (1 - dx) + frame[bottom, right] * dx
    return upper * (1 - dy) + lower * dy


def _reference(frame: np.ndarray, box: np.ndarray, bins: int, samples: int) -> np.ndarray:
    """`[bins, bins, d]` for one normalized box: half-pixel-aligned bins, samples averaged."""
    height, width = frame.shape[:2]
    ymin, xmin, ymax, xmax = box * [height, width, height, width] - 0.5
    bin_height, bin_width = (ymax - ymin) / bins, (xmax - xmin) / bins
    result = np.zeros([bins, bins, frame.shape[2]])
    for row in range(bins):
        for column in range(bins):
            for sample_row in range(samples):
                for sample_column in range(samples):
                    y = ymin + (row + (sample_row + 0.5) / samples) * bin_height
                    x = xmin + (column + (sample_column + 0.5) / samples) * bin_width
                    result[row, column] += _bilinear(frame, y, x)
    return result / samples**2


def _random_boxes(random: np.random.Generator, shape, low=0.0, high=1.0) -> np.ndarray:
    corners = np.sort(random.uniform(low, high, [*shape, 2, 2]), axis=-2)
    return corners.reshape([*shape, 4]).astype(np.float32)


class RoIAlignTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("inside", 0.0, 1.0),
        ("over_the_border", -0.4, 1.4),
        ("far_outside", 1.5, 3.0),
    )
    def test_equals_the_definition_on_random_boxes(self, low, high):
        random = np.random.default_rng(0)
        features = random.normal(size=[2, 3, 9, 13, 4]).astype(np.float32)
        boxes = _random_boxes(random, [2, 3, 5], low, high)
        aligned = RoIAlign(pool=False)(features, boxes).numpy()
        for index in np.ndindex(2, 3, 5):
            expected = _reference(features[index[:2]], boxes[index], bins=7, samples=2)
            np.testing.assert_allclose(aligned[index], expected, atol=1e-4)

    @parameterized.named_parameters(
        ("whole_frame", [0.0, 0.0, 1.0, 1.0]),
        ("touching_each_border", [0.0, 0.0, 0.1, 0.1]),
        ("bottom_right_corner", [0.9, 0.9, 1.0, 1.0]),
        ("smaller_than_a_pixel", [0.51, 0.52, 0.53, 0.54]),
        ("a_point", [0.5, 0.25, 0.5, 0.25]),
        ("a_line", [0.2, 0.0, 0.2, 1.0]),
        ("all_zero", [0.0, 0.0, 0.0, 0.0]),
    )
    def test_equals_the_definition_on_awkward_boxes(self, box):
        features = np.random.default_rng(1).normal(size=[1, 1, 14, 14, 3]).astype(np.float32)
        box = np.array(box, np.float32)
        aligned = RoIAlign(pool=False)(features, box[None, None, None]).numpy()
        np.testing.assert_allclose(
            aligned[0, 0, 0], _reference(features[0, 0], box, 7, 2), atol=1e-4
        )

    @parameterized.parameters((1, 1), (3, 1), (2, 3))
    def test_other_bins_and_samples(self, bins, samples):
        random = np.random.default_rng(2)
        features = random.normal(size=[1, 1, 6, 5, 2]).astype(np.float32)
        boxes = _random_boxes(random, [1, 1, 4])
        aligned = RoIAlign(bins=bins, samples=samples, pool=False)(features, boxes).numpy()
        for index in range(4):
            expected = _reference(features[0, 0], boxes[0, 0, index], bins, samples)
            np.testing.assert_allclose(aligned[0, 0, index], expected, atol=1e-4)

    def test_a_linear_ramp_is_read_at_the_bins_centres(self):
        # By hand: on a ramp that equals the pixel's centre, each bin is its own centre. The box
        # [2, 9] has bins of one pixel, centred at 2.5, 3.5, ..., 8.5.
        ramp = np.broadcast_to(np.arange(12) + 0.5, [12, 12]).astype(np.float32)
        box = np.array([2, 2, 9, 9], np.float32) / 12
        aligned = RoIAlign(pool=False)(ramp[None, None, :, :, None], box[None, None, None])
        expected = np.broadcast_to(np.arange(2.5, 9), [7, 7])
        np.testing.assert_allclose(aligned[0, 0, 0, :, :, 0], expected, atol=1e-5)

    def test_pools_the_maximum_of_the_bins(self):
        random = np.random.default_rng(3)
        features = random.normal(size=[1, 2, 8, 8, 3]).astype(np.float32)
        boxes = _random_boxes(random, [1, 2, 4])
        pooled = RoIAlign()(features, boxes)
        bins = RoIAlign(pool=False)(features, boxes)
        np.testing.assert_array_equal(pooled, tf.reduce_max(bins, axis=[3, 4]))

    def test_gradient_equals_finite_differences(self):
        random = np.random.default_rng(4)
        features = tf.constant(random.normal(size=[1, 1, 5, 5, 1]), tf.float32)
        boxes = _random_boxes(random, [1, 1, 2], -0.1, 1.1)
        layer = RoIAlign(pool=False)
        weights = tf.constant(random.normal(size=[1, 1, 2, 7, 7, 1]), tf.float32)
        with tf.GradientTape() as tape:
            tape.watch(features)
            total = tf.reduce_sum(layer(features, boxes) * weights)
        gradient = tape.gradient(total, features).numpy()
        for position in ((0, 0), (2, 3), (4, 4)):
            nudge = np.zeros(features.shape, np.float32)
            nudge[0, 0, position[0], position[1], 0] = 0.5
            # RoIAlign is linear in the features: the difference is exact.
            difference = tf.reduce_sum(
                (layer(features + nudge, boxes) - layer(features, boxes)) * weights
            )
            self.assertAlmostEqual(gradient[0, 0][position][0], float(difference) / 0.5, places=3)

    @parameterized.parameters((7, 2), (1, 1), (2, 3))
    def test_gradient_equals_the_definitions(self, bins, samples):
        random = np.random.default_rng(8)
        features = random.normal(size=[1, 2, 6, 9, 5]).astype(np.float32)
        # So many that threads would meet at one pixel.
        boxes = _random_boxes(random, [1, 2, 200], -0.4, 1.4)
        upstream = random.normal(size=[1, 2, 200, bins, bins, 5]).astype(np.float32)
        layer = RoIAlign(bins=bins, samples=samples, pool=False)
        with tf.GradientTape() as tape:
            features = tf.constant(features)
            tape.watch(features)
            aligned = layer(features, boxes)
        gradient = tape.gradient(aligned, features, upstream)
        # What every pixel adds to the bins: one channel for each pixel.
        pixels = np.eye(6 * 9).reshape([6, 9, 6 * 9])
        expected = np.zeros(features.shape)
        for frame in range(2):
            for box, given in zip(boxes[0, frame], upstream[0, frame], strict=True):
                weights = _reference(pixels, box.astype(np.float64), bins, samples)
                spread = np.einsum("yxp,yxd->pd", weights, given)
                expected[0, frame] += spread.reshape([6, 9, 5])
        np.testing.assert_allclose(gradient, expected, atol=2e-4)

    @parameterized.parameters(1, 6, 7, 13)
    def test_pieces_of_a_frame_equal_the_frame(self, num_boxes):
        random = np.random.default_rng(9)
        features = tf.constant(random.normal(size=[1, 3, 6, 9, 5]), tf.float32)
        boxes = tf.constant(_random_boxes(random, [1, 3, num_boxes], -0.4, 1.4))
        layer = RoIAlign()

        def both(boxes):
            with tf.GradientTape() as tape:
                tape.watch(features)
                aligned = layer(features, boxes)
            return aligned, tape.gradient(aligned, features)

        whole = both(boxes)
        with mock.patch.object(roi_align, "_CACHED", 6 * 4 * 14**2 * 5):  # 6 boxes
            pieces = both(boxes)
            unknown = tf.function(
                both, input_signature=[tf.TensorSpec([None, None, None, 4], tf.float32)]
            )(boxes)
        for found in (pieces, unknown):
            np.testing.assert_allclose(found[0], whole[0], atol=1e-5)
            np.testing.assert_allclose(found[1], whole[1], atol=1e-4)

    def test_a_gpu_takes_a_frame_at_once(self):
        features, boxes = tf.ones([1, 1, 6, 9, 5]), tf.ones([1, 1, 7, 4])
        gpu = mock.patch.object(tf.config, "list_logical_devices", return_value=["GPU:0"])
        with (
            mock.patch.object(roi_align, "_CACHED", 0),
            mock.patch.object(roi_align, "_map_pieces", wraps=roi_align._map_pieces) as pieces,
        ):
            with gpu:
                RoIAlign()(features, boxes)
            pieces.assert_not_called()
            RoIAlign()(features, boxes)
            pieces.assert_called_once()

    def test_no_boxes(self):
        layer = tf.function(
            RoIAlign(),
            input_signature=[tf.TensorSpec([1, 2, 6, 9, 5]), tf.TensorSpec([1, 2, None, 4])],
        )
        self.assertEqual(
            layer(tf.ones([1, 2, 6, 9, 5]), tf.zeros([1, 2, 0, 4])).shape, [1, 2, 0, 5]
        )

    def test_bfloat16_keeps_its_dtype_and_stays_near_float32(self):
        random = np.random.default_rng(5)
        features = random.normal(size=[1, 2, 8, 8, 3]).astype(np.float32)
        boxes = _random_boxes(random, [1, 2, 4])
        low = RoIAlign(dtype="mixed_bfloat16")(features, boxes)
        self.assertEqual(low.dtype, tf.bfloat16)
        np.testing.assert_allclose(tf.cast(low, tf.float32), RoIAlign()(features, boxes), atol=0.05)

    def test_sizes_may_be_unknown_when_traced(self):
        @tf.function(
            input_signature=[
                tf.TensorSpec([None, None, None, None, 3]),
                tf.TensorSpec([None, None, None, 4]),
            ]
        )
        def align(features, boxes):
            return layer(features, boxes)

        layer = RoIAlign()
        random = np.random.default_rng(6)
        features = random.normal(size=[2, 3, 7, 5, 3]).astype(np.float32)
        boxes = _random_boxes(random, [2, 3, 4])
        np.testing.assert_allclose(align(features, boxes), layer(features, boxes), atol=1e-5)

    def test_config_restores_the_layer(self):
        layer = RoIAlign(bins=3, samples=4, pool=False)
        restored = keras.layers.deserialize(keras.layers.serialize(layer))
        self.assertEqual((restored.bins, restored.samples, restored.pool), (3, 4, False))

    def test_refuses_senseless_arguments(self):
        with self.assertRaisesRegex(ValueError, "bins=0"):
            RoIAlign(bins=0)


if __name__ == "__main__":
    absltest.main()
