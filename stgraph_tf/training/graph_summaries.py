"""Pictures of the region graphs during training, for TensorBoard: Figures 3 and 4 as they form.

At every validation the same few clips are explained by the model as it is then. So the slider below
a picture shows how its graph changes.
"""

import io

import numpy as np
import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict
from PIL import Image
from tensorboard.plugins.image import metadata

from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.evaluation import protocol
from stgraph_tf.modeling import RegionGraphClassifier
from stgraph_tf.viz import explainer, graph_picture

_TAG = "graphs"
_NUM_CLIPS = 3
_QUALITY = 88  # of JPEG: as PNG, pictures of real videos were ten times as large


class GraphSummaries:
    """Writes pictures of some validation clips to the default summary writer.

    Nothing is kept from one validation to the next, and nothing is compiled: each takes one look of
    the network at three clips, one by one.

    Args:
        config: checked settings, see `stgraph_tf.config`.
        info: the data set's description.
    """

    def __init__(self, config: ConfigDict, info: DatasetInfo):
        shards = info.shard_paths(config.data.dir, config.data.validation_split)
        clips = protocol.validation_dataset(config, info, shards, num_clips=1)
        # One by one, so that it takes no more memory than validation does.
        self._clips = clips.unbatch().take(_NUM_CLIPS).batch(1)
        self._labels = info.labels
        self._loss = config.train.loss
        self._enabled = True

    def write(self, model: RegionGraphClassifier, step: int) -> None:
        """Draws the clips with the graphs of `model`, if it has any.

        A picture is not worth a run: what goes wrong is logged, once, and nothing is drawn anymore.

        Args:
            model: as it is now.
            step: the global step.
        """
        if not self._enabled or not (
            model.has_similarity_graph or model.has_spatial_temporal_graph
        ):
            return
        try:
            pictures = [
                graph_picture.draw(clip, self._labels)
                for batch in self._clips
                for clip in explainer.explain(model, batch, loss=self._loss)
            ]
            _write_images(_TAG, pictures, step)
        except Exception as error:
            logging.warning("the run goes on without pictures of its graphs: %s", error)
            self._enabled = False


def _write_images(tag: str, pictures: list[np.ndarray], step: int) -> None:
    """As `tf.summary.image`, but as JPEG."""
    height, width = pictures[0].shape[:2]
    tf.summary.write(
        tag,
        tf.constant([str(width), str(height), *map(_jpeg, pictures)]),
        step,
        metadata=metadata.create_summary_metadata(display_name=tag, description=""),
    )


def _jpeg(picture: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "JPEG", quality=_QUALITY, subsampling="4:4:4")
    return buffer.getvalue()
