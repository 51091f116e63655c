"""Films and boxes in, TFRecord shards out.

    python tools/prepare_dataset.py --videos films --annotations train.jsonl \\
        --boxes proposals:boxes.jsonl --split train --output data/mine --fps 6

makes the split `train` of the data set `data/mine`, and adds it to `dataset.json` there. A run that
was cut off goes on where it stopped, and a split that was made in the same way is left as it is.
"""

import dataclasses
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from absl import flags

from stgraph_tf import program

if TYPE_CHECKING:
    from stgraph_tf.data import prepare

_SOURCE = flags.DEFINE_enum("source", "manifest", ["manifest"], "What the annotations are.")
_VIDEOS = flags.DEFINE_string("videos", ".", "Folder that the annotations' paths start from.")
_ANNOTATIONS = flags.DEFINE_string("annotations", None, "Annotation file.", required=True)
_BOXES = flags.DEFINE_string(
    "boxes", "inline", "none, inline (with the annotations) or proposals:FILE (JSON lines)."
)
_SPLIT = flags.DEFINE_enum(
    "split", "train", ["train", "validation", "test"], "Which split the videos are."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the data set.", required=True)
_NUM_SHARDS = flags.DEFINE_integer("num_shards", 8, "Files of the split.", lower_bound=1)
_FPS = flags.DEFINE_float("fps", 6.0, "Frames a second to keep.", lower_bound=0.001)
_SHORT_SIDE = flags.DEFINE_integer(
    "short_side", 320, "Larger frames are shrunk to so many pixels, short side.", lower_bound=1
)
_JPEG_QUALITY = flags.DEFINE_integer(
    "jpeg_quality", 95, "Of frames that are encoded anew.", lower_bound=1, upper_bound=100
)
_MAX_BOXES = flags.DEFINE_integer(
    "max_boxes", None, "Boxes to keep on a frame, the best ones; all if not given.", lower_bound=1
)
_LABELS = flags.DEFINE_string(
    "labels", None, "File with the labels in order, one a line, or a JSON list (*.json)."
)
_MULTI_LABEL = flags.DEFINE_enum(
    "multi_label", "auto", ["auto", "true", "false"], "Whether a video may have several labels."
)
_NUM_WORKERS = flags.DEFINE_integer(
    "num_workers", None, "Processes that decode films; else as many as pay.", lower_bound=1
)
_MAX_FAILURES = flags.DEFINE_integer(
    "max_failures", 0, "Unreadable films to set aside, in failures.jsonl.", lower_bound=0
)


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing here runs on a GPU, so take none's memory

    import stgraph_tf
    from stgraph_tf.data import boxes, film_pool, labels, prepare, records
    from stgraph_tf.data.sources import manifest

    spec = boxes.parse_spec(_BOXES.value)
    entries = manifest.read(_ANNOTATIONS.value, _VIDEOS.value)
    info = prepare.load_info(_OUTPUT.value)
    names = labels.choose_labels(entries, _LABELS.value, info, _OUTPUT.value)
    several = {"auto": None, "true": True, "false": False}[_MULTI_LABEL.value]
    several = labels.choose_multi_label(entries, several, info, _OUTPUT.value)
    box_lines = boxes.find(spec, entries)
    settings = records.Settings(
        _FPS.value, _SHORT_SIDE.value, _JPEG_QUALITY.value, _MAX_BOXES.value
    )
    summary = prepare.prepare_split(
        records.make_tasks(entries, names, box_lines.lines),
        settings,
        split=_SPLIT.value,
        output=_OUTPUT.value,
        labels=names,
        multi_label=several,
        num_shards=_NUM_SHARDS.value,
        num_workers=_NUM_WORKERS.value or film_pool.worth_starting(len(entries)),
        max_failures=_MAX_FAILURES.value,
        made_by={
            "stgraph_tf": stgraph_tf.__version__,
            "source": _SOURCE.value,
            "videos": _VIDEOS.value,
            "annotations": _ANNOTATIONS.value,
            "annotations_sha256": prepare.digest(_ANNOTATIONS.value),
            "boxes": _BOXES.value,
            "boxes_sha256": box_lines.sha256,
            "num_shards": _NUM_SHARDS.value,
            "multi_label": several,
            **dataclasses.asdict(settings),
        },
    )
    _report(summary)


def _report(summary: "prepare.Summary") -> None:
    counts = summary.counts
    print(
        f"{_SPLIT.value}: {counts.num_videos} videos, {counts.num_frames} frames, "
        f"{counts.num_boxes} boxes in {_NUM_SHARDS.value} shards of {_OUTPUT.value}"
    )
    if summary.skipped:
        print("they were there already, made in the same way; remove a shard to make them again")
        return
    share = counts.num_frames_with_boxes / counts.num_frames
    print(f"frames with boxes: {share:.1%}")
    if summary.failures:
        path = os.path.join(_OUTPUT.value, "failures.jsonl")
        print(f"{len(summary.failures)} films cannot be read and were set aside: see {path}")


if __name__ == "__main__":
    program.run(main)
