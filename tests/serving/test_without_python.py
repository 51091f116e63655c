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
    """All requests go to one process, which must outlive the wrong ones."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        without_python.program()
        frames, boxes = request(num_boxes=6)
        jpegs, _ = compressed(frames)
        cls.good = [
            ("serving_default", {"frames": frames, "boxes": boxes}),
            ("explain", {"frames": frames, "boxes": boxes}),
            ("encoded_frames", {"encoded_frames": jpegs, "boxes": boxes}),
            ("sequence_example", {"sequence_example": np.array([record("a", 7)], object)}),
        ]
        wrong_jpegs = jpegs.copy()
        wrong_jpegs[1, 3] = b""
        no_number = np.where(boxes > 0.9, np.nan, boxes)
        cls.wrong = [
            ("serving_default", {"frames": frames[:, 1:], "boxes": boxes}),
            ("serving_default", {"frames": frames[:0], "boxes": boxes[:0]}),
            ("serving_default", {"frames": frames, "boxes": boxes[:, 1:]}),
            ("serving_default", {"frames": frames, "boxes": no_number}),
            ("encoded_frames", {"encoded_frames": wrong_jpegs, "boxes": boxes}),
            ("sequence_example", {"sequence_example": np.array([b"?"], object)}),
        ]
        cls.warm_up = [
            (
                request.model_spec.signature_name,
                {name: tf.make_ndarray(proto) for name, proto in request.inputs.items()},
            )
            for request in warmup.read(cls.folder)
        ]
        answers = without_python.run(cls.folder, [*cls.warm_up, *cls.wrong, *cls.good])
        cls.good_answers = answers[-len(cls.good) :]
        cls.wrong_answers = answers[len(cls.warm_up) : -len(cls.good)]
        cls.warm_up_answers = answers[: len(cls.warm_up)]

    def test_every_signature_gives_what_it_gives_python(self):
        for (name, inputs), answer in zip(self.good, self.good_answers, strict=True):
            self.assertEqual(answer.code, 0, answer.message)
            expected = self.outputs(name, **inputs)
            self.assertEqual(answer.outputs.keys(), expected.keys())
            for key, value in expected.items():
                np.testing.assert_allclose(answer.outputs[key], value, atol=1e-5, err_msg=key)

    def test_wrong_requests_get_a_status_and_a_sentence(self):
        sentences = (
            *("frames must have shape", "frames must have shape", "boxes must have shape"),
            *("has a number that is not finite", "encoded_frames[1, 3] is no JPEG image"),
            "Invalid protocol message input, example id: sequence_example[0]",
        )
        for sentence, answer in zip(sentences, self.wrong_answers, strict=True):
            self.assertEqual(answer.code, tf.errors.INVALID_ARGUMENT)
            self.assertIn(sentence, answer.message)

    def test_the_warm_up_requests_succeed(self):
        self.assertLen(self.warm_up, 5)
        for answer in self.warm_up_answers:
            self.assertEqual(answer.code, 0, answer.message)

    def test_the_command_line_of_tensorflow(self):
        frames, boxes = request(batch=1)
        with tempfile.TemporaryDirectory() as folder:
            inputs = []
            for name, value in (("frames", frames), ("boxes", boxes)):
                np.save(os.path.join(folder, name), value)
                inputs.append(f"{name}={folder}/{name}.npy")
            program = [sys.executable, "-m", "tensorflow.python.tools.saved_model_cli", "run"]
            done = subprocess.run(
                [
                    *(*program, "--dir", self.folder, "--tag_set", "serve"),
                    *("--signature_def", "serving_default"),
                    *("--inputs", ";".join(inputs), "--outdir", folder),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            self.assertEqual(done.returncode, 0, done.stderr)
            scores = np.load(os.path.join(folder, "scores.npy"))
        expected = self.call("serving_default", frames=frames, boxes=boxes)
        np.testing.assert_allclose(scores, expected, atol=1e-6)


if __name__ == "__main__":
    absltest.main()
