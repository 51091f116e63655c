"""A network inflated from 2-D sees a still film as the 2-D network sees its picture.

The 2-D networks are written here in Keras, in both layouts: the stride on a block's first
convolution, as in `keras.applications`, and on its 3x3, as in torchvision.
"""

import os

import keras
import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf import weights
from stgraph_tf.modeling import RegionGraphClassifier
from tests.weights import foreign_files

_PICTURE = 33
_FRAMES = 32
# Feature frames that no border reaches: conv1 and res2 reach 2 of the 32 frames, the pool and res3
# one of the 16 feature frames each.
_CLEAN = slice(4, 12)


def _resnet_2d(stride_on_1x1: bool, biased: bool, epsilon: float) -> keras.Model:
    """The small network of `foreign_files` in 2-D, with the layer names of keras.applications."""

    def convolution(x, filters, size, stride, name):
        if size > 1:
            x = keras.layers.ZeroPadding2D(size // 2)(x)
        x = keras.layers.Conv2D(filters, size, stride, use_bias=biased, name=f"{name}_conv")(x)
        return keras.layers.BatchNormalization(epsilon=epsilon, name=f"{name}_bn")(x)

    picture = keras.Input([_PICTURE, _PICTURE, 3])
    x = keras.layers.ReLU()(convolution(picture, 4, 7, 2, "conv1"))
    x = keras.layers.MaxPooling2D(3, 2)(keras.layers.ZeroPadding2D(1)(x))
    for stage, width in ((2, 4), (3, 6)):
        for block in (1, 2):
            name = f"conv{stage}_block{block}"
            stride = 2 if (stage, block) == (3, 1) else 1
            shortcut = convolution(x, 2 * width, 1, stride, f"{name}_0") if block == 1 else x
            first, second = (stride, 1) if stride_on_1x1 else (1, stride)
            x = keras.layers.ReLU()(convolution(x, width, 1, first, f"{name}_1"))
            x = keras.layers.ReLU()(convolution(x, width, 3, second, f"{name}_2"))
            x = convolution(x, 2 * width, 1, 1, f"{name}_3")
            x = keras.layers.ReLU()(keras.layers.Add()([x, shortcut]))
    outputs = keras.layers.Dense(5, name="predictions")(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(picture, outputs)
    random = np.random.default_rng(0)
    for weight in model.weights:
        low = 0.5 if weight.path.endswith("variance") else -0.5
        weight.assign(random.uniform(low, 1, weight.shape))
    return model


def _features(model: keras.Model) -> keras.Model:
    return keras.Model(model.inputs, model.layers[-3].output)


def _state_dict(model: keras.Model) -> dict[str, np.ndarray]:
    """The 2-D network as torchvision names it."""
    blocks = {"2_block": "res2_", "3_block": "res3_"}
    flat = {}
    for weight in model.weights:
        layer, leaf = weight.path.split("/")
        if layer.startswith("conv1"):
            name = layer.replace("conv1_", "conv1/")
        elif layer.startswith("conv"):
            stage, number, part, kind = layer[4], layer[11], int(layer[13]), layer[15:]
            prefix = blocks[f"{stage}_block"]
            name = f"{prefix}{int(number) - 1}/{('shortcut', 'a', 'b', 'c')[part]}/{kind}"
        else:
            continue
        flat[f"{name}/{leaf}"] = np.array(weight)
    return foreign_files.pytorch(flat, i3d=False)


class StillFilmTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        random = np.random.default_rng(1)
        self.picture = random.uniform(-2, 2, [1, _PICTURE, _PICTURE, 3]).astype(np.float32)

    def _backbone(self, source: weights.Source):
        network = foreign_files.backbone(
            stride_on_1x1=source.conventions.stride_on_1x1,
            pool1_padded=source.conventions.pool1_padded,
        )
        report = weights.assign(network, source)
        kernels = [name for name in foreign_files.values(network) if name.endswith("conv/kernel")]
        self.assertCountEqual(report.inflated, kernels)
        return network

    def _assert_sees_the_same(self, network, reference, tolerance=1e-3):
        film = np.repeat(self.picture[:, None], _FRAMES, axis=1)
        features = network(film).numpy()[:, _CLEAN]
        expected = _features(reference).predict(self.picture, verbose=0)[:, None]
        self.assertEqual(features.shape[2:], expected.shape[2:])
        scale = np.abs(expected).max()
        self.assertGreater(expected.std(), 0.01 * scale)
        np.testing.assert_allclose(features, np.repeat(expected, 8, 1), atol=tolerance * scale)

    @parameterized.parameters(".weights.h5", ".h5", ".keras")
    def test_stride_on_the_1x1(self, ending):
        reference = _resnet_2d(stride_on_1x1=True, biased=True, epsilon=1.001e-5)
        path = os.path.join(self.folder, f"resnet{ending}")
        if ending == ".weights.h5":
            reference.save_weights(path)
        else:
            reference.save(path)
        network = self._backbone(weights.KerasImagenetSource(path))
        self._assert_sees_the_same(network, reference)

    def test_stride_on_the_3x3(self):
        reference = _resnet_2d(stride_on_1x1=False, biased=False, epsilon=1e-5)
        path = os.path.join(self.folder, "resnet.safetensors")
        foreign_files.write_safetensors(path, _state_dict(reference))
        source = weights.PytorchSource(path)
        self.assertTrue(source.conventions.pool1_padded)
        self._assert_sees_the_same(self._backbone(source), reference)

    def test_the_whole_model_applies_the_input_conventions_to_rgb(self):
        reference = _resnet_2d(stride_on_1x1=True, biased=True, epsilon=1.001e-5)
        path = os.path.join(self.folder, "resnet.weights.h5")
        reference.save_weights(path)
        source = weights.KerasImagenetSource(path)
        model = RegionGraphClassifier(
            num_classes=2,
            graph="none",
            backbone=self._backbone(source),
            feature_dim=12,
            channel_order=source.conventions.channel_order,
            input_mean=source.conventions.input_mean,
            input_std=source.conventions.input_std,
        )
        model.build()
        model.reduction.set_weights([np.eye(12)[None, None, None], np.zeros(12)])
        random = np.random.default_rng(2)
        picture = random.integers(0, 256, [1, _PICTURE, _PICTURE, 3], np.uint8)
        preprocess = keras.applications.resnet.preprocess_input
        expected = _features(reference).predict(preprocess(picture.astype(np.float32)), verbose=0)
        film = np.repeat(picture[:, None], _FRAMES, axis=1)
        features = model.extract_features(film).numpy()[:, _CLEAN]
        np.testing.assert_allclose(
            features, np.repeat(expected[:, None], 8, 1), atol=1e-3 * np.abs(expected).max()
        )


if __name__ == "__main__":
    absltest.main()
