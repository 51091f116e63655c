"""tools/predict.py as a user runs it."""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile

import av
import keras
import numpy as np
from absl.testing import absltest

from stgraph_tf import config as settings
from stgraph_tf.modeling import build_model
from stgraph_tf.serving import export
from tests.serving import exported

PROGRAM = os.path.join(os.path.dirname(__file__), "../../tools/predict.py")
LABELS = ("pushing something", "pulling", "lifting")
CLIP = dataclasses.replace(
    exported.CLIP, loss="softmax", multi_label=False, stored_short_side=36, num_clips=3
)


def run(*flags):
    return subprocess.run(
        [sys.executable, PROGRAM, *flags], capture_output=True, text=True, check=False
    )


class PredictTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.film = os.path.join(self.folder, "film.mp4")
        with av.open(self.film, "w") as container:
            stream = container.add_stream("libx264", rate=12)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for index in range(24):
                image = np.full((48, 64, 3), 10 * index, np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode())

    def export_model(self):
        keras.utils.set_random_seed(3)
        config = settings.for_variant("tiny_i3d_joint", backbones=("tiny",))
        config.model.feature_dim = 8
        model = build_model(config.model, num_classes=len(LABELS))
        # Without boxes and with such a bias, the scores are known but for a little.
        model.classifier.kernel.assign(model.classifier.kernel * 1e-3)
        model.classifier.bias.assign(np.log([0.25, 0.05, 0.7]))
        saved = os.path.join(self.folder, "saved")
        export.save(os.path.join(saved, "3"), model, LABELS, CLIP)
        return saved

    def test_prints_the_top_labels_and_writes_all(self):
        saved = self.export_model()
        output = os.path.join(self.folder, "scores.json")
        boxes = os.path.join(self.folder, "boxes.jsonl")
        with open(boxes, "w") as file:
            file.write('{"id": "any", "times": [0], "boxes": [[[0, 0, 1, 1], [0, 0, 0.5, 1]]]}')
        done = run(
            *(f"--saved_model={saved}", f"--video={self.film}", f"--boxes={boxes}"),
            *("--top=2", f"--json={output}"),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertRegex(lines[0], "^lifting            0[.](69|70).  █{21}$")
        self.assertRegex(lines[1], "^pushing something  0[.]2(4|5).  █{7,8}$")
        self.assertEqual(
            lines[2:7],
            [
                "",
                f"model   {saved}/3",
                f"film    {self.film}, 12 frames at 6 a second",
                "clips   3 of 4 frames, pooled by max",
                "boxes   2 on 6 feature frames",
            ],
        )
        self.assertRegex(lines[7], r"^time    [\d.]+ s to load the model, [\d.]+ s to decode")
        self.assertLen(lines, 8)

        with open(output) as file:
            written = json.load(file)
        predictions = written.pop("predictions")
        self.assertEqual(
            written,
            {
                "saved_model": f"{saved}/3",
                "video": self.film,
                "num_frames": 12,
                "num_clips": 3,
                "num_boxes": 2,
            },
        )
        self.assertEqual([row["label"] for row in predictions], [LABELS[2], LABELS[0], LABELS[1]])
        scores = [row["score"] for row in predictions]
        np.testing.assert_allclose(scores, [0.7, 0.25, 0.05], atol=0.01)

    def test_a_mistake_is_one_sentence(self):
        done = run(f"--saved_model={self.folder}", f"--video={self.film}", "--boxes=none")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn(
            f"error: {self.folder} is no SavedModel, nor a folder with versions of one", done.stderr
        )
        self.assertNotIn("Traceback", done.stderr)

    def test_help_needs_no_tensorflow(self):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", PROGRAM, "--help"],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertIn("--saved_model", done.stdout)
        self.assertNotIn("tensorflow", done.stderr)


if __name__ == "__main__":
    absltest.main()
