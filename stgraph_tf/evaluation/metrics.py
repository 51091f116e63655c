"""The measures of the paper's tables: mean average precision, top-1 and top-5 accuracy.

Charades is scored by mean average precision, as its official evaluation (`Charades_v1_classify.m`,
which its publishers ship with the annotations) computes it; Something-Something by top-k accuracy.
Everything is NumPy in float64.

Conventions: `V` videos, `C` classes; `labels[v, c]` is 1 where video `v` shows class `c`;
`scores[v, c]` is any number that grows with the belief in it, infinities included. A video whose
scores are missing is a row of negative infinities, as in the official evaluation.
"""

from typing import NamedTuple

import numpy as np


class ClassSize(NamedTuple):
    """Positive and negative videos that every class is taken to have; see `average_precision`."""

    positives: float
    negatives: float


# What "What Actions are Needed for Understanding Human Actions in Videos?" (Sigurdsson et al., ICCV
# 2017) takes for Charades; from tool/charades.py in the repository gsig/actions-for-actions.
CHARADES_CLASS_SIZE = ClassSize(104, 1759)


def average_precision(
    labels: np.ndarray, scores: np.ndarray, *, class_size: ClassSize | None = None
) -> float:
    """Average precision of one class, without interpolation.

    Videos are ranked by falling score; the precision at each video that shows the class is averaged
    over these videos.

    Equal scores keep the order of the rows, as in the official evaluation, whose sort is stable.
    (scikit-learn's `average_precision_score` ranks them as one instead; without equal scores it
    gives the same.) Rows in a random order make ties unbiased; rows sorted by class do not.

    Precision grows with the share of videos that show the class, so that classes of different
    frequency do not compare. With a `class_size`, precision is what it would be if the class had so
    many positives and negatives, at the same rates of true and false positives.

    Args:
        labels: `[V]` of zeros and ones.
        scores: `[V]`.
        class_size: for the normalized average precision of Sigurdsson et al. (2017), for instance
            `CHARADES_CLASS_SIZE`.

    Returns:
        In [0, 1], or NaN when no video shows the class.

    Raises:
        ValueError: the shapes differ, a score is NaN, or a label is neither 0 nor 1.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 1:
        raise ValueError(f"expected labels of shape [V], received {list(labels.shape)}")
    labels, scores = _checked(labels, scores)
    return float(_average_precision(labels[:, np.newaxis], scores[:, np.newaxis], class_size)[0])


def mean_average_precision(
    labels: np.ndarray, scores: np.ndarray, *, class_size: ClassSize | None = None
) -> tuple[float, np.ndarray]:
    """Mean of the classes' average precisions.

    Videos without any label stand behind all others, whatever their scores, as in the official
    evaluation (which gives them negative infinity). So they count in no precision, and could as
    well be left out, unless a video with labels has a score of negative infinity, too.

    Classes that no video shows have no average precision and do not count. The official evaluation
    gives NaN for these, and then for the mean.

    Args:
        labels: `[V, C]` of zeros and ones.
        scores: `[V, C]`.
        class_size: see `average_precision`.

    Returns:
        The mean, in [0, 1], and the average precisions `[C]`, NaN for classes that no video shows.

    Raises:
        ValueError: the shapes differ, a score is NaN, a label is neither 0 nor 1, or no video has
            any label.
    """
    labels, scores, known = _checked_table(labels, scores)
    ranked = np.where(known[:, np.newaxis], scores, -np.inf)
    per_class = _average_precision(labels, ranked, class_size)
    return float(np.nanmean(per_class)), per_class


def random_mean_average_precision(labels: np.ndarray, *, draws: int = 100, seed: int = 0) -> float:
    """The mean average precision that scores drawn at random reach, averaged over many draws.

    This is what a model must beat: it depends on how frequent the classes are.

    Args:
        labels: `[V, C]` of zeros and ones.
        draws: how many times scores are drawn.
        seed: of the draws.

    Raises:
        ValueError: `draws` is not positive, or the labels are not as `mean_average_precision`
            wants them.
    """
    if draws < 1:
        raise ValueError(f"draws must be positive, received {draws}")
    generator = np.random.default_rng(seed)
    shape = np.shape(labels)
    values = [mean_average_precision(labels, generator.random(shape))[0] for _ in range(draws)]
    return float(np.mean(values))


def top_k_accuracy(labels: np.ndarray, scores: np.ndarray, k: int) -> float:
    """The share of videos whose class is among the `k` that score highest.

    Ties count against the prediction: a video is right when fewer than `k` other classes score at
    least as high as its own. So constant scores are never right, where `k` is less than `C`.

    Videos without a label are left out.

    Args:
        labels: `[V, C]` of zeros and ones, at most a single 1 a row.
        scores: `[V, C]`.
        k: at least 1; from `C` on every video is right.

    Returns:
        In [0, 1].

    Raises:
        ValueError: `k` is not positive, the shapes differ, a score is NaN, a label is neither 0
            nor 1, a video has several labels, or no video has any.
    """
    if k < 1:
        raise ValueError(f"k must be positive, received {k}")
    labels, scores, known = _checked_table(labels, scores)
    labels, scores = labels[known], scores[known]
    several = np.flatnonzero(labels.sum(axis=1) > 1)
    if several.size:
        raise ValueError(
            "top-k accuracy expects one label a video, received "
            f"{int(labels[several[0]].sum())} for a video (of {several.size} with several)"
        )
    own = scores[labels][:, np.newaxis]
    others_as_high = np.sum(scores >= own, axis=1) - 1
    return float(np.mean(others_as_high < k))


def _average_precision(
    labels: np.ndarray, scores: np.ndarray, class_size: ClassSize | None
) -> np.ndarray:
    """Average precisions `[C]` from bool `[V, C]` and float64 `[V, C]`."""
    order = np.argsort(-scores, axis=0, kind="stable")
    hits = np.take_along_axis(labels, order, axis=0)
    true_positives, false_positives = np.cumsum(hits, axis=0), np.cumsum(~hits, axis=0)
    positives = hits.sum(axis=0)
    if class_size:
        # At least 1 keeps classes without positives or negatives from dividing 0 by 0.
        true_positives = true_positives * (class_size.positives / np.maximum(positives, 1))
        negatives = np.maximum(len(hits) - positives, 1)
        false_positives = false_positives * (class_size.negatives / negatives)
    ranked = true_positives + false_positives
    precision = np.divide(true_positives, ranked, out=np.zeros(hits.shape), where=hits)
    total = precision.sum(axis=0)
    return np.divide(total, positives, out=np.full(len(positives), np.nan), where=positives > 0)


def _checked_table(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_checked`, and bool `[V]`: whether a video has any label, as at least one must."""
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 2:
        raise ValueError(f"expected labels of shape [V, C], received {list(labels.shape)}")
    labels, scores = _checked(labels, scores)
    known = np.any(labels, axis=1)
    if not known.any():
        raise ValueError(f"none of the {len(labels)} videos has a label to measure against")
    return labels, scores, known


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The labels as bool and the scores as float64."""
    if labels.shape != scores.shape:
        raise ValueError(
            "expected scores of the labels' shape "
            f"{list(labels.shape)}, received {list(scores.shape)}"
        )
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("expected labels of 0 and 1 only, received others")
    unknown = np.isnan(scores)
    if unknown.any():
        where = ", ".join(map(str, np.argwhere(unknown)[0]))
        raise ValueError(f"{unknown.sum()} scores are NaN, the first at [{where}]")
    return labels.astype(bool), scores.astype(np.float64)
