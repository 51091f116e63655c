"""Boxes followed through time along the edges of the spatial-temporal graph (section 4.3).

Boxes and edges are those of an `ExplainedClip`: `forward[t, i, j]` leads from box `i` of feature
frame `t` to box `j` of `t + 1`, and `backward[t, j, i]` from that box back.
"""

from typing import NamedTuple

import numpy as np

# Boxes that share more than this (IoU) are taken for the same thing.
_SAME = 0.3


class Step(NamedTuple):
    """An edge of a trajectory.

    Attributes:
        frame: the feature frame from which it leads.
        box: the box from which it leads.
        next_frame: the feature frame to which it leads, `frame + 1` or `frame - 1`.
        next_box: the box to which it leads.
        weight: of the edge, in (0, 1].
    """

    frame: int
    box: int
    next_frame: int
    next_box: int
    weight: float


def middle_frame(mask: np.ndarray) -> int | None:
    """The feature frame nearest to the middle that has a box; None where none has.

    Args:
        mask: bool `[T', K]`, which boxes are no padding.
    """
    frames = np.flatnonzero(mask.any(axis=1))
    if not frames.size:
        return None
    return int(frames[np.abs(frames - (len(mask) - 1) / 2).argmin()])


def starts(boxes: np.ndarray, mask: np.ndarray, count: int) -> list[int]:
    """The best boxes of a frame that lie apart from each other.

    Args:
        boxes: float `[K, 4]`, best first.
        mask: bool `[K]`, which of them are no padding.
        count: boxes at most.
    """
    chosen: list[int] = []
    for index in np.flatnonzero(mask).tolist():
        if all(_overlap(boxes[index], boxes[other]) <= _SAME for other in chosen):
            chosen.append(index)
    return chosen[:count]


def follow(forward: np.ndarray, backward: np.ndarray, frame: int, box: int) -> list[Step]:
    """Follows a box along the strongest edges, to the clip's end and to its beginning.

    Args:
        forward: float `[T'-1, K, K]`.
        backward: float `[T'-1, K, K]`.
        frame: the feature frame to begin with.
        box: the box of this frame.

    Returns:
        The forward edges in their order, then the backward edges in theirs. Each part ends where a
        box has no edge.
    """
    steps, current = [], box
    for start in range(frame, len(forward)):
        target = int(forward[start, current].argmax())
        weight = float(forward[start, current, target])
        if weight <= 0:
            break
        steps.append(Step(start, current, start + 1, target, weight))
        current = target
    current = box
    for start in range(frame, 0, -1):
        target = int(backward[start - 1, current].argmax())
        weight = float(backward[start - 1, current, target])
        if weight <= 0:
            break
        steps.append(Step(start, current, start - 1, target, weight))
        current = target
    return steps


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    """IoU of two boxes that are not empty."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    shared = np.prod(sides.clip(0))
    return float(shared / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared))
