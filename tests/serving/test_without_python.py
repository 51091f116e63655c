"""Exported models without Python: by the C API's loader, and by TensorFlow's own command line."""

import os
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.serving import export, warmup
from tests.serving import without_python
from tests.serving.exported import (
    CLIP,
    LABELS,
    NUM_FRAMES,
    ExportedTestCase,
    compressed,
    record,
    request,
    small_model,
)

WITHOUT_EDGES = {"serving_default", "encoded_frames", "sequence_example", "describe"}
SIMILARITY = {"neighbour_indices", "neighbour_weights"}
SPATIAL_TEMPORAL = {"forward_edges", "backward_edges"}


def trained_scores(model, frames, boxes):
    mask = tf.ones(boxes.shape[:3], bool)
    return tf.nn.sigmoid(model({"frames": frames, "boxes": tf.constant(boxes), "mask": mask}))


class VariantsTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        without_python.program()

    # The joint graph in float32 follows below, with all of its signatures.
    @parameterized.parameters(
        ("none", "tiny_nl", "float32", None),
        ("avgpool", "tiny", "bfloat16", None),
        ("spatial_temporal", "tiny", "float32", SPATIAL_TEMPORAL),
        ("similarity", "tiny_nl", "bfloat16", SIMILARITY),
    )
    def test_scores_are_those_of_the_trained_model(self, graph, backbone, precision, edges):
        model = small_model(graph, backbone)
        frames, boxes = request()
        with tempfile.TemporaryDirectory() as folder:
            export.save(folder, model, LABELS, CLIP, precision=precision)
            known = without_python.signatures(folder)
            (answer,) = without_python.run(
                folder, [("serving_default", {"frames": frames, "boxes": boxes})]
            )
        expected = trained_scores(model, frames, boxes)
        atol = 1e-5 if precision == "float32" else 2e-2
        np.testing.assert_allclose(answer.outputs["scores"], expected, atol=atol)
        names = set(known) - {"__saved_model_init_op"}
        self.assertEqual(names, WITHOUT_EDGES | ({"explain"} if edges else set()))
        if edges:
            self.assertEqual(set(known["explain"].outputs), {"scores"} | edges)


class JointTest(ExportedTestCase):
    def setUp(self):
        super().setUp()
        without_python.program()

    def test_every_signature_gives_what_it_gives_python(self):
        frames, boxes = request(num_boxes=6)
        jpegs, _ = compressed(frames)
        requests = [
            ("serving_default", {"frames": frames, "boxes": boxes}),
            ("explain", {"frames": frames, "boxes": boxes}),
            ("encoded_frames", {"encoded_frames": jpegs, "boxes": boxes}),
            ("sequence_example", {"sequence_example": np.array([record("a", 7)], object)}),
        ]
        answers = without_python.run(self.folder, requests)
        for (name, inputs), answer in zip(requests, answers, strict=True):
            self.assertEqual(answer.code, 0, answer.message)
            expected = self.outputs(name, **inputs)
            self.assertEqual(answer.outputs.keys(), expected.keys())
            for key, value in expected.items():
                np.testing.assert_allclose(answer.outputs[key], value, atol=1e-5, err_msg=key)

    def test_the_warm_up_requests_succeed(self):
        requests = [
            (
                request.model_spec.signature_name,
                {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()},
            )
            for request in warmup.read(self.folder)
        ]
        self.assertLen(requests, 5)
        for answer in without_python.run(self.folder, requests):
            self.assertEqual(answer.code, 0, answer.message)

    def test_wrong_requests_get_a_status_and_a_sentence(self):
        frames, boxes = request()
        jpegs, _ = compressed(frames)
        jpegs[1, 3] = b""
        no_number = np.where(boxes > 0.9, np.nan, boxes)
        wrong = [
            ("serving_default", {"frames": frames[:, 1:], "boxes": boxes}, "frames must have sha"),
            ("serving_default", {"frames": frames[:0], "boxes": boxes[:0]}, "frames must have sha"),
            ("serving_default", {"frames": frames, "boxes": boxes[:, 1:]}, "boxes must have shape"),
            ("serving_default", {"frames": frames, "boxes": no_number}, "that is not finite"),
            ("encoded_frames", {"encoded_frames": jpegs, "boxes": boxes}, "[1, 3] is no JPEG"),
            ("sequence_example", {"sequence_example": np.array([b"?"], object)}, "example[0]"),
        ]
        answers = without_python.run(self.folder, [request[:2] for request in wrong])
        for (_, _, sentence), answer in zip(wrong, answers, strict=True):
            self.assertEqual(answer.code, tf.errors.INVALID_ARGUMENT)
            self.assertIn(sentence, answer.message)

    def command_line(self, *arguments):
        """What `saved_model_cli` says to some arguments."""
        program = (sys.executable, "-m", "tensorflow.python.tools.saved_model_cli")
        done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_the_command_line_of_tensorflow(self):
        frames, boxes = request(batch=1)
        common = ["--dir", self.folder, "--tag_set", "serve"]
        common += ["--signature_def", "serving_default"]
        shown = self.command_line("show", *common)
        self.assertIn(f"shape: (-1, {NUM_FRAMES}, -1, -1, 3)", shown)
        self.assertIn(f"shape: (-1, {len(LABELS)})", shown)
        with tempfile.TemporaryDirectory() as folder:
            inputs = []
            for name, value in (("frames", frames), ("boxes", boxes)):
                np.save(os.path.join(folder, name), value)
                inputs.append(f"{name}={folder}/{name}.npy")
            self.command_line("run", *common, "--inputs", ";".join(inputs), "--outdir", folder)
            scores = np.load(os.path.join(folder, "scores.npy"))
        expected = self.call("serving_default", frames=frames, boxes=boxes)
        np.testing.assert_allclose(scores, expected, atol=1e-6)


if __name__ == "__main__":
    absltest.main()
