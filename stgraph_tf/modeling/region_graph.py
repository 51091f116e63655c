"""The whole network: video, space-time region graph, class logits (Figure 2 of the paper)."""

from typing import NamedTuple

import keras
import tensorflow as tf

from stgraph_tf.modeling import gcn, graphs
from stgraph_tf.modeling.clip_dropout import ClipDropout
from stgraph_tf.modeling.resnet3d import BACKBONES, ResNet3D
from stgraph_tf.modeling.roi_align import RoIAlign

GRAPHS = ("none", "avgpool", "spatial_temporal", "similarity", "joint")
CHANNEL_ORDERS = ("rgb", "bgr")


class RegionGraphs(NamedTuple):
    """The edges that a model used; a graph that the model does not have is None.

    Attributes:
        similarity: float32 `[B, N, N]`.
        front: float32 `[B, T'-1, K, K]`.
        back: float32 `[B, T'-1, K, K]`.
    """

    similarity: tf.Tensor | None
    front: tf.Tensor | None
    back: tf.Tensor | None


@keras.saving.register_keras_serializable(package="stgraph_tf")
class RegionGraphClassifier(keras.Model):
    """Recognizes actions from frames and object proposals.

    The rows of the paper's tables are one class: `graph="none"` is the I3D baseline, `"avgpool"`
    averages the proposals' features, `"spatial_temporal"` and `"similarity"` run one GCN branch,
    `"joint"` sums both; each with a backbone of `BACKBONES`.

    ```python
    model = RegionGraphClassifier(num_classes=157, graph="joint")
    logits = model({"frames": frames, "boxes": boxes, "mask": mask})
    ```

    Args:
        num_classes: classes to score.
        graph: one of `GRAPHS`.
        backbone: a `ResNet3D`; the paper's ResNet-50 by default.
        feature_dim: channels d after the 1x1x1 reduction.
        gcn_layers: graph convolutions a branch.
        dropout: ratio in front of the classifier.
        input_mean: subtracted from the pixels, in [0, 255]; channels in `channel_order`.
        input_std: what they are divided by then.
        channel_order: "rgb", or "bgr" for weights that want blue first; the frames that are handed
            in are RGB always.

    Call arguments:
        inputs: a dict with `frames` `[B, T, H, W, 3]`, uint8 or float, RGB in [0, 255]; `boxes`
            float32 `[B, T', K, 4]`, normalized; `mask` bool `[B, T', K]`, False for padded boxes.
            With `graph="none"` the boxes are not read and may be left out. `seeds`, int64
            `[B, 2]`, decides what dropout drops of each clip; optional.

    Returns:
        float32 logits `[B, num_classes]`.
    """

    def __init__(
        self,
        num_classes: int,
        graph: str = "joint",
        backbone: ResNet3D | None = None,
        feature_dim: int = 512,
        gcn_layers: int = 3,
        dropout: float = 0.3,
        input_mean: tuple[float, float, float] = (114.75, 114.75, 114.75),
        input_std: tuple[float, float, float] = (57.375, 57.375, 57.375),
        channel_order: str = "rgb",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if num_classes < 1:
            raise ValueError(f"`num_classes` must be positive. Received: num_classes={num_classes}")
        if graph not in GRAPHS:
            raise ValueError(f"`graph` must be one of {GRAPHS}. Received: graph={graph!r}")
        if channel_order not in CHANNEL_ORDERS:
            raise ValueError(
                f"`channel_order` must be one of {CHANNEL_ORDERS}. "
                f"Received: channel_order={channel_order!r}"
            )
        self.num_classes = num_classes
        self.graph = graph
        self.feature_dim = feature_dim
        self.gcn_layers = gcn_layers
        self.dropout_rate = dropout
        self.input_mean = tuple(input_mean)
        self.input_std = tuple(input_std)
        self.channel_order = channel_order

        policy = {"dtype": self.dtype_policy}
        self.backbone = backbone or ResNet3D(**BACKBONES["r50"], name="backbone", **policy)
        self.reduction = keras.layers.Conv3D(feature_dim, 1, name="reduction", **policy)
        self.roi_align = RoIAlign(name="roi_align", **policy)
        if self.has_similarity_graph:
            self.similarity_graph = graphs.SimilarityGraph(name="similarity_graph", **policy)
            self.similarity_branch = gcn.SimilarityBranch(
                gcn_layers, name="similarity_branch", **policy
            )
        if self.has_spatial_temporal_graph:
            self.spatial_temporal_branch = gcn.SpatialTemporalBranch(
                gcn_layers, name="spatial_temporal_branch", **policy
            )
        self.dropout = ClipDropout(dropout, name="dropout", dtype="float32")
        self.classifier = keras.layers.Dense(
            num_classes,
            kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
            name="classifier",
            dtype="float32",
        )

    @property
    def uses_boxes(self) -> bool:
        return self.graph != "none"

    @property
    def has_similarity_graph(self) -> bool:
        return self.graph in ("similarity", "joint")

    @property
    def has_spatial_temporal_graph(self) -> bool:
        return self.graph in ("spatial_temporal", "joint")

    def build(self, input_shape=None):
        # The shapes of the weights depend on none of the inputs' free sizes.
        frames_shape = (None, None, None, None, 3)
        if not self.backbone.built:
            self.backbone.build(frames_shape)
        channels = self.backbone.compute_output_shape(frames_shape)[-1]
        self.reduction.build((None, None, None, None, channels))
        nodes_shape = (None, None, self.feature_dim)
        if self.has_similarity_graph:
            self.similarity_graph.build(nodes_shape)
            self.similarity_branch.build(nodes_shape)
        if self.has_spatial_temporal_graph:
            self.spatial_temporal_branch.build((None, None, None, self.feature_dim))
        self.classifier.build((None, self.feature_dim * (2 if self.uses_boxes else 1)))
        self.built = True

    def build_from_config(self, config):
        self.build()

    def call(self, inputs: dict[str, tf.Tensor], training: bool | None = None) -> tf.Tensor:
        features = self.extract_features(inputs["frames"], training=training)
        return self.classify_features(
            features,
            inputs.get("boxes"),
            inputs.get("mask"),
            training=training,
            seeds=inputs.get("seeds"),
        )

    def extract_features(self, frames: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        """The video representation of section 4.1.

        Args:
            frames: `[B, T, H, W, 3]`, RGB in [0, 255].
            training: whether unfrozen batch normalization trains.

        Returns:
            `[B, T', H', W', d]`.
        """
        if self.channel_order == "bgr":
            frames = tf.reverse(frames, axis=[-1])
        x = (tf.cast(frames, tf.float32) - self.input_mean) / self.input_std
        x = self.backbone(tf.cast(x, self.compute_dtype), training=training)
        return self.reduction(x)

    def classify_features(
        self,
        features: tf.Tensor,
        boxes: tf.Tensor | None = None,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
        seeds: tf.Tensor | None = None,
    ) -> tf.Tensor:
        """Everything after the backbone: regions, graphs, graph convolutions, classifier.

        Args:
            features: `[B, T', H', W', d]`, from `extract_features`.
            boxes: float32 `[B, T', K, 4]`.
            mask: bool `[B, T', K]`.
            training: whether dropout is on.
            seeds: int64 `[B, 2]`, what dropout drops of each clip; optional.

        Returns:
            float32 logits `[B, num_classes]`.
        """
        logits, _ = self.explain_features(features, boxes, mask, training=training, seeds=seeds)
        return logits

    def explain_features(
        self,
        features: tf.Tensor,
        boxes: tf.Tensor | None = None,
        mask: tf.Tensor | None = None,
        training: bool | None = None,
        seeds: tf.Tensor | None = None,
    ) -> tuple[tf.Tensor, RegionGraphs]:
        """As `classify_features`, with the graphs that the logits come from (Figures 3 and 4).

        Returns:
            The logits `[B, num_classes]`, and the edges.
        """
        pooled = tf.reduce_mean(tf.cast(features, tf.float32), axis=[1, 2, 3])
        edges = RegionGraphs(None, None, None)
        if self.uses_boxes:
            nodes = self.roi_align(features, boxes)
            edges = self._edges(nodes, boxes, mask)
            updated = self._reason(nodes, mask, edges)
            pooled = tf.concat([pooled, _masked_mean(updated, mask)], axis=-1)
        return self.classifier(self.dropout(pooled, seeds=seeds, training=training)), edges

    def _edges(self, nodes: tf.Tensor, boxes: tf.Tensor, mask: tf.Tensor) -> RegionGraphs:
        similarity = front = back = None
        if self.has_similarity_graph:
            similarity = self.similarity_graph(_flat(nodes), _flat(mask))
        if self.has_spatial_temporal_graph:
            front, back = graphs.spatial_temporal_graphs(boxes, mask)
        return RegionGraphs(similarity, front, back)

    def _reason(self, nodes: tf.Tensor, mask: tf.Tensor, edges: RegionGraphs) -> tf.Tensor:
        """The two branches, summed: `[B, T', K, d]` in, the same out."""
        if self.graph == "avgpool":
            return nodes
        outputs = []
        if self.has_similarity_graph:
            updated = self.similarity_branch(_flat(nodes), edges.similarity)
            outputs.append(tf.reshape(updated, tf.shape(nodes)))
        if self.has_spatial_temporal_graph:
            outputs.append(self.spatial_temporal_branch(nodes, edges.front, edges.back))
        return tf.add_n(outputs)

    def compute_output_shape(self, input_shape):
        return (input_shape["frames"][0], self.num_classes)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "graph": self.graph,
            "backbone": keras.saving.serialize_keras_object(self.backbone),
            "feature_dim": self.feature_dim,
            "gcn_layers": self.gcn_layers,
            "dropout": self.dropout_rate,
            "input_mean": self.input_mean,
            "input_std": self.input_std,
            "channel_order": self.channel_order,
        }

    @classmethod
    def from_config(cls, config):
        config = dict(config)
        config["backbone"] = keras.saving.deserialize_keras_object(config["backbone"])
        return cls(**config)


def _flat(tensor: tf.Tensor) -> tf.Tensor:
    """`[B, T', K, ...]` to `[B, N, ...]`, frame by frame."""
    shape = tf.shape(tensor)
    rest = tensor.shape[3:]
    flat = tf.reshape(tensor, tf.concat([shape[:1], [shape[1] * shape[2]], shape[3:]], axis=0))
    flat.set_shape([tensor.shape[0], None, *rest])
    return flat


def _masked_mean(nodes: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean of the valid nodes, `[B, d]` in float32; zero for a clip without any."""
    weights = tf.cast(mask, tf.float32)[..., None]
    total = tf.reduce_sum(tf.cast(nodes, tf.float32) * weights, axis=[1, 2])
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=[1, 2]))
