"""The folder of a run.

config.json           the settings; another start with others is refused
dataset.json          the labels and frame rate of the data
environment.json      an entry a start: packages, commit, devices
checkpoints/STAGE/    ckpt-STEP, the state of the run; STEP counts over all stages
best/STAGE/           ckpt-STEP, the weights that validated best
summaries/            for TensorBoard
"""

import os

import tensorflow as tf
from ml_collections import ConfigDict

from stgraph_tf import config as settings
from stgraph_tf import files
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.training import best

# Settings that may change between one start of a run and the next.
_FREE = (
    "data.dir ",
    "evaluation.",
    "train.checkpoint_interval ",
    "train.keep_checkpoints ",
    "train.log_interval ",
    "train.validation_interval ",
)


class Workdir:
    """The folder of one run.

    Args:
        path: the folder; made by `start`.
    """

    def __init__(self, path: str):
        self.path = path
        self.summary_dir = os.path.join(path, "summaries")
        self._config_path = os.path.join(path, "config.json")

    def checkpoint_dir(self, stage: str) -> str:
        return os.path.join(self.path, "checkpoints", stage)

    def best_dir(self, stage: str) -> str:
        return os.path.join(self.path, "best", stage)

    def check(self, config: ConfigDict, info: DatasetInfo) -> None:
        """Refuses a run that does not go on with the one that was started here, if any was.

        The last stage may get more steps, or fewer.

        Raises:
            ValueError: listing the differences, when the folder was started with other settings
                or with data of other labels.
        """
        if not tf.io.gfile.exists(self._config_path):
            return
        free = (*_FREE, f"stages.{config.train.stages[-1]}.steps ")
        differences = settings.differences(
            files.read_json(self._config_path), settings.to_json(config)
        )
        self._refuse([phrase for phrase in differences if not phrase.startswith(free)])
        if self.dataset_info().labels != info.labels:
            raise ValueError(f"{self.path} was trained on other labels than {config.data.dir} has")

    def start(self, config: ConfigDict, info: DatasetInfo) -> None:
        """Writes what the run is, unless it is written already."""
        if not tf.io.gfile.exists(self._config_path):
            info.save(self.path)
            files.write_json(self._config_path, settings.to_json(config))

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

    def find_checkpoint(self, checkpoint: str | None, stage: str | None) -> tuple[str, str]:
        """Which checkpoint to read.

        Args:
            checkpoint: a checkpoint's prefix, "best", or None for the newest.
            stage: whose; by default the last one that has any.

        Returns:
            The checkpoint's prefix and its stage.

        Raises:
            ValueError: there is none, or `stage` is not the one of a `checkpoint` of this folder.
        """
        if checkpoint and checkpoint != "best":
            parent = os.path.basename(os.path.dirname(checkpoint))
            named = parent if parent in settings.STAGES else None
            if stage and named and stage != named:
                raise ValueError(f"--checkpoint {checkpoint} is not of --stage {stage}")
            return checkpoint, stage or named or settings.STAGES[-1]
        if checkpoint == "best":
            folder, find = self.best_dir, best.find
        else:
            folder, find = self.checkpoint_dir, tf.train.latest_checkpoint
        for name in [stage] if stage else reversed(settings.STAGES):
            path = find(folder(name))
            if path:
                return path, name
        where = folder(stage) if stage else os.path.dirname(folder("any"))
        raise ValueError(f"{where} holds no checkpoint; train with tools/train.py")

    def _refuse(self, differences: list[str]) -> None:
        if differences:
            raise ValueError(
                f"--config does not fit --workdir {self.path}, which was trained with another: "
                f"{'; '.join(differences)}"
            )
