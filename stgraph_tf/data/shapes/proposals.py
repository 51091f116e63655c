"""What an object detector would make of a film: boxes that are jittered, missed, or on nothing.

Boxes are `[ymin, xmin, ymax, xmax]`, normalized to [0, 1], cut at the frame.
"""

import numpy as np

MAX_BOXES = 10

_MISSED = 0.08
# Boxes are drawn loosely: so much is added on every side, a fraction of that side's length.
_LOOSE = 0.08
# How far a box is off, as fractions of the true box's sides: its centre, and the log of its sides.
_SHIFT, _STRETCH = 0.07, 0.10
# False boxes: some stay on a spot of background for a while, some turn up on a single frame.
_LASTING_FALSE, _PASSING_FALSE = 2, 0.7
_FALSE_SIDES = (0.12, 0.25)
# Scores of true boxes tend to be higher, but not always: mean and spread.
_TRUE_SCORE, _FALSE_SCORE = (0.8, 0.12), (0.45, 0.15)
# No proposal is smaller than this, a fraction of the frame.
_MIN_SIDE = 0.03


def propose(
    boxes: np.ndarray, seen: np.ndarray, rng: np.random.Generator
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Samples proposals for every frame of a film.

    Args:
        boxes: `[F, A, 4]`, true boxes.
        seen: bool `[F, A]`, where there is a true box.
        rng: where all choices come from.

    Returns:
        For every frame, boxes `[k, 4]` and scores `[k]`, best score first, at most `MAX_BOXES`.
    """
    num_frames, num_actors = seen.shape
    true = _cut(_jitter(boxes, rng))
    found = seen & (rng.random((num_frames, num_actors)) >= _MISSED)
    false, present = _false_boxes(num_frames, rng)
    candidates = np.concatenate([true, _cut(_jitter(false, rng))], axis=1)
    scores = np.concatenate(
        [rng.normal(*_TRUE_SCORE, found.shape), rng.normal(*_FALSE_SCORE, present.shape)], axis=1
    ).clip(0.05, 0.99)
    there = np.concatenate([found, present], axis=1)

    proposals = []
    for frame in range(num_frames):
        chosen = np.flatnonzero(there[frame])
        chosen = chosen[np.argsort(-scores[frame, chosen], kind="stable")][:MAX_BOXES]
        proposals.append((candidates[frame, chosen], scores[frame, chosen]))
    return proposals


def _jitter(boxes: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    centre = (boxes[..., :2] + boxes[..., 2:]) / 2
    sides = boxes[..., 2:] - boxes[..., :2]
    centre = centre + rng.normal(0, _SHIFT, sides.shape) * sides
    half = (1 + 2 * _LOOSE) * sides * np.exp(rng.normal(0, _STRETCH, sides.shape)) / 2
    return np.concatenate([centre - half, centre + half], axis=-1)


def _cut(boxes: np.ndarray) -> np.ndarray:
    """Cuts boxes at the frame, leaving each at least `_MIN_SIDE` wide and high."""
    low = boxes[..., :2].clip(0, 1 - _MIN_SIDE)
    high = np.maximum(boxes[..., 2:].clip(0, 1), low + _MIN_SIDE)
    return np.concatenate([low, high], axis=-1)


def _false_boxes(num_frames: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Boxes `[F, N, 4]` on random places, and the frames `[F, N]` on which there is one."""
    frames = np.arange(num_frames)
    spans = np.sort(rng.integers(0, num_frames + 1, (_LASTING_FALSE, 2)), axis=1)
    lasting = (frames[:, np.newaxis] >= spans[:, 0]) & (frames[:, np.newaxis] < spans[:, 1])
    passing = rng.random((num_frames, 2)) < _PASSING_FALSE / 2
    places = np.concatenate(
        [
            np.broadcast_to(rng.random((1, _LASTING_FALSE, 2)), (num_frames, _LASTING_FALSE, 2)),
            rng.random((num_frames, 2, 2)),
        ],
        axis=1,
    )
    half = rng.uniform(*_FALSE_SIDES, places.shape) / 2
    present = np.concatenate([lasting, passing], axis=1)
    return np.concatenate([places - half, places + half], axis=-1), present
