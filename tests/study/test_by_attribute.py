"""Groups of classes: by hand, and against the error analysis of the scores themselves."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation import error_analysis, metrics
from stgraph_tf.evaluation.score_files import ScoredVideos
from stgraph_tf.study import by_attribute
from stgraph_tf.study.results import Result

_LABELS = ("open", "close", "throw", "never")


def _result(row, seed, *precisions):
    classes = dict(zip(_LABELS, precisions, strict=True))
    return Result(row, seed, {"mAP": 0.5}, classes, 60.0, 150)


# Two seeds that both rows have, and a third that one lacks.
_RESULTS = [
    _result("i3d", 0, 0.1, 0.3, 0.5, None),
    _result("i3d", 1, 0.3, 0.3, 0.7, None),
    _result("joint", 0, 0.3, 0.5, 0.5, None),
    _result("joint", 1, 0.3, 0.7, 0.9, None),
    _result("joint", 2, 1.0, 1.0, 1.0, None),
]
_SEQUENCE = {"Seq": np.array([0.0, 0.0, 1.0, 1.0])}


class CompareTest(absltest.TestCase):
    def test_means_by_hand(self):
        ((result, _, seeds),) = by_attribute.compare(_RESULTS, _SEQUENCE)
        self.assertEqual((result.groups, result.counts, seeds), (("no", "yes"), (2, 1), (0, 1)))
        # Over the seeds open has 0.2 and close 0.3; 0.3 and 0.6 with graphs.
        np.testing.assert_allclose(result.mean_ap["I3D"], [0.25, 0.6])
        np.testing.assert_allclose(result.mean_ap["I3D + both graphs"], [0.45, 0.7])

    def test_standard_error_over_classes(self):
        ((result, *_),) = by_attribute.compare(_RESULTS, _SEQUENCE)
        np.testing.assert_allclose(result.standard_error["I3D"], [0.05 / 2**0.5, 0.0])

    def test_gains_are_paired_by_seed(self):
        ((_, gains, _),) = by_attribute.compare(_RESULTS, _SEQUENCE)
        # Both seeds gain 0.4 over the two classes of "no"; 0 and 0.2 in "yes".
        np.testing.assert_allclose([gain.mean for gain in gains], [20.0, 10.0])
        np.testing.assert_allclose([gain.standard_error for gain in gains], [0, 10.0], atol=1e-9)

    def test_as_the_analysis_of_the_scores(self):
        random = np.random.default_rng(0)
        labels = (random.uniform(size=(40, 4)) < 0.3).astype(np.float32)
        models, found = {}, []
        for title, row in (("I3D", "i3d"), ("I3D + both graphs", "joint")):
            scores = random.uniform(size=(40, 4)).astype(np.float32)
            ids = np.array([f"video{i}" for i in range(40)])
            models[title] = ScoredVideos(ids, scores, labels, _LABELS)
            precisions = metrics.mean_average_precision(labels, scores)[1]
            found.append(_result(row, 0, *precisions.tolist()))
        table = {**_SEQUENCE, "Obj": np.array([1.0, 0, np.nan, 0])}
        expected = error_analysis.analyse(models, table)
        results = [comparison.result for comparison in by_attribute.compare(found, table)]
        self.assertEqual(
            [(r.attribute, r.title, r.groups, r.counts, r.num_unknown) for r in results],
            [(r.attribute, r.title, r.groups, r.counts, r.num_unknown) for r in expected],
        )
        for result, other in zip(results, expected, strict=True):
            for title in models:
                np.testing.assert_allclose(result.mean_ap[title], other.mean_ap[title])
                np.testing.assert_allclose(
                    result.standard_error[title], other.standard_error[title]
                )

    def test_needs_both_rows(self):
        alone = [result for result in _RESULTS if result.row == "i3d"]
        self.assertEqual(by_attribute.compare(alone, _SEQUENCE), [])


class TableTest(absltest.TestCase):
    def test_lines(self):
        table = by_attribute.table(by_attribute.compare(_RESULTS, _SEQUENCE))
        self.assertEqual(
            table.splitlines()[2:],
            [
                "| Part of a sequence? | no | 2 | 25.0 | 45.0 | +20.0 ± 0.0 |",
                "|  | yes | 1 | 60.0 | 70.0 | +10.0 ± 10.0 |",
            ],
        )


class ToJsonTest(absltest.TestCase):
    def test_gains_stand_with_their_groups(self):
        (comparison,) = by_attribute.compare(_RESULTS, _SEQUENCE)
        value = comparison.to_json()
        self.assertEqual(value["seeds"], [0, 1])
        self.assertAlmostEqual(value["groups"][1]["gain"], 0.1)
        self.assertAlmostEqual(value["groups"][1]["gain_standard_error"], 0.1)


if __name__ == "__main__":
    absltest.main()
