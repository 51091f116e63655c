"""What a run needs to go on as if it had never stopped, and what others read of it."""

import os
import re
import shutil
import tempfile

import keras
import tensorflow as tf
from absl import logging
from ml_collections import ConfigDict

from stgraph_tf.modeling import RegionGraphClassifier
from stgraph_tf.training import optimizers, stages
from stgraph_tf.training.distribution import Worker
from stgraph_tf.training.steps import TrainingStep
from stgraph_tf.training.workdir import Workdir

# The key of a moving average in a checkpoint, and the path of its weight with "/" as ".S".
_AVERAGE = re.compile(r"averages/(.+)/\.ATTRIBUTES/VARIABLE_VALUE")
# TensorFlow tells of a file that ends too soon by an IndexError.
_UNREADABLE = (tf.errors.DataLossError, tf.errors.NotFoundError, IndexError)
# What TensorFlow makes of a full disk, a limit of file sizes, a folder that is gone or protected.
_UNWRITABLE = (
    tf.errors.FailedPreconditionError,
    tf.errors.NotFoundError,
    tf.errors.OutOfRangeError,
    tf.errors.PermissionDeniedError,
    tf.errors.ResourceExhaustedError,
)


class StageCheckpoints:
    """The state of a stage on disk: weights, optimizer, averages, step, running means.

    A checkpoint is complete or is not listed. The chief writes the run's folder; other workers,
    who must save along with it, write to a folder of their own that nobody reads.

    Args:
        directory: the stage's folder.
        step: the training step, whose model and optimizer are saved.
        global_step: the run's steps so far.
        running: further variables of the run.
        keep: how many checkpoints stay.
        worker: which worker this is.
    """

    def __init__(
        self,
        directory: str,
        step: TrainingStep,
        global_step: tf.Variable,
        running: tf.Variable,
        *,
        keep: int,
        worker: Worker,
    ):
        self._directory = directory
        self._scratch = None if worker.is_chief else tempfile.mkdtemp()
        self._global_step = global_step
        self._checkpoint = tf.train.Checkpoint(
            model=step.model,
            optimizer=step.optimizer,
            averages=optimizers.averages(step.optimizer, step.variables),
            step=global_step,
            running=running,
        )
        if worker.is_chief:
            _remove_leftovers(directory)
        self._manager = tf.train.CheckpointManager(
            self._checkpoint, self._scratch or directory, max_to_keep=keep
        )

    @property
    def latest(self) -> str | None:
        """The newest checkpoint that this process has written or found."""
        return self._manager.latest_checkpoint

    def restore(self) -> str | None:
        """Loads the newest checkpoint that can be read; returns it, or None without any."""
        state = tf.train.get_checkpoint_state(self._directory)
        for path in reversed(state.all_model_checkpoint_paths if state else ()):
            try:
                self._checkpoint.restore(path).assert_existing_objects_matched()
                return path
            except _UNREADABLE as error:
                logging.warning("the checkpoint %s cannot be read: %s", path, error)
        return None

    def save(self) -> None:
        """Saves the state at the present step, unless that is saved already.

        Raises:
            OSError: the disk is full, or nothing can be written there.
        """
        number = int(self._global_step.numpy())
        if self.latest is None or not self.latest.endswith(f"-{number}"):
            try:
                self._manager.save(checkpoint_number=number)
            except _UNWRITABLE as error:
                raise OSError(
                    f"the checkpoint of step {number} cannot be written: {error.message}"
                ) from error

    def close(self) -> None:
        """Removes what only this process wrote."""
        if self._scratch:
            shutil.rmtree(self._scratch, ignore_errors=True)


def load_trained(
    config: ConfigDict,
    folder: Workdir,
    checkpoint: str | None,
    stage: str | None,
    *,
    precision: str = "",
) -> tuple[RegionGraphClassifier, str]:
    """The network that a run has trained, to be evaluated or exported.

    Args:
        config: the settings of the run.
        folder: its folder.
        checkpoint: a checkpoint's prefix, "best", or None for the newest.
        stage: whose; by default the last one that has any.
        precision: what it computes in, as `config.model.precision`; as it was trained by default.

    Returns:
        The network and the checkpoint's prefix.

    Raises:
        ValueError: there is no such checkpoint, or it does not fit the config.
    """
    folder.check_model(config)
    path, stage = folder.find_checkpoint(checkpoint, stage)
    if precision:
        config = config.copy_and_resolve_references()
        config.model.precision = precision
    model = stages.build_model(config, stage, len(folder.dataset_info().labels))
    restore_model(model, path)
    return model, path


def stage_that_fits(path: str, model: RegionGraphClassifier) -> str:
    """The stage whose network a checkpoint holds: the baseline's, or `model` with its graph."""
    kernel = next(
        (shape for name, shape in _variables(path) if "classifier" in name and len(shape) == 2), [0]
    )
    return "backbone" if kernel[0] == model.feature_dim else "joint"


def restore_model(model: keras.Model, path: str) -> None:
    """Loads the weights of a training checkpoint, every one of them.

    Where the checkpoint has moving averages of weights, these are the model's weights.

    Args:
        model: a built model.
        path: a checkpoint's prefix, such as `checkpoints/joint/ckpt-1000`.

    Raises:
        ValueError: naming the checkpoint and the weight, when they do not fit.
    """
    variables = _variables(path)
    try:
        status = tf.train.Checkpoint(model=model).restore(path).expect_partial()
        status.assert_existing_objects_matched()
    except (AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"the checkpoint {path} does not fit the config's model: {reason}"
        ) from error
    keys = (_AVERAGE.fullmatch(name) for name, _ in variables)
    averaged = {key[1].replace(".S", "/") for key in keys if key}
    if averaged:
        weights = {optimizers.weight_name(v): v.value for v in model.trainable_variables}
        weights = {name: weights[name] for name in averaged}
        tf.train.Checkpoint(averages=weights).restore(path).expect_partial()


def _variables(path: str) -> list[tuple[str, list[int]]]:
    if not tf.io.gfile.exists(f"{path}.index"):
        raise ValueError(f"{path} is not a checkpoint: there is no {path}.index")
    return tf.train.list_variables(path)


def _remove_leftovers(directory: str) -> None:
    """Removes what a killed process was about to write."""
    if not tf.io.gfile.isdir(directory):
        return
    state = tf.train.get_checkpoint_state(directory)
    listed = {os.path.basename(path) for path in state.all_model_checkpoint_paths} if state else ()
    for name in tf.io.gfile.listdir(directory):
        name = name.rstrip("/")
        if name == "checkpoint" or name.split(".")[0] in listed:
            continue
        path = os.path.join(directory, name)
        (tf.io.gfile.rmtree if tf.io.gfile.isdir(path) else tf.io.gfile.remove)(path)
