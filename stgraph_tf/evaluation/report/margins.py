"""Which videos a model judges best and worst."""

from typing import NamedTuple

import numpy as np

DEFINITION = (
    "the mean score of the classes that the video shows, less the highest score of any class that "
    "it does not show"
)


class Extremes(NamedTuple):
    """Rows of videos, the most extreme first; no video is in both."""

    best: np.ndarray
    worst: np.ndarray


def margins(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How far the video's own classes stand above all others, `DEFINITION`.

    Args:
        labels: `[V, C]` of zeros and ones.
        scores: `[V, C]`.

    Returns:
        float64 `[V]`; NaN for a video without labels. Of a video with all of them, the mean score.
    """
    shown, scores = labels.astype(bool), scores.astype(np.float64)
    count = shown.sum(axis=1)
    own = np.divide(
        np.sum(scores, axis=1, where=shown), count, out=np.full(len(count), np.nan), where=count > 0
    )
    others = np.max(scores, axis=1, where=~shown, initial=-np.inf)
    return own - np.where(np.isfinite(others), others, 0.0)


def extremes(labels: np.ndarray, scores: np.ndarray, number: int) -> Extremes:
    """The `number` videos of the largest margin and as many of the smallest, or half of all.

    Of equal margins, the video that comes first is nearer to the best.
    """
    values = margins(labels, scores)
    order = np.argsort(-values, kind="stable")
    order = order[: np.count_nonzero(~np.isnan(values))]
    number = min(number, (len(order) + 1) // 2)
    return Extremes(order[:number], order[::-1][: min(number, len(order) - number)])
