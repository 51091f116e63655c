"""The non-local block of Table 2b: every position of a feature map looks at every other.

Wang et al., "Non-local Neural Networks", CVPR 2018, in the embedded Gaussian form:

    z = x + BN(W_out y),    y = softmax(theta(x) phi(x')^T) g(x'),

x' being x after a 1 x 2 x 2 max-pooling: the pooling stands in front of both convolutions, as in
the authors' code, so that phi and g are computed at a quarter of the positions.
"""

import keras
import tensorflow as tf

from stgraph_tf.modeling.batch_norm import FrozenBatchNormalization, FusedBatchNormalization

_POOL = (1, 2, 2)


@keras.saving.register_keras_serializable(package="stgraph_tf")
class NonLocalBlock(keras.layers.Layer):
    """`x + BN(out(softmax(theta(x) phi(x')^T) g(x')))`, the identity until it is trained.

    The scale of the batch normalization starts at zero, so a new block changes nothing. Where it is
    frozen there too, no gradient passes and the block stays the identity: with
    `freeze_batch_norm=True` its weights must come from a pretrained network.

    Args:
        scaled: whether the affinities are divided by the square root of the inner width, as in the
            network of the authors' public weights; their paper's equation has no such factor.
        freeze_batch_norm: see `ResNet3D`.

    Call arguments:
        inputs: float `[B, T, H, W, C]`, C even, H and W at least 2. With an odd H or W the last row
            or column is seen by no position, as the pooling drops it.

    Returns:
        `[B, T, H, W, C]`. The softmax is computed in float32 whatever the policy.

    Raises:
        ValueError: when C is odd, or H or W is known to be less than 2.
    """

    def __init__(self, scaled: bool = True, freeze_batch_norm: bool = True, **kwargs):
        super().__init__(**kwargs)
        self.scaled = scaled
        self.freeze_batch_norm = freeze_batch_norm

    def build(self, input_shape):
        channels = input_shape[-1]
        if channels % 2:
            raise ValueError(
                "a non-local block halves its channels and needs an even number of them. "
                f"Received: inputs of shape {tuple(input_shape)}"
            )
        inner_shape = (*input_shape[:-1], channels // 2)
        for name in ("theta", "phi", "g"):
            setattr(self, name, self._convolution(channels // 2, name))
            getattr(self, name).build(input_shape)
        self.out = self._convolution(channels, "out")
        self.out.build(inner_shape)
        settings = {"gamma_initializer": "zeros", "name": "bn", "dtype": self.dtype_policy}
        if self.freeze_batch_norm:
            self.norm = FrozenBatchNormalization(**settings)
        else:
            self.norm = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, **settings)
        self.norm.build(input_shape)

    def _convolution(self, filters: int, name: str) -> keras.layers.Conv3D:
        return keras.layers.Conv3D(
            filters,
            1,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name=name,
            dtype=self.dtype_policy,
        )

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        _check_space(inputs.shape)
        pooled = pool_keys(inputs)
        queries = self.theta(inputs)
        if self.scaled:
            queries *= queries.shape[-1] ** -0.5
        attended = attend(*map(positions, (queries, self.phi(pooled), self.g(pooled))))
        x = self.out(tf.reshape(attended, tf.shape(queries)))
        x = self.norm(x) if self.freeze_batch_norm else self.norm(x, training=training)
        return inputs + x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "scaled": self.scaled,
            "freeze_batch_norm": self.freeze_batch_norm,
        }


def pool_keys(features: tf.Tensor) -> tf.Tensor:
    """What phi and g look at: `[B, T, H, W, C]` to `[B, T, H / 2, W / 2, C]`."""
    return tf.nn.max_pool3d(features, _POOL, _POOL, padding="VALID")


def attend(queries: tf.Tensor, keys: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Mixes the values by `softmax(queries keys^T)`: `[B, N, c]` and twice `[B, M, c]` in."""
    affinity = tf.cast(tf.matmul(queries, keys, transpose_b=True), tf.float32)
    weights = tf.nn.softmax(affinity, axis=-1)
    return tf.matmul(tf.cast(weights, values.dtype), values)


def positions(features: tf.Tensor) -> tf.Tensor:
    """`[B, T, H, W, c]` to `[B, T H W, c]`."""
    shape = tf.shape(features)
    channels = features.shape[-1]
    return tf.reshape(features, [shape[0], shape[1] * shape[2] * shape[3], channels])


def _check_space(shape: tf.TensorShape) -> None:
    if any(size is not None and size < 2 for size in shape[2:4]):
        raise ValueError(
            "a non-local block needs at least 2 x 2 positions in space. "
            f"Received: inputs of shape {tuple(shape)}"
        )
