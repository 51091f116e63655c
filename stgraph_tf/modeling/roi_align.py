"""RoIAlign: one feature vector for every object proposal (section 4.1 of the paper).

Conventions. Boxes are `[ymin, xmin, ymax, xmax]`, normalized to [0, 1] of the frame. Feature pixel
`i` covers [i, i + 1) in feature coordinates, so its centre lies at i + 0.5; sample positions below
are in *pixel-index* coordinates, in which the centre of pixel i is at i.

`tf.image.crop_and_resize` alone is not RoIAlign: it spreads its samples from one corner pixel's
centre to the other's. True RoIAlign (He et al., Mask R-CNN, section 3) cuts a box side [a, b] into
bins and samples each bin regularly inside. With n samples on the side they stand s = (b - a) / n
apart, the first at a + s/2 - 0.5. Handing `crop_and_resize` the box that runs from the first sample
to the last makes both agree, with `torchvision.ops.roi_align(aligned=True, sampling_ratio=2)` too.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

# Bytes of samples that are cut out before they are pooled: what stays in a processor's cache on the
# way. Both together take half the time that they take with 20 MB.
_CACHED = 4 << 20


@keras.saving.register_keras_serializable(package="stgraph_tf")
class RoIAlign(keras.layers.Layer):
    """Cuts every box out of its feature frame, `bins x bins`, and max-pools it to one vector.

    Each feature frame is processed on its own, and on processors a few of its boxes at a time, so
    that their samples are still in the cache when they are pooled. A GPU takes a frame's boxes at
    once: there, the start of every kernel costs more.

    Args:
        bins: bins along each side of a box (7 in the paper).
        samples: samples a bin along each side, averaged (2).
        pool: whether to max-pool the bins to one vector a box.

    Call arguments:
        features: float `[B, T', H, W, d]`.
        boxes: float `[B, T', K, 4]`. No gradient flows to them.

    Returns:
        `[B, T', K, d]`, or `[B, T', K, bins, bins, d]` without pooling, in the features' dtype. A
        padded (all-zero) box yields the frame's corner: mask it.
    """

    def __init__(self, bins: int = 7, samples: int = 2, pool: bool = True, **kwargs):
        super().__init__(**kwargs)
        if bins < 1 or samples < 1:
            raise ValueError(
                f"`bins` and `samples` must be at least 1. Received: bins={bins}, samples={samples}"
            )
        self.bins = bins
        self.samples = samples
        self.pool = pool

    def call(self, features: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        batch, frames = tf.shape(features)[0], tf.shape(features)[1]
        num_boxes, channels = boxes.shape[2], features.shape[-1]

        def align(frame: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
            return self._align_frame(*frame)

        flat_features = tf.reshape(features, tf.concat([[-1], tf.shape(features)[2:]], axis=0))
        flat_boxes = tf.reshape(boxes, tf.concat([[-1], tf.shape(boxes)[2:]], axis=0))
        flat_features.set_shape([None, *features.shape[2:]])
        flat_boxes.set_shape([None, num_boxes, 4])
        aligned = tf.map_fn(
            align,
            (flat_features, tf.stop_gradient(flat_boxes)),
            fn_output_signature=tf.TensorSpec(
                [num_boxes, *([] if self.pool else [self.bins] * 2), channels], features.dtype
            ),
        )
        shape = tf.concat([[batch, frames], tf.shape(aligned)[1:]], axis=0)
        aligned = tf.reshape(aligned, shape)
        aligned.set_shape(self.compute_output_shape(features.shape, boxes.shape))
        return aligned

    def _align_frame(self, features: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
        """Aligns `[H, W, d]` features with `[K, 4]` boxes: `[K, d]` or `[K, bins, bins, d]`."""
        side = self.bins * self.samples
        # Samples that fall outside by less than a pixel take the border's value, as in the
        # reference operators: one repeated pixel on each side gives them that value.
        padded = tf.pad(features, [[1, 1], [1, 1], [0, 0]], mode="SYMMETRIC")
        padded = tf.cast(padded, tf.float32)  # crop_and_resize knows no bfloat16
        extents = _sample_extent(tf.cast(boxes, tf.float32), tf.shape(features)[:2], side)

        def cut(extents: tf.Tensor) -> tf.Tensor:
            binned = _sample_bins(padded, extents, self.bins, self.samples)
            return tf.reduce_max(binned, axis=[1, 2]) if self.pool else binned

        at_once = max(1, _CACHED // (4 * side**2 * features.shape[-1]))
        num_boxes = boxes.shape[0]
        if tf.config.list_logical_devices("GPU") or (num_boxes and num_boxes <= at_once):
            return tf.cast(cut(extents), features.dtype)
        return tf.cast(_map_pieces(cut, extents, at_once), features.dtype)

    def compute_output_shape(self, features_shape, boxes_shape):
        bins = () if self.pool else (self.bins, self.bins)
        return (*boxes_shape[:3], *bins, features_shape[-1])

    def get_config(self):
        return {
            **super().get_config(),
            "bins": self.bins,
            "samples": self.samples,
            "pool": self.pool,
        }


def _sample_bins(padded: tf.Tensor, extents: tf.Tensor, bins: int, samples: int) -> tf.Tensor:
    """Samples a frame and averages the samples of every bin.

    The gradient is a product of matrices. That of `crop_and_resize` adds boxes up in threads that
    overwrite each other's sums on processors, unless TensorFlow's operations are deterministic.

    Args:
        padded: float32 `[H, W, d]`.
        extents: float32 `[K, 4]`, of `_sample_extent`.

    Returns:
        float32 `[K, bins, bins, d]`.
    """

    @tf.custom_gradient
    def sample(padded: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
        binned = tf.image.crop_and_resize(
            padded[None],
            extents,
            box_indices=tf.zeros(tf.shape(extents)[:1], tf.int32),
            crop_size=[bins * samples] * 2,
        )
        binned = tf.nn.avg_pool2d(binned, samples, samples, padding="VALID")

        def gradient(upstream: tf.Tensor) -> tf.Tensor:
            height, width, channels = tf.unstack(tf.shape(padded))
            rows = _bin_weights(extents[:, 0], extents[:, 2], height, bins, samples)
            columns = _bin_weights(extents[:, 1], extents[:, 3], width, bins, samples)
            spread = tf.matmul(columns[:, None], upstream, transpose_a=True)  # [K, bins, W, d]
            rows = tf.reshape(rows, [-1, height])
            spread = tf.reshape(spread, [-1, width * channels])
            return tf.reshape(tf.matmul(rows, spread, transpose_a=True), tf.shape(padded))

        return binned, gradient

    return sample(padded)


def _bin_weights(
    first: tf.Tensor, last: tf.Tensor, size: tf.Tensor, bins: int, samples: int
) -> tf.Tensor:
    """What every pixel of an axis adds to the bins: `[K, bins, size]`.

    Args:
        first, last: `[K]`, where the first and the last sample stand, 0 to 1 from the centre of the
            first pixel to that of the last one.
        size: pixels on the axis.
    """
    end = tf.cast(size - 1, tf.float32)
    steps = tf.range(bins * samples, dtype=tf.float32) / max(1, bins * samples - 1)
    positions = (first[:, None] + (last - first)[:, None] * steps) * end
    weights = tf.maximum(0.0, 1.0 - tf.abs(positions[..., None] - tf.range(end + 1)))
    inside = (positions >= 0) & (positions <= end)
    weights = tf.where(inside[..., None], weights, 0.0)
    return tf.reduce_mean(tf.reshape(weights, [-1, bins, samples, size]), axis=2)


def _map_pieces(
    function: Callable[[tf.Tensor], tf.Tensor], rows: tf.Tensor, at_most: int
) -> tf.Tensor:
    """`function` of all rows, called with as few pieces of equal length as `at_most` rows allow.

    Args:
        function: gives a row for every row, of one dtype with them.
        rows: `[N, ...]`; N alone may be unknown.
    """
    known = rows.shape[0]
    number = tf.shape(rows)[0] if known is None else known
    pieces = -(-number // at_most)
    pieces = tf.maximum(1, pieces) if known is None else max(1, pieces)
    length = -(-number // pieces)
    rest = [[0, 0]] * (rows.shape.rank - 1)
    filled = tf.pad(rows, [[0, pieces * length - number], *rest])
    mapped = tf.map_fn(function, tf.reshape(filled, [pieces, length, *rows.shape[1:]]))
    return tf.reshape(mapped, tf.concat([[-1], tf.shape(mapped)[2:]], axis=0))[:number]


def _sample_extent(boxes: tf.Tensor, frame_size: tf.Tensor, samples: int) -> tf.Tensor:
    """Boxes for `crop_and_resize` on the padded frame, from first sample to last.

    Args:
        boxes: float32 `[K, 4]`, normalized.
        frame_size: int `[2]`, height and width of the unpadded feature frame.
        samples: samples along each side of a box.

    Returns:
        float32 `[K, 4]`, normalized as `crop_and_resize` wants it: 0 is the centre of the first
        pixel of the padded frame and 1 the centre of its last.
    """
    size = tf.cast(tf.concat([frame_size, frame_size], axis=0), tf.float32)
    start, end = tf.split(boxes * size, 2, axis=-1)
    spacing = (end - start) / samples
    first = start + spacing / 2 - 0.5
    last = first + (samples - 1) * spacing
    padding = 1.0
    return (tf.concat([first, last], axis=-1) + padding) / (size + 2 * padding - 1)
