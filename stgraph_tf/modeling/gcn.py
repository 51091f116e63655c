"""Graph convolutions and the two branches (section 5 of the paper).

One layer is `Z = sum_i G_i X W_i` (equations 4 and 5). Layer normalization and ReLU stand *between*
layers. The last layer is linear and its weights start at zero, so a network with a new branch
begins as the network without it, and the zero weights still get a gradient (after a ReLU they would
get none: its gradient at 0 is 0).
"""

import keras
import tensorflow as tf

from stgraph_tf.modeling import graphs


class _Branch(keras.layers.Layer):
    """`num_layers` graph convolutions in a row, all of the nodes' width."""

    # The names of the graphs that one layer sums over; each has weights of its own.
    graph_names: tuple[str, ...]

    def __init__(self, num_layers: int = 3, **kwargs):
        super().__init__(**kwargs)
        if num_layers < 1:
            raise ValueError(f"`num_layers` must be at least 1. Received: num_layers={num_layers}")
        self.num_layers = num_layers

    def build(self, nodes_shape, *unused_shapes):
        width = nodes_shape[-1]
        last = self.num_layers - 1
        # An attribute each: TensorFlow's checkpoints do not see layers in a Keras layer's list.
        for index in range(self.num_layers):
            for name in self.graph_names:
                convolution = self._dense(width, f"{name}_{index}", zero=index == last)
                convolution.build(nodes_shape)
                setattr(self, convolution.name, convolution)
        for index in range(last):
            norm = keras.layers.LayerNormalization(
                epsilon=1e-5, name=f"norm_{index}", dtype=self.dtype_policy
            )
            norm.build(nodes_shape)
            setattr(self, norm.name, norm)

    def convolutions(self, layer: int) -> list[keras.layers.Dense]:
        """The weights of one layer, one for each of `graph_names`."""
        return [getattr(self, f"{name}_{layer}") for name in self.graph_names]

    def _dense(self, width: int, name: str, zero: bool) -> keras.layers.Dense:
        return keras.layers.Dense(
            width,
            use_bias=False,
            kernel_initializer="zeros" if zero else "glorot_uniform",
            name=name,
            dtype=self.dtype_policy,
        )

    def _stack(self, nodes: tf.Tensor, multiply) -> tf.Tensor:
        """Runs the layers; `multiply(name, nodes)` is the product of that graph with the nodes."""
        for index in range(self.num_layers):
            nodes = tf.add_n(
                [
                    multiply(name, convolution(nodes))
                    for name, convolution in zip(
                        self.graph_names, self.convolutions(index), strict=True
                    )
                ]
            )
            if index < self.num_layers - 1:
                nodes = tf.nn.relu(getattr(self, f"norm_{index}")(nodes))
        return nodes

    def compute_output_shape(self, nodes_shape, *unused_shapes):
        return nodes_shape

    def get_config(self):
        return {**super().get_config(), "num_layers": self.num_layers}


@keras.saving.register_keras_serializable(package="stgraph_tf")
class SimilarityBranch(_Branch):
    """The GCN over the similarity graph (equation 4).

    Args:
        num_layers: graph convolutions in a row (3 in the paper).

    Call arguments:
        nodes: `[B, N, d]`.
        graph: float32 `[B, N, N]`, of `SimilarityGraph`.

    Returns:
        `[B, N, d]`.
    """

    graph_names = ("similarity",)

    def call(self, nodes: tf.Tensor, graph: tf.Tensor) -> tf.Tensor:
        graph = tf.cast(graph, nodes.dtype)
        return self._stack(nodes, lambda _, transformed: tf.matmul(graph, transformed))


@keras.saving.register_keras_serializable(package="stgraph_tf")
class SpatialTemporalBranch(_Branch):
    """The GCN over the forward and backward graphs, each with its own weights (equation 5).

    Args:
        num_layers: graph convolutions in a row (3 in the paper).

    Call arguments:
        nodes: `[B, T', K, d]`.
        front: float32 `[B, T'-1, K, K]`, see `graphs.SpatialTemporalGraphs`.
        back: float32 `[B, T'-1, K, K]`.

    Returns:
        `[B, T', K, d]`.
    """

    graph_names = ("front", "back")

    def call(self, nodes: tf.Tensor, front: tf.Tensor, back: tf.Tensor) -> tf.Tensor:
        def multiply(name: str, transformed: tf.Tensor) -> tf.Tensor:
            if name == "front":
                return graphs.front_matmul(front, transformed)
            return graphs.back_matmul(back, transformed)

        return self._stack(nodes, multiply)
