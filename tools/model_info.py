"""Tells what a network costs: parameters, multiply-adds and memory of the activations, by part.

    python tools/model_info.py --config configs/charades.py:r50_i3d_joint
    python tools/model_info.py --all

Nothing is run and no weight is made: all follows from the config's numbers, for one clip of the
training crop's size. `--all` compares the rows of configs/charades.py with the paper
(section 6.1), and `--json` prints the same for programs.
"""

import importlib.util
import json
import os
from typing import Any

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
        print(json.dumps(info, indent=2) if _JSON.value else _table(info))


def _charades():
    spec = importlib.util.spec_from_file_location("charades", _CHARADES)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _info(config: ConfigDict, num_classes: int) -> dict[str, Any]:
    """The cost of a config's network as plain numbers, as `--json` prints them."""
    settings.check(config)

    from stgraph_tf.modeling import cost

    side = config.data.crop_size
    clip = cost.Clip(config.data.num_frames, side, side, config.data.num_boxes)
    parts = cost.network_cost(config.model, num_classes, clip)
    return {
        "config": config.name,
        "clip": {"num_frames": clip.num_frames, "height": side, "width": side},
        "num_boxes": clip.num_boxes if config.model.graph != "none" else 0,
        "num_classes": num_classes,
        "parts": {name: _numbers(part) for name, part in parts.items()},
        "total": _numbers(cost.total(parts)),
    }


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
    return "\n".join([*lines, "", *_NOTES])


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
