"""Renders the shapes data set: films whose actions are relations between objects.

    python tools/make_shapes.py --output films --train_videos 1200 --val_videos 300 --seed 0

writes `videos/*.mp4` (H.264), manifests (`train.jsonl`, `validation.jsonl`), box proposals
(`train_proposals.jsonl`, `validation_proposals.jsonl`), `labels.txt` and `attributes_class.csv`
(what kind of action each class is, for the error analysis) to the folder `films`. The same seed
gives the same films; a film does not depend on how many there are.
"""

from collections.abc import Sequence

from absl import flags

from stgraph_tf import program

_OUTPUT = flags.DEFINE_string("output", None, "Folder of the films.", required=True)
_TRAIN_VIDEOS = flags.DEFINE_integer("train_videos", 1200, "Films of the split `train`.")
_VAL_VIDEOS = flags.DEFINE_integer("val_videos", 300, "Films of the split `validation`.")
_SEED = flags.DEFINE_integer("seed", 0, "Where all random choices come from.")
_SIZE = flags.DEFINE_integer("size", 64, "Width and height of the films, pixels.")
_NUM_FRAMES = flags.DEFINE_integer("num_frames", 24, "Length of the films, frames.")
_FPS = flags.DEFINE_integer("fps", 8, "Frames a second.")
_SINGLE_LABEL = flags.DEFINE_bool(
    "single_label", False, "One action a film with one label, as in Something-Something."
)
_NUM_WORKERS = flags.DEFINE_integer("num_workers", None, "Processes; else as many as pay.")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")

    from stgraph_tf.data.shapes.film import FilmSettings

    settings = FilmSettings(
        _SEED.value, _SIZE.value, _NUM_FRAMES.value, _FPS.value, _SINGLE_LABEL.value
    )

    from stgraph_tf.data.shapes import dataset

    num_videos = {"train": _TRAIN_VIDEOS.value, "validation": _VAL_VIDEOS.value}
    dataset.write_dataset(_OUTPUT.value, settings, num_videos, _NUM_WORKERS.value)
    print(f"{sum(num_videos.values())} films in {_OUTPUT.value}")


if __name__ == "__main__":
    program.run(main)
