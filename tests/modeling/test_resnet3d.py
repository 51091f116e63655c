"""The backbone: its shapes, its cost, and its gradient checkpointing."""

import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import BACKBONES, ResNet3D
from tests import two_devices
from tests.modeling.three_stages import THREE_STAGES

two_devices.split_cpu()


class ResNet3DTest(parameterized.TestCase):
    @parameterized.parameters(
        ("r50", (1, 32, 224, 224, 3), (1, 16, 14, 14, 2048)),
        ("r50", (1, 32, 256, 340, 3), (1, 16, 16, 22, 2048)),
        ("r50_nl", (1, 32, 224, 224, 3), (1, 16, 14, 14, 2048)),
        ("r101", (1, 128, 288, 288, 3), (1, 16, 18, 18, 2048)),
        ("tiny", (1, 16, 64, 64, 3), (1, 8, 16, 16, 128)),
    )
    def test_output_shape_at_full_size(self, name, inputs, outputs):
        self.assertEqual(ResNet3D(**BACKBONES[name]).compute_output_shape(inputs), outputs)

    @parameterized.parameters(
        ({}, (1, 7, 33, 46, 3)),
        ({"pool1_padded": False, "pool2_size": 2}, (1, 8, 33, 46, 3)),
        ({"pool2_size": 1}, (1, 5, 33, 46, 3)),
        (
            {"stem_stride": (2, 2, 2), "pool1_size": (2, 3, 3), "pool1_stride": (2, 2, 2)},
            (1, 16, 40, 41, 3),
        ),
        ({"non_local": ((0,), (), (0, 1)), "stride_on_1x1": True}, (1, 7, 33, 46, 3)),
    )
    def test_computed_shape_is_the_real_one(self, changes, shape):
        backbone = ResNet3D(**{**THREE_STAGES, **changes})
        self.assertEqual(backbone(tf.zeros(shape)).shape, backbone.compute_output_shape(shape))

    def test_the_authors_pooling_gives_55_pixels(self):
        backbone = ResNet3D(
            **{**BACKBONES["r50"], "spatial_strides": (1, 1, 1, 1)}, pool1_padded=False
        )
        self.assertEqual(backbone.compute_output_shape((1, 32, 224, 224, 3))[2:4], (55, 55))

    @parameterized.parameters(
        ("r50", []),
        ("r50_nl", ["3_1", "3_3", "4_1", "4_3", "4_5"]),
        ("r101_nl", ["3_1", "3_3", "4_6", "4_13", "4_20"]),
        ("tiny_nl", ["3_0"]),
    )
    def test_non_local_blocks_stand_where_the_authors_have_them(self, name, places):
        names = [layer.name for stage in ResNet3D(**BACKBONES[name]).stages() for layer in stage]
        before = [names[i - 1] for i, name in enumerate(names) if name.startswith("nonlocal")]
        self.assertEqual(before, [f"res{place}" for place in places])
        after = [name for name in names if name.startswith("nonlocal")]
        self.assertEqual(after, [f"nonlocal{place}" for place in places])

    def test_new_non_local_blocks_change_nothing_until_they_have_a_scale(self):
        x = np.random.default_rng(0).normal(size=[1, 4, 16, 18, 3]).astype(np.float32)
        outputs = []
        for name in ("tiny", "tiny_nl"):
            backbone = ResNet3D(**BACKBONES[name])
            backbone.build((None, None, None, None, 3))
            plain = [w for w in backbone.weights if "nonlocal" not in w.path]
            for index, weight in enumerate(plain):
                if weight.path.endswith("kernel"):
                    random = np.random.default_rng(index)
                    weight.assign(random.normal(size=weight.shape) / 10)
            outputs.append(backbone(x).numpy())
        np.testing.assert_array_equal(*outputs)
        backbone.nonlocal3_0.norm.gamma.assign(np.ones(128))
        self.assertGreater(np.abs(backbone(x) - outputs[0]).max(), 1e-6)

    def test_pools_keep_what_a_non_local_block_makes_negative(self):
        # pool2 stands behind res2's last block, here a non-local one whose output is -1 everywhere.
        backbone = ResNet3D(
            widths=(2,), temporal_kernels=((1,),), spatial_strides=(1,), non_local=((0,),)
        )
        backbone.build((None, None, None, None, 3))
        for weight in backbone.weights:
            if weight.path.endswith("kernel"):
                weight.assign(np.zeros(weight.shape))
        backbone.nonlocal2_0.norm.beta.assign(np.full(8, -1.0))
        np.testing.assert_array_equal(
            backbone(tf.ones([1, 4, 8, 8, 3])), np.full([1, 2, 2, 2, 8], -1)
        )

    @parameterized.parameters(False, True)
    def test_the_spatial_stride_lies_on_one_convolution(self, stride_on_1x1):
        backbone = ResNet3D(**BACKBONES["r50"], stride_on_1x1=stride_on_1x1)
        backbone.build((None, None, None, None, 3))
        for block in backbone.blocks():
            first = (1, 2, 2) if block.name in ("res3_0", "res4_0") else (1, 1, 1)
            strides = (block.conv_a.stride, block.conv_b.stride)
            expected = (first, (1, 1, 1)) if stride_on_1x1 else ((1, 1, 1), first)
            self.assertEqual(strides, expected, block.name)

    @parameterized.parameters(("r50", 2), ("r101", 8), ("tiny", 2))
    def test_temporal_stride(self, name, stride):
        self.assertEqual(ResNet3D(**BACKBONES[name]).temporal_stride, stride)

    @parameterized.parameters(("r50", 16), ("r50_nl", 32), ("tiny", 4), ("tiny_nl", 8))
    def test_the_smallest_frames(self, name, side):
        backbone = ResNet3D(**BACKBONES[name])
        self.assertEqual(backbone.smallest_side, side)
        shape = backbone.compute_output_shape((1, 4, side, side, 3))
        self.assertEqual(shape[2:4], (2, 2) if name.endswith("_nl") else (1, 1))

    def test_r50_costs_the_papers_153_gflops(self):
        # Multiply-adds of the convolutions, from the kernels and the sizes of Table 1.
        backbone = ResNet3D(**BACKBONES["r50"])
        backbone.build((None, None, None, None, 3))
        sizes = {"conv1": 32 * 112**2, "res2": 32 * 56**2, "res3": 16 * 28**2}
        sizes |= {"res4": 16 * 14**2, "res5": 16 * 14**2}
        total = 0
        for weight in backbone.weights:
            if not weight.path.endswith("conv/kernel"):
                continue
            part = weight.path.split("/")[-4 if "/res" in weight.path else -3]
            size = sizes[part.split("_")[0]]
            # The first 1x1x1 or 3x1x1 of a stage that halves the space still sees the larger one.
            if part in ("res3_0", "res4_0") and "/a/" in weight.path:
                size *= 4
            total += size * int(np.prod(weight.shape))
        self.assertAlmostEqual(total / 1e9, 152.8, delta=0.5)

    def test_padding_is_symmetric(self):
        # A network that pads symmetrically sees a mirrored picture mirrored, at odd and even sizes;
        # with TensorFlow's "same" at stride 2 an even size would shift it.
        backbone = ResNet3D(**{**BACKBONES["tiny"], "temporal_kernels": ((1,), (1,))})
        backbone.build((None, None, None, None, 3))
        for weight in backbone.weights:
            if weight.path.endswith("kernel"):
                weight.assign((weight + tf.reverse(weight, axis=[2])) / 2)
        x = np.random.default_rng(0).normal(size=[1, 4, 17, 21, 3]).astype(np.float32)
        mirrored = backbone(x[:, :, :, ::-1])[:, :, :, ::-1]
        np.testing.assert_allclose(backbone(x), mirrored, atol=1e-4)

    def test_frozen_batch_norm_cannot_be_thawed(self):
        backbone = ResNet3D(**BACKBONES["tiny"])
        backbone.build((None, None, None, None, 3))
        backbone.trainable = False
        backbone.trainable = True
        self.assertNotEmpty(backbone.trainable_variables)
        self.assertFalse([v.path for v in backbone.trainable_variables if "/bn/" in v.path])

    def test_unfrozen_batch_norm_normalizes_the_batch(self):
        backbone = ResNet3D(**BACKBONES["tiny"], freeze_batch_norm=False)
        x = np.random.default_rng(0).normal(size=[2, 4, 16, 16, 3]).astype(np.float32) * 7 + 3
        stem = backbone.stem(x, training=True).numpy()
        np.testing.assert_allclose(stem.mean(axis=(0, 1, 2, 3)), np.zeros(16), atol=1e-4)

    def test_refuses_stages_that_do_not_match(self):
        with self.assertRaisesRegex(ValueError, "one entry a stage"):
            ResNet3D(widths=(8, 8), temporal_kernels=((1,),), spatial_strides=(1, 1))

    @parameterized.parameters((((), (2,)),), (((), (-1,)),), (((0,),),))
    def test_refuses_non_local_blocks_after_no_block(self, non_local):
        with self.assertRaisesRegex(ValueError, r"have \[1, 2\] blocks. Received: non_local="):
            ResNet3D((8, 8), ((1,), (1, 1)), (1, 1), non_local=non_local)


def _learnable(rematerialize: bool, dtype: str = "float32") -> ResNet3D:
    """A small backbone with random weights, also those that a new non-local block has at zero."""
    backbone = ResNet3D(
        widths=(4, 6, 8),
        temporal_kernels=((3, 1, 1), (3,), (1,)),
        spatial_strides=(1, 2, 1),
        stem_width=8,
        non_local=((), (0,), ()),
        rematerialize=rematerialize,
        dtype=dtype,
        name="backbone",
    )
    backbone.build((None, None, None, None, 3))
    for index, weight in enumerate(backbone.weights):
        random = np.random.default_rng(index)
        low, high = (0.5, 1.0) if "gamma" in weight.path or "variance" in weight.path else (-1, 1)
        weight.assign(random.uniform(low, high, weight.shape) * (0.2 if low < 0 else 1))
    return backbone


def _loss_and_gradients(backbone: ResNet3D, frames: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        features = tf.cast(backbone(frames, training=True), tf.float32)
        loss = tf.reduce_mean(tf.square(features))
    return [loss, *tape.gradient(loss, [v.value for v in backbone.trainable_variables])]


class RematerializationTest(parameterized.TestCase):
    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_loss_and_gradients_stay_the_same_to_the_bit(self, dtype):
        frames = np.random.default_rng(0).normal(size=[2, 6, 16, 18, 3]).astype(np.float32)
        results = []
        for rematerialize in (False, True):
            backbone = _learnable(rematerialize, dtype)
            step = tf.function(_loss_and_gradients)
            results.append(step(backbone, tf.constant(frames, backbone.compute_dtype)))
        self.assertGreater(min(np.abs(tensor).max() for tensor in results[0]), 0)
        for plain, again in zip(*results, strict=True):
            np.testing.assert_array_equal(plain, again)

    def test_eagerly_too(self):
        frames = tf.constant(np.random.default_rng(0).normal(size=[1, 4, 16, 18, 3]), tf.float32)
        plain, again = (_loss_and_gradients(_learnable(flag), frames) for flag in (False, True))
        for one, other in zip(plain, again, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)

    def test_on_two_devices(self):
        frames = np.random.default_rng(0).normal(size=[2, 4, 16, 18, 3]).astype(np.float32)
        strategy = two_devices.strategy()

        @tf.function
        def step(backbone):
            def replica():
                context = tf.distribute.get_replica_context()
                share = tf.gather(tf.constant(frames), [context.replica_id_in_sync_group])
                _, *gradients = _loss_and_gradients(backbone, share)
                return context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)

            return [strategy.experimental_local_results(g)[0] for g in strategy.run(replica)]

        results = []
        for rematerialize in (False, True):
            with strategy.scope():
                results.append(step(_learnable(rematerialize)))
        for plain, again in zip(*results, strict=True):
            np.testing.assert_allclose(plain, again, rtol=1e-5, atol=1e-6)

    def test_every_layer_is_in_one_unit(self):
        for name in BACKBONES:
            backbone = ResNet3D(**BACKBONES[name])
            layers = [layer for unit in backbone.units() for layer in unit]
            expected = [backbone.stem, *(layer for stage in backbone.stages() for layer in stage)]
            self.assertEqual(layers, expected)
            self.assertEqual(backbone.units()[-1], backbone.stages()[-1])

    def test_weights_files_and_checkpoints_are_the_same(self):
        plain, again = _learnable(False), _learnable(True)
        self.assertEqual([w.path for w in plain.weights], [w.path for w in again.weights])
        folder = self.create_tempdir().full_path
        names = []
        for backbone in (plain, again):
            path = tf.train.Checkpoint(model=backbone).write(os.path.join(folder, "checkpoint"))
            names.append(tf.train.list_variables(path))
        self.assertEqual(*names)

        again.stem.norm.beta.assign(np.full(8, 3.0))
        again.save(os.path.join(folder, "backbone.keras"))
        loaded = keras.models.load_model(os.path.join(folder, "backbone.keras"))
        self.assertTrue(loaded.rematerialize)
        for weight, other in zip(loaded.weights, again.weights, strict=True):
            np.testing.assert_array_equal(weight, other)

    def test_refuses_batch_normalization_that_trains(self):
        with self.assertRaisesRegex(ValueError, "it needs `freeze_batch_norm=True`. Received"):
            ResNet3D(**BACKBONES["tiny"], freeze_batch_norm=False, rematerialize=True)


if __name__ == "__main__":
    absltest.main()
