"""The network that is served scores as the trained one does, in one precision and with less."""

from unittest import mock

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import GRAPHS, RegionGraphClassifier, ResNet3D
from stgraph_tf.modeling.resnet3d import BACKBONES
from stgraph_tf.serving import optimize, verification
from tests import untrained

FRAMES, BOXES, CLASSES = 4, 3, 5


def trained_model(graph="joint", backbone="tiny", precision="float32", **options):
    """A network none of whose weights is left at a value that hides a mistake."""
    keras.utils.set_random_seed(3)
    network = {name: options.pop(name) for name in list(options) if name not in INPUT_OPTIONS}
    model = RegionGraphClassifier(
        CLASSES,
        graph,
        ResNet3D(**{**BACKBONES[backbone], **network}, name="backbone", dtype=precision),
        feature_dim=8,
        dtype=precision,
        **options,
    )
    model.build()
    random = np.random.default_rng(5)
    for weight in model.weights:
        kind = weight.path.rsplit("/", 1)[1]
        if kind in ("gamma", "moving_variance"):
            weight.assign(random.uniform(0.5, 1.5, weight.shape))
        elif kind in ("beta", "moving_mean", "bias"):
            weight.assign(random.normal(0, 0.2, weight.shape))
    untrained.awaken(model)
    return model


INPUT_OPTIONS = ("input_mean", "input_std", "channel_order")


def clips(batch=2, height=20, width=27, num_boxes=BOXES, num_frames=FRAMES):
    """Frames of odd sizes with boxes, the last of which is padding."""
    random = np.random.default_rng(7)
    shape = (batch, num_frames // 2, num_boxes)
    corners = np.sort(random.uniform(size=(*shape, 2, 2)), axis=-2).reshape(*shape, 4)
    mask = np.arange(num_boxes) < max(num_boxes - 1, 1)
    boxes = corners * mask[:, np.newaxis]
    frames = random.integers(0, 256, (batch, num_frames, height, width, 3))
    return {
        "frames": tf.constant(frames, tf.uint8),
        "boxes": tf.constant(boxes, tf.float32),
        "mask": tf.constant(np.broadcast_to(mask, shape)),
    }


def difference(served, trained, inputs):
    """The largest of a score, sigmoid or softmax."""
    logits = [model(inputs, training=False) for model in (served, trained)]
    return max(
        float(np.max(np.abs(activation(logits[0]) - activation(logits[1]))))
        for activation in (tf.nn.sigmoid, tf.nn.softmax)
    )


class OptimizeTest(parameterized.TestCase):
    @parameterized.parameters(*GRAPHS)
    def test_every_graph(self, graph):
        model, inputs = trained_model(graph), clips()
        for precision in optimize.PRECISIONS:
            served = optimize.ServedClassifier(model, precision)
            tolerance = verification.TOLERANCES[precision]
            self.assertLessEqual(difference(served, model, inputs), tolerance, precision)

    @parameterized.parameters(
        {"backbone": "tiny_nl"},
        {"backbone": "tiny_nl", "freeze_batch_norm": False},
        {"freeze_batch_norm": False},
        {"spatial_strides": (1, 2)},
        {"spatial_strides": (1, 2), "stride_on_1x1": True},
        {"pool1_padded": False, "pool2_size": 2},
        {"stem_stride": (2, 2, 2), "pool1_size": (2, 3, 3), "pool1_stride": (2, 2, 2)},
        {
            "channel_order": "bgr",
            "input_mean": (102.9, 115.9, 122.7),
            "input_std": (1.0, 57.4, 30.0),
        },
    )
    def test_every_kind_of_layer(self, **options):
        frames = FRAMES * (4 if "stem_stride" in options else 1)
        model = trained_model("none", **options)
        inputs = {"frames": clips(num_frames=frames)["frames"]}
        served = optimize.ServedClassifier(model)
        self.assertLessEqual(difference(served, model, inputs), verification.TOLERANCES["float32"])

    def test_non_local_blocks_in_bfloat16(self):
        model, inputs = trained_model("none", "tiny_nl"), {"frames": clips()["frames"]}
        served = optimize.ServedClassifier(model, "bfloat16")
        self.assertLessEqual(difference(served, model, inputs), verification.TOLERANCES["bfloat16"])

    def test_wide_convolutions_in_time(self):
        kernel = np.random.default_rng(1).normal(size=(3, 1, 1, 6, 4))
        x = np.random.default_rng(2).normal(size=(2, 5, 3, 2, 6)).astype(np.float32)
        expected = tf.nn.conv3d(x, kernel.astype(np.float32), [1] * 5, "SAME")
        with mock.patch.object(optimize, "_WIDE", 6):
            convolution = optimize._Convolution(kernel, np.zeros(4), "float32")
        self.assertLen(convolution.variables[1].shape, 2)
        np.testing.assert_allclose(convolution(x), expected, atol=1e-5)

    def test_whatever_it_was_trained_in(self):
        exact = trained_model()
        served = optimize.ServedClassifier(trained_model(precision="mixed_bfloat16"))
        self.assertLessEqual(difference(served, exact, clips()), 1e-4)

    def test_batch_boxes_and_frames_are_free(self):
        model = trained_model(backbone="tiny")
        served = optimize.ServedClassifier(model)
        spec = {
            "frames": tf.TensorSpec([None, FRAMES, None, None, 3], tf.uint8),
            "boxes": tf.TensorSpec([None, FRAMES // 2, None, 4]),
            "mask": tf.TensorSpec([None, FRAMES // 2, None], tf.bool),
        }
        function = tf.function(
            lambda inputs: served(inputs, training=False), input_signature=[spec]
        )
        for batch, height, width, boxes in ((1, 16, 16, 1), (3, 33, 18, 4)):
            inputs = clips(batch, height, width, boxes)
            np.testing.assert_allclose(
                function(inputs), model(inputs, training=False), atol=1e-4, rtol=1e-4
            )

    def test_nothing_of_the_training_is_left(self):
        model = trained_model(freeze_batch_norm=False, backbone="tiny_nl")
        model.compile(optimizer="adam", loss="mse")
        model.optimizer.build(model.trainable_variables)
        served = optimize.ServedClassifier(model)
        count = sum(variable.shape.num_elements() for variable in served.served_variables)
        norms = [w for w in model.weights if "/bn/" in w.path]
        # Of batch normalization's four vectors, the biases of the convolutions are left; those of
        # the non-local block's last convolution were there before.
        vectors = sum(w.shape.num_elements() for w in norms if w.path.endswith("/beta"))
        before = sum(w.shape.num_elements() for w in model.weights if "/out/bias" in w.path)
        normalization = sum(w.shape.num_elements() for w in norms)
        all_weights = sum(w.shape.num_elements() for w in model.weights)
        self.assertEqual(count, all_weights - normalization + vectors - before)
        function = tf.function(lambda inputs: served(inputs, training=False))
        graph = function.get_concrete_function(clips()).graph
        kept = {variable.ref() for variable in served.served_variables}
        self.assertEqual({variable.ref() for variable in graph.variables}, kept)

    def test_leaves_the_trained_network_as_it_is(self):
        model = trained_model()
        before = [weight.numpy() for weight in model.weights]
        optimize.ServedClassifier(model, "bfloat16")
        for weight, value in zip(model.weights, before, strict=True):
            np.testing.assert_array_equal(weight, value)

    def test_bfloat16_weighs_half(self):
        served = optimize.ServedClassifier(trained_model("none"), "bfloat16")
        kinds = {variable.dtype for variable in served.backbone.variables}
        self.assertEqual(kinds, {tf.bfloat16})

    def test_scores_stay_float32(self):
        served = optimize.ServedClassifier(trained_model(), "bfloat16")
        inputs = clips()
        features = served.extract_features(inputs["frames"])
        self.assertEqual(features.dtype, tf.bfloat16)
        logits, edges = served.explain_features(features, inputs["boxes"], inputs["mask"])
        self.assertEqual(logits.dtype, tf.float32)
        self.assertEqual(edges.similarity.dtype, tf.float32)

    def test_names_the_precisions(self):
        with self.assertRaisesRegex(ValueError, "must be one of .*bfloat16.*Received: 'float16'"):
            optimize.ServedClassifier(trained_model("none"), "float16")


if __name__ == "__main__":
    absltest.main()
