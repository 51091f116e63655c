"""A model whose videos are shown, be it a training run's or an exported one."""

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from stgraph_tf.serving import export
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.film_clips import FilmClips
from stgraph_tf.serving.predictor import Predictor
from stgraph_tf.training import checkpoints
from stgraph_tf.training.workdir import Workdir
from stgraph_tf.viz import explainer
from stgraph_tf.viz.explained_clip import ExplainedClip


@dataclasses.dataclass(frozen=True, eq=False)
class ShownModel:
    """What is needed of a model.

    Attributes:
        labels: C names, in the order of the scores.
        clip: how films are cut, and how their clips' scores are pooled.
        path: of the checkpoint or the SavedModel.
        digest: tells its weights from others, also of the same path.
        explained: the clips of a film with their scores and graphs.
    """

    labels: Sequence[str]
    clip: ClipSpec
    path: str
    digest: str
    explained: Callable[[FilmClips], Iterator[ExplainedClip]]


def trained(
    config: ConfigDict, workdir: str, checkpoint: str | None = None, stage: str | None = None
) -> ShownModel:
    """The network that a run has trained, as `tools/evaluate.py` would take it.

    Args:
        config: checked settings, see `stgraph_tf.config`.
        workdir: the folder of the run.
        checkpoint: a checkpoint's prefix, or "best"; the newest by default.
        stage: whose; the last one that has a checkpoint by default.

    Raises:
        ValueError: there is no such checkpoint, or it does not fit the config.
    """
    folder = Workdir(workdir)
    model, path = checkpoints.load_trained(
        config, folder, checkpoint, stage, precision=config.evaluation.precision
    )
    info = folder.dataset_info()

    def explained(film: FilmClips) -> Iterator[ExplainedClip]:
        for indices, boxes, stored in zip(
            film.frame_indices, film.boxes, film.stored_indices, strict=True
        ):
            batch = {"frames": film.frames[indices][np.newaxis], "boxes": boxes[np.newaxis]}
            (found,) = explainer.explain(model, batch, loss=config.train.loss)
            yield dataclasses.replace(found, times=stored / info.frame_rate)

    clip = export.clip_spec(config, info, path)
    return ShownModel(info.labels, clip, path, _digest(f"{path}.index"), explained)


def exported(saved_model: str) -> ShownModel:
    """An exported model.

    Args:
        saved_model: the folder of its versions, or of one of them.

    Raises:
        ValueError: there is no SavedModel, or it lacks what travels with it.
    """
    predictor = Predictor(saved_model)
    # The index has the weights' checksums, and the fingerprint the graph's.
    parts = (os.path.join("variables", "variables.index"), "fingerprint.pb")
    digest = _digest(*(os.path.join(predictor.path, part) for part in parts))
    return ShownModel(predictor.labels, predictor.clip, predictor.path, digest, predictor.explained)


def _digest(*paths: str) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for path in paths:
        if tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path, "rb") as file:
                digest.update(file.read())
    return digest.hexdigest()
