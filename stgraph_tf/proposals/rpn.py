"""The class-agnostic Region Proposal Network that the paper's boxes come from (section 4.1).

It is Model Garden's Faster R-CNN without the detection head: ResNet, Feature Pyramid Network, RPN
head, anchors, and multilevel ROI generator, all of them Model Garden's own.

Conventions. Boxes outside are normalized to the frame. Inside they are in pixels of the network's
input: the frame, its aspect kept, scaled to the largest that fits `input_size`, in the top left
corner, and padded with the mean colour. That is how Model Garden feeds its detectors. Where this
differs: boxes are cut at the scaled frame, not at the padded input, and what is left of less than a
pixel is dropped before suppression, so that no box lies on the padding.

Model Garden builds on Keras 2 (`tf_keras`); its layers are `tf.Module`s and live beside Keras 3.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
import tf_keras
from official.vision.configs import backbones as backbone_configs
from official.vision.configs import common as common_configs
from official.vision.configs import decoders as decoder_configs
from official.vision.configs import maskrcnn as maskrcnn_configs
from official.vision.modeling.backbones.factory import build_backbone
from official.vision.modeling.decoders.factory import build_decoder
from official.vision.modeling.heads.dense_prediction_heads import RPNHead
from official.vision.modeling.layers.roi_generator import MultilevelROIGenerator
from official.vision.ops import anchor, preprocess_ops

from stgraph_tf import program
from stgraph_tf.proposals.detector import Detections
from stgraph_tf.proposals.rpn_settings import RpnSettings

Levels = Mapping[str, tf.Tensor]

# In pixels of the network's input.
_MIN_SIDE = 1.0
# A frame whose pixels differ by no more, of 255, is blank: what a codec makes of one colour.
_BLANK_RANGE = 8.0


class RpnNetwork(tf_keras.Model):
    """ResNet, Feature Pyramid Network and RPN head, under Model Garden's names for checkpoints.

    Args:
        settings: what it is made of.
        l2_weight_decay: of the kernels, for training.
        synchronized: whether replicas share batch normalization's statistics, in training.
    """

    def __init__(
        self, settings: RpnSettings, *, l2_weight_decay: float = 0.0, synchronized: bool = False
    ):
        super().__init__(name="rpn")
        config = model_config(settings, synchronized=synchronized)
        norm = config.norm_activation
        # Half, as Model Garden does: Keras' penalty lacks the factor of `tf.nn.l2_loss`.
        regularizer = tf_keras.regularizers.l2(l2_weight_decay / 2) if l2_weight_decay else None
        specs = tf_keras.layers.InputSpec(shape=[None, *config.input_size])
        self.backbone = build_backbone(specs, config.backbone, norm, regularizer)
        with program.quiet_libraries():
            self.decoder = build_decoder(self.backbone.output_specs, config, regularizer)
        self.rpn_head = RPNHead(
            min_level=config.min_level,
            max_level=config.max_level,
            num_anchors_per_location=len(config.anchor.aspect_ratios) * config.anchor.num_scales,
            num_convs=config.rpn_head.num_convs,
            num_filters=config.rpn_head.num_filters,
            activation=norm.activation,
            use_sync_bn=norm.use_sync_bn,
            norm_momentum=norm.norm_momentum,
            norm_epsilon=norm.norm_epsilon,
            kernel_regularizer=regularizer,
        )
        self(tf_keras.Input(config.input_size))

    def call(
        self, images: tf.Tensor, training: bool | None = None, **unused: Any
    ) -> dict[str, Levels]:
        """Scores and regresses every anchor.

        Args:
            images: float32 `[N, *input_size, 3]`, normalized.
            training: whether batch normalization takes the batch's statistics.
            unused: what Model Garden's task gives the detection head.

        Returns:
            By level, `rpn_scores` `[N, h, w, A]`, logits, and `rpn_boxes` `[N, h, w, 4 * A]`.
        """
        features = self.decoder(self.backbone(images, training=training), training=training)
        scores, boxes = self.rpn_head(features, training=training)
        return {"rpn_scores": scores, "rpn_boxes": boxes}


class Rpn(tf.Module):
    """Finds class-agnostic boxes on frames; a `stgraph_tf.proposals.detector.Detector`.

    Attributes:
        settings: what it is made of.
        num_boxes: `K`, how many boxes a frame has at most.
        network: with random weights, until they are restored or trained.
    """

    def __init__(self, settings: RpnSettings, num_boxes: int, network: RpnNetwork | None = None):
        super().__init__(name="rpn")
        if num_boxes < 1:
            raise ValueError(f"num_boxes must be at least 1, received {num_boxes}")
        self.settings = settings
        self.num_boxes = num_boxes
        self.network = network or RpnNetwork(settings)
        self._roi_generator = MultilevelROIGenerator(
            # Of every level, no more than `num_boxes` can be among the best of all.
            test_pre_nms_top_k=num_boxes,
            test_num_proposals=num_boxes,
            test_pre_nms_score_threshold=settings.min_score,
            test_pre_nms_min_size_threshold=_MIN_SIDE,
            test_nms_iou_threshold=settings.nms_iou_threshold,
            # One fused operation, which finds the same boxes several times faster on a CPU. It
            # looks at all boxes of a level, not only at the 1000 best.
            use_batched_nms=True,
        )
        self._detect = tf.function(
            self._detect_boxes, input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8)]
        )

    def detect(self, frames: tf.Tensor) -> Detections:
        """Finds the `K` best boxes of every frame, after non-maximum suppression on each level.

        Args:
            frames: uint8 `[N, H, W, 3]`, RGB.

        Returns:
            Boxes `[N, K, 4]`, objectness `[N, K]` and mask `[N, K]`. A frame has fewer than `K`
            boxes when fewer have a score above `settings.min_score`, and none when it is of one
            colour, as in a fade: what networks make of such frames, which no one trains on, means
            nothing.

        Raises:
            ValueError: the frames are not uint8 of rank 4.
        """
        frames = tf.convert_to_tensor(frames)
        if frames.dtype != tf.uint8 or not frames.shape.is_compatible_with([None, None, None, 3]):
            raise ValueError(
                "expected frames as uint8 [N, H, W, 3], "
                f"received {frames.dtype.name} {frames.shape}"
            )
        return Detections(*self._detect(frames))

    def _detect_boxes(self, frames: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        images, scaled_size = network_input(frames, self.settings.input_size)
        outputs = self.network(images, training=False)
        boxes, scores = self._roi_generator(
            outputs["rpn_boxes"],
            outputs["rpn_scores"],
            {level: boxes[tf.newaxis] for level, boxes in anchors(self.settings).items()},
            tf.tile(scaled_size[tf.newaxis], [tf.shape(frames)[0], 1]),
            training=False,
        )
        boxes = tf.clip_by_value(boxes / tf.tile(scaled_size, [2]), 0.0, 1.0)
        missing = self.num_boxes - scores.shape[1]
        boxes = tf.pad(boxes, [[0, 0], [0, missing], [0, 0]])
        scores = tf.pad(scores, [[0, 0], [0, missing]])
        mask = (scores > self.settings.min_score) & ~_is_blank(frames)[:, tf.newaxis]
        return tf.where(mask[..., tf.newaxis], boxes, 0.0), tf.where(mask, scores, 0.0), mask


def network_input(frames: tf.Tensor, input_size: tuple[int, int]) -> tuple[tf.Tensor, tf.Tensor]:
    """Frames as the network takes them: Model Garden's `resize_and_crop_image`, for a batch.

    Args:
        frames: uint8 `[N, H, W, 3]`.
        input_size: height and width to fit.

    Returns:
        float32 `[N, *input_size, 3]`, and the scaled frames' height and width, float32 `[2]`.
    """
    images = preprocess_ops.normalize_image(frames)
    size = tf.cast(tf.shape(frames)[1:3], tf.float32)
    scale = tf.reduce_min(tf.cast(input_size, tf.float32) / size)
    # A very narrow frame would vanish.
    scaled_size = tf.maximum(tf.round(size * scale), 1.0)
    images = tf.image.resize(images, tf.cast(scaled_size, tf.int32))
    images = tf.image.pad_to_bounding_box(images, 0, 0, *input_size)
    return tf.ensure_shape(images, [None, *input_size, 3]), scaled_size


def _is_blank(frames: tf.Tensor) -> tf.Tensor:
    """Whether a frame is of one colour: bool `[N]`, of frames uint8 `[N, H, W, 3]`."""
    pixels = tf.cast(frames, tf.float32)
    contrast = tf.reduce_max(pixels, axis=[1, 2]) - tf.reduce_min(pixels, axis=[1, 2])
    return tf.reduce_all(contrast <= _BLANK_RANGE, axis=-1)


def anchors(settings: RpnSettings) -> dict[str, tf.Tensor]:
    """By level, anchor boxes float32 `[h, w, 4 * A]` in pixels of the network's input."""
    generator = anchor.build_anchor_generator(
        min_level=settings.min_level,
        max_level=settings.max_level,
        num_scales=settings.num_scales,
        aspect_ratios=list(settings.aspect_ratios),
        anchor_size=settings.anchor_size,
    )
    return generator(image_size=settings.input_size)


def model_config(settings: RpnSettings, *, synchronized: bool = False) -> maskrcnn_configs.MaskRCNN:
    """Model Garden's config of a Faster R-CNN that has this RPN."""
    return maskrcnn_configs.MaskRCNN(
        num_classes=2,
        input_size=[*settings.input_size, 3],
        min_level=settings.min_level,
        max_level=settings.max_level,
        anchor=maskrcnn_configs.Anchor(
            num_scales=settings.num_scales,
            aspect_ratios=list(settings.aspect_ratios),
            anchor_size=settings.anchor_size,
        ),
        include_mask=False,
        backbone=backbone_configs.Backbone(
            type="resnet",
            resnet=backbone_configs.ResNet(
                model_id=settings.backbone_depth, depth_multiplier=settings.backbone_width
            ),
        ),
        decoder=decoder_configs.Decoder(
            type="fpn", fpn=decoder_configs.FPN(num_filters=settings.fpn_filters)
        ),
        rpn_head=maskrcnn_configs.RPNHead(
            num_convs=settings.head_convs, num_filters=settings.head_filters
        ),
        norm_activation=common_configs.NormActivation(
            norm_momentum=settings.norm_momentum,
            norm_epsilon=settings.norm_epsilon,
            use_sync_bn=synchronized,
        ),
    )
