"""tools/make_screenshots.py as a user runs it."""

import os
import subprocess
import sys

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.viz import viewer
from tests.viz.viewer import sample_clips

PROGRAM = os.path.join(os.path.dirname(__file__), "../../tools/make_screenshots.py")
CHOSEN = (226, 125, 0)  # orange


def run(*flags):
    return subprocess.run(
        [sys.executable, PROGRAM, *flags], capture_output=True, text=True, check=False
    )


class MakeScreenshotsTest(absltest.TestCase):
    def test_pictures_of_a_report_with_a_chosen_box(self):
        folder = self.create_tempdir().full_path
        report = os.path.join(folder, "report.html")
        viewer.write(report, "film", [sample_clips.clip()], sample_clips.LABELS)
        flags = (
            f"--example={folder}/example.json",
            f"--output={folder}/pictures",
            "--frame=2",
            "--box=1",
        )
        done = run(f"--report={report}", *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(os.path.exists(f"{folder}/example.json"))
        for name, size in (("viewer.png", (1550, 1250)), ("viewer_phone.png", (585, 1266))):
            self.assertIn(f"{folder}/pictures/{name}: ", done.stdout)
            image = Image.open(os.path.join(folder, "pictures", name)).convert("RGB")
            self.assertEqual(image.size, size)
            difference = np.abs(np.asarray(image, int) - CHOSEN).max(axis=-1)
            self.assertGreater((difference < 16).sum(), 500)

        done = run(*flags, "--box=7")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("error: frame 2 has no box 7", done.stderr)
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    absltest.main()
