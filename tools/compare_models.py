r"""Compares models by attributes of the classes and the videos: where is one better (Figure 5)?

    python tools/compare_models.py --output=comparison --attributes=data/mine/attributes_class.csv \
        --scores="I3D=runs/i3d/scores.npz" --scores="Joint GCN=runs/joint/scores.npz"

Scores are the files that `tools/evaluate.py` writes. Attributes are CSV files in the layout that is
published for Charades (`Charades_v1_attributes_class.csv`, `Charades_v1_attributes_video.csv`).

Writes `error_analysis.json` and `error_analysis.png` to the output folder and prints a table. Gains
are over the first model.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from stgraph_tf import program

if TYPE_CHECKING:
    from stgraph_tf.evaluation.error_analysis import AttributeResult
    from stgraph_tf.evaluation.metrics import ClassSize
    from stgraph_tf.evaluation.score_files import ScoredVideos

_SCORES = flags.DEFINE_multi_string(
    "scores", None, "NAME=FILE, a model's scores; once a model, the baseline first.", required=True
)
_ATTRIBUTES = flags.DEFINE_string(
    "attributes", None, "CSV file of the classes' attributes.", required=True
)
_VIDEO_ATTRIBUTES = flags.DEFINE_string(
    "video_attributes", None, "CSV file of the videos' attributes."
)
_ONLY = flags.DEFINE_list(
    "only",
    None,
    "Attributes to compare by. By default Seq, PoseVar and Obj of the classes, and all of the "
    "videos.",
)
_NORMALIZED = flags.DEFINE_bool(
    "normalized",
    False,
    "Whether average precision is as if all classes were equally frequent, as in the plots that "
    "are published for Charades.",
)
_SHIFT = flags.DEFINE_bool(
    "shift",
    True,
    "Whether groups of videos are moved so that their mean is the mAP of all videos, as in these "
    "plots.",
)
_DRAWS = flags.DEFINE_integer(
    "draws", 100, "Of the videos of a group, for its standard error.", lower_bound=2
)
_SEED = flags.DEFINE_integer("seed", 0, "Of these draws.", lower_bound=0)
_OUTPUT = flags.DEFINE_string("output", None, "Folder to write to.", required=True)


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    paths = _paths()

    import os

    from stgraph_tf import files
    from stgraph_tf.evaluation import (
        attribute_plot,
        error_analysis,
        error_table,
        metrics,
        score_files,
    )

    models = {name: score_files.read(path) for name, path in paths.items()}
    models = error_analysis.aligned(models)
    class_size = metrics.CHARADES_CLASS_SIZE if _NORMALIZED.value else None
    results = _results(models, class_size)
    print(error_table.table(models, results, class_size))
    attribute_plot.write_png(os.path.join(_OUTPUT.value, "error_analysis.png"), results)
    files.write_json(
        os.path.join(_OUTPUT.value, "error_analysis.json"),
        _report(paths, error_table.overall(models, class_size), results),
    )


def _paths() -> dict[str, str]:
    paths: dict[str, str] = {}
    for value in _SCORES.value:
        name, _, path = value.partition("=")
        if not name.strip() or not path.strip():
            raise ValueError(f"--scores: expected NAME=FILE, received {value!r}")
        if name.strip() in paths:
            raise ValueError(f"--scores: the name {name.strip()!r} is there more than once")
        paths[name.strip()] = path.strip()
    return paths


def _results(
    models: "Mapping[str, ScoredVideos]", class_size: "ClassSize | None"
) -> "list[AttributeResult]":
    from stgraph_tf.evaluation import attributes, error_analysis

    videos = next(iter(models.values()))
    by_class = attributes.read_class_attributes(_ATTRIBUTES.value, videos.label_names)
    by_video = {}
    if _VIDEO_ATTRIBUTES.value:
        by_video = attributes.read_video_attributes(_VIDEO_ATTRIBUTES.value, videos.ids)
    bins = error_analysis.choose_bins(by_class, by_video, _ONLY.value)
    results = []
    names = program.progress(bins, unit="attribute") if by_video else bins
    for name in names:
        results += error_analysis.analyse(
            models,
            by_class,
            by_video,
            {name: bins[name]},
            class_size=class_size,
            shift=_SHIFT.value,
            draws=_DRAWS.value,
            seed=_SEED.value,
        )
    if not results:
        raise ValueError(f"{_ATTRIBUTES.value} has no value for any class that a video shows")
    return results


def _report(
    paths: Mapping[str, str], overall: Mapping[str, float], results: "Sequence[AttributeResult]"
) -> dict[str, Any]:
    return {
        "models": [
            {"model": name, "scores": path, "mAP": overall[name]} for name, path in paths.items()
        ],
        "class_attributes": _ATTRIBUTES.value,
        "video_attributes": _VIDEO_ATTRIBUTES.value,
        "normalized": _NORMALIZED.value,
        "shift": _SHIFT.value,
        "draws": _DRAWS.value,
        "seed": _SEED.value,
        "attributes": [result.to_json() for result in results],
    }


if __name__ == "__main__":
    program.run(main)
