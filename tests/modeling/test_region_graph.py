"""The whole network: every variant, masks, gradients, precision, saving."""

import json
import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import BACKBONES, GRAPHS, RegionGraphClassifier, ResNet3D, graphs

_TINY = {**BACKBONES["tiny"], "widths": (4, 6), "stem_width": 4}


def _model(graph: str = "joint", **kwargs) -> RegionGraphClassifier:
    keras.utils.set_random_seed(0)
    model = RegionGraphClassifier(
        num_classes=5,
        graph=graph,
        backbone=ResNet3D(**_TINY, name="backbone", dtype=kwargs.get("dtype")),
        feature_dim=12,
        **kwargs,
    )
    model.build()
    return model


def _awaken(model: RegionGraphClassifier) -> None:
    """Gives the zero-initialized last graph convolutions some weights, so that they count."""
    random = np.random.default_rng(7)
    for name in ("similarity_branch", "spatial_temporal_branch"):
        if hasattr(model, name):
            for convolution in getattr(model, name).convolutions(2):
                convolution.kernel.assign(random.normal(size=convolution.kernel.shape) / 3)


def _inputs(clips: int = 2, num_boxes: int = 5, seed: int = 0, frames: int = 8) -> dict:
    random = np.random.default_rng(seed)
    corners = np.sort(random.uniform(size=[clips, frames // 2, num_boxes, 2, 2]), axis=-2)
    return {
        "frames": random.integers(0, 256, [clips, frames, 32, 40, 3]).astype(np.uint8),
        "boxes": corners.reshape([clips, frames // 2, num_boxes, 4]).astype(np.float32),
        "mask": np.ones([clips, frames // 2, num_boxes], bool),
    }


def _loss(model, inputs):
    targets = np.random.default_rng(3).integers(0, 2, [len(inputs["frames"]), 5])
    logits = model(inputs, training=False)
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(targets.astype(np.float32), logits)
    )


class VariantsTest(parameterized.TestCase):
    @parameterized.parameters(*GRAPHS)
    def test_gives_float32_logits(self, graph):
        logits = _model(graph)(_inputs())
        self.assertEqual(logits.shape, [2, 5])
        self.assertEqual(logits.dtype, tf.float32)

    def test_baseline_reads_no_boxes(self):
        inputs = _inputs()
        model = _model("none")
        np.testing.assert_array_equal(model(inputs), model({"frames": inputs["frames"]}))

    @parameterized.parameters("spatial_temporal", "similarity", "joint")
    def test_graph_branches_start_silent(self, graph):
        # The last layer is zero: the logits do not depend on the boxes yet.
        model = _model(graph)
        first, other = _inputs(seed=0), _inputs(seed=1)
        other["frames"] = first["frames"]
        np.testing.assert_array_equal(model(first), model(other))

    def test_avgpool_is_the_mean_of_the_valid_nodes(self):
        inputs = _inputs()
        inputs["mask"][0, :, 3:] = False
        model = _model("avgpool")
        features = model.extract_features(inputs["frames"])
        nodes = model.roi_align(features, inputs["boxes"]).numpy()
        for clip in range(2):
            pooled = np.concatenate(
                [features[clip].numpy().mean((0, 1, 2)), nodes[clip][inputs["mask"][clip]].mean(0)]
            )
            expected = pooled @ model.classifier.kernel.numpy() + model.classifier.bias.numpy()
            np.testing.assert_allclose(model(inputs)[clip], expected, rtol=1e-4, atol=1e-5)

    def test_pixels_are_normalized_inside(self):
        inputs = _inputs()
        plain = _model("none", input_mean=(0, 0, 0), input_std=(1, 1, 1))
        model = _model("none", input_mean=(10, 20, 30), input_std=(2, 4, 8))
        normalized = (inputs["frames"].astype(np.float32) - [10, 20, 30]) / [2, 4, 8]
        np.testing.assert_allclose(
            model(inputs), plain({"frames": normalized}), rtol=1e-4, atol=1e-4
        )

    def test_bgr_weights_see_blue_first_and_their_own_mean(self):
        inputs = _inputs()
        plain = _model("none", input_mean=(0, 0, 0), input_std=(1, 1, 1))
        model = _model("none", input_mean=(1, 2, 3), input_std=(2, 4, 8), channel_order="bgr")
        red, green, blue = np.moveaxis(inputs["frames"].astype(np.float32), -1, 0)
        wanted = np.stack([(blue - 1) / 2, (green - 2) / 4, (red - 3) / 8], axis=-1)
        np.testing.assert_allclose(model(inputs), plain({"frames": wanted}), rtol=1e-4, atol=1e-4)

    def test_refuses_unknown_graphs_and_no_classes(self):
        with self.assertRaisesRegex(ValueError, "graph='spatial'"):
            RegionGraphClassifier(5, graph="spatial")
        with self.assertRaisesRegex(ValueError, "num_classes=0"):
            RegionGraphClassifier(0)
        with self.assertRaisesRegex(ValueError, "channel_order='gbr'"):
            RegionGraphClassifier(5, channel_order="gbr")


class MaskTest(parameterized.TestCase):
    @parameterized.parameters("avgpool", "spatial_temporal", "similarity", "joint")
    def test_padded_boxes_change_nothing(self, graph):
        model = _model(graph)
        _awaken(model)
        inputs = _inputs()
        padded = dict(inputs)
        for name in ("boxes", "mask"):
            padding = [[0, 0], [0, 0], [0, 3]] + [[0, 0]] * (inputs[name].ndim - 3)
            padded[name] = np.pad(inputs[name], padding)
        np.testing.assert_allclose(model(inputs), model(padded), atol=1e-6)

    @parameterized.parameters("avgpool", "spatial_temporal", "similarity", "joint")
    def test_what_stands_in_a_padded_slot_changes_nothing(self, graph):
        model = _model(graph)
        _awaken(model)
        inputs = _inputs()
        inputs["mask"][:, 1, 2:] = False
        inputs["mask"][1, 3] = False
        garbage = dict(inputs, boxes=np.where(inputs["mask"][..., None], inputs["boxes"], 0.4))
        np.testing.assert_allclose(model(inputs), model(garbage.copy()), atol=1e-6)
        self.assertGreater(np.abs(garbage["boxes"] - inputs["boxes"]).max(), 0.1)

    @parameterized.parameters("avgpool", "spatial_temporal", "similarity", "joint")
    def test_a_clip_without_boxes_has_only_its_global_feature(self, graph):
        model = _model(graph)
        _awaken(model)
        inputs = _inputs()
        inputs["mask"][0] = False
        pooled = model.extract_features(inputs["frames"]).numpy()[0].mean((0, 1, 2))
        kernel = model.classifier.kernel.numpy()[: len(pooled)]
        expected = pooled @ kernel + model.classifier.bias.numpy()
        np.testing.assert_allclose(model(inputs)[0], expected, rtol=1e-4, atol=1e-5)

    def test_clips_of_a_batch_do_not_meet(self):
        model = _model("joint")
        _awaken(model)
        inputs = _inputs(clips=3)
        alone = {name: value[1:2] for name, value in inputs.items()}
        np.testing.assert_allclose(model(inputs)[1:2], model(alone), atol=1e-5)


class GradientTest(parameterized.TestCase):
    @parameterized.parameters(*GRAPHS)
    def test_reaches_every_trainable_weight_at_step_one(self, graph):
        # With the last graph convolution at zero, the weights before it and the classifier's graph
        # half must wait one step for a gradient other than zero; everything else has it at once.
        model = _model(graph)
        optimizer = keras.optimizers.SGD(0.1)
        for step in (1, 2):
            with tf.GradientTape() as tape:
                loss = _loss(model, _inputs())
            gradients = tape.gradient(loss, model.trainable_variables)
            for gradient, variable in zip(gradients, model.trainable_variables, strict=True):
                self.assertIsNotNone(gradient, variable.path)
                in_graphs = "_branch/" in variable.path or "similarity_graph/" in variable.path
                last = variable.path.endswith("_2/kernel")
                if step == 2 or not in_graphs or last:
                    largest = float(tf.reduce_max(tf.abs(gradient)))
                    self.assertGreater(largest, 0, f"{variable.path} at step {step}")
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))


class PrecisionTest(parameterized.TestCase):
    @parameterized.parameters("none", "joint")
    def test_bfloat16_stays_near_float32(self, graph):
        reduced = _model(graph, dtype="mixed_bfloat16")
        full = _model(graph)
        _awaken(full)
        for target, source in zip(reduced.weights, full.weights, strict=True):
            target.assign(source)
        logits = reduced(_inputs())
        self.assertEqual(logits.dtype, tf.float32)
        np.testing.assert_allclose(logits, full(_inputs()), rtol=0.05, atol=0.05)


class KerasTest(parameterized.TestCase):
    @parameterized.parameters(*GRAPHS)
    def test_saved_and_loaded_as_a_keras_file(self, graph):
        model = _model(graph, dropout=0.1, input_mean=(1, 2, 3))
        _awaken(model)
        random = np.random.default_rng(0)
        for weight in model.weights:
            weight.assign(weight + random.uniform(0.01, 0.1, weight.shape))
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "model.keras")
            model.save(path)
            loaded = keras.models.load_model(path)
        self.assertEqual(json.dumps(loaded.get_config()), json.dumps(model.get_config()))
        np.testing.assert_array_equal(model(_inputs()), loaded(_inputs()))

    def test_compiles_and_fits(self):
        model = _model("joint")
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
        before = [variable.numpy() for variable in model.trainable_variables]
        history = model.fit(_inputs(clips=4), np.eye(5)[:4], batch_size=2, epochs=2, verbose=0)
        self.assertLen(history.history["loss"], 2)
        after = [variable.numpy() for variable in model.trainable_variables]
        self.assertTrue(any(np.any(a != b) for a, b in zip(after, before, strict=True)))

    def test_sizes_may_be_unknown_when_traced(self):
        model = _model("joint")
        _awaken(model)
        traced = tf.function(
            model,
            input_signature=[
                {
                    "frames": tf.TensorSpec([None, None, None, None, 3], tf.uint8),
                    "boxes": tf.TensorSpec([None, None, None, 4]),
                    "mask": tf.TensorSpec([None, None, None], tf.bool),
                }
            ],
        )
        for inputs in (_inputs(), _inputs(clips=1, num_boxes=2), _inputs(frames=2)):
            np.testing.assert_allclose(traced(inputs), model(inputs), rtol=1e-4, atol=1e-5)

    def test_logits_and_the_graphs_that_they_come_from(self):
        model = _model()
        _awaken(model)
        inputs = _inputs()
        features = model.extract_features(inputs["frames"])
        logits, edges = model.explain_features(features, inputs["boxes"], inputs["mask"])
        np.testing.assert_allclose(logits, model(inputs), atol=1e-5)
        self.assertEqual(edges.similarity.shape, [2, 20, 20])
        np.testing.assert_allclose(tf.reduce_sum(edges.similarity, -1), np.ones([2, 20]), atol=1e-5)
        expected = graphs.spatial_temporal_graphs(inputs["boxes"], inputs["mask"])
        for found, graph in zip((edges.front, edges.back), expected, strict=True):
            self.assertEqual(found.shape, [2, 3, 5, 5])
            np.testing.assert_array_equal(found, graph)

    @parameterized.parameters(
        ("none", ()),
        ("avgpool", ()),
        ("similarity", ("similarity",)),
        ("spatial_temporal", ("front", "back")),
    )
    def test_only_graphs_that_the_model_has_are_explained(self, graph, expected):
        inputs = _inputs()
        model = _model(graph)
        features = model.extract_features(inputs["frames"])
        _, edges = model.explain_features(features, inputs["boxes"], inputs["mask"])
        found = tuple(name for name, value in edges._asdict().items() if value is not None)
        self.assertEqual(found, expected)


if __name__ == "__main__":
    absltest.main()
