"""Exports a trained model for TensorFlow Serving.

    python export/export_saved_model.py --config configs/charades.py:r50_i3d_joint \
        --workdir runs/charades --output runs/charades/saved_model

writes `OUTPUT/VERSION`, a SavedModel with labels, after its scores were found equal to the trained
model's. A server that watches OUTPUT never sees half a version.
"""

from collections.abc import Sequence

from absl import flags

from stgraph_tf import config as settings
from stgraph_tf import program, trained_flags

_TRAINED = trained_flags.define()
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the model's versions. Made when missing.")
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
    settings.check(_TRAINED.config.value)

    from stgraph_tf.serving import export

    done = export.export(
        _TRAINED.config.value,
        _TRAINED.workdir.value,
        _OUTPUT.value,
        checkpoint=_TRAINED.checkpoint.value,
        stage=_TRAINED.stage.value,
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
