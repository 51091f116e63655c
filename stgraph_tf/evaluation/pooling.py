"""From the scores of clips to those of their videos (section 6).

The paper takes the largest of each class's scores; the mean is the alternative.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

POOLINGS = ("max", "mean")


def pool_clips(scores: np.ndarray | Sequence[np.ndarray], pooling: str) -> np.ndarray:
    """The scores of a video, `[C]`, from those of its clips, `[V, C]`, by one of `POOLINGS`."""
    if pooling == "max":
        return np.max(scores, axis=0)
    # Smallest first, so that it is the same sum in whatever order the clips came.
    return np.sort(scores, axis=0).mean(axis=0, dtype=np.float64)


class VideoScores(NamedTuple):
    """The videos of a split, in the order of their ids.

    Attributes:
        ids: str `[V]`.
        scores: float32 `[V, C]`, pooled over each video's clips.
        labels: float32 `[V, C]`, zeros and ones.
    """

    ids: np.ndarray
    scores: np.ndarray
    labels: np.ndarray


class ClipPool:
    """Takes in the clips of a split in any order, which makes no difference to any bit.

    For the mean, all scores are kept until the end: 4 bytes a clip and class.

    Args:
        num_classes: `C`.
        pooling: one of `POOLINGS`.

    Raises:
        ValueError: there is no such pooling.
    """

    def __init__(self, num_classes: int, pooling: str = "max"):
        if pooling not in POOLINGS:
            raise ValueError(f"pooling must be one of {', '.join(POOLINGS)}, received {pooling!r}")
        self._num_classes = num_classes
        self._pooling = pooling
        self._scores: dict[str, list[np.ndarray]] = {}
        self._labels: dict[str, np.ndarray] = {}

    def add(self, ids: Sequence[str], scores: np.ndarray, labels: np.ndarray) -> None:
        """Takes in some clips.

        Args:
            ids: their videos' ids, `[B]`.
            scores: `[B, C]`, taken as float32.
            labels: the videos' labels, `[B, C]`.

        Raises:
            ValueError: a score is NaN, naming the video.
        """
        for video_id, clip_scores, video_labels in zip(ids, scores, labels, strict=True):
            if np.isnan(clip_scores).any():
                raise ValueError(f"the model gives NaN for a clip of the video {video_id}")
            self._labels[video_id] = video_labels
            clips = self._scores.setdefault(video_id, [])
            clips.append(np.array(clip_scores, np.float32))
            if self._pooling == "max":
                clips[:] = [pool_clips(clips, "max")]

    def videos(self) -> VideoScores:
        """The videos so far, in the order of their ids."""
        order = sorted(self._scores)
        shape = (len(order), self._num_classes)
        return VideoScores(
            np.array(order, dtype=str),
            np.array(
                [pool_clips(self._scores[name], self._pooling) for name in order], np.float32
            ).reshape(shape),
            np.array([self._labels[name] for name in order], np.float32).reshape(shape),
        )


def join(shares: Sequence[VideoScores]) -> VideoScores:
    """The videos of several workers, of which each has scored others, whole.

    Args:
        shares: at least one.

    Raises:
        ValueError: two shares have the same video, which is named.
    """
    ids, scores, labels = (np.concatenate(parts) for parts in zip(*shares, strict=True))
    order = np.argsort(ids)
    ids = ids[order]
    twice = ids[1:][ids[1:] == ids[:-1]]
    if twice.size:
        raise ValueError(f"two workers have scored the video {twice[0]}")
    return VideoScores(ids, scores[order], labels[order])
