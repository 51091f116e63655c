"""The section of a data set whose videos have one label each: what is taken for what."""

import numpy as np

from stgraph_tf.evaluation.report import matrix, numbers
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.evaluation.report.pairs import pair_table
from stgraph_tf.viz.markup import Markup, element, join

_NUM_PAIRS = 15


def counts(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How many videos of each class have their highest score in each class.

    Args:
        labels: `[V, C]`, one 1 a row; rows without any are passed over.
        scores: `[V, C]`; of equal scores, the class that comes first counts.

    Returns:
        int64 `[C, C]`: a row for the true class, a column for the predicted one.
    """
    known = labels.any(axis=1)
    result = np.zeros((labels.shape[1], labels.shape[1]), np.int64)
    np.add.at(result, (labels[known].argmax(axis=1), scores[known].argmax(axis=1)), 1)
    return result


def section(inputs: Inputs) -> Markup:
    """The confusion matrix, and the pairs that are most often confused."""
    scored = inputs.scored
    found = counts(scored.labels, scored.scores)
    totals = found.sum(axis=1, keepdims=True)
    shares = np.divide(found, totals, out=np.full(found.shape, np.nan), where=totals > 0)
    about = (
        "A row holds the videos of one class; its cells tell which share of them, in percent, has "
        "its highest score in each class."
    )
    drawn = matrix.draw(
        shares,
        scored.label_names,
        rows="true",
        columns="predicted",
        description="Confusion matrix: the true classes in rows, the predicted ones in columns",
    )
    wrong = found - np.diag(np.diag(found))
    order = np.argsort(-wrong, axis=None, kind="stable")[:_NUM_PAIRS]
    pairs = [
        (
            scored.label_names[true],
            scored.label_names[predicted],
            f"{wrong[true, predicted]:,} of {totals[true, 0]:,}",
            numbers.percent(shares[true, predicted]),
        )
        for true, predicted in zip(*np.unravel_index(order, wrong.shape), strict=True)
        if wrong[true, predicted]
    ]
    table = pair_table(
        ("true", "predicted", "videos", "share"), pairs, nothing="No video is taken for another."
    )
    return element(
        "section",
        element("h2", "Confusion"),
        element("p", about, class_="about"),
        matrix.beside(drawn, join(element("h3", "Most confused pairs"), table)),
        class_="wide",
    )
