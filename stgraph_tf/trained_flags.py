"""The flags by which programs are told of a trained model: a run and one of its checkpoints."""

from typing import NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from stgraph_tf import config as settings

flags.disclaim_key_flags()  # `--help` of the program that defines them shows them.


class TrainedFlags(NamedTuple):
    """What tells of a trained model.

    Attributes:
        config: the settings that it was trained with.
        workdir: folder of the run.
        checkpoint: which of its checkpoints; None for the newest.
        stage: whose checkpoint; None for the last stage's.
    """

    config: flags.FlagHolder[ConfigDict]
    workdir: flags.FlagHolder[str]
    checkpoint: flags.FlagHolder[str]
    stage: flags.FlagHolder[str]


def define() -> TrainedFlags:
    """Defines `--config`, `--workdir`, `--checkpoint` and `--stage`, once in a program."""
    return TrainedFlags(
        config_flags.DEFINE_config_file(
            "config", None, "What was trained: the file and variant that tools/train.py was given."
        ),
        flags.DEFINE_string("workdir", None, "Folder of the training run."),
        flags.DEFINE_string(
            "checkpoint",
            None,
            "A checkpoint, such as WORKDIR/checkpoints/joint/ckpt-1000, or 'best' for what "
            "validated best; the newest by default.",
        ),
        flags.DEFINE_enum(
            "stage",
            None,
            settings.STAGES,
            "Whose checkpoint; the last stage's that has any by default.",
        ),
    )
