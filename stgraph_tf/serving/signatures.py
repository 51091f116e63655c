"""The signatures of the exported model: what a client sends, what it gets, how it is told off.

    serving_default  frames uint8 [B, T, H, W, 3], boxes float32 [B, T', K, 4] -> scores [B, C]
    encoded_frames   encoded_frames string [B, T], boxes float32 [B, T', K, 4] -> scores [B, C]

B, H, W and K are free. Boxes are `[ymin, xmin, ymax, xmax]`, normalized; they are cut at the frame,
and one of which nothing is left is no box: clients pad with zeros. Inputs are checked inside the
graph, so that every server answers a wrong one with INVALID_ARGUMENT and a sentence, without
Python.
"""

from collections.abc import Sequence

import keras
import tensorflow as tf

from stgraph_tf.data import transforms
from stgraph_tf.evaluation.views import ACTIVATIONS

# The least and the greatest size that an axis may have.
_Range = tuple[int | tf.Tensor, int | tf.Tensor]
_AT_LEAST_ONE: _Range = (1, tf.int32.max)
_ANY: _Range = (0, tf.int32.max)


class Signatures:
    """The functions that are exported, around a trained model.

    Args:
        model: a built `RegionGraphClassifier`.
        loss: that the model was trained with, `sigmoid` or `softmax`; makes scores of its logits.
        num_frames: T.
        box_stride: T / T'.
        short_side: in pixels, that encoded frames are scaled to, as in evaluation.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        loss: str,
        num_frames: int,
        box_stride: int,
        short_side: int,
    ):
        self._model = model
        self._activation = ACTIVATIONS[loss]
        self._num_frames = num_frames
        self._num_feature_frames = num_frames // box_stride
        self._short_side = short_side
        self._frames_spec = tf.TensorSpec(
            [None, num_frames, None, None, 3], tf.uint8, name="frames"
        )
        self._jpegs_spec = tf.TensorSpec([None, num_frames], tf.string, name="encoded_frames")
        self._boxes_spec = tf.TensorSpec(
            [None, self._num_feature_frames, None, 4], tf.float32, name="boxes"
        )
        # A function of its own, so that the exported graph holds the network once.
        self._score = tf.function(
            self._score_clips, input_signature=[self._frames_spec, self._boxes_spec]
        )

    def concrete_functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Traces every signature; a dict as `tf.saved_model.save` takes it."""
        return {
            "serving_default": tf.function(self.serving_default).get_concrete_function(
                self._frames_spec, self._boxes_spec
            ),
            "encoded_frames": tf.function(self.encoded_frames).get_concrete_function(
                self._jpegs_spec, self._boxes_spec
            ),
        }

    def serving_default(self, frames: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of raw frames.

        Args:
            frames: uint8 `[B, T, H, W, 3]`, RGB.
            boxes: float32 `[B, T', K, 4]`.

        Returns:
            `scores`, float32 `[B, C]`.

        Raises:
            tf.errors.InvalidArgumentError: an input has another shape, or a box is not finite.
        """
        frames = _checked_shape(
            "frames",
            frames,
            (_AT_LEAST_ONE, _exactly(self._num_frames), _AT_LEAST_ONE, _AT_LEAST_ONE, _exactly(3)),
            f"[B, {self._num_frames}, H, W, 3] with B, H and W of at least 1",
        )
        return self._score(frames, self._checked_boxes(boxes, tf.shape(frames)[0]))

    def encoded_frames(self, encoded_frames: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of JPEG frames, which are decoded and scaled as in evaluation.

        Args:
            encoded_frames: string `[B, T]`, JPEG images of one size.
            boxes: float32 `[B, T', K, 4]`.

        Returns:
            `scores`, float32 `[B, C]`.

        Raises:
            tf.errors.InvalidArgumentError: an input has another shape, a box is not finite, or a
                frame is no JPEG or has another size than the first.
        """
        encoded_frames = _checked_shape(
            "encoded_frames",
            encoded_frames,
            (_AT_LEAST_ONE, _exactly(self._num_frames)),
            f"[B, {self._num_frames}] with B of at least 1",
        )
        boxes = self._checked_boxes(boxes, tf.shape(encoded_frames)[0])
        # TensorFlow's JPEG decoder takes a PNG, too, but nothing that reads headers does.
        encoded_frames = _checked_values(
            "encoded_frames", encoded_frames, tf.io.is_jpeg(encoded_frames), "is no JPEG image"
        )
        jpegs = _checked_sizes(tf.reshape(encoded_frames, [-1]))
        decoded = tf.map_fn(
            lambda jpeg: transforms.resize_short_side(
                transforms.decode_jpeg(jpeg), self._short_side
            ),
            jpegs,
            fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8),
        )
        size = tf.shape(decoded)[1:3]
        frames = tf.reshape(decoded, tf.concat([[-1, self._num_frames], size, [3]], axis=0))
        return self._score(tf.ensure_shape(frames, self._frames_spec.shape), boxes)

    def _score_clips(self, frames: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        boxes = tf.clip_by_value(boxes, 0.0, 1.0)
        mask = tf.reduce_min(boxes[..., 2:] - boxes[..., :2], axis=-1) > 0
        boxes = tf.where(mask[..., tf.newaxis], boxes, 0.0)
        logits = self._model({"frames": frames, "boxes": boxes, "mask": mask}, training=False)
        return {"scores": self._activation(logits)}

    def _checked_boxes(self, boxes: tf.Tensor, batch: tf.Tensor) -> tf.Tensor:
        boxes = _checked_shape(
            "boxes",
            boxes,
            (_exactly(batch), _exactly(self._num_feature_frames), _ANY, _exactly(4)),
            f"[B, {self._num_feature_frames}, K, 4] with the B of the frames",
        )
        return _checked_values(
            "boxes", boxes, tf.math.is_finite(boxes), "has a number that is not finite"
        )


def _exactly(size: int | tf.Tensor) -> _Range:
    return (size, size)


def _checked_shape(
    name: str, tensor: tf.Tensor, ranges: Sequence[_Range], expected: str
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
    problem = tf.strings.join([f"{name} must have shape {expected}, received [", _row(shape), "]"])
    with tf.control_dependencies([tf.debugging.Assert(fits, [problem])]):
        return tf.ensure_shape(tensor, static_shape)


def _checked_values(name: str, tensor: tf.Tensor, valid: tf.Tensor, problem: str) -> tf.Tensor:
    """`tensor` `[B, frames, ...]`, if `valid`, bool of the same shape, is true throughout."""
    places = tf.where(~valid)
    first = _row(tf.pad(places, [[0, 1], [0, 0]])[0, :2])
    sentence = tf.strings.join([f"{name}[", first, f"] {problem}"])
    all_valid = tf.equal(tf.size(places), 0)
    with tf.control_dependencies([tf.debugging.Assert(all_valid, [sentence])]):
        return tf.identity(tensor)


def _checked_sizes(jpegs: tf.Tensor) -> tf.Tensor:
    """`jpegs` `[N]`, if all have the first one's size; only their headers are read."""
    sizes = tf.map_fn(
        lambda jpeg: tf.image.extract_jpeg_shape(jpeg)[:2],
        jpegs,
        fn_output_signature=tf.TensorSpec([2], tf.int32),
    )
    others = tf.boolean_mask(sizes, tf.reduce_any(sizes != sizes[0], axis=-1))
    problem = tf.strings.join(
        [
            *["encoded_frames must have one height and width, received [", _row(sizes[0])],
            *["] and [", _row(tf.concat([others, sizes], axis=0)[0]), "]"],
        ]
    )
    same = tf.equal(tf.size(others), 0)
    with tf.control_dependencies([tf.debugging.Assert(same, [problem])]):
        return tf.identity(jpegs)


def _row(numbers: tf.Tensor) -> tf.Tensor:
    return tf.strings.reduce_join(tf.as_string(numbers), separator=", ")
