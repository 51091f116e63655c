"""The program, started as a user starts it; what it writes is tested with `evaluation.run`."""

import os
import subprocess
import sys

from absl.testing import absltest, parameterized

ROOT = os.path.join(os.path.dirname(__file__), "..", "..")


class EvaluateTest(parameterized.TestCase):
    @parameterized.parameters(["i3d"], ["=scores.npz"], ["i3d="], ["i3d=a.npz", "i3d=b.npz"])
    def test_refuses_models_to_compare_that_have_no_name_or_no_file(self, *compared):
        finished = subprocess.run(
            [
                *(sys.executable, os.path.join(ROOT, "tools", "evaluate.py")),
                *("--config", os.path.join(ROOT, "configs", "shapes.py")),
                *("--workdir", "none", "--output", "none"),
                *(f"--compare={pair}" for pair in compared),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(finished.returncode, 1)
        self.assertIn("error: expected --compare NAME=scores.npz, each name once", finished.stderr)
        self.assertIn(f"received {compared[-1]!r}", finished.stderr)


if __name__ == "__main__":
    absltest.main()
