"""The folder of a run refuses what does not fit it."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf import config as settings
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.modeling import build_model
from stgraph_tf.training import checkpoints


def _config(graph: str = "joint", feature_dim: int = 8):
    config = settings.for_variant("tiny_i3d_joint", backbones=("tiny",))
    config.model.graph = graph
    config.model.feature_dim = feature_dim
    return config


def _info(*labels: str) -> DatasetInfo:
    return DatasetInfo(labels=labels, multi_label=True, frame_rate=6.0, short_side=64)


class WorkdirTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = checkpoints.Workdir(os.path.join(self.create_tempdir(), "run"))

    def test_goes_on_with_the_same_settings(self):
        config = _config()
        self.folder.start(config, _info("a", "b"))
        config.train.steps += 1000
        config.evaluation.num_clips = 3
        self.folder.start(config, _info("a", "b"))
        self.assertEqual(self.folder.dataset_info().labels, ("a", "b"))

    def test_refuses_another_config_and_lists_the_differences(self):
        self.folder.start(_config(), _info("a"))
        config = _config(graph="similarity")
        config.train.learning_rate = 0.5
        with self.assertRaisesRegex(
            ValueError,
            "model.graph was 'joint' and is 'similarity'; "
            "train.learning_rate was 0.00125 and is 0.5",
        ):
            self.folder.start(config, _info("a"))

    def test_refuses_other_labels(self):
        self.folder.start(_config(), _info("a", "b"))
        with self.assertRaisesRegex(ValueError, "other labels"):
            self.folder.start(_config(), _info("a", "c"))

    def test_refuses_another_network_or_loss_when_read(self):
        self.folder.start(_config(), _info("a"))
        config = _config()
        config.train.steps = 7
        self.folder.check_model(config)
        config.train.loss = "softmax"
        with self.assertRaisesRegex(ValueError, "train.loss was 'sigmoid' and is 'softmax'"):
            self.folder.check_model(config)
        with self.assertRaisesRegex(ValueError, "model.feature_dim was 8 and is 9"):
            self.folder.check_model(_config(feature_dim=9))

    def test_refuses_to_read_where_nothing_was_trained(self):
        with self.assertRaisesRegex(ValueError, "holds no training run"):
            self.folder.check_model(_config())
        self.folder.start(_config(), _info("a"))
        with self.assertRaisesRegex(ValueError, "holds no checkpoint"):
            self.folder.latest_checkpoint()


class RestoreModelTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.model = build_model(_config().model, num_classes=3)
        random = np.random.default_rng(0)
        for weight in self.model.weights:
            weight.assign(random.uniform(size=weight.shape))
        folder = self.create_tempdir().full_path
        self.path = tf.train.Checkpoint(model=self.model).save(os.path.join(folder, "ckpt"))

    def test_restores_every_weight(self):
        keras.utils.set_random_seed(5)
        model = build_model(_config().model, num_classes=3)
        checkpoints.restore_model(model, self.path)
        for restored, saved in zip(model.weights, self.model.weights, strict=True):
            np.testing.assert_array_equal(restored.numpy(), saved.numpy(), err_msg=saved.path)

    def test_refuses_other_shapes(self):
        model = build_model(_config(feature_dim=12).model, num_classes=3)
        with self.assertRaisesRegex(ValueError, f"{self.path} does not fit"):
            checkpoints.restore_model(model, self.path)

    def test_refuses_a_checkpoint_without_some_of_the_weights(self):
        baseline = build_model(_config(graph="none").model, num_classes=3)
        path = tf.train.Checkpoint(model=baseline).save(self.path + "-baseline")
        with self.assertRaisesRegex(ValueError, "does not fit"):
            checkpoints.restore_model(self.model, path)

    def test_refuses_what_is_no_checkpoint(self):
        with self.assertRaisesRegex(ValueError, "there is no .*nothing.index"):
            checkpoints.restore_model(self.model, "/tmp/nothing")


if __name__ == "__main__":
    absltest.main()
