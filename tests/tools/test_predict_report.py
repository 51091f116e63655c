"""tools/predict.py --report as a user runs it."""

import json
import os
import subprocess
import sys

import numpy as np
from absl.testing import absltest

from stgraph_tf.serving import export
from stgraph_tf.viz.viewer import document
from tests.serving import exported

PROGRAM = os.path.join(os.path.dirname(__file__), "../../tools/predict.py")
BOXES = {
    "id": "film",
    "times": [index / 6 for index in range(6)],
    "boxes": 6 * [[[0, 0, 1, 1], [0, 0, 0.5, 1]]],
}


class PredictReportTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.film = os.path.join(self.folder, "a <b> film")
        os.mkdir(self.film)
        random = np.random.default_rng(1)
        for index in range(6):
            pixels = random.integers(0, 256, (32, 40, 3), np.uint8)
            with open(os.path.join(self.film, f"{index:03}.jpg"), "wb") as file:
                file.write(exported.jpeg(pixels))
        self.boxes = os.path.join(self.folder, "boxes.jsonl")
        with open(self.boxes, "w") as file:
            json.dump(BOXES, file)

    def predict(self, saved_model):
        report = os.path.join(self.folder, "report.html")
        scores = os.path.join(self.folder, "scores.json")
        done = subprocess.run(
            [
                *(sys.executable, PROGRAM, f"--saved_model={saved_model}", "--fps=6"),
                *(f"--video={self.film}", f"--boxes={self.boxes}"),
                *(f"--report={report}", f"--json={scores}"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[-1], f"report  {report}")
        with open(scores) as file:
            predictions = json.load(file)["predictions"]
        with open(report) as file:
            text = file.read()
        self.assertIn("<title>a &lt;b&gt; film</title>", text)
        return document.content(text), {row["label"]: row["score"] for row in predictions}

    def test_page_holds_clips_scores_and_edges(self):
        _, saved_model, _ = exported.joint()
        data, predicted = self.predict(saved_model)
        self.assertEqual(tuple(data["labels"]), exported.LABELS)
        # Six frames hold two clips of four, at the start and at the end.
        self.assertEqual(
            [clip["seconds"] for clip in data["clips"]], [[0, 0.33333], [0.33333, 0.66667]]
        )
        pooled = dict(zip(data["labels"], data["pooled"], strict=True))
        for label, score in predicted.items():
            self.assertAlmostEqual(pooled[label], score, places=4)
        clip_scores = [clip["scores"] for clip in data["clips"]]
        np.testing.assert_allclose(np.max(clip_scores, axis=0), data["pooled"], atol=2e-5)
        for clip in data["clips"]:
            self.assertEqual(clip["boxes"], 2 * [[0, 0, 10_000, 10_000, 0, 0, 5_000, 10_000]])
            self.assertEqual(clip["numBoxes"], exported.CLIP.num_boxes)
            # The overlap is half of the larger box: 1 and 1/2 over their sum.
            self.assertEqual(
                clip["forward"],
                [[0, 0, 66_667, 0, 1, 33_333, 1, 0, 33_333, 1, 1, 66_667]],
            )
            for row in np.array(clip["neighbours"], object)[[0, 1, 3, 4]]:
                self.assertAlmostEqual(sum(row[1::2]) / 100_000, 1, places=3)
            self.assertEqual(clip["neighbours"][2], [])

    def test_model_without_a_graph(self):
        saved_model = os.path.join(self.folder, "saved")
        export.save(saved_model, exported.small_model("none"), exported.LABELS, exported.CLIP)
        data, _ = self.predict(saved_model)
        for clip in data["clips"]:
            self.assertIsNone(clip["neighbours"])
            self.assertIsNone(clip["forward"])
            self.assertLen(clip["boxes"], 2)


if __name__ == "__main__":
    absltest.main()
