"""A whole run on real shards: it goes on where it stopped, and refuses what does not fit."""

import glob
import os
import shutil
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf import config as settings
from stgraph_tf import files
from stgraph_tf.data import shards
from stgraph_tf.training import run
from tests import small_dataset


def _weights(checkpoint: str) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(checkpoint)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if "save_counter" not in name and not name.startswith("_CHECKPOINTABLE")
    }


class RunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data = folder.name
        small_dataset.write(cls.data)

    def _train(self) -> str:
        # One device: on several, the order of a sum across them changes the last bits.
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        return run.train(self.config, self.workdir, strategy)

    def setUp(self):
        super().setUp()
        self.workdir = os.path.join(self.create_tempdir().full_path, "run")
        self.config = small_dataset.config(self.data)

    def test_a_run_that_goes_on_ends_as_the_run_that_was_never_interrupted(self):
        whole = _weights(self._train())
        shutil.rmtree(self.workdir)
        self.config.train.steps = 2
        half = _weights(self._train())
        self.config.train.steps = 4
        resumed = _weights(self._train())
        self.assertEqual(whole.keys(), resumed.keys())
        for name, value in whole.items():
            np.testing.assert_array_equal(value, resumed[name], err_msg=name)
        kernel = next(name for name in whole if "classifier/kernel" in name.replace("_", ""))
        self.assertTrue(np.any(whole[kernel] != half[kernel]))

    def test_leaves_config_labels_checkpoint_and_summaries(self):
        self.config.train.steps = 1
        checkpoint = self._train()
        self.assertEqual(checkpoint, os.path.join(self.workdir, "checkpoints", "ckpt-1"))
        saved = files.read_json(os.path.join(self.workdir, "config.json"))
        self.assertEmpty(settings.differences(saved, settings.to_json(self.config)))
        self.assertEqual(
            files.read_json(os.path.join(self.workdir, "dataset.json"))["labels"],
            list(small_dataset.LABELS),
        )
        self.assertLen(glob.glob(os.path.join(self.workdir, "summaries", "events*")), 1)

    def test_names_the_torn_shard_and_the_place(self):
        torn = os.path.join(self.create_tempdir().full_path, "data")
        shutil.copytree(self.data, torn)
        path = os.path.join(torn, "train-00000-of-00002.tfrecord")
        with open(path, "r+b") as file:
            file.seek(100)
            file.write(b"torn")
        self.config.data.dir = torn
        with self.assertRaisesRegex(ValueError, f"{path}.* 0"):
            self._train()

    def test_names_the_shard_that_ends_inside_a_records_head(self):
        torn = os.path.join(self.create_tempdir().full_path, "data")
        shutil.copytree(self.data, torn)
        path = os.path.join(torn, "train-00001-of-00002.tfrecord")
        with open(path, "r+b") as file:
            offsets = [record.offset for record in shards.scan(path)]
            file.truncate(offsets[-1] + 5)
        self.config.data.dir = torn
        with self.assertRaisesRegex(ValueError, f"{path}.* {offsets[-1]}"):
            self._train()

    def test_refuses_what_does_not_fit(self):
        self.config.data.box_stride = 4
        with self.assertRaisesRegex(ValueError, "--config.data.box_stride must be 2"):
            self._train()

    def test_refuses_a_missing_data_set(self):
        self.config.data.dir = "/nowhere"
        with self.assertRaisesRegex(ValueError, "/nowhere/dataset.json does not exist"):
            self._train()
        self.assertFalse(os.path.exists(self.workdir))

    def test_refuses_a_missing_split(self):
        self.config.data.train_split = "training"
        with self.assertRaisesRegex(
            ValueError, "no split 'training'; it has 'train', 'validation'"
        ):
            self._train()

    def test_refuses_softmax_for_several_labels(self):
        self.config.train.loss = "softmax"
        with self.assertRaisesRegex(ValueError, "use sigmoid"):
            self._train()


if __name__ == "__main__":
    absltest.main()
