"""The section of a data set whose videos have several labels: false alarms of one class by another.

Without a single predicted class there is no confusion. What lowers the average precision of a class
are videos that rank high in it without showing it; here is what these show instead.
"""

from typing import NamedTuple

import numpy as np

from stgraph_tf.evaluation.report import matrix, numbers
from stgraph_tf.evaluation.report.inputs import Inputs
from stgraph_tf.evaluation.report.pairs import pair_table
from stgraph_tf.viz.markup import Markup, element, join

_NUM_PAIRS = 15


class FalseAlarms(NamedTuple):
    """False alarms of class `b` in videos that show class `a`, for all pairs.

    Attributes:
        alarms: int64 `[C (a), C (b)]`, videos that show `a`, do not show `b`, and are false alarms
            of `b`.
        videos: int64 `[C, C]`, videos that show `a` and do not show `b`; 0 where `a` is `b`.
        usual: float64 `[C]`, the share of false alarms of `b` in all videos that do not show it.
    """

    alarms: np.ndarray
    videos: np.ndarray
    usual: np.ndarray


def false_alarms(labels: np.ndarray, scores: np.ndarray) -> FalseAlarms:
    """Counts false alarms.

    A video is a false alarm of a class when it does not show it, but is among the `n` videos that
    score highest for it, `n` being the number of videos that show it. Equal scores keep the order
    of the videos, as in the average precision. Videos without labels are left out.

    Args:
        labels: `[V, C]` of zeros and ones.
        scores: `[V, C]`.
    """
    known = labels.any(axis=1)
    shown, scores = labels[known].astype(bool), scores[known]
    ranks = np.argsort(np.argsort(-scores, axis=0, kind="stable"), axis=0, kind="stable")
    alarmed = ~shown & (ranks < shown.sum(axis=0))
    # Products of matrices of whole numbers, exact in float64, which BLAS multiplies.
    by_class = shown.T.astype(np.float64)
    videos = np.rint(by_class @ (~shown)).astype(np.int64)
    alarms = np.rint(by_class @ alarmed).astype(np.int64)
    usual = alarmed.sum(axis=0) / np.maximum((~shown).sum(axis=0), 1)
    return FalseAlarms(alarms, videos, usual)


def section(inputs: Inputs) -> Markup:
    """The matrix of shares, and the pairs with the most false alarms beyond the usual."""
    scored = inputs.scored
    found = false_alarms(scored.labels, scored.scores)
    shares = np.divide(
        found.alarms,
        found.videos,
        out=np.full(found.videos.shape, np.nan),
        where=found.videos > 0,
    )
    about = (
        "A video is a false alarm for a class when it does not show the class but is among the n "
        "videos that score highest for it, n being the number of videos that show it; a cell tells "
        "which share, in percent, of the videos that show the row's class and not the column's is "
        "a false alarm for the column's class."
    )
    drawn = matrix.draw(
        shares,
        scored.label_names,
        rows="shown",
        columns="wrongly high",
        description="False alarms: the classes that are shown in rows, those that are wrongly "
        "scored high in columns",
    )
    pairs_about = (
        "Ordered by how many false alarms there are beyond those expected, were the false alarms "
        "of a class spread evenly over all videos without it (the usual share)."
    )
    table = pair_table(
        ("shown", "wrongly high", "videos", "share", "usual"),
        _pairs(found, shares, scored.label_names),
        nothing="No pair of classes has more false alarms than expected.",
    )
    pairs = join(element("h3", "Strongest pairs"), element("p", pairs_about, class_="about"), table)
    return element(
        "section",
        element("h2", "False alarms by what else is shown"),
        element("p", about, class_="about"),
        matrix.beside(drawn, pairs),
        class_="wide",
    )


def _pairs(found: FalseAlarms, shares: np.ndarray, names: tuple[str, ...]) -> list[tuple]:
    excess = found.alarms - found.videos * found.usual
    order = np.argsort(-excess, axis=None, kind="stable")[:_NUM_PAIRS]
    return [
        (
            names[shown],
            names[high],
            f"{found.alarms[shown, high]:,} of {found.videos[shown, high]:,}",
            numbers.percent(shares[shown, high]),
            numbers.percent(found.usual[high]),
        )
        for shown, high in zip(*np.unravel_index(order, excess.shape), strict=True)
        if excess[shown, high] > 0
    ]
