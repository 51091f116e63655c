"""The Markdown of a study, line by line."""

from absl.testing import absltest

from stgraph_tf.study import tables
from stgraph_tf.study.results import Result

_STUDY = {
    "command": "python tools/study.py --jobs 2",
    "jobs": 2,
    "cores": 4,
    "seconds": 3600.0,
    "steps": {"backbone": 100, "graph": 30, "joint": 20},
}


def _result(row, seed, measures, classes=None):
    return Result(row, seed, measures, classes or {"open": 0.5}, 60.0, 150)


_MEAN_AP = [
    _result("i3d", 0, {"mAP": 0.30}, {"open": 0.2, "close": None}),
    _result("i3d", 1, {"mAP": 0.34}, {"open": 0.4, "close": None}),
    _result("joint", 0, {"mAP": 0.36}, {"open": 0.5, "close": None}),
    _result("joint", 1, {"mAP": 0.36}, {"open": 0.6, "close": None}),
]


class TablesTest(absltest.TestCase):
    def test_rows(self):
        self.assertEqual(
            tables.rows_table(_MEAN_AP, "mAP").splitlines(),
            [
                "| row | mAP, paper | gain | mAP, ours | gain | seeds |",
                "|---|---|---|---|---|---|",
                "| I3D (`i3d`) | 31.8 |  | 32.0 ± 2.8 |  | 2 |",
                "| I3D + both graphs (`joint`) | 36.2 | +4.4 | 36.0 ± 0.0 | +4.0 ± 2.0 | 2 |",
            ],
        )

    def test_what_the_paper_does_not_report(self):
        table = tables.rows_table([_result("st", 0, {"top1": 0.5, "top5": 0.75})], "top5")
        last = table.splitlines()[-1]
        self.assertEqual(last, "| I3D + space-time graph (`st`) | - | - | 75.0 |  | 1 |")

    def test_classes(self):
        self.assertEqual(
            tables.classes_table(_MEAN_AP).splitlines(),
            [
                "| class, AP in % | `i3d` | `joint` |",
                "|---|---|---|",
                "| open | 30.0 | 55.0 |",
                "| close | - | - |",
            ],
        )

    def test_a_table_for_each_measure(self):
        text = tables.markdown([_result("joint", 0, {"top1": 0.4, "top5": 0.7})], _STUDY)
        self.assertIn("top-1, paper", text)
        self.assertIn("| 75.1 | +2.9 | 70.0 |", text)

    def test_how_it_was_made(self):
        text = tables.markdown(_MEAN_AP, _STUDY)
        self.assertIn("100 steps of the backbone", text)
        self.assertIn("60 minutes of processes, 2 at a time, on 4 cores:\n\n    python", text)

    def test_nothing_yet(self):
        self.assertEqual(tables.markdown([], _STUDY), "No row is complete yet.\n")


if __name__ == "__main__":
    absltest.main()
