"""Means, spreads and paired gains, against numbers worked by hand."""

import json
import os

from absl.testing import absltest, parameterized

from stgraph_tf import files
from stgraph_tf.study import results
from stgraph_tf.study.plan import Run
from stgraph_tf.study.results import Result, Spread


def _result(row, seed, value, classes=None):
    return Result(row, seed, {"mAP": value}, classes or {"open": value}, 60.0, 150)


# Gains by seed: 6 and 2 points; seed 2 has no baseline.
_RESULTS = [
    _result("joint", 0, 0.36),
    _result("joint", 1, 0.36),
    _result("joint", 2, 0.42),
    _result("i3d", 0, 0.30),
    _result("i3d", 1, 0.34),
]


class SpreadTest(absltest.TestCase):
    def test_by_hand(self):
        spread = results.spread([1.0, 2.0, 6.0])
        # Squared distances from 3 are 4, 1 and 9; 14 / 2 = 7.
        self.assertAlmostEqual(spread.mean, 3.0)
        self.assertAlmostEqual(spread.deviation, 7**0.5)
        self.assertAlmostEqual(spread.standard_error, (7 / 3) ** 0.5)

    def test_one_value_has_no_deviation(self):
        spread = results.spread([5.0])
        self.assertEqual(spread, Spread(5.0, None, 1))
        self.assertIsNone(spread.standard_error)


class GainTest(parameterized.TestCase):
    def test_is_paired_by_seed(self):
        gains = results.paired_gains(_RESULTS, "joint", "mAP")
        self.assertLen(gains, 2)
        self.assertAlmostEqual(gains[0], 6.0)
        self.assertAlmostEqual(gains[1], 2.0)

    def test_spread(self):
        gain = results.gain(_RESULTS, "joint", "mAP")
        self.assertAlmostEqual(gain.mean, 4.0)
        self.assertAlmostEqual(gain.deviation, 8**0.5)  # (4 + 4) / 1
        self.assertAlmostEqual(gain.standard_error, 2.0)

    @parameterized.parameters("i3d", "st")
    def test_none(self, row):
        self.assertIsNone(results.gain(_RESULTS, row, "mAP"))

    @parameterized.parameters(
        (None, ""), (Spread(4.0, 8**0.5, 2), "+4.0 ± 2.0"), (Spread(-0.26, None, 1), "-0.3")
    )
    def test_as_text(self, gain, text):
        self.assertEqual(results.signed(gain), text)


class ClassMeansTest(absltest.TestCase):
    def test_over_seeds(self):
        found = [
            _result("st", 0, 0.2, {"open": 0.1, "close": None}),
            _result("st", 1, 0.2, {"open": 0.4, "close": None}),
        ]
        means = results.class_means(found, "st")
        self.assertAlmostEqual(means["open"], 25.0)
        self.assertNotEqual(means["close"], means["close"])  # NaN


class ToJsonTest(absltest.TestCase):
    def test_summary(self):
        summary = results.to_json(_RESULTS, {"jobs": 2})["percent"]
        self.assertEqual(list(summary), ["i3d", "joint"])
        joint = summary["joint"]["mAP"]
        self.assertEqual((joint["paper"], joint["seeds"]), (36.2, 3))
        self.assertAlmostEqual(joint["mean"], 38.0)
        self.assertAlmostEqual(joint["standard_deviation"], 12**0.5)  # (4 + 4 + 16) / 2
        self.assertAlmostEqual(joint["gain"], 4.0)
        self.assertIsNone(summary["i3d"]["mAP"]["gain"])

    def test_written(self):
        path = os.path.join(self.create_tempdir().full_path, "results.json")
        results.write_json(path, _RESULTS, {"jobs": 2})
        with open(path) as file:
            value = json.load(file)
        self.assertEqual(value["study"], {"jobs": 2})
        self.assertEqual(value["results"][0]["seconds"], 60.0)
        self.assertEqual(value["results"][0]["classes"], {"open": 0.36})


class CollectTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def run_of(self, name, row, metrics, config=None):
        folder = os.path.join(self.folder, name)
        files.write_json(os.path.join(folder, "run.json"), {"config": {"a": 1}, "seconds": 9.0})
        if metrics:
            files.write_json(os.path.join(folder, "metrics.json"), metrics)
        return Run(name, folder, 4, row, None, 150, config or {"a": 1}, ())

    def test_single_label(self):
        classes = [{"label": "open", "videos": 0, "AP": None}]
        metrics = {"config": "x", "top1": 0.4, "top5": 0.7, "classes": classes}
        run = self.run_of("a", "joint", metrics)
        expected = Result("joint", 4, {"top1": 0.4, "top5": 0.7}, {"open": None}, 9.0, 150)
        self.assertEqual(results.collect([run]), [expected])

    def test_without_backbones_and_what_is_not_complete(self):
        metrics = {"mAP": 0.4, "classes": []}
        runs = [
            self.run_of("backbone", None, metrics),
            self.run_of("running", "i3d", None),
            self.run_of("of_before", "st", metrics, config={"a": 2}),
        ]
        self.assertEqual(results.collect(runs), [])


if __name__ == "__main__":
    absltest.main()
