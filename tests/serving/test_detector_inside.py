"""A model exported with the Region Proposal Network inside: frames in, scores and boxes out."""

import dataclasses
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.data import schema
from stgraph_tf.proposals.rpn import Rpn
from stgraph_tf.proposals.rpn_settings import RpnSettings
from stgraph_tf.serving import assets, export, verification
from stgraph_tf.serving.film_clips import FilmClips
from stgraph_tf.serving.predictor import Predictor
from tests.serving import without_python
from tests.serving.exported import (
    CLIP,
    LABELS,
    NUM_FRAMES,
    compressed,
    record,
    small_model,
    without_box_lists,
)

NUM_BOXES = 5
SETTINGS = RpnSettings(
    input_size=(64, 64),
    max_level=4,
    anchor_size=3.0,
    backbone_depth=10,
    backbone_width=0.25,
    fpn_filters=8,
    head_filters=8,
)


def small_rpn():
    """A network whose random weights find boxes everywhere."""
    tf.random.set_seed(1)
    return Rpn(SETTINGS, NUM_BOXES)


def frames(batch=2, height=24, width=32, seed=0):
    shape = [batch, NUM_FRAMES, height, width, 3]
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


class DetectorInsideTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model, cls.rpn = small_model(), small_rpn()
        cls.clip = dataclasses.replace(CLIP, rpn="small", num_boxes=NUM_BOXES)
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        export.save(cls.folder, cls.model, LABELS, cls.clip, cls.rpn)
        cls.loaded = tf.saved_model.load(cls.folder)

    def call(self, name, value):
        (key,) = self.loaded.signatures[name].structured_input_signature[1]
        output = self.loaded.signatures[name](**{key: tf.constant(value)})
        return {name: tensor.numpy() for name, tensor in output.items()}

    @parameterized.parameters((1, 24, 32), (2, 24, 24), (2, 37, 24))
    def test_scores_are_those_of_the_boxes_that_the_rpn_finds(self, batch, height, width):
        clips = frames(batch, height, width)
        result = self.call("frames_only", clips)
        for number, clip in enumerate(clips):
            found = self.rpn.detect(clip[:: CLIP.box_stride])
            np.testing.assert_allclose(result["boxes"][number], found.boxes, atol=1e-4)
            np.testing.assert_allclose(result["box_scores"][number], found.scores, atol=1e-4)
        self.assertTrue(np.any(result["boxes"]))
        served = self.loaded.signatures["serving_default"]
        expected = served(frames=tf.constant(clips), boxes=tf.constant(result["boxes"]))
        np.testing.assert_allclose(result["scores"], expected["scores"], atol=1e-6)

    def test_jpeg_frames_are_seen_as_they_are_and_scored_scaled(self):
        jpegs, pixels = compressed(frames(1, 48, 64))
        result = self.call("encoded_frames_only", jpegs)
        found = self.rpn.detect(pixels[0][:: CLIP.box_stride])
        np.testing.assert_allclose(result["boxes"][0], found.boxes, atol=1e-4)
        served = self.loaded.signatures["encoded_frames"]
        expected = served(encoded_frames=tf.constant(jpegs), boxes=tf.constant(result["boxes"]))
        np.testing.assert_allclose(result["scores"], expected["scores"], atol=1e-6)

    def test_videos_whose_record_has_no_boxes_get_those_that_are_found(self):
        with_boxes = record("a", NUM_FRAMES, 48, 64)
        without = without_box_lists(with_boxes)
        found = self.call("sequence_example", [without])["scores"]
        jpegs = schema.parse(without)["frames"].numpy()
        expected = self.call("encoded_frames_only", jpegs[np.newaxis])["scores"]
        np.testing.assert_allclose(found, expected, atol=1e-6)
        both = self.call("sequence_example", [with_boxes, without])["scores"]
        np.testing.assert_allclose(both[1], expected[0], atol=1e-6)
        self.assertGreater(np.abs(both[0] - both[1]).max(), 1e-4)

    def test_runs_without_python(self):
        clips = frames(1)
        (answer,) = without_python.run(self.folder, [("frames_only", {"frames": clips})])
        self.assertEqual(answer.code, 0, answer.message)
        for name, expected in self.call("frames_only", clips).items():
            np.testing.assert_allclose(answer.outputs[name], expected, atol=1e-4, err_msg=name)

    def test_blank_frames_have_no_boxes_and_finite_scores(self):
        result = self.call("frames_only", np.full_like(frames(1), 77))
        self.assertFalse(np.any(result["boxes"]))
        self.assertFalse(np.any(result["box_scores"]))
        self.assertTrue(np.isfinite(result["scores"]).all())

    def test_wrong_requests_are_told_off(self):
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "frames must have shape"):
            self.call("frames_only", frames()[:, :, :0])
        many = frames(CLIP.max_clips + 1, 8, 8)
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "with B of 1 to 8, H and W"):
            self.call("frames_only", many)
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "with B of 1 to 8, received"):
            self.call("encoded_frames_only", np.full(many.shape[:2], b"", object))
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "is no JPEG image"):
            self.call("encoded_frames_only", np.full([1, NUM_FRAMES], b"text", object))

    def test_needs_no_model_garden_to_be_loaded(self):
        code = (
            "import sys, tensorflow as tf; "
            f"model = tf.saved_model.load({self.folder!r}); "
            f"x = tf.zeros([1, {NUM_FRAMES}, 24, 32, 3], tf.uint8); "
            "print(model.signatures['frames_only'](frames=x)['scores'].shape, "
            "any(name.split('.')[0] in ('official', 'tf_keras') for name in sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.stdout.strip(), f"(1, {len(LABELS)}) False", done.stderr)

    def test_every_signature_is_verified(self):
        video = without_box_lists(record("a", 2 * NUM_FRAMES))
        (clip,) = verification.random_clips(self.clip, 1)
        clips = [{**clip, "record": tf.constant(video)}]
        difference = verification.largest_difference(
            self.folder, self.model, self.clip, clips, self.rpn
        )
        self.assertLess(difference, 1e-5)
        tf.random.set_seed(2)
        other = Rpn(SETTINGS, NUM_BOXES)
        difference = verification.largest_difference(
            self.folder, self.model, self.clip, clips, other
        )
        self.assertGreater(difference, 1e-5)

    def test_predictor_gives_the_boxes_that_were_found(self):
        predictor = Predictor(self.folder)
        self.assertTrue(predictor.finds_boxes)
        self.assertEqual(assets.read(self.folder)[1].rpn, "small")
        clip = frames(1)
        film = FilmClips(
            frames=clip[0],
            frame_indices=np.arange(NUM_FRAMES)[np.newaxis],
            boxes=np.zeros([1, NUM_FRAMES // CLIP.box_stride, NUM_BOXES, 4], np.float32),
            num_boxes=np.zeros(1, int),
            repeats=np.ones(1, int),
            num_stored=NUM_FRAMES,
            stored_indices=np.arange(NUM_FRAMES)[np.newaxis],
        )
        ((scores, boxes),) = predictor.detected(film)
        result = self.call("frames_only", clip)
        np.testing.assert_array_equal(scores, result["scores"][0])
        np.testing.assert_array_equal(boxes, result["boxes"][0])
        (explained,) = predictor.explained(film, [boxes])
        np.testing.assert_array_equal(explained.boxes, boxes)
        np.testing.assert_allclose(explained.scores, scores, atol=1e-5)
        self.assertTrue(explained.has_similarity and explained.has_spatial_temporal)

    def test_model_without_a_detector(self):
        folder = self.create_tempdir().full_path
        export.save(folder, self.model, LABELS, CLIP)
        predictor = Predictor(folder)
        self.assertFalse(predictor.finds_boxes)
        with self.assertRaisesRegex(ValueError, "has no detector inside.*--rpn"):
            next(predictor.detected(None))


if __name__ == "__main__":
    absltest.main()
