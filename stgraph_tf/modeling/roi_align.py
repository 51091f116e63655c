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

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="stgraph_tf")
class RoIAlign(keras.layers.Layer):
    """Cuts every box out of its feature frame, `bins x bins`, and max-pools it to one vector.

    Each feature frame is processed on its own, which is what the paper asks for and also keeps the
    samples of one frame in the processor's cache.

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
        samples = tf.image.crop_and_resize(
            padded[None],
            _sample_extent(tf.cast(boxes, tf.float32), tf.shape(features)[:2], side),
            box_indices=tf.zeros([tf.shape(boxes)[0]], tf.int32),
            crop_size=[side, side],
        )
        binned = tf.nn.avg_pool2d(samples, self.samples, self.samples, padding="VALID")
        if self.pool:
            binned = tf.reduce_max(binned, axis=[1, 2])
        return tf.cast(binned, features.dtype)

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
