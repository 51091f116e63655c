"""A whole study of two rows, a few steps each, by tools/study.py. This is its --config, too."""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf import config as settings
from tests import small_dataset

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def get_config(variant):
    config = small_dataset.config("")
    row = settings.for_variant(variant, backbones=("tiny",))
    config.model.graph, config.model.backbone = row.model.graph, row.model.backbone
    config.model.gcn_layers = 1
    return config


def _study(*flags):
    program = os.path.join(_ROOT, "tools", "study.py")
    return subprocess.run(
        [sys.executable, program, *flags],
        env={**os.environ, "PYTHONPATH": _ROOT, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )


class StudyTest(absltest.TestCase):
    """One study for all tests: it is what takes the time."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        data, cls.output = (os.path.join(folder.name, name) for name in ("data", "study"))
        os.mkdir(data)
        small_dataset.write(data, num_videos=3)
        with open(os.path.join(data, "attributes_class.csv"), "w") as file:
            file.write("class,Seq\nopen,1\nclose,0\nthrow,0\n")
        cls.flags = ["--config", os.path.abspath(__file__), "--data", data, "--output", cls.output]
        cls.flags += ["--rows=i3d,joint", "--seeds=4", "--backbone_steps=2", "--joint_steps=1"]
        cls.ended = _study(*cls.flags, "--graph_steps=1")

    def test_ends_well_and_prints_the_table(self):
        self.assertEqual(self.ended.returncode, 0, self.ended.stderr)
        self.assertIn("| I3D + both graphs (`joint`) | 36.2 | +4.4 |", self.ended.stdout)

    def test_files(self):
        names = {name for name in os.listdir(self.output) if not name.startswith(".")}
        results = {"results.json", "results.md", "rows.png"}
        analysis = {"error_analysis.json", "error_analysis.png"}
        self.assertEqual(names, {"seed4", "study.json"} | results | analysis)

    def test_results(self):
        with open(os.path.join(self.output, "results.json")) as file:
            results = json.load(file)["results"]
        told = [(result["row"], result["seed"], result["steps"]) for result in results]
        self.assertEqual(told, [("i3d", 4, 4), ("joint", 4, 4)])
        for result in results:
            with open(os.path.join(self.output, "seed4", result["row"], "metrics.json")) as file:
                self.assertEqual(result["measures"]["mAP"], json.load(file)["mAP"])

    def test_graphs_start_from_the_backbone_and_keep_its_batch_normalization(self):
        expected = self.moving_means("backbone_i3d/checkpoints/backbone/ckpt-2")
        self.assertGreater(max(np.abs(value).max() for value in expected.values()), 0)
        means = self.moving_means("joint/checkpoints/graph/ckpt-1")
        self.assertEqual(means.keys(), expected.keys())
        for name, value in means.items():
            np.testing.assert_array_equal(value, expected[name])

    def test_other_settings_in_the_same_folder_are_refused(self):
        again = _study(*self.flags, "--rows=joint", "--graph_steps=2")
        self.assertEqual(again.returncode, 1)
        log = os.path.join(self.output, "seed4", "joint", "train.log")
        self.assertIn("error: seed4/joint: --config does not fit", again.stderr)
        self.assertIn("stages.graph.steps was 1 and is 2", again.stderr)
        self.assertIn(f"see {log}", again.stderr)

    def moving_means(self, prefix):
        reader = tf.train.load_checkpoint(os.path.join(self.output, "seed4", prefix))
        names = [name for name in reader.get_variable_to_shape_map() if "/moving_mean/" in name]
        return {name: reader.get_tensor(name) for name in names}


class RefusedTest(parameterized.TestCase):
    @parameterized.parameters(
        (["--seeds=a"], "--seeds takes numbers, such as 0,1,2; it is a"),
        (["--data=nowhere"], "dataset.json does not exist"),
    )
    def test_in_one_sentence(self, flags, message):
        output = self.create_tempdir().full_path
        ended = _study(f"--config={__file__}", "--data=x", f"--output={output}", *flags)
        self.assertEqual(ended.returncode, 1)
        self.assertRegex(ended.stderr, f"^error: .*{message}")
        self.assertLen(ended.stderr.splitlines(), 1)


if __name__ == "__main__":
    absltest.main()
