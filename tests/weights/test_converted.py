"""A converted file fills a fresh model, and refuses one that its weights do not suit."""

import os

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf import files, weights
from stgraph_tf.modeling import RegionGraphClassifier, ResNet3D
from tests.weights import foreign_files


def _model(network: ResNet3D, **changes) -> RegionGraphClassifier:
    source = weights.Caffe2Source.conventions
    settings = {"input_mean": source.input_mean, "input_std": source.input_std, **changes}
    model = RegionGraphClassifier(
        num_classes=3, graph="none", backbone=network, feature_dim=4, **settings
    )
    model.build()
    return model


class ConvertedTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.foreign = os.path.join(folder, "foreign.pkl")
        self.path = os.path.join(folder, "converted.weights.h5")
        self.facts_path = os.path.join(folder, "converted.json")
        self.expected = foreign_files.values(foreign_files.backbone(1))
        foreign_files.write_python2_pickle(
            self.foreign, {**foreign_files.caffe2(self.expected), "lr": 0.1}
        )
        source = weights.Caffe2Source(self.foreign)
        network = self._network()
        weights.write(self.path, network, source, weights.assign(network, source))

    def _network(self, **changes) -> ResNet3D:
        return foreign_files.backbone(**{"pool1_padded": False, "pool2_size": 2, **changes})

    def test_fills_the_backbone_of_a_fresh_model_and_nothing_else(self):
        model = _model(self._network())
        others = [np.array(weight) for weight in model.reduction.weights]
        weights.initialize(model, self.path)
        for name, value in foreign_files.values(model.backbone).items():
            np.testing.assert_array_equal(value, self.expected[name], err_msg=name)
        for weight, before in zip(model.reduction.weights, others, strict=True):
            np.testing.assert_array_equal(weight, before)

    def test_is_a_plain_keras_file_with_what_builds_its_network(self):
        facts = files.read_json(self.facts_path)
        network = ResNet3D.from_config(facts["backbone"])
        network.build((None, None, None, None, 3))
        network.load_weights(self.path)
        frames = tf.random.stateless_normal([1, 8, 17, 17, 3], seed=[0, 1])
        reference = foreign_files.backbone(1, pool1_padded=False, pool2_size=2)
        np.testing.assert_array_equal(network(frames), reference(frames))
        self.assertEqual(facts["format"], "caffe2")
        self.assertEqual(facts["source"], "foreign.pkl")
        self.assertEqual(facts["dropped"], {"lr": "state of the training"})
        self.assertEqual(facts["used"]["conv1/conv/kernel"], ["conv1_w"])

    def test_a_network_of_other_conventions_is_told_which_flags_to_set(self):
        model = _model(
            self._network(pool1_padded=True, pool2_size=3, stride_on_1x1=True),
            channel_order="bgr",
            input_mean=(1.0, 2.0, 3.0),
        )
        with self.assertRaises(ValueError) as refused:
            weights.initialize(model, self.path)
        message = str(refused.exception)
        self.assertIn(self.path, message)
        for flag in (
            "--config.model.channel_order=rgb",
            "--config.model.input_mean='(114.75, 114.75, 114.75)'",
            "--config.model.stride_on_1x1=False",
            "--config.model.pool1_padded=False",
            "--config.model.pool2_size=2",
        ):
            self.assertIn(flag, message)
        self.assertNotIn("input_std", message)

    def test_a_network_of_another_shape_is_refused_by_name(self):
        model = _model(self._network(widths=(4, 7)))
        with self.assertRaisesRegex(ValueError, r"res3_0/a/conv/kernel is \[1, 1, 1, 8, 6\] in"):
            weights.initialize(model, self.path)
        model = _model(self._network(non_local=((1,), ())))
        with self.assertRaisesRegex(ValueError, "nonlocal2_1/theta/kernel is not in the file"):
            weights.initialize(model, self.path)

    def test_warns_of_non_local_blocks_that_would_stay_silent(self):
        network = self._network(non_local=((1,), ()))
        source = weights.Caffe2Source(self.foreign)
        weights.write(self.path, network, source, weights.assign(network, source))
        with self.assertLogs(level="WARNING") as logs:
            weights.initialize(_model(self._network(non_local=((1,), ()))), self.path)
        self.assertIn("has no non-local blocks", logs.output[0])

    def test_a_file_without_its_facts_is_refused(self):
        os.remove(self.facts_path)
        with self.assertRaisesRegex(ValueError, f"{self.facts_path} does not exist"):
            weights.initialize(_model(self._network()), self.path)

    def test_a_damaged_file_is_refused(self):
        with open(self.path, "wb") as file:
            file.write(b"no HDF5")
        with self.assertRaisesRegex(ValueError, f"{self.path} does not fit the facts beside it"):
            weights.initialize(_model(self._network()), self.path)

    def test_another_ending_is_refused(self):
        with self.assertRaisesRegex(ValueError, r"must end in \.weights\.h5; it is 'x\.h5'"):
            weights.initialize(_model(self._network()), "x.h5")


if __name__ == "__main__":
    absltest.main()
