"""The rows of the paper's tables: each by its name, at full size, and its tiny twin in training."""

import functools
import importlib.util
import os

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf import config as settings
from stgraph_tf.modeling import BACKBONES, ResNet3D, build_model
from stgraph_tf.training import losses
from stgraph_tf.training.inputs import check_box_stride
from stgraph_tf.training.optimizers import build_optimizer
from stgraph_tf.training.steps import TrainingStep

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_NETWORKS = ("i3d", "i3d_avgpool", "i3d_st", "i3d_sim", "i3d_joint", "nl", "nl_joint")
_JOINT_25_100 = tuple(f"{name}_joint_{count}" for name in ("i3d", "nl") for count in (25, 100))
_CONFIGS = {
    "charades": (("r50", "r101", "tiny"), _NETWORKS + _JOINT_25_100),
    "something": (("r50", "r101", "tiny"), _NETWORKS),
    "kinetics": (("r50", "r101", "tiny"), ("i3d", "nl")),
    "shapes": (("tiny",), _NETWORKS),
}
_CLASSES = {"charades": 157, "something": 174, "kinetics": 400, "shapes": 20}
_ROWS = [
    (name, f"{backbone}_{network}")
    for name, (backbones, networks) in _CONFIGS.items()
    for backbone in backbones
    for network in networks
]


def _config(name: str, variant: str):
    path = os.path.join(_ROOT, "configs", f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(variant)


@functools.cache
def _parameters(backbone: str, graph: str, freeze_batch_norm: bool) -> dict[str, int]:
    """Builds a row at full size, with five classes; counts the weights of its parts."""
    config = settings.default()
    config.model.backbone, config.model.graph = backbone, graph
    config.model.freeze_batch_norm = freeze_batch_norm
    model = build_model(config.model, num_classes=5)
    return {layer.name: layer.count_params() for layer in model.layers if layer.weights}


class ConfigsTest(parameterized.TestCase):
    @parameterized.parameters(*_ROWS)
    def test_every_row_is_sound(self, name, variant):
        config = _config(name, variant)
        settings.check(config)
        self.assertEqual(config.name, f"{name}_{variant}")
        stride = ResNet3D(**BACKBONES[config.model.backbone]).temporal_stride
        self.assertEqual(config.data.box_stride, stride)
        self.assertEqual(config.data.num_frames % stride, 0)

    @parameterized.parameters(*_CONFIGS)
    def test_unknown_variants_are_refused_with_all_that_exist(self, name):
        with self.assertRaisesRegex(ValueError, "no variant 'r18_i3d'; it has") as caught:
            _config(name, "r18_i3d")
        listed = str(caught.exception).partition("it has ")[2].split(", ")
        self.assertCountEqual(listed, [variant for config, variant in _ROWS if config == name])

    @parameterized.parameters("r50_nl_joint", "r101_i3d")
    def test_the_papers_settings_of_each_data_set(self, variant):
        charades, something = _config("charades", variant), _config("something", variant)
        self.assertEqual((charades.data.num_boxes, something.data.num_boxes), (50, 10))
        self.assertEqual((charades.evaluation.num_clips, something.evaluation.num_clips), (10, 2))
        self.assertEqual((charades.train.loss, something.train.loss), ("sigmoid", "softmax"))
        self.assertEqual((charades.data.flip, something.data.flip), (True, False))
        for config in (charades, something):
            for name in ("backbone", "graph"):
                stage = config.stages[name]
                self.assertEqual(
                    (stage.steps, stage.learning_rate, stage.decay_steps),
                    (100_000, 0.00125, (90_000,)),
                )
            joint = config.stages.joint
            self.assertEqual((joint.steps, joint.learning_rate), (30_000, 0.000125))
            has_graph = config.model.graph != "none"
            self.assertEqual(config.train.stages, settings.STAGES if has_graph else ("backbone",))
            self.assertEqual(config.train.batch_size, 8)
            self.assertEqual(config.model.dropout, 0.3)
            self.assertTrue(config.model.freeze_batch_norm)

    @parameterized.product(
        name=("charades", "something", "kinetics"),
        backbone_and_input=(
            ("r50", (32, 224, (256, 320), 256)),
            ("r101", (128, 288, (329, 411), 329)),
        ),
        network=("i3d", "nl"),
    )
    def test_what_a_backbone_looks_at(self, name, backbone_and_input, network):
        backbone, expected = backbone_and_input
        config = _config(name, f"{backbone}_{network}")
        data, evaluation = config.data, config.evaluation
        self.assertEqual(
            (data.num_frames, data.crop_size, tuple(data.short_side), evaluation.short_side),
            expected,
        )
        # The paper's 16 feature frames.
        self.assertEqual(data.num_frames // data.box_stride, 16)

    @parameterized.parameters(*_NETWORKS)
    def test_the_single_label_twin_of_shapes_differs_in_data_and_loss_alone(self, network):
        rows = [_config("shapes", f"{prefix}tiny_{network}") for prefix in ("", "single_")]
        settings.check(rows[1])
        self.assertEqual(rows[1].train.loss, "softmax")
        changed = {line.partition(" ")[0] for line in settings.differences(*rows)}
        self.assertEqual(changed, {"name", "data.dir", "train.loss"})

    def test_kinetics_trains_batch_norm_as_the_authors_do(self):
        config = _config("kinetics", "r50_nl")
        self.assertFalse(config.model.freeze_batch_norm)
        self.assertEqual((config.train.loss, config.train.batch_size), ("softmax", 64))
        stage = config.stages.backbone
        self.assertEqual(config.train.stages, ("backbone",))
        self.assertEqual((stage.steps, stage.learning_rate), (400_000, 0.01))
        self.assertEqual(stage.decay_steps, (150_000, 300_000))
        self.assertTrue(config.data.flip)


class FullSizeTest(parameterized.TestCase):
    @parameterized.parameters(*(row for row in _ROWS if not row[1].startswith("tiny")))
    def test_every_row_builds(self, name, variant):
        model = _config(name, variant).model
        parameters = _parameters(model.backbone, model.graph, model.freeze_batch_norm)
        # The convolutions of ResNet-50 and 101 and their batch normalizations, inflated, by the
        # channels; a non-local block has four 1x1x1 convolutions with biases, and normalization.
        blocks = _backbone_parameters(23 if "r101" in variant else 6)
        for channels, count in ((512, 2), (1024, 3)) if "_nl" in variant else ():
            convolutions = 4 * channels * (channels // 2) + 3 * (channels // 2) + channels
            blocks += count * (convolutions + 4 * channels)
        self.assertEqual(parameters["backbone"], blocks)
        self.assertEqual(parameters["classifier"], (512 if model.graph == "none" else 1024) * 5 + 5)
        branches = {"similarity_branch", "spatial_temporal_branch"} & parameters.keys()
        wanted = {
            "similarity": {"similarity_branch"},
            "spatial_temporal": {"spatial_temporal_branch"},
            "joint": {"similarity_branch", "spatial_temporal_branch"},
        }
        self.assertEqual(branches, wanted.get(model.graph, set()))


def _backbone_parameters(res4_blocks: int) -> int:
    total = 5 * 7 * 7 * 3 * 64 + 4 * 64
    channels = 64
    lengths, widths = (3, 4, res4_blocks, 3), (64, 128, 256, 512)
    for stage, (length, width) in enumerate(zip(lengths, widths, strict=True), start=2):
        for index in range(length):
            time = 3 if stage == 2 or (index % 2 == (1 if stage == 5 else 0)) else 1
            total += time * channels * width + 9 * width**2 + 4 * width**2 + 4 * 6 * width
            if index == 0:
                total += channels * 4 * width + 4 * 4 * width
            channels = 4 * width
    return total


class TinyTwinTest(parameterized.TestCase):
    @parameterized.parameters(*(row for row in _ROWS if row[1].startswith("tiny")))
    def test_takes_a_training_step(self, name, variant):
        config = _config(name, variant)
        settings.check(config)
        # Without a warm-up, so that the first step has a rate, and with one small clip.
        stage = config.stages[config.train.stages[-1]]
        stage.warmup_steps = 0
        config.data.num_frames, config.data.crop_size = 4, 32
        config.data.num_boxes = min(config.data.num_boxes, 5)
        keras.utils.set_random_seed(0)
        model = build_model(config.model, _CLASSES[name])
        check_box_stride(config, model)
        step = TrainingStep(
            model,
            build_optimizer(config, stage, model.trainable_variables),
            losses.LOSSES[config.train.loss],
            batch_size=1,
        )
        before = {weight.path: weight.numpy() for weight in model.trainable_variables}
        # The step itself, not compiled: that would take most of the time.
        self.assertTrue(np.isfinite(step(_clip(config, _CLASSES[name])).loss))
        moved = [
            weight.path
            for weight in model.trainable_variables
            if np.any(weight.numpy() != before[weight.path])
        ]
        for part in ("conv1", "res3_0", "reduction", "classifier"):
            self.assertTrue(any(f"/{part}/" in path for path in moved), part)


def _clip(config, num_classes: int) -> dict[str, tf.Tensor]:
    """One clip of noise with the config's sizes."""
    data = config.data
    random = np.random.default_rng(0)
    frames = data.num_frames // data.box_stride
    corners = np.sort(random.uniform(size=[1, frames, data.num_boxes, 2, 2]), axis=-2)
    size = [1, data.num_frames, data.crop_size, data.crop_size, 3]
    clip = {
        "frames": random.integers(0, 256, size).astype(np.uint8),
        "boxes": corners.reshape([1, frames, data.num_boxes, 4]).astype(np.float32),
        "mask": np.ones([1, frames, data.num_boxes], bool),
        "labels": np.eye(num_classes, dtype=np.float32)[:1],
        "id": np.array(["clip"]),
    }
    return {name: tf.convert_to_tensor(value) for name, value in clip.items()}


if __name__ == "__main__":
    absltest.main()
