"""The folder of a run: its config, its labels, its checkpoints."""

import os

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from stgraph_tf import config as settings
from stgraph_tf import files
from stgraph_tf.data.dataset_info import DatasetInfo

# Settings that may change between one start of a run and the next.
_FREE = (
    "data.dir ",
    "evaluation.",
    "train.checkpoint_interval ",
    "train.keep_checkpoints ",
    "train.log_interval ",
    "train.steps ",
)


class Workdir:
    """`config.json`, `dataset.json`, `checkpoints/` and TensorBoard's `summaries/` of one run.

    Args:
        path: the folder; made by `start`.
    """

    def __init__(self, path: str):
        self.path = path
        self.checkpoint_dir = os.path.join(path, "checkpoints")
        self.summary_dir = os.path.join(path, "summaries")
        self._config_path = os.path.join(path, "config.json")

    def start(self, config: ConfigDict, info: DatasetInfo) -> None:
        """Opens the folder for a run, or for going on with one.

        Raises:
            ValueError: listing the differences, when the folder was started with other settings
                or with data of other labels.
        """
        if tf.io.gfile.exists(self._config_path):
            self._refuse(
                [
                    difference
                    for difference in settings.differences(
                        files.read_json(self._config_path), settings.to_json(config)
                    )
                    if not difference.startswith(_FREE)
                ]
            )
            if self.dataset_info().labels != info.labels:
                raise ValueError(
                    f"{self.path} was trained on other labels than {config.data.dir} has"
                )
            return
        files.write_json(self._config_path, settings.to_json(config))
        info.save(self.path)

    def check_model(self, config: ConfigDict) -> None:
        """Refuses a config whose network is not the one that was trained here.

        Raises:
            ValueError: listing the differences, or when nothing was trained here.
        """
        if not tf.io.gfile.exists(self._config_path):
            raise ValueError(
                f"--workdir {self.path} holds no training run; train one with tools/train.py"
            )
        saved, given = files.read_json(self._config_path), settings.to_json(config)
        self._refuse(
            [
                difference
                for difference in settings.differences(saved, given)
                # The loss decides what a logit means: a sigmoid's, or a softmax's.
                if difference.startswith(("model.", "train.loss "))
            ]
        )

    def dataset_info(self) -> DatasetInfo:
        """The labels and frame rate of the data that the run was trained on."""
        return DatasetInfo.load(self.path)

    def latest_checkpoint(self) -> str:
        """The newest complete checkpoint.

        Raises:
            ValueError: when there is none.
        """
        path = tf.train.latest_checkpoint(self.checkpoint_dir)
        if path is None:
            raise ValueError(
                f"{self.checkpoint_dir} holds no checkpoint; train with tools/train.py"
            )
        return path

    def _refuse(self, differences: list[str]) -> None:
        if differences:
            raise ValueError(
                f"--config does not fit --workdir {self.path}, which was trained with another: "
                f"{'; '.join(differences)}"
            )


def restore_model(model: keras.Model, path: str) -> None:
    """Loads the weights of a training checkpoint, every one of them.

    Args:
        model: a built model.
        path: a checkpoint's prefix, such as `checkpoints/ckpt-1000`.

    Raises:
        ValueError: naming the checkpoint and the weight, when they do not fit.
    """
    if not tf.io.gfile.exists(f"{path}.index"):
        raise ValueError(f"{path} is not a checkpoint: there is no {path}.index")
    try:
        status = tf.train.Checkpoint(model=model).restore(path)
        status.assert_existing_objects_matched()
        status.expect_partial()
    except (AssertionError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"the checkpoint {path} does not fit the config's model: {reason}"
        ) from error
