"""Clips with boxes and edges that were written by hand."""

import numpy as np

from stgraph_tf.viz.explained_clip import ExplainedClip

NUM_FRAMES, HEIGHT, WIDTH = 6, 60, 80
LABELS = ("push", "pull", "lift", "turn", "drop", "throw")
SCORES = np.array([0.1, 0.7, 0.05, 0.02, 0.9, 0.01], np.float32)
# Two boxes on three feature frames; the second frame's third box is another, the others padding.
LEFT, RIGHT, LOW = (0.1, 0.1, 0.5, 0.4), (0.4, 0.5, 0.9, 0.95), (0.7, 0.05, 0.95, 0.35)
BOXES = np.array([[LEFT, RIGHT, (0,) * 4], [LEFT, RIGHT, LOW], [LEFT, RIGHT, (0,) * 4]], np.float32)
NODES = (0, 1, 3, 4, 5, 6, 7)


def frames(num_frames=NUM_FRAMES) -> np.ndarray:
    """A bright square that moves over a dark ground, uint8 `[T, 60, 80, 3]`."""
    drawn = np.full([num_frames, HEIGHT, WIDTH, 3], 40, np.uint8)
    for index in range(num_frames):
        drawn[index, 10:30, 8 + 4 * index : 28 + 4 * index] = (230, 120, 60)
    return drawn


def neighbours() -> tuple[np.ndarray, np.ndarray]:
    """Every node's edges to box 1 of each frame, and to itself; none of padding."""
    indices = np.full([9, 4], -1, np.int32)
    weights = np.zeros([9, 4], np.float32)
    for node in NODES:
        others = [other for other in (3, 0, 6) if other != node]
        shares = (0.6, 0.15, 0.05) if len(others) == 3 else (0.6, 0.2)
        row = [*zip(others, shares, strict=True), (node, 0.2 if len(others) == 3 else 0.1)]
        row.sort(key=lambda edge: -edge[1])
        for place, (other, weight) in enumerate(row):
            indices[node, place], weights[node, place] = other, weight
    return indices, weights


def steps() -> np.ndarray:
    """Box to the same box 0.9 and 1; box 1 of the first frame to box 2 of the next 0.1."""
    edges = np.zeros([2, 3, 3], np.float32)
    edges[:, 0, 0], edges[:, 1, 1] = (0.9, 1), 1
    edges[0, 0, 1] = 0.1
    return edges


def clip(**changes) -> ExplainedClip:
    """A clip of a model with both graphs."""
    indices, weights = neighbours()
    values = {
        "frames": frames(),
        "boxes": BOXES,
        "scores": SCORES,
        "neighbour_indices": indices,
        "neighbour_weights": weights,
        "forward_edges": steps(),
        "backward_edges": steps(),
        "times": np.arange(NUM_FRAMES) / 6,
    }
    return ExplainedClip(**{**values, **changes})


NO_SIMILARITY = {"neighbour_indices": None, "neighbour_weights": None}
NO_SPATIAL_TEMPORAL = {"forward_edges": None, "backward_edges": None}
