"""What a Region Proposal Network is made of; imports neither TensorFlow nor Model Garden."""

import dataclasses
from collections.abc import Mapping
from typing import Any

# Model Garden's ResNets.
_DEPTHS = (10, 18, 26, 34, 50, 101, 152, 200, 270, 350, 420)


@dataclasses.dataclass(frozen=True)
class RpnSettings:
    """What an RPN is made of, by default as in Model Garden's `fasterrcnn_resnetfpn_coco`.

    Attributes:
        input_size: height and width, pixels, that frames are scaled to fit.
        min_level: the finest level of the pyramid; level `l` has the stride `2 ** l`.
        max_level: the coarsest.
        num_scales: anchor sizes on a level, within one octave.
        aspect_ratios: of the anchors, width by height.
        anchor_size: side of a level's smallest square anchor, in strides.
        backbone_depth: layers of the ResNet, one of Model Garden's.
        backbone_width: its filters, as a multiple of the usual number.
        fpn_filters: channels of the pyramid.
        head_filters: channels of the RPN head's 3x3 convolutions.
        head_convs: how many of them there are.
        norm_momentum: of batch normalization's moving statistics.
        norm_epsilon: batch normalization's.
        nms_iou_threshold: of two boxes of a level that overlap more, the better one stays.
        min_score: boxes of no higher objectness are no proposals, and are masked.

    Raises:
        ValueError: for a value outside its range.
    """

    input_size: tuple[int, int] = (1024, 1024)
    min_level: int = 2
    max_level: int = 6
    num_scales: int = 1
    aspect_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    anchor_size: float = 8.0
    backbone_depth: int = 50
    backbone_width: float = 1.0
    fpn_filters: int = 256
    head_filters: int = 256
    head_convs: int = 1
    norm_momentum: float = 0.997
    norm_epsilon: float = 1e-4
    nms_iou_threshold: float = 0.7
    min_score: float = 0.05

    def __post_init__(self):
        stride = 2**self.max_level
        _require(2 <= self.min_level <= 5, "min_level", "from 2 to 5", self.min_level)
        _require(
            self.min_level <= self.max_level <= 9,
            "max_level",
            "from min_level to 9",
            self.max_level,
        )
        _require(
            len(self.input_size) == 2
            and all(side >= 1 and side % stride == 0 for side in self.input_size),
            "input_size",
            f"two multiples of the coarsest stride, {stride}",
            self.input_size,
        )
        _require(
            self.backbone_depth in _DEPTHS,
            "backbone_depth",
            f"one of {', '.join(map(str, _DEPTHS))}",
            self.backbone_depth,
        )
        _require(
            self.aspect_ratios and min(self.aspect_ratios) > 0,
            "aspect_ratios",
            "positive numbers",
            self.aspect_ratios,
        )
        for name in ("num_scales", "fpn_filters", "head_filters", "head_convs"):
            _require(getattr(self, name) >= 1, name, "at least 1", getattr(self, name))
        for name in ("anchor_size", "backbone_width", "norm_epsilon"):
            _require(getattr(self, name) > 0, name, "positive", getattr(self, name))
        for name in ("norm_momentum", "nms_iou_threshold", "min_score"):
            _require(0 <= getattr(self, name) <= 1, name, "from 0 to 1", getattr(self, name))

    @classmethod
    def published(cls) -> "RpnSettings":
        """Those of the published COCO models, `fasterrcnn_resnetfpn_coco` and its Mask R-CNN."""
        return cls()

    @classmethod
    def tiny(cls) -> "RpnSettings":
        """Trains on a CPU in minutes; for objects of a tenth of the frame or more."""
        return cls(
            input_size=(128, 128),
            max_level=5,
            num_scales=2,
            anchor_size=3.0,
            backbone_depth=10,
            backbone_width=0.5,
            fpn_filters=64,
            head_filters=64,
            norm_momentum=0.97,
            norm_epsilon=1e-3,
            min_score=0.1,
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "RpnSettings":
        """Reads what `to_json` gave.

        Raises:
            ValueError: for an unknown setting, or a value outside its range.
        """
        unknown = set(value) - {field.name for field in dataclasses.fields(cls)}
        if unknown:
            raise ValueError(f"an RPN has no setting {', '.join(map(repr, sorted(unknown)))}")
        try:
            entries: dict[str, Any] = {
                name: tuple(entry) if isinstance(entry, list) else entry
                for name, entry in value.items()
            }
            return cls(**entries)
        except TypeError as error:
            raise ValueError(f"a setting of the RPN is of the wrong type: {error}") from error

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON has them, tuples as lists."""
        return {
            name: list(entry) if isinstance(entry, tuple) else entry
            for name, entry in dataclasses.asdict(self).items()
        }


def _require(condition: Any, name: str, expected: str, received: object) -> None:
    if not condition:
        raise ValueError(f"{name} must be {expected}, received {received!r}")
