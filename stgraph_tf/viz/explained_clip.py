"""A clip with everything that a picture of its space-time region graph needs.

Conventions. A clip's nodes are its boxes: node `t * K + k` is box `k` of feature frame `t`. Boxes
are `[ymin, xmin, ymax, xmax]`, normalized to [0, 1] of the frame; one of which nothing is left
inside the frame is padding and has no edges. Edges are as `stgraph_tf.serving.explanation` has
them, of one clip, without the batch's axis.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np


@dataclasses.dataclass(frozen=True, eq=False)
class ExplainedClip:
    """A clip, its scores, and the edges that the scores come from.

    Attributes:
        frames: uint8 `[T, H, W, 3]`, RGB, as the network saw them.
        boxes: float32 `[T', K, 4]`, padded with zeros; `T'` divides `T`, and feature frame `i` has
            the boxes of frame `i * T / T'`.
        scores: float32 `[C]`.
        neighbour_indices: int `[N, M]` of the `N = T' K` nodes, -1 where a node has fewer
            neighbours; None of a model without the similarity graph.
        neighbour_weights: float32 `[N, M]`, or None, likewise.
        forward_edges: float32 `[T'-1, K, K]`: the edge from box `i` of feature frame `t` to box `j`
            of `t + 1` is at `[t, i, j]`; None of a model without the spatial-temporal graph.
        backward_edges: float32 `[T'-1, K, K]`: the edge from box `j` of `t + 1` back to box `i` of
            `t` is at `[t, j, i]`; or None, likewise.
        times: float `[T]`, when each frame is shown in the film, in seconds; None if not known.
        title: what tells the clip from others of the page; a film's id, for example.
        true_labels: indices of the classes that the clip shows; None if not known.

    Raises:
        ValueError: an array has another shape, or one of a pair is None and the other is not.
    """

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    neighbour_indices: np.ndarray | None = None
    neighbour_weights: np.ndarray | None = None
    forward_edges: np.ndarray | None = None
    backward_edges: np.ndarray | None = None
    times: np.ndarray | None = None
    title: str = ""
    true_labels: Sequence[int] | None = None

    def __post_init__(self):
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            raise ValueError(
                f"expected frames of uint8 [T, H, W, 3], received {self.frames.dtype} "
                f"{list(self.frames.shape)}"
            )
        if 0 in self.frames.shape:
            raise ValueError(f"expected frames with pixels, received {list(self.frames.shape)}")
        if self.boxes.ndim != 3 or self.boxes.shape[2] != 4:
            raise ValueError(f"expected boxes [T', K, 4], received {list(self.boxes.shape)}")
        num_frames, (num_feature_frames, num_boxes) = len(self.frames), self.boxes.shape[:2]
        if not num_feature_frames or num_frames % num_feature_frames:
            raise ValueError(
                f"expected a number of feature frames that divides the {num_frames} frames, "
                f"received {num_feature_frames}"
            )
        if self.scores.ndim != 1:
            raise ValueError(f"expected scores [C], received {list(self.scores.shape)}")
        if self.times is not None:
            _check_shape("times", self.times, [num_frames])
        wrong = [i for i in self.true_labels or () if not 0 <= i < len(self.scores)]
        if wrong:
            raise ValueError(f"expected true labels below {len(self.scores)}, received {wrong}")
        num_nodes = num_feature_frames * num_boxes
        self._check_pair("neighbour_indices", "neighbour_weights", [num_nodes, None])
        steps = [num_feature_frames - 1, num_boxes, num_boxes]
        self._check_pair("forward_edges", "backward_edges", steps)

    @property
    def num_feature_frames(self) -> int:
        """`T'`."""
        return len(self.boxes)

    @property
    def stride(self) -> int:
        """`T / T'`, frames to a feature frame."""
        return len(self.frames) // len(self.boxes)

    @property
    def mask(self) -> np.ndarray:
        """Which boxes are no padding, bool `[T', K]`."""
        cut = np.clip(self.boxes, 0, 1)
        return np.all(cut[..., 2:] > cut[..., :2], axis=-1)

    @property
    def has_similarity(self) -> bool:
        """Whether the model has the similarity graph."""
        return self.neighbour_indices is not None

    @property
    def has_spatial_temporal(self) -> bool:
        """Whether the model has the spatial-temporal graph."""
        return self.forward_edges is not None

    def _check_pair(self, first: str, second: str, shape: list[int | None]) -> None:
        arrays = getattr(self, first), getattr(self, second)
        if (arrays[0] is None) != (arrays[1] is None):
            raise ValueError(f"expected {first} and {second}, or neither; received one of them")
        if arrays[0] is not None:
            _check_shape(first, arrays[0], shape)
            _check_shape(second, arrays[1], list(arrays[0].shape))


def _check_shape(name: str, array: np.ndarray, shape: Sequence[int | None]) -> None:
    if array.ndim != len(shape) or any(
        wanted not in (None, size) for wanted, size in zip(shape, array.shape, strict=True)
    ):
        wanted = ["M" if size is None else size for size in shape]
        raise ValueError(f"expected {name} {wanted}, received {list(array.shape)}".replace("'", ""))
