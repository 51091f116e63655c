"""Programs end a user's mistake with one sentence and exit status 1."""

import os
import subprocess
import sys
import tempfile
from unittest import mock

from absl.testing import absltest, parameterized

_PROGRAM = """
from absl import flags
from ml_collections import config_flags
from stgraph_tf import program

config_flags.DEFINE_config_file("config", None, "The config.")

def main(argv):
    {body}

program.run(main)
"""

_CONFIG = """
from ml_collections import ConfigDict

def get_config(variant="good"):
    if variant != "good":
        raise ValueError(f"no variant {variant!r}")
    return ConfigDict({"train": {"steps": 3}})
"""


class RunTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.enter_context(mock.patch.dict(os.environ))
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.config = os.path.join(self.folder, "config.py")
        with open(self.config, "w") as file:
            file.write(_CONFIG)

    def _run(self, body: str, *flags: str) -> subprocess.CompletedProcess:
        path = os.path.join(self.folder, "program.py")
        with open(path, "w") as file:
            file.write(_PROGRAM.format(body=body))
        return subprocess.run(
            [sys.executable, path, f"--config={self.config}", *flags],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_tensorflows_fast_kernels_are_on_unless_the_user_says_otherwise(self):
        body = "import os; print(os.environ['TF_ENABLE_ONEDNN_OPTS'])"
        for given, expected in ((None, "1"), ("0", "0")):
            os.environ.pop("TF_ENABLE_ONEDNN_OPTS", None)
            if given is not None:
                os.environ["TF_ENABLE_ONEDNN_OPTS"] = given
            self.assertEqual(self._run(body).stdout.strip(), expected)

    @parameterized.named_parameters(
        ("value", "raise ValueError('the film a.mp4\\n is empty')", "the film a.mp4 is empty"),
        ("missing", "open('/nowhere/x')", "/nowhere/x: No such file or directory"),
        ("folder", "open('/')", "/: Is a directory"),
        ("disk", "open('/dev/full', 'w', buffering=1).write('x\\n')", "No space left on device"),
    )
    def test_a_users_mistake_is_one_sentence(self, body, sentence):
        result = self._run(body)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(result.stderr.strip(), f"error: {sentence}")

    def test_tensorflows_errors_about_files_count_as_a_users(self):
        result = self._run("import tensorflow as tf; tf.io.gfile.listdir('/nowhere')")
        self.assertEqual(result.returncode, 1)
        self.assertIn("error: Could not find directory /nowhere", result.stderr)
        self.assertNotIn("Traceback", result.stderr)

    def test_tensorflows_graph_jargon_is_left_out(self):
        result = self._run(
            "import tensorflow as tf; tf.io.write_file('/dev/full/x', 'y'); print('written')"
        )
        self.assertEqual(result.returncode, 1)
        self.assertIn("error: /dev/full/x; Not a directory", result.stderr)
        self.assertNotIn("{{", result.stderr)
        self.assertNotIn("[Op:", result.stderr)

    def test_a_bug_keeps_its_traceback(self):
        result = self._run("{}['key']")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("Traceback", result.stderr)

    def test_verbosity_shows_the_traceback_of_a_mistake(self):
        result = self._run("raise ValueError('x')", "--verbosity=1")
        self.assertIn("Traceback", result.stderr)
        self.assertIn("error: x", result.stderr)

    def test_success_is_silent(self):
        result = self._run("return None")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    @parameterized.parameters(
        ("--config={}:bad", "no variant 'bad'"),
        ("--config.train.step=1", "the config has no setting 'step' Did you mean \"steps\""),
        ("--config.train.steps=few", "--config.train.steps=few: invalid literal"),
        ("--bogus", "Unknown command line flag 'bogus'"),
    )
    def test_a_wrong_flag_is_one_sentence(self, flag, sentence):
        result = self._run("return None", flag.format(self.config))
        self.assertEqual(result.returncode, 1)
        self.assertIn(sentence, result.stderr)
        self.assertLen(result.stderr.strip().splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
