"""Settings: every config loads, and senseless ones are refused by the flag's name."""

import importlib.util
import os

from absl.testing import absltest, parameterized

from stgraph_tf import config as settings

_CONFIGS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "configs")


def _load(name: str):
    spec = importlib.util.spec_from_file_location(name, os.path.join(_CONFIGS, f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config


class ConfigsTest(parameterized.TestCase):
    @parameterized.product(
        name_and_backbone=(
            ("charades", "r50"),
            ("something", "r50"),
            ("something", "tiny"),
            ("shapes", "tiny"),
        ),
        graph=("none", "avgpool", "st", "sim", "joint"),
    )
    def test_every_variant_is_sound(self, name_and_backbone, graph):
        name, backbone = name_and_backbone
        config = _load(name)(f"{backbone}_{graph}")
        settings.check(config)
        self.assertEqual(config.name, f"{name}_{backbone}_{graph}")
        self.assertEqual(config.model.backbone, backbone)

    @parameterized.parameters("r50", "r50_all", "r18_joint", "joint")
    def test_unknown_variants_are_refused_with_a_list(self, variant):
        with self.assertRaisesRegex(ValueError, f"'{variant}'; it has r50_none, r50_avgpool"):
            _load("charades")(variant)

    def test_the_papers_numbers(self):
        charades, something = _load("charades")("r50_joint"), _load("something")("r50_joint")
        self.assertEqual((charades.data.num_boxes, something.data.num_boxes), (50, 10))
        self.assertEqual((charades.evaluation.num_clips, something.evaluation.num_clips), (10, 2))
        self.assertEqual((charades.train.loss, something.train.loss), ("sigmoid", "softmax"))
        self.assertEqual((charades.data.flip, something.data.flip), (True, False))
        for config in (charades, something):
            self.assertEqual(config.train.steps, 100_000)
            self.assertEqual(config.train.learning_rate, 0.00125)
            self.assertEqual(config.train.decay_steps, (90_000,))
            self.assertEqual(config.train.batch_size, 8)
            self.assertEqual(config.data.short_side, (256, 320))


class CheckTest(parameterized.TestCase):
    @parameterized.parameters(
        ("model.graph", "both", "--config.model.graph must be one of none, avgpool"),
        ("train.loss", "hinge", "--config.train.loss"),
        ("train.batch_size", 0, "--config.train.batch_size must be at least 1; it is 0"),
        ("data.short_side", (320, 256), "--config.data.short_side"),
        ("data.crop_size", 300, "--config.data.crop_size must not exceed"),
    )
    def test_names_the_flag(self, name, value, message):
        config = settings.default()
        part, _, leaf = name.partition(".")
        config[part][leaf] = value
        with self.assertRaisesRegex(ValueError, message):
            settings.check(config)


class DifferencesTest(absltest.TestCase):
    def test_json_and_back_differs_in_nothing(self):
        config = settings.default()
        self.assertEmpty(settings.differences(settings.to_json(config), settings.to_json(config)))

    def test_names_each_difference(self):
        config = settings.default()
        saved = settings.to_json(config)
        config.train.steps = 7
        config.data.short_side = (1, 2)
        self.assertEqual(
            settings.differences(saved, settings.to_json(config)),
            [
                "data.short_side was (256, 320) and is (1, 2)",
                "train.steps was 100000 and is 7",
            ],
        )


if __name__ == "__main__":
    absltest.main()
