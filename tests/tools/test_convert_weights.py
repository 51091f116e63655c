"""The program, started as a user starts it."""

import os
import pickle
import subprocess
import sys
import time

import numpy as np
from absl.testing import absltest

from stgraph_tf import weights
from tests.weights import foreign_files

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "convert_weights.py")


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


class ConvertWeightsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.input = os.path.join(folder, "tiny.pkl")
        self.output = os.path.join(folder, "weights", "tiny.weights.h5")
        twin = weights.new_backbone("tiny", weights.Caffe2Source.conventions)
        foreign_files.randomize(twin, 1)
        self.expected = foreign_files.values(twin)

    def arguments(self) -> list[str]:
        flags = {
            "source": "caffe2",
            "input": self.input,
            "backbone": "tiny",
            "output": self.output,
        }
        return [f"--{name}={value}" for name, value in flags.items()]

    def assert_refused(self, message: str) -> None:
        finished = run(*self.arguments())
        self.assertEqual(finished.returncode, 1, finished.stderr)
        self.assertNotIn("Traceback", finished.stderr)
        last = finished.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: ")
        self.assertRegex(last, message)
        self.assertFalse(os.path.exists(self.output))

    def test_converts_and_tells_the_flags(self):
        blobs = {**foreign_files.caffe2(self.expected), "pred_b": np.ones([4], np.float32)}
        foreign_files.write_python2_pickle(self.input, blobs)
        finished = run(*self.arguments())
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn(f"--config.init.weights={self.output}", finished.stdout)
        self.assertIn("--config.model.pool1_padded=False", finished.stdout)
        self.assertIn("1 tensors, classifier of the source's classes", finished.stdout)
        network = weights.new_backbone("tiny", weights.Caffe2Source.conventions)
        network.load_weights(self.output)
        for name, value in foreign_files.values(network).items():
            np.testing.assert_array_equal(value, self.expected[name], err_msg=name)

    def test_refuses_a_hostile_file_and_runs_nothing(self):
        trace = f"{self.input}.ran"

        class Command:
            def __reduce__(self):
                return (os.system, (f"touch {trace}",))

        with open(self.input, "wb") as file:
            pickle.dump({"conv1_w": Command()}, file, protocol=2)
        self.assert_refused("is refused, and nothing in it was run: it asks for posix.system")
        self.assertFalse(os.path.exists(trace))

    def test_refuses_a_file_that_does_not_fit(self):
        blobs = foreign_files.caffe2(self.expected)
        del blobs["res3_0_branch2b_w"]
        foreign_files.write_python2_pickle(self.input, blobs)
        self.assert_refused("res3_0_branch2b_w is missing")

    def test_refuses_a_missing_file(self):
        self.assert_refused(f"{self.input}: No such file or directory")

    def test_help_answers_at_once(self):
        started = time.monotonic()
        finished = run("--help")
        self.assertLess(time.monotonic() - started, 3.0)
        self.assertIn("--backbone", finished.stdout)


if __name__ == "__main__":
    absltest.main()
