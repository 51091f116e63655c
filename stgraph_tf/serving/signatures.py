"""The signatures of the exported model: what a client sends, what it gets, how it is told off.

    serving_default      frames uint8 [B, T, H, W, 3], boxes float32 [B, T', K, 4] -> scores [B, C]
    encoded_frames       encoded_frames string [B, T], boxes float32 [B, T', K, 4] -> scores [B, C]
    sequence_example     sequence_example string [B], records of whole videos -> scores [B, C]

and, of a model with a graph, where the scores come from, see `explanation`,

    explain              frames, boxes -> scores, neighbour_indices, neighbour_weights,
                         forward_edges, backward_edges

and, of a model with a detector inside, which finds the boxes on the T' feature frames itself,

    frames_only          frames uint8 [B, T, H, W, 3] -> scores, boxes, box_scores
    encoded_frames_only  encoded_frames string [B, T] -> scores, boxes, box_scores

B, H, W and K are free within `limits`; the detector gives a fixed K. Boxes are `[ymin, xmin, ymax,
xmax]`, normalized; they are cut at the frame, and one of which nothing is left is no box: clients
pad with zeros. Inputs are checked inside the graph, so that every server answers a wrong one with
INVALID_ARGUMENT and a sentence, without Python.
"""

from collections.abc import Callable
from typing import Any, cast

import keras
import tensorflow as tf

from stgraph_tf.evaluation.views import ACTIVATIONS
from stgraph_tf.proposals.detector import Detections, Detector
from stgraph_tf.serving import explanation, jpeg_frames
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.checked_inputs import CheckedInputs
from stgraph_tf.serving.limits import Limits
from stgraph_tf.serving.whole_videos import VideoScorer


class Signatures:
    """The functions that are exported, around a trained model.

    Args:
        model: a built `RegionGraphClassifier`, or a network with its `extract_features` and
            `explain_features`.
        clip: how clips are cut, and what their scores are.
        smallest_side: of the frames that the model can look at, in pixels.
        detector: finds the boxes for clients who send none; None to demand boxes.
        limits: of a request; by default those of the clip.
    """

    def __init__(
        self,
        model: keras.Model,
        clip: ClipSpec,
        *,
        smallest_side: int,
        detector: Detector | None = None,
        limits: Limits | None = None,
    ):
        self._model = model
        self._clip = clip
        self._limits = limits or Limits.of(clip, smallest_side)
        self._checked = CheckedInputs(clip, self._limits)
        self._detector = detector
        self._num_feature_frames = clip.num_frames // clip.box_stride
        self._frames_spec = tf.TensorSpec(
            [None, clip.num_frames, None, None, 3], tf.uint8, name="frames"
        )
        self._jpegs_spec = tf.TensorSpec([None, clip.num_frames], tf.string, name="encoded_frames")
        self._boxes_spec = tf.TensorSpec(
            [None, self._num_feature_frames, None, 4], tf.float32, name="boxes"
        )
        self._records_spec = tf.TensorSpec([None], tf.string, name="sequence_example")
        # Functions of their own, so that the exported graph holds the network once.
        self._extract_features = _graph_function(
            lambda frames: self._model.extract_features(frames, training=False),
            self._frames_spec,
        )
        self._score = _graph_function(
            lambda frames, boxes: self._scores_and_edges(frames, boxes)[0],
            self._frames_spec,
            self._boxes_spec,
        )

    def concrete_functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Traces every signature; a dict as `tf.saved_model.save` takes it."""
        specs: dict[Callable[..., Any], list[tf.TensorSpec]] = {
            self.serving_default: [self._frames_spec, self._boxes_spec],
            self.encoded_frames: [self._jpegs_spec, self._boxes_spec],
            self.sequence_example: [self._records_spec],
        }
        if self._model.graph not in ("none", "avgpool"):
            specs[self.explain] = [self._frames_spec, self._boxes_spec]
        if self._detector:
            specs[self.frames_only] = [self._frames_spec]
            specs[self.encoded_frames_only] = [self._jpegs_spec]
        return {
            function.__name__: _graph_function(function, *inputs).get_concrete_function()
            for function, inputs in specs.items()
        }

    def serving_default(self, frames: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of raw frames.

        Args:
            frames: uint8 `[B, T, H, W, 3]`, RGB.
            boxes: float32 `[B, T', K, 4]`.

        Returns:
            `scores`, float32 `[B, C]`.

        Raises:
            tf.errors.InvalidArgumentError: an input has another shape, is larger than it may be, or
                a box is not finite.
        """
        frames = self._checked.frames(frames)
        return {"scores": self._score(frames, self._checked.boxes(boxes, tf.shape(frames)[0]))}

    def explain(self, frames: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of raw frames, and tells the edges that the scores come from.

        Args:
            frames: uint8 `[B, T, H, W, 3]`, RGB.
            boxes: float32 `[B, T', K, 4]`.

        Returns:
            `scores`, float32 `[B, C]`, and the outputs that `explanation` describes.

        Raises:
            tf.errors.InvalidArgumentError: as `serving_default`.
        """
        frames = self._checked.frames(frames)
        boxes = self._checked.boxes(boxes, tf.shape(frames)[0])
        scores, edges = self._scores_and_edges(frames, boxes)
        return {"scores": scores, **explanation.outputs(edges)}

    def frames_only(self, frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of raw frames, with the boxes that the detector finds on them.

        Args:
            frames: uint8 `[B, T, H, W, 3]`, RGB.

        Returns:
            `scores`, float32 `[B, C]`; `boxes`, float32 `[B, T', K, 4]`, and `box_scores`, float32
            `[B, T', K]`, zeros where there is no further box.

        Raises:
            tf.errors.InvalidArgumentError: the frames have another shape, or are larger than they
                may be.
        """
        frames = self._checked.frames(frames, most_clips=self._clip.max_clips)
        return self._score_with_detector(frames, frames)

    def encoded_frames(self, encoded_frames: tf.Tensor, boxes: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of JPEG frames, which are decoded and scaled as in evaluation.

        Args:
            encoded_frames: string `[B, T]`, JPEG images of one size.
            boxes: float32 `[B, T', K, 4]`.

        Returns:
            `scores`, float32 `[B, C]`.

        Raises:
            tf.errors.InvalidArgumentError: an input has another shape or is larger than it may be,
                a box is not finite, or a frame is no JPEG or has another size than the first.
        """
        jpegs = self._checked.jpegs(encoded_frames)
        boxes = self._checked.boxes(boxes, tf.shape(encoded_frames)[0])
        frames = jpeg_frames.decoded_and_scaled(jpegs, self._clip.short_side)
        return {"scores": self._score(self._by_clip(frames), boxes)}

    def encoded_frames_only(self, encoded_frames: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores clips of JPEG frames, with the boxes that the detector finds on them.

        Args:
            encoded_frames: string `[B, T]`, JPEG images of one size. The detector sees them as they
                are, the network scaled as in evaluation.

        Returns:
            As `frames_only`.

        Raises:
            tf.errors.InvalidArgumentError: the input has another shape or is larger than it may be,
                or a frame is no JPEG or has another size than the first.
        """
        frames = jpeg_frames.decoded(
            self._checked.jpegs(encoded_frames, most_clips=self._clip.max_clips)
        )
        scaled = jpeg_frames.scaled(frames, self._clip.short_side)
        return self._score_with_detector(self._by_clip(scaled), self._by_clip(frames))

    def sequence_example(self, sequence_example: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores whole videos as evaluation does: by their clips, whose scores are pooled.

        Args:
            sequence_example: string `[B]`, records as in the shards, see
                `stgraph_tf.data.schema`. Where a record has no box on any frame, the detector
                inside finds them; without one, the video has none.

        Returns:
            `scores`, float32 `[B, C]`.

        Raises:
            tf.errors.InvalidArgumentError: there are no records or too many, or one of them or a
                frame is not what it should be.
        """
        records = self._checked.records(sequence_example)
        scorer = VideoScorer(
            self._score,
            self._model.num_classes,
            self._clip,
            self._limits,
            (lambda frames: self._detected(frames).boxes) if self._detector else None,
        )
        return {"scores": scorer(records)}

    def _scores_and_edges(self, frames: tf.Tensor, boxes: tf.Tensor):
        """Scores `[B, C]` and the `RegionGraphs` that they come from, of checked inputs."""
        features = self._extract_features(frames)
        boxes = tf.clip_by_value(boxes, 0.0, 1.0)
        mask = tf.reduce_min(boxes[..., 2:] - boxes[..., :2], axis=-1) > 0
        boxes = tf.where(mask[..., tf.newaxis], boxes, 0.0)
        logits, edges = self._model.explain_features(features, boxes, mask, training=False)
        return ACTIVATIONS[self._clip.loss](logits), edges

    def _score_with_detector(self, frames: tf.Tensor, seen: tf.Tensor) -> dict[str, tf.Tensor]:
        """Scores `frames`, with what the detector finds on `seen`, the same in another size."""
        detector = cast(Detector, self._detector)
        num_frames, num_boxes = self._num_feature_frames, detector.num_boxes
        # Clip by clip: a detector scales small frames up, and needs memory as for large ones.
        found = tf.map_fn(
            lambda clip: self._detected(clip[:: self._clip.box_stride]),
            seen,
            fn_output_signature=Detections(
                tf.TensorSpec([num_frames, num_boxes, 4], tf.float32),
                tf.TensorSpec([num_frames, num_boxes], tf.float32),
                tf.TensorSpec([num_frames, num_boxes], tf.bool),
            ),
            parallel_iterations=1,
        )
        scores = self._score(frames, found.boxes)
        return {"scores": scores, "boxes": found.boxes, "box_scores": found.scores}

    def _detected(self, frames: tf.Tensor) -> Detections:
        """What the detector finds on frames uint8 `[T', H, W, 3]`."""
        return cast(Detector, self._detector).detect(tf.ensure_shape(frames, [None, None, None, 3]))

    def _by_clip(self, frames: tf.Tensor) -> tf.Tensor:
        """Frames `[B T, H, W, 3]` as `[B, T, H, W, 3]`."""
        shape = tf.concat([[-1, self._clip.num_frames], tf.shape(frames)[1:]], axis=0)
        return tf.ensure_shape(tf.reshape(frames, shape), self._frames_spec.shape)


def _graph_function(
    function: Callable[..., Any], *inputs: tf.TensorSpec
) -> tf.types.experimental.PolymorphicFunction:
    # No Python here branches on tensors, and converting it all the same would take most of the time
    # of an export.
    return tf.function(function, input_signature=inputs, autograph=False)
