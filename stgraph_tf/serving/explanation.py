"""What a clip's scores come from: the edges of its space-time region graph (sections 4.2, 4.3).

Conventions. A clip's nodes are its boxes: node `t * K + k` is box `k` of feature frame `t`. A box
of which nothing is left inside the frame is padding: it has no edges. All weights are float32.

`neighbour_indices` int32 and `neighbour_weights` `[B, N, M]`, of a model with the similarity graph:
row `i` has the strongest edges from node `i`, `G[i, j] = softmax_j(x_i W (x_j W')^T)` over all
nodes of the clip, node `i` among them, strongest first, of equal ones the lower index first.
`M = min(10, N)`. Where there are fewer neighbours, index -1 and weight 0 fill the row. All edges
from a node sum to 1, so what a row's weights leave to 1 went to weaker ones.

`forward_edges` and `backward_edges` `[B, T'-1, K, K]`, of a model with the spatial-temporal graph:
`forward_edges[b, t, i, j]` is the edge from box `i` of feature frame `t` to box `j` of `t + 1`,
their overlap (IoU) over the sum of all overlaps of box `i`. `backward_edges[b, t, j, i]` is the
edge from box `j` of feature frame `t + 1` back to box `i` of `t`, their overlap over the sum of all
overlaps of box `j`. A box without any overlap has a row of zeros.
"""

import tensorflow as tf

from stgraph_tf.modeling.region_graph import RegionGraphs

MOST_NEIGHBOURS = 10
_NO_NEIGHBOUR = -1


def outputs(edges: RegionGraphs) -> dict[str, tf.Tensor]:
    """The outputs above, of those graphs that the model has."""
    found: dict[str, tf.Tensor] = {}
    if edges.similarity is not None:
        indices, weights = strongest_neighbours(edges.similarity)
        found |= {"neighbour_indices": indices, "neighbour_weights": weights}
    if edges.front is not None:
        found |= {"forward_edges": edges.front, "backward_edges": edges.back}
    return found


def strongest_neighbours(similarity: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The strongest edges of every node.

    Args:
        similarity: float32 `[B, N, N]`, see `stgraph_tf.modeling.graphs.SimilarityGraph`.

    Returns:
        Indices int32 and weights float32, `[B, N, min(10, N)]`.
    """
    most = tf.minimum(MOST_NEIGHBOURS, tf.shape(similarity)[-1])
    weights, indices = tf.math.top_k(similarity, most)
    return tf.where(weights > 0, indices, _NO_NEIGHBOUR), weights
