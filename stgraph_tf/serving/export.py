"""From a training run to a published version of a served model, in the order of the steps."""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import cast

import keras
import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from stgraph_tf import files, program
from stgraph_tf.data import dataset_info
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.proposals.detector import Detector, open_detector
from stgraph_tf.serving import (
    assets,
    describe,
    optimize,
    signatures,
    verification,
    versions,
    warmup,
)
from stgraph_tf.training import checkpoints
from stgraph_tf.training.inputs import check_box_stride
from stgraph_tf.training.workdir import Workdir

# Videos that an export is verified on, one clip of each.
_NUM_CLIPS = 4


@dataclasses.dataclass(frozen=True)
class Export:
    """A published version: where it is, and how far its scores are from the trained model's.

    Attributes:
        path: the version's folder.
        difference: largest absolute difference of a score.
        tolerance: the largest difference that is allowed.
        clips: what the scores were compared on, in words.
    """

    path: str
    difference: float
    tolerance: float
    clips: str


def export(
    config: ConfigDict,
    workdir: str,
    output: str,
    *,
    checkpoint: str | None = None,
    stage: str | None = None,
    version: int | None = None,
    rpn: str | None = None,
    precision: str = "float32",
    max_clips: int = assets.MAX_CLIPS,
) -> Export:
    """Restores a trained model and publishes it as `output/VERSION`.

    Args:
        config: checked settings, see `stgraph_tf.config`.
        workdir: the folder of the training run.
        output: the folder of the served model's versions; made when missing.
        checkpoint: a checkpoint's prefix, or "best"; the newest of the run by default.
        stage: whose; the last one that has a checkpoint by default.
        version: a number that is not taken; the next one by default.
        rpn: a checkpoint of the Region Proposal Network that finds boxes inside the exported model;
            None to have clients send boxes.
        precision: that the exported model computes in, one of `optimize.PRECISIONS`.
        max_clips: that a request may hold, see `assets.ClipSpec`.

    Raises:
        ValueError: the config, the run and the checkpoint do not fit each other, the version
            exists, or the exported model's scores are not the trained model's.
    """
    folder = Workdir(workdir)
    folder.check_model(config)
    path = versions.path_of(output, versions.unused(output, version))
    info = folder.dataset_info()
    # The yardstick is the trained network in float32, whatever it was trained in.
    model, checkpoint = checkpoints.load_trained(
        config, folder, checkpoint, stage, precision="float32"
    )
    check_box_stride(config, model)

    detector = open_detector(f"rpn:{rpn}", config.data.num_boxes) if rpn else None
    clip = clip_spec(config, info, checkpoint, rpn, max_clips)
    clips, clips_name = _verification_clips(config, clip)
    tolerance = verification.TOLERANCES[precision]
    difference = publish(
        path,
        model,
        info.labels,
        clip,
        clips=clips,
        tolerance=tolerance,
        detector=detector,
        precision=precision,
    )
    return Export(path, difference, tolerance, clips_name)


def clip_spec(
    config: ConfigDict,
    info: DatasetInfo,
    checkpoint: str,
    rpn: str | None = None,
    max_clips: int = assets.MAX_CLIPS,
) -> assets.ClipSpec:
    """What clients must know to cut clips as the model was trained and evaluated."""
    return assets.ClipSpec(
        model=config.name,
        checkpoint=os.path.basename(checkpoint),
        loss=config.train.loss,
        multi_label=info.multi_label,
        frame_rate=info.frame_rate,
        stored_short_side=info.short_side,
        short_side=config.evaluation.short_side,
        num_frames=config.data.num_frames,
        box_stride=config.data.box_stride,
        num_boxes=config.data.num_boxes,
        num_clips=config.evaluation.num_clips,
        rpn=os.path.basename(rpn.rstrip("/")) if rpn else "",
        pooling=config.evaluation.pooling,
        max_clips=max_clips,
    )


def publish(
    path: str,
    model: keras.Model,
    labels: Sequence[str],
    clip: assets.ClipSpec,
    *,
    clips: Iterable[verification.Clips],
    tolerance: float,
    detector: Detector | None = None,
    precision: str = "float32",
) -> float:
    """Saves a model, verifies what was saved, and only then gives it its name.

    Args:
        path: the version's folder, which must not exist.
        model: the trained network.
        labels: of its classes.
        clip: how clips are cut; exported along with the labels.
        clips: what to verify on, see `verification.largest_difference`. Read after saving.
        tolerance: the largest difference of a score that is allowed.
        detector: exported along with the model, see `save`.
        precision: likewise.

    Returns:
        The largest difference of a score.

    Raises:
        ValueError: the difference is greater than allowed. Nothing is left of the version.
    """
    with files.published(path) as temporary:
        save(temporary, model, labels, clip, detector, precision)
        difference = verification.largest_difference(temporary, model, clip, clips, detector)
        if not difference <= tolerance:
            raise ValueError(
                f"{path} is not published: its scores are up to {difference:.1e} away from the "
                f"trained model's, and {tolerance:.0e} is allowed"
            )
    return difference


def save(
    path: str,
    model: keras.Model,
    labels: Sequence[str],
    clip: assets.ClipSpec,
    detector: Detector | None = None,
    precision: str = "float32",
) -> None:
    """Writes the SavedModel: signatures, weights, assets and warm-up requests.

    With a detector (a `tf.Module`), the model has signatures that need no boxes. The network is
    made faster and computes in `precision`, see `optimize`; the detector stays as it is.
    """
    network = optimize.ServedClassifier(model, precision)
    served = signatures.Signatures(
        network, clip, smallest_side=model.backbone.smallest_side, detector=detector
    )
    functions = served.concrete_functions()
    functions[describe.SIGNATURE] = describe.concrete_function(labels, clip)
    module = tf.Module()
    # The variables alone: whoever loads them needs no Keras.
    module.weights = network.served_variables
    module.detector_weights = list(cast(tf.Module, detector).variables) if detector else []
    with tempfile.TemporaryDirectory() as folder:
        labels_path, clip_path = assets.write(folder, labels, clip)
        module.labels = tf.saved_model.Asset(labels_path)
        module.clip = tf.saved_model.Asset(clip_path)
        with _warnings_only():
            tf.saved_model.save(module, path, signatures=functions)
    warmup.write(path, clip, functions)


def _verification_clips(
    config: ConfigDict, clip: assets.ClipSpec
) -> tuple[Iterable[verification.Clips], str]:
    """Clips of the validation videos where these are at hand, else of noise; and their name."""
    directory, split = config.data.dir, config.data.validation_split
    if tf.io.gfile.exists(os.path.join(directory, dataset_info.FILE_NAME)):
        info = DatasetInfo.load(directory)
        if split in info.splits:
            shards = info.shard_paths(directory, split)
            count = min(_NUM_CLIPS, info.splits[split].num_videos)
            clips = verification.real_clips(shards, clip, len(info.labels), count)
            name = f"{count} clip{'s' if count > 1 else ''} of {directory}, {split}"
            return _with_progress(clips, count), name
    clips = verification.random_clips(clip, _NUM_CLIPS)
    name = f"{_NUM_CLIPS} random clips: there are no {split} shards in {directory}"
    return _with_progress(clips, _NUM_CLIPS), name


def _with_progress(clips: Iterable[verification.Clips], count: int) -> Iterator[verification.Clips]:
    """A progress line that begins when the first clip is wanted."""
    yield from program.progress(clips, total=count, unit="clip")


@contextlib.contextmanager
def _warnings_only() -> Iterator[None]:
    """Keeps TensorFlow from telling at length how it saves, unless the user debugs."""
    verbosity = logging.get_verbosity()
    if verbosity == logging.INFO:
        logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
