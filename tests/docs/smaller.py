"""Stands for `python` in the folders where documentation is tried out, and makes work small.

    python tests/docs/smaller.py tools/train.py --config configs/charades.py:r50_i3d_joint ...

runs that command with the tiny network and a few steps. What is changed is all in here: everything
else runs as the reader types it. Programs that only compute (tools/model_info.py) keep their sizes.
"""

import os
import re
import sys
from collections.abc import Sequence

# The networks of 32 frames of 224 x 224 and larger, in the variants of configs.
_LARGE = re.compile(r"(configs/\w+\.py:)r(?:50|101)_")

_TRAINED = (
    "tools/train.py",
    "tools/evaluate.py",
    "tools/visualize.py",
    "export/export_saved_model.py",
)

# Appended to a program's arguments: the last of two equal flags counts.
_ADDED = {
    "tools/make_shapes.py": ("--train_videos=12", "--val_videos=6"),
    "tools/prepare_dataset.py": ("--num_shards=1",),
    "tools/train.py": (
        *(f"--config.stages.{stage}.steps=2" for stage in ("backbone", "graph", "joint")),
        *(f"--config.stages.{stage}.warmup_steps=1" for stage in ("backbone", "graph", "joint")),
        "--config.train.batch_size=4",
    ),
    "tools/evaluate.py": ("--config.evaluation.num_clips=2",),
    "tools/train_rpn.py": ("--steps=2", "--batch_size=2"),
    "tools/study.py": (
        "--seeds=0",
        "--rows=i3d,joint",
        "--backbone_steps=2",
        "--graph_steps=1",
        "--joint_steps=1",
    ),
}


def smaller(arguments: Sequence[str]) -> list[str]:
    """The arguments of `python` for less work."""
    arguments = list(arguments)
    script = arguments[0] if arguments else ""
    if script in _TRAINED:
        arguments = [_LARGE.sub(r"\1tiny_", argument) for argument in arguments]
    return [*arguments, *_ADDED.get(script, ())]


if __name__ == "__main__":
    # The interpreter that the project is installed for, whose name this program has taken.
    os.execv(sys.executable, [sys.executable, *smaller(sys.argv[1:])])
