"""The signatures of an exported model: against the Keras model, and against bad requests."""

import dataclasses
import io

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from stgraph_tf.data import transforms
from stgraph_tf.serving import assets
from stgraph_tf.serving.signatures import Signatures
from tests.serving.exported import (
    CLIP,
    LABELS,
    NUM_FRAMES,
    SHORT_SIDE,
    ExportedTestCase,
    compressed,
    jpeg,
    request,
    small_model,
)


class SignaturesTest(ExportedTestCase):
    def scores(self, frames, boxes):
        return self.call("serving_default", frames=frames, boxes=boxes)

    def trained_scores(self, frames, boxes, mask):
        inputs = {"frames": frames, "boxes": tf.constant(boxes), "mask": tf.constant(mask)}
        logits = self.model(inputs, training=False).numpy()
        return 1 / (1 + np.exp(-logits.astype(np.float64)))

    @parameterized.parameters(
        {"batch": 1, "height": 24, "width": 32, "num_boxes": 3},
        {"batch": 3, "height": 40, "width": 17, "num_boxes": 7},
        {"batch": 2, "height": 4, "width": 4, "num_boxes": 1},
    )
    def test_scores_are_those_of_the_trained_model(self, **sizes):
        frames, boxes = request(**sizes)
        expected = self.trained_scores(frames, boxes, np.ones(boxes.shape[:3], bool))
        scores = self.scores(frames, boxes)
        self.assertEqual(scores.dtype, np.float32)
        np.testing.assert_allclose(scores, expected, atol=1e-5)

    def test_boxes_make_a_difference(self):
        frames, boxes = request()
        difference = self.scores(frames, boxes) - self.scores(frames, boxes[:, :, ::-1] * 0.5)
        self.assertGreater(np.abs(difference).max(), 1e-3)

    def test_inputs_and_outputs_as_metadata_tells_them(self):
        for name, (input_name, spec) in {
            "serving_default": ("frames", ([None, NUM_FRAMES, None, None, 3], tf.uint8)),
            "encoded_frames": ("encoded_frames", ([None, NUM_FRAMES], tf.string)),
        }.items():
            signature = self.loaded.signatures[name]
            _, inputs = signature.structured_input_signature
            boxes = tf.TensorSpec([None, 2, None, 4], tf.float32, "boxes")
            self.assertEqual(inputs, {input_name: tf.TensorSpec(*spec, input_name), "boxes": boxes})
            scores = tf.TensorSpec([None, len(LABELS)], tf.float32, "scores")
            self.assertEqual(signature.structured_outputs, {"scores": scores})

    def test_assets_come_with_it(self):
        self.assertEqual(assets.read(self.folder), (LABELS, CLIP))
        with open(self.loaded.labels.asset_path.numpy(), encoding="utf-8") as file:
            self.assertEqual(file.read().splitlines(), list(LABELS))

    def test_the_weights_of_inference_and_nothing_else(self):
        saved = tf.train.load_checkpoint(f"{self.folder}/variables/variables")
        shapes = saved.get_variable_to_shape_map()
        shapes.pop("_CHECKPOINTABLE_OBJECT_GRAPH")
        # Batch normalization became the biases of convolutions: its shift is what is left of it.
        folded = ("gamma", "moving_mean", "moving_variance")
        expected = [
            list(weight.shape)
            for weight in self.model.weights
            if not ("/backbone/" in weight.path and weight.path.endswith(folded))
        ]
        self.assertCountEqual(shapes.values(), expected)

    def test_zero_boxes_are_no_boxes(self):
        frames, boxes = request()
        padded = np.pad(boxes, [(0, 0), (0, 0), (0, 4), (0, 0)])
        self.assertGreater(boxes.min(), 0)  # None of the request's own is padding.
        np.testing.assert_allclose(
            self.scores(frames, padded), self.scores(frames, boxes), atol=1e-6
        )

    def test_without_boxes(self):
        frames, boxes = request()
        expected = self.trained_scores(frames, boxes * 0, np.zeros(boxes.shape[:3], bool))
        none, padding = boxes[:, :, :0], boxes * 0
        np.testing.assert_allclose(self.scores(frames, none), expected, atol=1e-5)
        np.testing.assert_allclose(self.scores(frames, padding), expected, atol=1e-5)

    def test_boxes_are_cut_at_the_frame(self):
        frames, boxes = request()
        boxes[0, 0, 0] = [-0.5, 0.25, 0.5, 7.0]
        boxes[0, 1, 1] = [0.2, 1.5, 0.6, 1.9]  # Outside: no box.
        boxes[1, 0, 2] = [0.7, 0.8, 0.6, 0.2]  # Corners swapped: no box, though its area is > 0.
        cut, mask = boxes.copy(), np.ones(boxes.shape[:3], bool)
        cut[0, 0, 0] = [0.0, 0.25, 0.5, 1.0]
        mask[0, 1, 1] = mask[1, 0, 2] = False
        expected = self.trained_scores(frames, cut, mask)
        np.testing.assert_allclose(self.scores(frames, boxes), expected, atol=1e-5)

    def test_encoded_frames_at_their_size_are_just_decoded(self):
        frames, boxes = request(height=SHORT_SIDE, width=30)
        jpegs, pixels = compressed(frames)
        scores = self.call("encoded_frames", encoded_frames=jpegs, boxes=boxes)
        np.testing.assert_allclose(scores, self.scores(pixels, boxes), atol=1e-6)

    def test_encoded_frames_are_scaled_as_in_evaluation(self):
        frames, boxes = request(batch=1, height=50, width=36)
        jpegs, _ = compressed(frames)
        evaluated = transforms.evaluation_transform(
            {
                "id": tf.constant("video"),
                "jpegs": tf.constant(jpegs[0]),
                "boxes": tf.constant(boxes[0]),
                "mask": tf.ones(boxes.shape[1:3], bool),
            },
            short_side=SHORT_SIDE,
            num_boxes=3,
        )
        self.assertEqual(evaluated["frames"].shape, [NUM_FRAMES, 33, SHORT_SIDE, 3])
        scores = self.call("encoded_frames", encoded_frames=jpegs, boxes=boxes)
        expected = self.scores(evaluated["frames"][tf.newaxis], boxes)
        np.testing.assert_allclose(scores, expected, atol=1e-6)

    def test_grey_jpegs_have_three_equal_channels(self):
        frames, boxes = request(batch=1, height=SHORT_SIDE, width=SHORT_SIDE)
        jpegs = np.array([[jpeg(frame[..., 0]) for frame in frames[0]]], object)
        grey = [np.asarray(Image.open(io.BytesIO(data))) for data in jpegs[0]]
        pixels = np.stack([np.stack([image] * 3, axis=-1) for image in grey])[np.newaxis]
        scores = self.call("encoded_frames", encoded_frames=jpegs, boxes=boxes)
        np.testing.assert_allclose(scores, self.scores(pixels, boxes), atol=1e-6)

    def test_frames_of_a_wrong_shape_are_refused(self):
        frames, boxes = request()
        expected = (
            "frames must have shape [B, 4, H, W, 3] with B of at least 1, H and W of at least 4, "
            "received "
        )
        for wrong, received in (
            (frames[:, :3], "[2, 3, 24, 32, 3]"),
            (np.concatenate([frames, frames], axis=1), "[2, 8, 24, 32, 3]"),
            (frames[:, :, :0], "[2, 4, 0, 32, 3]"),
            (frames[..., :0, :], "[2, 4, 24, 0, 3]"),
            (frames[..., :3, :], "[2, 4, 24, 3, 3]"),
            (frames[:0], "[0, 4, 24, 32, 3]"),
            (frames[..., :1], "[2, 4, 24, 32, 1]"),
            (frames[0], "[4, 24, 32, 3]"),
            (frames[np.newaxis], "[1, 2, 4, 24, 32, 3]"),
        ):
            with self.subTest(received):
                self.assert_refused(expected + received, frames=wrong, boxes=boxes)

    def test_boxes_of_a_wrong_shape_are_refused(self):
        frames, boxes = request()
        jpegs, _ = compressed(frames)
        expected = "boxes must have shape [B, 2, K, 4] with the B of the frames, received "
        for wrong, received in (
            (np.concatenate([boxes, boxes], axis=1), "[2, 4, 3, 4]"),
            (boxes[:, :1], "[2, 1, 3, 4]"),
            (boxes[:1], "[1, 2, 3, 4]"),
            (boxes[..., :3], "[2, 2, 3, 3]"),
            (boxes[0], "[2, 3, 4]"),
        ):
            with self.subTest(received):
                self.assert_refused(expected + received, frames=frames, boxes=wrong)
                self.assert_refused(
                    expected + received, "encoded_frames", encoded_frames=jpegs, boxes=wrong
                )

    @parameterized.parameters(np.nan, np.inf, -np.inf)
    def test_boxes_that_are_not_finite_are_refused(self, number):
        frames, boxes = request()
        boxes[1, 0, 2, 3] = number
        sentence = "boxes[1, 0] has a number that is not finite"
        self.assert_refused(sentence, frames=frames, boxes=boxes)

    def test_encoded_frames_of_a_wrong_shape_are_refused(self):
        frames, boxes = request()
        jpegs, _ = compressed(frames)
        expected = "encoded_frames must have shape [B, 4] with B of at least 1, received "
        for wrong, received in (
            (jpegs[:, :3], "[2, 3]"),
            (jpegs[:0], "[0, 4]"),
            (jpegs[0], "[4]"),
        ):
            with self.subTest(received):
                self.assert_refused(
                    expected + received, "encoded_frames", encoded_frames=wrong, boxes=boxes
                )


class OtherModelsTest(absltest.TestCase):
    def test_softmax_scores_add_up_to_one(self):
        model = small_model()
        frames, boxes = request()
        served = Signatures(
            model,
            dataclasses.replace(CLIP, loss="softmax"),
            smallest_side=model.backbone.smallest_side,
        )
        scores = served.serving_default(tf.constant(frames), tf.constant(boxes))["scores"]
        mask = tf.ones(boxes.shape[:3], bool)
        logits = model({"frames": frames, "boxes": tf.constant(boxes), "mask": mask}).numpy()
        exponentials = np.exp(logits.astype(np.float64))
        expected = exponentials / exponentials.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(scores, expected, atol=1e-5)

    def test_a_model_without_graph_takes_boxes_and_does_not_need_them(self):
        served = Signatures(small_model("none"), CLIP, smallest_side=4)
        frames, boxes = map(tf.constant, request())
        scores = served.serving_default(frames, boxes)["scores"]
        without = served.serving_default(frames, boxes[:, :, :0])["scores"]
        np.testing.assert_array_equal(scores, without)


if __name__ == "__main__":
    absltest.main()
