"""What the picture of a study shows."""

import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.study import chart
from stgraph_tf.study.results import Result


def _result(row, seed, **measures):
    return Result(row, seed, measures, {"open": 0.5}, 60.0, 150)


_RESULTS = [
    _result("i3d", 0, mAP=0.30),
    _result("i3d", 1, mAP=0.34),
    _result("joint", 0, mAP=0.36),
    _result("joint", 1, mAP=0.36),
]


def _widths(axes):
    return [patch.get_width() for patch in axes.patches]


def _dots(axes):
    return [line.get_xdata() for line in axes.lines if line.get_marker() == "."]


class FigureTest(absltest.TestCase):
    def test_bars(self):
        paper, ours, paper_gain, our_gain = chart.figure(_RESULTS).axes
        np.testing.assert_allclose(_widths(paper), [31.8, 36.2])
        np.testing.assert_allclose(_widths(ours), [32.0, 36.0])
        np.testing.assert_allclose(_widths(paper_gain), [4.4])
        np.testing.assert_allclose(_widths(our_gain), [4.0])

    def test_a_dot_a_seed(self):
        _, ours, _, our_gain = chart.figure(_RESULTS).axes
        np.testing.assert_allclose(_dots(ours), [[30.0, 34.0], [36.0, 36.0]])
        np.testing.assert_allclose(np.concatenate(_dots(our_gain)), [6.0, 2.0])

    def test_rows_that_the_paper_lacks_have_no_bar(self):
        found = [_result(row, 0, top1=0.5, top5=0.7) for row in ("i3d", "st", "joint")]
        paper, ours, *_ = chart.figure(found).axes
        self.assertEqual(paper.get_title(), "The paper, Something-Something")
        np.testing.assert_allclose(_widths(paper), [41.6, 43.3])
        np.testing.assert_allclose(_widths(ours), [50.0] * 3)

    def test_without_the_baseline_there_are_no_gains(self):
        *_, our_gain = chart.figure([_result("joint", 0, mAP=0.36)]).axes
        self.assertEmpty(our_gain.patches)

    def test_written(self):
        path = os.path.join(self.create_tempdir().full_path, "rows.png")
        chart.write_png(path, _RESULTS)
        with Image.open(path) as picture:
            self.assertGreater(picture.width, 1000)


if __name__ == "__main__":
    absltest.main()
