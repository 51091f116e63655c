"""The table of the error analysis, word for word."""

import numpy as np
from absl.testing import absltest

from stgraph_tf.evaluation import error_analysis, error_table, metrics
from stgraph_tf.evaluation.score_files import ScoredVideos

LABELS = np.eye(3, dtype=np.float32)
# The video of the second class comes second there.
BASELINE = np.array([[1, 1, 0], [0, 0.5, 0], [0, 0, 1]], np.float32)


def models(*names: str) -> dict[str, ScoredVideos]:
    scores = [BASELINE, *[LABELS] * (len(names) - 1)]
    ids, classes = np.array(["u", "v", "w"]), ("x", "y", "z")
    return {
        name: ScoredVideos(ids, each, LABELS, classes)
        for name, each in zip(names, scores, strict=True)
    }


class ErrorTableTest(absltest.TestCase):
    def table(self, *names: str, seq=(0.0, 1.0, 1.0)) -> list[str]:
        compared = models(*names)
        results = error_analysis.analyse(compared, {"Seq": np.array(seq)})
        return error_table.table(compared, results).splitlines()

    def test_two_models(self):
        self.assertEqual(
            self.table("I3D", "Joint"),
            [
                "attribute            group    members    I3D  Joint   gain",
                "all                         3 classes   83.3  100.0  +16.7",
                "Part of a sequence?  no       1 class  100.0  100.0   +0.0",
                "                     yes    2 classes   75.0  100.0  +25.0",
            ],
        )

    def test_one_model_has_no_gain(self):
        self.assertEqual(self.table("I3D")[0].split(), ["attribute", "group", "members", "I3D"])

    def test_gains_of_several_models_have_names(self):
        header, _, _, last = self.table("I3D", "A", "B")
        self.assertIn("gain of A  gain of B", header)
        self.assertEqual(last.split()[3:], ["75.0", "100.0", "100.0", "+25.0", "+25.0"])

    def test_what_is_left_out_is_told(self):
        self.assertEqual(
            self.table("I3D", seq=(np.nan, 1.0, 1.0))[-3:],
            [
                "",
                "Part of a sequence?: without classes, so left out: no",
                "Part of a sequence?: without a value, so left out: 1 class",
            ],
        )

    def test_the_first_line_may_be_normalized(self):
        # With 104 positives and 1759 negatives, at a rate of 1 and of 1/2: 104 / (104 + 879.5).
        size = metrics.CHARADES_CLASS_SIZE
        overall = error_table.overall(models("I3D"), size)["I3D"]
        self.assertAlmostEqual(overall, (2 + 104 / 983.5) / 3)


if __name__ == "__main__":
    absltest.main()
