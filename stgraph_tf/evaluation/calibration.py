"""How far scores may be read as probabilities: the calibration curve, and its error as one number.

Every entry of `labels` and `scores` is one prediction: that a video shows a class. For tables
`[V, C]` all classes are taken together. Of videos with one label each, the literature mostly looks
at the best class alone; `best_class` picks it.
"""

from typing import NamedTuple

import numpy as np
from sklearn import calibration


class CalibrationCurve(NamedTuple):
    """Predictions grouped by score, in bins of equal width; bins without any are left out.

    Attributes:
        mean_score: float64 `[n]`, the mean of the scores in a bin.
        fraction: float64 `[n]`, the share of the bin's predictions that are true.
        count: int64 `[n]`, how many predictions are in the bin.
    """

    mean_score: np.ndarray
    fraction: np.ndarray
    count: np.ndarray  # type: ignore[assignment]


def calibration_curve(
    labels: np.ndarray, scores: np.ndarray, num_bins: int = 10
) -> CalibrationCurve:
    """How often predictions of each score are true.

    Bin `i` of `num_bins` holds the scores above `i / num_bins` up to `(i + 1) / num_bins`; a score
    of 0 is in the first. Means and fractions are those of scikit-learn's `calibration_curve`, which
    does not tell the counts.

    Args:
        labels: zeros and ones, of any shape.
        scores: in [0, 1], of the same shape.
        num_bins: at least 1.

    Raises:
        ValueError: `num_bins` is not positive, the shapes differ, there is no prediction, a label
            is neither 0 nor 1, or a score is not in [0, 1].
    """
    if num_bins < 1:
        raise ValueError(f"num_bins must be positive, received {num_bins}")
    labels, scores = _checked(labels, scores)
    fraction, mean_score = calibration.calibration_curve(
        labels, scores, n_bins=num_bins, strategy="uniform", pos_label=1
    )
    edges = np.linspace(0.0, 1.0, num_bins + 1)
    count = np.bincount(np.searchsorted(edges[1:-1], scores), minlength=num_bins)
    return CalibrationCurve(mean_score, fraction, count[count > 0])


def expected_calibration_error(labels: np.ndarray, scores: np.ndarray, num_bins: int = 10) -> float:
    """The distance of the calibration curve from the diagonal, averaged over all predictions.

    With `best_class` and 15 bins, that is the measure of Guo et al., "On Calibration of Modern
    Neural Networks" (ICML 2017), equation 3. scikit-learn has none.

    Args:
        labels: zeros and ones, of any shape.
        scores: in [0, 1], of the same shape.
        num_bins: at least 1.

    Returns:
        In [0, 1]; 0 where the scores of each bin are on average as high as the share that is true.

    Raises:
        ValueError: as `calibration_curve`.
    """
    curve = calibration_curve(labels, scores, num_bins)
    return float(np.average(np.abs(curve.fraction - curve.mean_score), weights=curve.count))


def best_class(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The highest score of each video, and whether the video shows that class.

    Args:
        labels: `[V, C]` of zeros and ones.
        scores: `[V, C]`; of equal scores, the class that comes first counts.

    Returns:
        Labels and scores, `[V]`, for the functions above.

    Raises:
        ValueError: the shapes differ, or are not `[V, C]` with at least one class.
    """
    labels, scores = np.asarray(labels), np.asarray(scores)
    if labels.ndim != 2 or labels.shape != scores.shape or not labels.shape[1]:
        raise ValueError(
            "expected labels and scores of one shape [V, C], "
            f"received {list(labels.shape)} and {list(scores.shape)}"
        )
    best = scores.argmax(axis=1)[:, np.newaxis]
    return (
        np.take_along_axis(labels, best, axis=1)[:, 0],
        np.take_along_axis(scores, best, axis=1)[:, 0],
    )


def _checked(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both as one row: labels as they are, scores as float64."""
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.shape != scores.shape:
        raise ValueError(
            "expected scores of the labels' shape "
            f"{list(labels.shape)}, received {list(scores.shape)}"
        )
    if not labels.size:
        raise ValueError("there is no prediction to look at")
    if not np.isin(labels, (0, 1)).all():
        raise ValueError("expected labels of 0 and 1 only, received others")
    outside = ~((scores >= 0) & (scores <= 1))
    if outside.any():
        raise ValueError(
            f"expected scores in [0, 1], received {outside.sum()} others, the first is "
            f"{scores[outside][0]}"
        )
    return labels.ravel(), scores.ravel()
