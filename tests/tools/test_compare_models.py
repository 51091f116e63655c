"""The program, started as a user starts it."""

import json
import os
import subprocess
import sys
import time

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.evaluation import score_files
from stgraph_tf.evaluation.score_files import ScoredVideos

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "compare_models.py")
LABELS = np.eye(4, dtype=np.float32)[[0, 1, 2, 3]]
NAMES = ("lift", "drop", "push", "wave")
IDS = np.array(["a", "b", "c", "d"])
CLASSES = """class,#Samples,Seq,PoseVar,Obj
lift,10,1,0.1,1
drop,10,1,0.2,1
push,10,0,0.3,1
wave,10,0,0.4,1
"""


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


class CompareModelsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.output = os.path.join(self.folder, "comparison")
        self.classes = self.write("attributes_class.csv", CLASSES)
        # The baseline has the video of "lift" last and "drop" third: precisions 1/4, 1/3, 1, 1.
        baseline = LABELS.copy()
        baseline[:, 0] = [1, 2, 3, 4]
        baseline[:, 1] = [3, 2, 4, 1]
        self.baseline = self.scores("baseline.npz", IDS, baseline, LABELS)
        self.better = self.scores("better.npz", IDS[::-1], LABELS[::-1], LABELS[::-1])

    def write(self, name: str, text: str) -> str:
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def scores(self, name: str, ids, scores, labels) -> str:
        path = os.path.join(self.folder, name)
        score_files.write(path, ScoredVideos(ids, scores, labels, NAMES))
        return path

    def compare(self, *arguments: str, other: str | None = None) -> subprocess.CompletedProcess:
        return run(
            f"--scores=I3D={self.baseline}",
            f"--scores=Joint GCN={other or self.better}",
            f"--attributes={self.classes}",
            f"--output={self.output}",
            *arguments,
        )

    def test_prints_a_table_and_writes_the_figures(self):
        done = self.compare()
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line.split() for line in done.stdout.splitlines()]
        self.assertEqual(rows[1], ["all", "4", "classes", "64.6", "100.0", "+35.4"])
        self.assertEqual(rows[3], ["yes", "2", "classes", "29.2", "100.0", "+70.8"])
        self.assertIn("Involves objects?: without classes, so left out: no", done.stdout)

        self.assertCountEqual(
            os.listdir(self.output), ["error_analysis.json", "error_analysis.png"]
        )
        with open(os.path.join(self.output, "error_analysis.json"), encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual([model["model"] for model in report["models"]], ["I3D", "Joint GCN"])
        self.assertAlmostEqual(report["models"][0]["mAP"], (1 / 4 + 1 / 3 + 2) / 4)
        seq, pose, _ = report["attributes"]
        self.assertAlmostEqual(seq["groups"][1]["mAP"]["I3D"], (1 / 4 + 1 / 3) / 2)
        self.assertEqual([group["group"] for group in pose["groups"]], ["0.1 to 0.2", "0.3", "0.4"])
        with Image.open(os.path.join(self.output, "error_analysis.png")) as picture:
            self.assertEqual(picture.format, "PNG")

    def test_compares_by_attributes_of_videos(self):
        videos = self.write("attributes_video.csv", "id,People\na,1\nb,1\nc,2\nd,\n")
        done = self.compare(f"--video_attributes={videos}", "--only=People", "--normalized")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("People: without a value, so left out: 1 video", done.stdout)
        with open(os.path.join(self.output, "error_analysis.json"), encoding="utf-8") as file:
            (people,) = json.load(file)["attributes"]
        self.assertEqual([group["videos"] for group in people["groups"]], [2, 1])

    def test_refuses_scores_of_other_videos(self):
        other = self.scores("other.npz", np.array(["a", "b", "c", "e"]), LABELS, LABELS)
        done = self.compare(other=other)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(
            done.stderr.splitlines()[-1],
            "error: 'Joint GCN' has scores of other videos than 'I3D', 'd' for one",
        )
        self.assertFalse(os.path.exists(self.output))

    def test_refuses_a_file_without_a_name(self):
        done = run(f"--scores={self.baseline}", f"--attributes={self.classes}", "--output=x")
        self.assertEqual(done.returncode, 1)
        self.assertStartsWith(done.stderr, "error: --scores: expected NAME=FILE, received ")

    def test_refuses_a_name_twice(self):
        done = run("--scores=A=x", "--scores=A=y", "--attributes=z", "--output=o")
        self.assertEqual(
            done.stderr.strip(), "error: --scores: the name 'A' is there more than once"
        )

    def test_help_answers_at_once(self):
        start = time.perf_counter()
        done = run("--help")
        self.assertIn("--video_attributes", done.stdout)
        self.assertLess(time.perf_counter() - start, 3)


if __name__ == "__main__":
    absltest.main()
