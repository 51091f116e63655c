"""Every layout fills the network it came from; a file that does not fit fills nothing."""

import os
import pickle

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf import weights
from tests.weights import foreign_files

_TWIN = 1


class RoundTripTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.create_tempdir().full_path, "file")

    def _assert_filled(self, source, **changes) -> weights.Report:
        expected = foreign_files.values(foreign_files.backbone(_TWIN, **changes))
        network = foreign_files.backbone(**changes)
        report = weights.assign(network, source)
        actual = foreign_files.values(network)
        self.assertEqual(actual.keys(), expected.keys())
        for name, value in expected.items():
            np.testing.assert_array_equal(actual[name], value, err_msg=name)
        self.assertEmpty(report.initial)
        self.assertCountEqual(report.used, expected)
        return report

    @parameterized.product(python=(2, 3), non_local=((), ((1,), ())))
    def test_caffe2(self, python, non_local):
        twin = foreign_files.values(foreign_files.backbone(_TWIN, non_local=non_local))
        blobs = foreign_files.caffe2(twin)
        blobs |= {
            "conv1_w_momentum": np.ones([2], np.float32),
            "pred_w": np.ones([3, 2], np.float32),
            "pred_b": np.ones([3], np.float32),
            "lr": 0.01,
            "model_iter": 400000.0,
        }
        if python == 2:
            foreign_files.write_python2_pickle(self.path, blobs)
        else:
            with open(self.path, "wb") as file:
                pickle.dump({**blobs, "lr": np.float32(0.01)}, file, protocol=python - 1)
        report = self._assert_filled(weights.Caffe2Source(self.path), non_local=non_local)
        self.assertCountEqual(
            report.dropped, ["conv1_w_momentum", "pred_w", "pred_b", "lr", "model_iter"]
        )

    @parameterized.parameters("safetensors", "zip", "legacy", "checkpoint")
    def test_pytorch_i3d(self, kind):
        twin = foreign_files.values(foreign_files.backbone(_TWIN))
        state = {
            f"module.{name}": tensor
            for name, tensor in foreign_files.pytorch(twin, i3d=True).items()
        }
        path = self.path
        if kind == "safetensors":
            path += ".safetensors"
            foreign_files.write_safetensors(path, state)
        elif kind == "zip":
            foreign_files.write_torch_zip(path, state)
        elif kind == "legacy":
            foreign_files.write_torch_legacy(path, state)
        else:
            foreign_files.write_torch_zip(path, state, key="state_dict")
        source = weights.PytorchSource(path)
        self.assertFalse(source.conventions.pool1_padded)
        report = self._assert_filled(source)
        self.assertIn("classifier.weight", report.dropped)

    def test_pytorch_without_non_local_blocks_leaves_them_and_says_so(self):
        state = foreign_files.pytorch(foreign_files.values(foreign_files.backbone(_TWIN)), i3d=True)
        foreign_files.write_torch_zip(self.path, state)
        network = foreign_files.backbone(non_local=((1,), ()))
        report = weights.assign(network, weights.PytorchSource(self.path))
        left = [name for name in foreign_files.values(network) if name.startswith("nonlocal")]
        self.assertLen(left, 12)
        self.assertCountEqual(report.initial, left)


class AffineTest(absltest.TestCase):
    def test_a_layer_without_statistics_scales_and_shifts(self):
        twin = foreign_files.values(foreign_files.backbone(_TWIN))
        blobs = foreign_files.caffe2(twin)
        blobs = {name: blob for name, blob in blobs.items() if not name.endswith(("_rm", "_riv"))}
        path = os.path.join(self.create_tempdir().full_path, "affine.pkl")
        foreign_files.write_python2_pickle(path, blobs)
        network = foreign_files.backbone()
        source = weights.Caffe2Source(path)
        weights.assign(network, source)
        x = np.random.default_rng(0).normal(size=[2, 1, 3, 3, 4]).astype(np.float32)
        np.testing.assert_allclose(
            network.stem.norm(x),
            x * blobs["res_conv1_bn_s"] + blobs["res_conv1_bn_b"],
            rtol=1e-5,
            atol=1e-6,
        )
        self.assertIn("affine", source.batch_norm)

    def test_a_non_local_block_without_normalization_has_an_identity_there(self):
        network = foreign_files.backbone(_TWIN, non_local=((1,), ()))
        blobs = {
            name: blob
            for name, blob in foreign_files.caffe2(foreign_files.values(network)).items()
            if not name.startswith("nonlocal_conv2_1_bn")
        }
        path = os.path.join(self.create_tempdir().full_path, "no_norm.pkl")
        foreign_files.write_python2_pickle(path, blobs)
        weights.assign(network, weights.Caffe2Source(path))
        x = np.random.default_rng(0).normal(size=[1, 1, 2, 2, 8]).astype(np.float32)
        np.testing.assert_allclose(network.nonlocal2_1.norm(x), x, rtol=1e-6)


class StrictTest(parameterized.TestCase):
    def _refused(self, change, message):
        network = foreign_files.backbone(_TWIN)
        state = foreign_files.pytorch(foreign_files.values(foreign_files.backbone(2)), i3d=True)
        change(state)
        path = os.path.join(self.create_tempdir().full_path, "net.safetensors")
        foreign_files.write_safetensors(path, state)
        before = foreign_files.values(network)
        with self.assertRaisesRegex(ValueError, message):
            weights.assign(network, weights.PytorchSource(path))
        for name, value in foreign_files.values(network).items():
            np.testing.assert_array_equal(value, before[name], err_msg=name)

    def test_missing(self):
        self._refused(
            lambda state: state.pop("layer2.0.shortcut.1.running_var"),
            r"layer2\.0\.shortcut\.1\.running_var is missing, which "
            r"res3_0/shortcut/bn/moving_variance is made of",
        )

    def test_extra(self):
        self._refused(
            lambda state: state.update({"layer2.2.conv1.0.weight": np.ones([2], np.float32)}),
            r"layer2\.2\.conv1\.0\.weight has no place in the network",
        )

    def test_misshapen(self):
        self._refused(
            lambda state: state.update({"conv1.weight": np.ones([4, 3, 5, 7, 7], np.float32)}),
            r"conv1\.weight \[4, 3, 5, 7, 7\] gives \[5, 7, 7, 3, 4\], but conv1/conv/kernel is "
            r"\[3, 7, 7, 3, 4\]",
        )

    def test_not_finite(self):
        self._refused(
            lambda state: state["bn1.bias"].fill(np.nan), r"bn1\.bias \[4\] holds values that are"
        )

    def test_one_statistic_missing_is_no_affine_file(self):
        blobs = foreign_files.caffe2(foreign_files.values(foreign_files.backbone(_TWIN)))
        del blobs["res2_1_branch2b_bn_riv"]
        path = os.path.join(self.create_tempdir().full_path, "torn.pkl")
        foreign_files.write_python2_pickle(path, blobs)
        with self.assertRaisesRegex(ValueError, "res2_1_branch2b_bn_riv is missing"):
            weights.assign(foreign_files.backbone(), weights.Caffe2Source(path))


if __name__ == "__main__":
    absltest.main()
