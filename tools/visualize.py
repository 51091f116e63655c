"""Shows what a model sees in the videos of a data set: a page for each, and an index of all.

    python tools/visualize.py --config configs/charades.py:r50_i3d_joint --workdir runs/charades \
        --output runs/charades/videos --num_videos 50

or, of an exported model,

    python tools/visualize.py --saved_model runs/charades/saved_model --data data/charades \
        --output runs/charades/videos --num_videos 50

Open `index.html` of the output: videos with their labels and predictions, to be sorted and
filtered. Each leads to its page, which plays the clips with their boxes and shows the graphs. With
`--choose worst --scores scores.npz` (of tools/evaluate.py) the videos are those that the model
judges worst. Started again, it goes on where it was stopped.
"""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from stgraph_tf import config as settings
from stgraph_tf import program, trained_flags

if TYPE_CHECKING:
    from stgraph_tf.viz.gallery.models import ShownModel

_TRAINED = trained_flags.define()
_SAVED_MODEL = flags.DEFINE_string(
    "saved_model",
    None,
    "Instead of --config and --workdir, an exported model: the folder of its versions, or of one "
    "of them.",
)
_DATA = flags.DEFINE_string(
    "data", None, "Folder of the shards; by default, that of the config (--config.data.dir)."
)
_SPLIT = flags.DEFINE_string(
    "split", None, "Which videos; by default the config's validation split, or `validation`."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for index.html and the pages.", required=True)
_NUM_VIDEOS = flags.DEFINE_integer(
    "num_videos", 100, "Videos to show at most; 0 for all.", lower_bound=0
)
_VIDEOS = flags.DEFINE_list("videos", [], "Ids of the videos to show, instead of a choice.")
# As stgraph_tf.viz.gallery.CHOICES, which --help does not wait for.
_CHOOSE = flags.DEFINE_enum(
    "choose", "random", ("random", "worst", "best"), "Which videos, where not all are shown."
)
_SCORES = flags.DEFINE_string(
    "scores", None, "scores.npz that tools/evaluate.py wrote, by which worst and best are found."
)
_SEED = flags.DEFINE_integer("seed", 0, "Another seed draws other videos at random.")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    _check_flags()

    from stgraph_tf.evaluation import score_files
    from stgraph_tf.viz import gallery

    chosen = gallery.Selection(
        ids=_VIDEOS.value,
        number=_NUM_VIDEOS.value,
        choice=_CHOOSE.value,
        scored=score_files.read(_SCORES.value) if _SCORES.value else None,
        seed=_SEED.value,
    )
    model, data, split = _model()
    entries = gallery.write(model, data, split, _OUTPUT.value, chosen)
    videos = "1 video" if len(entries) == 1 else f"{len(entries)} videos"
    print(f"{videos} of {data}, {split}: open {os.path.join(_OUTPUT.value, 'index.html')}")


def _check_flags() -> None:
    if _SAVED_MODEL.value is not None:
        of_run = _TRAINED._asdict().items()
        given = [f"--{name}" for name, flag in of_run if flag.value is not None]
        if given:
            raise ValueError(f"give --saved_model or {' and '.join(given)}, not both")
        if _DATA.value is None:
            raise ValueError("--saved_model needs --data, the folder of the videos' shards")
    elif _TRAINED.config.value is None or _TRAINED.workdir.value is None:
        raise ValueError("give --config and --workdir of a training run, or --saved_model")
    else:
        settings.check(_TRAINED.config.value)


def _model() -> "tuple[ShownModel, str, str]":
    """The model, the folder of the data, and the split."""
    from stgraph_tf.viz import gallery

    if _SAVED_MODEL.value is not None:
        model = gallery.exported(_SAVED_MODEL.value)
        return model, _DATA.value, _SPLIT.value or "validation"
    config = _TRAINED.config.value
    model = gallery.trained(
        config, _TRAINED.workdir.value, _TRAINED.checkpoint.value, _TRAINED.stage.value
    )
    data = _DATA.value or config.data.dir
    return model, data, _SPLIT.value or config.data.validation_split


if __name__ == "__main__":
    program.run(main)
