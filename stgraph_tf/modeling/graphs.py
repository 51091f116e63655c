"""The two graphs over object proposals (sections 4.2 and 4.3 of the paper).

The nodes of a clip are its N = T' K proposals, K in each of T' feature frames, frame by frame.
Padded proposals (mask False) are no nodes: nothing points to them and they point to nothing.
"""

from typing import NamedTuple

import keras
import tensorflow as tf

# exp(-1e9) is 0 in float32, and -1e9 - (-1e9) is still 0: no NaN where every node is padded.
_MASKED = -1e9


@keras.saving.register_keras_serializable(package="stgraph_tf")
class SimilarityGraph(keras.layers.Layer):
    """`G = softmax_j((X W)(X W')^T)` over the valid nodes (equations 1 and 2).

    The weights start at N(0, s), s = d^-3/4: 0.0093 at d = 512, where the authors' non-local code
    has 0.01, and the first affinities are of order one at any d. Affinities and softmax are
    computed in float32 whatever the policy: affinities grow to tens in training, where bfloat16
    has steps of a quarter, and a row of 800 nodes loses most of its weights in half precision.

    Call arguments:
        nodes: float `[B, N, d]`.
        valid: bool `[B, N]`, False for padded nodes.

    Returns:
        float32 `[B, N, N]`; each row of a valid node sums to 1, rows and columns of padded nodes
        are zero.
    """

    def build(self, nodes_shape, valid_shape=None):
        self.query = self._transformation(nodes_shape, "query")
        self.key = self._transformation(nodes_shape, "key")

    def _transformation(self, nodes_shape, name: str) -> keras.layers.Dense:
        width = nodes_shape[-1]
        layer = keras.layers.Dense(
            width,
            use_bias=False,
            kernel_initializer=keras.initializers.RandomNormal(stddev=width**-0.75),
            name=name,
            dtype="float32",
        )
        layer.build(nodes_shape)
        return layer

    def call(self, nodes: tf.Tensor, valid: tf.Tensor) -> tf.Tensor:
        nodes = tf.cast(nodes, tf.float32)
        affinity = tf.matmul(self.query(nodes), self.key(nodes), transpose_b=True)
        graph = tf.nn.softmax(tf.where(valid[:, None, :], affinity, _MASKED), axis=-1)
        return graph * tf.cast(valid[:, :, None] & valid[:, None, :], tf.float32)

    def compute_output_shape(self, nodes_shape, valid_shape=None):
        return (nodes_shape[0], nodes_shape[1], nodes_shape[1])

    def compute_output_spec(self, nodes, valid):
        return keras.KerasTensor(self.compute_output_shape(nodes.shape), dtype="float32")


class SpatialTemporalGraphs(NamedTuple):
    """The forward and backward graphs, as blocks: only neighbouring feature frames touch.

    Attributes:
        front: float32 `[B, T'-1, K, K]`. `front[:, t, i, j]` is the edge from node i of frame t to
            node j of frame t + 1; rows with an overlap sum to 1, the others are zero.
        back: float32 `[B, T'-1, K, K]`. `back[:, t, j, i]` is the edge from node j of frame t + 1
            to node i of frame t, normalized over i.
    """

    front: tf.Tensor
    back: tf.Tensor


def spatial_temporal_graphs(boxes: tf.Tensor, mask: tf.Tensor) -> SpatialTemporalGraphs:
    """Links boxes that overlap in neighbouring feature frames (equation 3).

    Args:
        boxes: float `[B, T', K, 4]`.
        mask: bool `[B, T', K]`.

    Returns:
        Both graphs; with a single feature frame they have no blocks (T' - 1 = 0).
    """
    overlap = intersection_over_union(boxes[:, :-1], boxes[:, 1:])
    linked = mask[:, :-1, :, None] & mask[:, 1:, None, :]
    overlap = tf.where(linked, overlap, 0.0)
    return SpatialTemporalGraphs(
        front=_normalize_rows(overlap),
        back=_normalize_rows(tf.linalg.matrix_transpose(overlap)),
    )


def intersection_over_union(boxes: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """IoU of every pair, 0 where both boxes are empty.

    Args:
        boxes: float `[..., K, 4]`.
        others: float `[..., M, 4]`.

    Returns:
        float32 `[..., K, M]`.
    """
    boxes = tf.cast(boxes, tf.float32)[..., :, None, :]
    others = tf.cast(others, tf.float32)[..., None, :, :]
    top_left = tf.maximum(boxes[..., :2], others[..., :2])
    bottom_right = tf.minimum(boxes[..., 2:], others[..., 2:])
    intersection = tf.reduce_prod(tf.maximum(bottom_right - top_left, 0.0), axis=-1)
    union = _area(boxes) + _area(others) - intersection
    return tf.math.divide_no_nan(intersection, union)


def front_matmul(front: tf.Tensor, nodes: tf.Tensor) -> tf.Tensor:
    """`G^front X` without the N x N matrix.

    Args:
        front: `[B, T'-1, K, K]`.
        nodes: `[B, T', K, d]`.

    Returns:
        `[B, T', K, d]` in the nodes' dtype; the last frame has no successor and is zero.
    """
    ahead = tf.matmul(tf.cast(front, nodes.dtype), nodes[:, 1:])
    return tf.pad(ahead, [[0, 0], [0, 1], [0, 0], [0, 0]])


def back_matmul(back: tf.Tensor, nodes: tf.Tensor) -> tf.Tensor:
    """`G^back X` without the N x N matrix; the first frame has no predecessor and is zero."""
    behind = tf.matmul(tf.cast(back, nodes.dtype), nodes[:, :-1])
    return tf.pad(behind, [[0, 0], [1, 0], [0, 0], [0, 0]])


def dense(graphs: SpatialTemporalGraphs) -> SpatialTemporalGraphs:
    """Both graphs as `[B, N, N]` adjacency matrices, for pictures and tests."""
    batch, links, boxes = tf.unstack(tf.shape(graphs.front)[:3])
    source = tf.one_hot(tf.range(links), links + 1)
    target = tf.one_hot(tf.range(1, links + 1), links + 1)
    shape = [batch, (links + 1) * boxes, (links + 1) * boxes]
    front = tf.einsum("ts,btij,tu->bsiuj", source, graphs.front, target)
    back = tf.einsum("tu,btji,ts->bujsi", target, graphs.back, source)
    return SpatialTemporalGraphs(tf.reshape(front, shape), tf.reshape(back, shape))


def _normalize_rows(overlap: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(overlap, tf.reduce_sum(overlap, axis=-1, keepdims=True))


def _area(boxes: tf.Tensor) -> tf.Tensor:
    return tf.reduce_prod(tf.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1)
