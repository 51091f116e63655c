"""What a report is made of."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from stgraph_tf.evaluation.error_analysis import aligned
from stgraph_tf.evaluation.score_files import ScoredVideos


@dataclasses.dataclass(frozen=True)
class Films:
    """Where the films of the split are, and how the network sees them.

    Attributes:
        shards: the split's files.
        num_frames: frames of a clip.
        box_stride: clip frames to a feature frame; boxes are on feature frames.
        num_boxes: boxes a frame that the network takes, the best ones.
    """

    shards: Sequence[str]
    num_frames: int
    box_stride: int
    num_boxes: int


@dataclasses.dataclass(frozen=True, eq=False)
class Inputs:
    """Everything that the page shows.

    Attributes:
        measures: what `metrics.json` holds, see `run.evaluate`.
        scored: the videos with the model's scores.
        multi_label: whether a video may have several labels.
        films: to draw some of them from; None to draw none.
        class_attributes: of every class, `[C]` each, see `attributes.read_class_attributes`.
        compared: scores of other models on the same videos, by their names.

    Raises:
        ValueError: a compared model is of other videos, labels or classes, or has this one's name.
    """

    measures: Mapping[str, Any]
    scored: ScoredVideos
    multi_label: bool
    films: Films | None = None
    class_attributes: Mapping[str, np.ndarray] | None = None
    compared: Mapping[str, ScoredVideos] = dataclasses.field(default_factory=dict)

    def __post_init__(self):
        own = self.measures["config"]
        if own in self.compared:
            raise ValueError(f"expected another name than {own!r} for a model to compare with")
        aligned({own: self.scored, **self.compared})
