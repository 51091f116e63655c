"""Warm-up requests: one for every signature, at the model's size, in a small file."""

import dataclasses
import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf.serving import warmup
from tests.serving.exported import CLIP, NUM_FRAMES, SHORT_SIDE, ExportedTestCase

PAPER = dataclasses.replace(
    CLIP, num_frames=32, short_side=256, stored_short_side=320, num_boxes=50, num_clips=10
)
NAMES = (
    *("serving_default", "explain", "encoded_frames", "sequence_example"),
    *("frames_only", "encoded_frames_only", "describe"),
)


def shapes(request):
    return {name: list(tf.make_ndarray(proto).shape) for name, proto in request.inputs.items()}


class WarmupTest(ExportedTestCase):
    def test_every_signature_is_sent_what_it_takes(self):
        requests = {r.model_spec.signature_name: r for r in warmup.read(self.folder)}
        self.assertEqual(requests.keys(), self.loaded.signatures.keys())
        for name, request in requests.items():
            _, inputs = self.loaded.signatures[name].structured_input_signature
            self.assertEqual(request.inputs.keys(), inputs.keys())
            for key, shape in shapes(request).items():
                self.assertTrue(inputs[key].shape.is_compatible_with(shape))
                self.assertEqual(request.inputs[key].dtype, inputs[key].dtype.as_datatype_enum)

    def test_every_request_succeeds(self):
        warmup.replay(self.folder, self.loaded.signatures)
        (request,) = (
            r for r in warmup.read(self.folder) if r.model_spec.signature_name == "explain"
        )
        frames, boxes = (tf.make_ndarray(request.inputs[name]) for name in ("frames", "boxes"))
        self.assertEqual(frames.shape, (1, NUM_FRAMES, SHORT_SIDE, 32, 3))
        weights = self.outputs("explain", frames=frames, boxes=boxes)["neighbour_weights"]
        self.assertTrue(np.all(weights[..., 0] > 0))  # All of them are boxes, none is padding.

    def test_one_that_fails_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            longer = dataclasses.replace(CLIP, num_frames=2 * NUM_FRAMES)
            warmup.write(folder, longer, ["encoded_frames"])
            with self.assertRaisesRegex(ValueError, "warm-up request of encoded_frames fails"):
                warmup.replay(folder, self.loaded.signatures)


class FileTest(absltest.TestCase):
    def test_is_small_at_the_papers_size(self):
        with tempfile.TemporaryDirectory() as folder:
            path = warmup.write(folder, PAPER, NAMES)
            self.assertEqual(path, f"{folder}/assets.extra/tf_serving_warmup_requests")
            self.assertLess(os.path.getsize(path), 500_000)
            requests = {r.model_spec.signature_name: r for r in warmup.read(folder)}
        self.assertEqual(list(requests), list(NAMES))
        self.assertEqual(
            shapes(requests["serving_default"]),
            {"frames": [1, 32, 256, 341, 3], "boxes": [1, 16, 50, 4]},
        )
        (frame,) = {*tf.make_ndarray(requests["encoded_frames_only"].inputs["encoded_frames"])[0]}
        self.assertEqual(tf.io.decode_jpeg(frame).shape, [320, 426, 3])

    def test_a_signature_that_it_does_not_know(self):
        with self.assertRaisesRegex(ValueError, "no warm-up request for the signature other"):
            warmup.write("/nowhere", CLIP, ["serving_default", "other"])

    def test_a_model_without_the_file(self):
        self.assertEmpty(list(warmup.read("/nowhere")))


if __name__ == "__main__":
    absltest.main()
