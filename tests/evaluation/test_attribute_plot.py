"""The picture of the error analysis, and what a page does with it."""

import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.evaluation import attribute_plot
from stgraph_tf.evaluation.error_analysis import AttributeResult


def result(title="Part of a sequence?", groups=("no", "yes"), models=("I3D", "Joint GCN")):
    places = range(len(groups))
    return AttributeResult(
        attribute=title,
        title=title,
        unit="classes",
        groups=groups,
        counts=tuple(10 + place for place in places),
        mean_ap={m: tuple(0.3 + 0.1 * n - 0.05 * p for p in places) for n, m in enumerate(models)},
        standard_error={m: tuple(0.02 for _ in places) for m in models},
    )


RESULTS = [
    result(),
    result("Pose variance", ("0.675", "0.725", "0.775", "0.825")),
    result("Involves objects?"),
]


class FigureTest(absltest.TestCase):
    def test_three_panels_stand_side_by_side(self):
        panels = attribute_plot.figure(RESULTS).axes
        self.assertEqual([axes.get_title() for axes in panels], [r.title for r in RESULTS])
        self.assertLen({round(axes.get_subplotspec().rowspan.start) for axes in panels}, 1)

    def test_curves_are_in_per_cent(self):
        axes = attribute_plot.figure(RESULTS).axes[0]
        baseline, other = (container.lines[0] for container in axes.containers)
        np.testing.assert_allclose(baseline.get_ydata(), [30, 25])
        np.testing.assert_allclose(other.get_ydata(), [40, 35])

    def test_bars_are_one_error_up_and_down(self):
        axes = attribute_plot.figure(RESULTS).axes[0]
        ((bars,),) = [container.lines[2] for container in axes.containers[:1]]
        np.testing.assert_allclose([s[:, 1] for s in bars.get_segments()], [[28, 32], [23, 27]])

    def test_models_stand_apart(self):
        axes = attribute_plot.figure(RESULTS).axes[0]
        baseline, other = (container.lines[0] for container in axes.containers)
        self.assertTrue(np.all(baseline.get_xdata() < other.get_xdata()))
        self.assertNotEqual(baseline.get_marker(), other.get_marker())
        self.assertNotEqual(baseline.get_linestyle(), other.get_linestyle())

    def test_the_legend_names_each_model_once(self):
        figure = attribute_plot.figure(RESULTS)
        (legend,) = figure.legends
        self.assertEqual([t.get_text() for t in legend.get_texts()], ["I3D", "Joint GCN"])
        self.assertTrue(all(axes.get_legend() is None for axes in figure.axes))

    def test_groups_tell_their_counts(self):
        axes = attribute_plot.figure([result(groups=("0.1 to 0.3", "0.4"))]).axes[0]
        names = [label.get_text() for label in axes.get_xticklabels()]
        self.assertEqual(names, ["0.1\nto 0.3\n(10)", "0.4\n(11)"])

    def test_a_fourth_panel_starts_a_row(self):
        figure = attribute_plot.figure([*RESULTS, result("People")])
        shown = [axes for axes in figure.axes if axes.get_visible()]
        self.assertLen(shown, 4)
        self.assertEqual(shown[3].get_subplotspec().rowspan.start, 1)

    def test_more_models_than_markers_are_drawn(self):
        names = tuple(f"model {number}" for number in range(9))
        self.assertLen(attribute_plot.figure([result(models=names)]).axes[0].containers, 9)

    def test_refuses_no_result(self):
        with self.assertRaisesRegex(ValueError, "at least one attribute, received none"):
            attribute_plot.figure([])

    def test_refuses_results_of_other_models(self):
        with self.assertRaisesRegex(ValueError, "expected the models I3D, Joint GCN for 'People'"):
            attribute_plot.figure([result(), result("People", models=("I3D",))])


class PngTest(absltest.TestCase):
    def test_is_as_wide_as_a_column_and_not_empty(self):
        path = os.path.join(self.create_tempdir().full_path, "new", "plot.png")
        attribute_plot.write_png(path, RESULTS)
        with Image.open(path) as picture:
            self.assertEqual(picture.size, (1200, 480))
            self.assertGreater(np.asarray(picture.convert("L")).std(), 10)
        self.assertEqual(os.listdir(os.path.dirname(path)), ["plot.png"])


if __name__ == "__main__":
    absltest.main()
