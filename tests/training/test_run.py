"""A whole run on real shards: it goes on where it stopped, and refuses what does not fit."""

import collections
import glob
import os
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from tensorflow.core.util import event_pb2

from stgraph_tf import config as settings
from stgraph_tf import files
from stgraph_tf.data import shards
from stgraph_tf.training import run
from tests import small_dataset

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"


def _weights(checkpoint: str) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(checkpoint)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if "save_counter" not in name and not name.startswith("_CHECKPOINTABLE")
    }


def _is_feature(name: str) -> bool:
    """Whether it is a weight or a statistic of what the stage `graph` keeps as it is."""
    return name.startswith(("model/backbone/", "model/reduction/"))


def _events(directory: str) -> dict[str, list[int]]:
    """The steps of every tag."""
    (path,) = glob.glob(os.path.join(directory, "events*"))
    found = collections.defaultdict(list)
    for record in tf.data.TFRecordDataset(path):
        event = event_pb2.Event.FromString(record.numpy())
        for value in event.summary.value:
            found[value.tag].append(event.step)
    return found


class RunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data = folder.name
        small_dataset.write(cls.data)

    def _train(self, **arguments) -> str:
        # One device: on several, the order of a sum across them changes the last bits.
        strategy = tf.distribute.OneDeviceStrategy("CPU:0")
        return run.train(self.config, self.workdir, strategy, **arguments)

    def setUp(self):
        super().setUp()
        self.workdir = os.path.join(self.create_tempdir().full_path, "run")
        self.config = small_dataset.config(self.data)

    def test_a_run_that_goes_on_ends_as_the_run_that_was_never_interrupted(self):
        whole = _weights(self._train())
        shutil.rmtree(self.workdir)
        self.config.stages.joint.steps = 2
        half = _weights(self._train())
        self.config.stages.joint.steps = 4
        resumed = _weights(self._train())
        self.assertEqual(whole.keys(), resumed.keys())
        for name, value in whole.items():
            np.testing.assert_array_equal(value, resumed[name], err_msg=name)
        kernel = next(name for name in whole if "classifier/kernel" in name.replace("_", ""))
        self.assertTrue(np.any(whole[kernel] != half[kernel]))

    def test_leaves_config_labels_checkpoint_and_summaries(self):
        self.config.stages.joint.steps = 1
        checkpoint = self._train()
        self.assertEqual(checkpoint, os.path.join(self.workdir, "checkpoints", "joint", "ckpt-1"))
        saved = files.read_json(os.path.join(self.workdir, "config.json"))
        self.assertEmpty(settings.differences(saved, settings.to_json(self.config)))
        self.assertEqual(
            files.read_json(os.path.join(self.workdir, "dataset.json"))["labels"],
            list(small_dataset.LABELS),
        )
        self.assertLen(glob.glob(os.path.join(self.workdir, "summaries", "events*")), 1)
        (start,) = files.read_json(os.path.join(self.workdir, "environment.json"))
        self.assertEqual(start["packages"]["keras"], keras.__version__)

    def _in_stages(self) -> None:
        self.config.train.stages = settings.STAGES
        for stage in settings.STAGES:
            self.config.stages[stage].steps = 2
            self.config.stages[stage].learning_rate = 0.05
        self.config.model.freeze_batch_norm = False

    def test_stages_pass_weights_on_and_share_one_story(self):
        self._in_stages()
        self.config.train.validation_interval = 3
        self._train()
        states = {
            name: _weights(tf.train.latest_checkpoint(f"{self.workdir}/checkpoints/{name}"))
            for name in settings.STAGES
        }
        self.assertEqual([int(state["step" + _VALUE]) for state in states.values()], [2, 4, 6])

        features = [name for name in states["backbone"] if _is_feature(name)]
        self.assertNotEmpty(features)
        for name in features:
            before, fixed, after = (states[stage][name] for stage in settings.STAGES)
            np.testing.assert_array_equal(before, fixed, err_msg=name)
            self.assertTrue(np.any(fixed != after), name)
        events = _events(os.path.join(self.workdir, "summaries"))
        self.assertEqual(events["train/loss"], [1, 2, 3, 4, 5, 6])
        self.assertEqual(events["validation/mAP"], [2, 3, 4, 6])
        self.assertEqual(events["graphs"], [3, 4, 6])  # The backbone alone has none.
        self.assertContainsSubset(["train/gradient_norm", "clips"], events)
        best = files.read_json(os.path.join(self.workdir, "best", "graph", "best.json"))
        self.assertIn(best["step"], (3, 4))

    def test_another_runs_checkpoint_is_where_the_graphs_start(self):
        self._in_stages()
        self.config.train.stages = ("backbone",)
        backbone = self._train()
        self.config.train.stages = ("graph",)
        self.config.init.checkpoint = backbone
        self.workdir += "-graph"
        trained = _weights(self._train())
        for name, value in _weights(backbone).items():
            if _is_feature(name):
                np.testing.assert_array_equal(value, trained[name], err_msg=name)

    def test_a_stage_waits_for_the_one_before(self):
        self._in_stages()
        with self.assertRaisesRegex(ValueError, "--stage graph goes on from the stage backbone"):
            self._train(stage="graph")
        self.config.train.stages = ("backbone", "joint")
        with self.assertRaisesRegex(ValueError, "must be one of --config.train.stages, backbone"):
            self._train(stage="graph")

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
