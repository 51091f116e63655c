"""The program, started as a user starts it."""

import os
import subprocess
import sys

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation import score_files

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "write_submission.py")


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def _last(finished: subprocess.CompletedProcess) -> str:
    """The last line of stderr: before it, TensorFlow may say what it looked for in vain."""
    return finished.stderr.splitlines()[-1]


class WriteSubmissionTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.scores = os.path.join(folder, "scores.npz")
        self.output = os.path.join(folder, "charades.txt")
        self.classes = os.path.join(folder, "Charades_v1_classes.txt")
        self.videos = os.path.join(folder, "Charades_v1_test.csv")
        labels = tuple(f"Doing {number}" for number in range(157))
        with open(self.classes, "w") as file:
            file.writelines(f"c{number:03d} {label}\n" for number, label in enumerate(labels))
        with open(self.videos, "w") as file:
            file.write("id,actions\nB2,c000 0.00 1.00\nA1,\n")
        scores = np.zeros([2, 157], np.float32)
        scores[:, 3] = 0.25
        # The data set's order of the classes is the reverse of the publisher's.
        score_files.write(
            self.scores,
            score_files.ScoredVideos(np.array(["A1", "B2"]), scores, scores > 1, labels[::-1]),
        )

    def test_writes_and_checks(self):
        lists = ("--format=charades", f"--labels={self.classes}", f"--annotations={self.videos}")
        finished = run(f"--scores={self.scores}", f"--output={self.output}", *lists)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(finished.stdout, f"{self.output}: 2 videos in the form of charades\n")
        with open(self.output) as file:
            first, second = file.read().splitlines()
        self.assertEqual(first, "A1" + " 0.0" * 153 + " 0.25" + " 0.0" * 3)
        self.assertStartsWith(second, "B2 0.0 ")

        with open(self.output, "w") as file:
            file.write(f"{first}\nC3 {second}\n")
        finished = run(f"--check={self.output}", *lists)
        self.assertEqual(finished.returncode, 1)
        self.assertStartsWith(_last(finished), f"error: {self.output}:2: expected a video id and")
        self.assertNotIn("Traceback", finished.stderr)

    def test_refuses_scores_of_another_data_set(self):
        finished = run(
            f"--scores={self.scores}", f"--output={self.output}", "--format=something_v2"
        )
        self.assertEqual(finished.returncode, 1)
        self.assertEqual(_last(finished), "error: something_v2: expected 174 classes, received 157")
        self.assertFalse(os.path.exists(self.output))

    def test_either_writes_or_checks(self):
        for arguments in (
            [],
            [f"--scores={self.scores}"],
            [f"--scores={self.scores}", f"--output={self.output}", f"--check={self.output}"],
        ):
            finished = run("--format=charades", *arguments)
            self.assertEqual(finished.returncode, 1)
            self.assertEqual(
                finished.stderr, "error: expected either --scores and --output, or --check\n"
            )


if __name__ == "__main__":
    absltest.main()
