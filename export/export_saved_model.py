"""Exports a trained model for TensorFlow Serving.

    python export/export_saved_model.py --config configs/charades.py:r50_i3d_joint \
        --workdir runs/charades --output runs/charades/saved_model

writes `OUTPUT/VERSION`, a SavedModel with labels, after its scores were found equal to the trained
model's. A server that watches OUTPUT never sees half a version.
"""

from collections.abc import Sequence

from absl import flags
from ml_collections import config_flags

from stgraph_tf import config as settings
from stgraph_tf import program

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "What was trained: a file and a variant, as given to tools/train.py."
)
_WORKDIR = flags.DEFINE_string("workdir", None, "Folder of the training run.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the model's versions. Made when missing.")
_CHECKPOINT = flags.DEFINE_string(
    "checkpoint",
    None,
    "A checkpoint, such as WORKDIR/checkpoints/joint/ckpt-1000, or 'best' for what validated "
    "best; the newest by default.",
)
_STAGE = flags.DEFINE_enum(
    "stage", None, settings.STAGES, "Whose checkpoint; the last stage's that has any by default."
)
_VERSION = flags.DEFINE_integer(
    "version", None, "Number of the version; the next one by default.", lower_bound=1
)
_RPN = flags.DEFINE_string(
    "rpn",
    None,
    "A checkpoint of a Region Proposal Network, as tools/train_rpn.py writes it, to be part of the "
    "model: clients may then send frames without boxes.",
)
_PRECISION = flags.DEFINE_enum(
    "precision",
    "float32",
    ["float32", "bfloat16"],
    "That the exported model computes in, whatever it was trained in. bfloat16 pays where the "
    "processor multiplies it (avx512_bf16 or amx_bf16), and is slow elsewhere.",
)
_MAX_CLIPS = flags.DEFINE_integer(
    "max_clips",
    8,
    "Clips that a request may hold, if their frames are twice as wide as high, and of smaller "
    "frames more; also whole videos. Bounds the memory of a server.",
    lower_bound=1,
)


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    settings.check(_CONFIG.value)

    from stgraph_tf.serving import export

    done = export.export(
        _CONFIG.value,
        _WORKDIR.value,
        _OUTPUT.value,
        checkpoint=_CHECKPOINT.value,
        stage=_STAGE.value,
        version=_VERSION.value,
        rpn=_RPN.value,
        precision=_PRECISION.value,
        max_clips=_MAX_CLIPS.value,
    )
    print(f"published {done.path}")
    print(
        f"its scores are within {done.difference:.1e} of the trained model's "
        f"({done.tolerance:.0e} is allowed), on {done.clips}"
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir", "output"])
    program.run(main)
