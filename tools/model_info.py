"""Tells what a network costs, by part, and what memory its training takes, by stage.

    python tools/model_info.py --config configs/charades.py:r50_i3d_joint
    python tools/model_info.py --all

Nothing is run and no weight is made: all follows from the config's numbers, for clips of the
training crop's size. `--all` compares the rows of configs/charades.py with the paper
(section 6.1), and `--json` prints the same for programs.
"""

import dataclasses
import importlib.util
import json
import os
from collections.abc import Iterator
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from typing import Any, cast

from absl import app, flags
from ml_collections import ConfigDict, config_flags

from stgraph_tf import config as settings
from stgraph_tf import program

_CONFIG = config_flags.DEFINE_config_file(
    "config", None, "A file and a variant, such as configs/charades.py:r50_i3d_joint."
)
_ALL = flags.DEFINE_bool("all", False, "All rows of configs/charades.py instead of one config.")
_NUM_CLASSES = flags.DEFINE_integer(
    "num_classes", 157, "Classes to score, as Charades has by default.", lower_bound=1
)
_JSON = flags.DEFINE_bool("json", False, "Print JSON instead of a table.")

_CHARADES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../configs/charades.py")

# The rows of the comparison, with what the paper says that they cost.
_ROWS = {
    "r50_i3d": "153 G",
    "r50_i3d_avgpool": "",
    "r50_i3d_st": "",
    "r50_i3d_sim": "",
    "r50_i3d_joint": "158 G",
    "r50_i3d_joint_25": "",
    "r50_i3d_joint_100": "",
    "r50_nl": "",
    "r50_nl_joint": "",
    "r101_i3d": "3 x r50_i3d",
    "r101_i3d_joint": "",
    "r101_nl": "",
    "r101_nl_joint": "",
}

_NOTES = (
    "multiply-adds  the paper's FLOPs: of convolutions, matrix products and RoIAlign's samples, in",
    "               the forward pass of one clip",
    "activations    what a training step of one clip, all layers training, keeps from the forward",
    "               for the backward pass",
)

# Clips that a device works through at once, of the table of a training step.
_CLIPS = (1, 2, 4, 8)

_MEMORY_NOTES = (
    "again          with --config.model.rematerialize: the backbone's activations computed twice",
    "weights        in float32, with their copies (in half precision, or scaled by batch norm)",
    "gradients      of the trained weights; `slots` are the optimizer's, with the average of",
    "               --config.train.use_ema",
    "a clip         activations kept for the backward pass at its most costly moment, and the",
    "               gradients on their way through a layer then; or the largest layer of the fixed",
    "               backbone. Batch over devices over --config.train.microbatches is the number of",
    "               clips that a device has at once. What kernels and TensorFlow take for",
    "               themselves comes on top",
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if _ALL.value == (_CONFIG.value is not None):
        raise ValueError("give either --config=FILE:VARIANT or --all")
    if _ALL.value:
        get_config = _charades().get_config
        rows = [
            {"row": row, "paper": paper, **_info(get_config(row), _NUM_CLASSES.value)}
            for row, paper in _ROWS.items()
        ]
        print(json.dumps(rows, indent=2) if _JSON.value else _comparison(rows))
    else:
        info = _info(_CONFIG.value, _NUM_CLASSES.value)
        info["training"] = list(_training(_CONFIG.value, _NUM_CLASSES.value))
        print(json.dumps(info, indent=2) if _JSON.value else _table(info))


def _charades():
    spec = importlib.util.spec_from_file_location("charades", _CHARADES)
    module = importlib.util.module_from_spec(cast(ModuleSpec, spec))
    cast(Loader, module.__loader__).exec_module(module)
    return module


def _info(config: ConfigDict, num_classes: int) -> dict[str, Any]:
    """The cost of a config's network as plain numbers, as `--json` prints them."""
    settings.check(config)

    from stgraph_tf.modeling import cost

    clip = _clip(config)
    parts = cost.network_cost(config.model, num_classes, clip)
    return {
        "config": config.name,
        "clip": {"num_frames": clip.num_frames, "height": clip.height, "width": clip.width},
        "num_boxes": clip.num_boxes if config.model.graph != "none" else 0,
        "num_classes": num_classes,
        "parts": {name: _numbers(part) for name, part in parts.items()},
        "total": _numbers(cost.total(parts)),
    }


def _training(config: ConfigDict, num_classes: int) -> Iterator[dict[str, Any]]:
    """The memory of a step on one device, for each stage, precision and rematerialization."""
    from stgraph_tf.modeling import memory

    clip = _clip(config)
    half = "mixed_bfloat16" if config.model.precision == "float32" else config.model.precision
    for stage in config.train.stages:
        for precision in ("float32", half):
            for rematerialize in (False, True):
                if rematerialize and (stage == "graph" or not config.model.freeze_batch_norm):
                    continue
                changes = {"precision": precision, "rematerialize": rematerialize}
                used = memory.training_memory(
                    {**config.model, **changes},
                    num_classes,
                    clip,
                    stage=stage,
                    optimizer=config.train.optimizer,
                    use_ema=config.train.use_ema,
                    microbatches=config.train.microbatches,
                )
                yield {
                    "stage": stage,
                    **changes,
                    "bytes": dataclasses.asdict(used),
                    "total_bytes": {str(clips): used.total(clips) for clips in _CLIPS},
                }


def _clip(config: ConfigDict):
    from stgraph_tf.modeling import cost

    side = config.data.crop_size
    return cost.Clip(config.data.num_frames, side, side, config.data.num_boxes)


def _numbers(part) -> dict[str, Any]:
    return {
        "parameters": part.parameters,
        "multiply_adds": part.multiply_adds,
        "activation_bytes": {
            "float32": part.activation_bytes(4),
            "bfloat16": part.activation_bytes(2),
        },
    }


def _table(info: dict[str, Any]) -> str:
    clip = info["clip"]
    boxes = (
        f"{info['num_boxes']} proposals a feature frame" if info["num_boxes"] else "no proposals"
    )
    lines = [
        f"{info['config']}: one clip of {clip['num_frames']} frames of {clip['height']} x "
        f"{clip['width']}, {boxes}, {info['num_classes']} classes",
        "",
        f"{'':24}{'':>12}{'multiply-':>12}{'activations, MiB':>24}",
        f"{'part':24}{'parameters':>12}{'adds, G':>12}{'float32':>12}{'bfloat16':>12}",
    ]
    for name, part in {**info["parts"], "total": info["total"]}.items():
        lines.append(
            f"{name:24}{part['parameters']:12,}{part['multiply_adds'] / 1e9:12.3f}"
            f"{_mebibytes(part, 'float32'):12,.1f}{_mebibytes(part, 'bfloat16'):12,.1f}"
        )
    return "\n".join([*lines, "", *_NOTES, "", *_memory_table(info["training"])])


def _memory_table(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "memory of a training step on one device, MiB"
    yield ""
    yield f"{'':34}{'':>8}{'gra-':>8}{'':>8}{'':>8}{'in all, for clips at once':>32}"
    yield f"{'stage':10}{'precision':16}{'again':8}{'weights':>8}{'dients':>8}{'slots':>8}" + (
        f"{'a clip':>8}" + "".join(f"{clips:8}" for clips in _CLIPS)
    )
    for row in rows:
        used, again = row["bytes"], "yes" if row["rematerialize"] else "no"
        figures = (
            used["weights"] + used["cast_weights"],
            used["gradients"],
            used["optimizer_slots"] + used["average"],
            used["activations"],
            *row["total_bytes"].values(),
        )
        yield f"{row['stage']:10}{row['precision']:16}{again:8}" + "".join(
            f"{figure / 2**20:8,.0f}" for figure in figures
        )
    yield ""
    yield from _MEMORY_NOTES


def _comparison(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"{'':18}{'paper':>12}{'ours, G multiply-adds':>28}{'':>10}{'para-':>10}"
        f"{'activations, MiB':>20}",
        f"{'row':18}{'FLOPs':>12}{'without reduction':>20}{'all':>8}{'to I3D':>10}"
        f"{'meters, M':>10}{'float32':>10}{'bfloat16':>10}",
    ]
    baseline = _without_reduction(rows[0])
    for row in rows:
        total, without = row["total"], _without_reduction(row)
        lines.append(
            f"{row['row']:18}{row['paper']:>12}{without / 1e9:20.1f}"
            f"{total['multiply_adds'] / 1e9:8.1f}{without / baseline:10.3f}"
            f"{total['parameters'] / 1e6:10.1f}"
            f"{_mebibytes(total, 'float32'):10,.0f}{_mebibytes(total, 'bfloat16'):10,.0f}"
        )
    notes = (
        "reduction      the 1x1x1 convolution from 2048 to 512 channels; the paper's 153 G",
        "               has none",
        "to I3D         multiply-adds without the reduction, over those of r50_i3d",
    )
    return "\n".join([*lines, "", *_NOTES, *notes])


def _without_reduction(row: dict[str, Any]) -> int:
    return row["total"]["multiply_adds"] - row["parts"]["reduction"]["multiply_adds"]


def _mebibytes(part: dict[str, Any], precision: str) -> float:
    return part["activation_bytes"][precision] / 2**20


if __name__ == "__main__":
    program.run(main)
