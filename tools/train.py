"""Trains a model on TFRecord shards.

    python tools/train.py --config configs/charades.py:r50_i3d_joint --workdir runs/charades

Typed again, the same command goes on where the run stopped. `tensorboard --logdir WORKDIR` shows
the curves.
"""

from absl import app, flags
from ml_collections import config_flags

from stgraph_tf import config as settings
from stgraph_tf import program

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "What to train: a file and a variant, as in configs/charades.py:r50_i3d_joint."
)
_WORKDIR = flags.DEFINE_string(
    "workdir", None, "Folder of the run: config, checkpoints and summaries. Made when missing."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    settings.check(_CONFIG.value)

    from stgraph_tf.training import run

    run.train(_CONFIG.value, _WORKDIR.value)


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir"])
    program.run(main)
