"""tools/visualize.py as a user runs it."""

import os
import subprocess
import sys
import tempfile

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import score_files
from tests import small_dataset
from tests.viz.gallery import small_gallery

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")
CONFIG = f"--config={os.path.join(ROOT, 'configs', 'shapes.py')}"


def run(*flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, os.path.join(ROOT, "tools", "visualize.py"), *flags],
        capture_output=True,
        text=True,
        check=False,
    )


class VisualizeTest(parameterized.TestCase):
    def test_shows_the_worst_videos_of_an_exported_model(self):
        folder = self.enter_context(tempfile.TemporaryDirectory())
        data, saved, output, scores = (
            os.path.join(folder, name) for name in ("data", "saved", "output", "scores.npz")
        )
        small_dataset.write(data, num_videos=4)
        small_gallery.save_model(data, saved)
        ids = [f"validation-{index}" for index in range(4)]
        labels = np.eye(3)[[0, 1, 2, 0]]
        right = np.array([0.9, 0.1, 0.8, 0.2])[:, np.newaxis]
        score_files.write(
            scores, score_files.ScoredVideos(ids, labels * right, labels, small_dataset.LABELS)
        )
        done = run(
            *(f"--saved_model={saved}", f"--data={data}", f"--output={output}"),
            *("--choose=worst", f"--scores={scores}", "--num_videos=2"),
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        index = os.path.join(output, "index.html")
        self.assertEqual(done.stdout, f"2 videos of {data}, validation: open {index}\n")
        self.assertIn("2/2", done.stderr)  # progress
        pages = [name for name in os.listdir(os.path.join(output, "videos")) if "html" in name]
        self.assertCountEqual(pages, ["validation-1.html", "validation-3.html"])

    @parameterized.parameters(
        ([], "give --config and --workdir of a training run, or --saved_model"),
        ([CONFIG], "give --config and --workdir of a training run, or --saved_model"),
        (
            ["--saved_model=a", "--workdir=b", "--stage=joint"],
            "give --saved_model or --workdir and --stage, not both",
        ),
        (["--saved_model=a"], "--saved_model needs --data, the folder of the videos' shards"),
    )
    def test_refuses_flags_that_do_not_go_together(self, flags, sentence):
        done = run("--output=none", *flags)
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEqual(done.stderr, f"error: {sentence}\n")


if __name__ == "__main__":
    absltest.main()
