"""The section that asks whether scores may be read as probabilities."""

import numpy as np

from stgraph_tf.evaluation import calibration
from stgraph_tf.evaluation.report import numbers
from stgraph_tf.evaluation.report.axes import Axes, shares
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.viz.markup import Markup, element, join

_NUM_BINS = 10


def section(inputs: Inputs) -> Markup | None:
    """The calibration curve; None where scores are not in [0, 1]."""
    known = inputs.scored.labels.any(axis=1)
    labels, scores = inputs.scored.labels[known], inputs.scored.scores[known]
    if not labels.size or scores.min() < 0 or scores.max() > 1:
        return None
    what = "every class of every video"
    if not inputs.multi_label:
        labels, scores = calibration.best_class(labels, scores)
        what = "the best class of every video"
    curve = calibration.calibration_curve(labels, scores, _NUM_BINS)
    error = calibration.expected_calibration_error(labels, scores, _NUM_BINS)
    about = (
        f"Over {what}: how often predictions are true, by their score in {_NUM_BINS} bins. On the "
        "diagonal, a score is a probability. The larger a point, the more predictions it stands "
        f"for. Expected calibration error {numbers.percent(error)}."
    )
    return element(
        "section",
        element("h2", "Calibration"),
        element("p", about, class_="about"),
        _plot(curve, error),
    )


def _plot(curve: calibration.CalibrationCurve, error: float) -> Markup:
    axes = Axes((0, 1), (0, 1))
    largest = curve.count.max()
    points = [
        element(
            "circle",
            element(
                "title",
                f"mean score {numbers.percent(score)}, true {numbers.percent(fraction)}, "
                f"{numbers.count(int(count), 'prediction')}",
            ),
            cx=axes.x(score),
            cy=axes.y(fraction),
            r=3 + 6 * float(np.log1p(count) / np.log1p(largest)),
            class_="point",
        )
        for score, fraction, count in zip(*curve, strict=True)
    ]
    content = join(
        element("path", d=axes.path((0, 1), (0, 1)), class_="line diagonal"),
        element("path", d=axes.path(curve.mean_score, curve.fraction), class_="line mean"),
        *points,
    )
    return axes.svg(
        content,
        description=f"Calibration curve, expected calibration error {numbers.percent(error)}",
        x_label="mean score, %",
        y_label="share that is true, %",
        x_ticks=shares(),
        y_ticks=shares(),
    )
