"""Converted files: a backbone's weights, and beside them what its network must be.

`NAME.weights.h5` is a normal Keras weights file of a `ResNet3D`. `NAME.json` beside it says which
`ResNet3D`, which input its weights want, where they came from, and what became of every tensor.
"""

import contextlib
import dataclasses
import os
import tempfile
from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from absl import logging

from stgraph_tf import files
from stgraph_tf.modeling import BACKBONES, RegionGraphClassifier, ResNet3D
from stgraph_tf.weights.assign import Conventions, Report, Source, named_weights

_SUFFIX = ".weights.h5"
# The settings of a config's `model` part that a file's conventions decide.
_INPUT = ("channel_order", "input_mean", "input_std")
_NETWORK = ("stride_on_1x1", "pool1_padded", "pool2_size")


def new_backbone(row: str, conventions: Conventions) -> ResNet3D:
    """The built backbone of a row of `BACKBONES`, as weights with these conventions want it.

    Raises:
        ValueError: listing the rows, when there is no such one.
    """
    if row not in BACKBONES:
        raise ValueError(f"the backbone must be one of {', '.join(BACKBONES)}; it is {row!r}")
    network = {name: getattr(conventions, name) for name in _NETWORK}
    if network["pool2_size"] is None:
        del network["pool2_size"]
    backbone = ResNet3D(**{**BACKBONES[row], **network}, name="backbone")
    backbone.build((None, None, None, None, 3))
    return backbone


def write(path: str, backbone: ResNet3D, source: Source, report: Report) -> None:
    """Writes a filled backbone and the JSON beside it.

    Args:
        path: ends in `.weights.h5`.
        backbone: what `assign` filled.
        source: what it was filled from.
        report: what `assign` returned.

    Raises:
        ValueError: when `path` has another ending.
    """
    facts_path = _facts_path(path)
    facts = {
        "format": source.format,
        "source": os.path.basename(source.path),
        "conventions": dataclasses.asdict(source.conventions),
        "batch_norm": source.batch_norm,
        "backbone": backbone.get_config(),
        "weights": {name: list(weight.shape) for name, weight in named_weights(backbone).items()},
        "initial": report.initial,
        "inflated": report.inflated,
        "used": report.used,
        "dropped": report.dropped,
    }
    # Facts about other weights must not stand beside the new ones, not for a moment.
    files.remove(facts_path)
    with tempfile.TemporaryDirectory() as folder, files.published(path) as temporary:
        # Keras writes to local files with this ending only.
        local = os.path.join(folder, f"backbone{_SUFFIX}")
        backbone.save_weights(local)
        tf.io.gfile.copy(local, temporary)
    files.write_json(facts_path, facts)


def initialize(model: RegionGraphClassifier, path: str) -> None:
    """Loads a converted file into the backbone of a fresh model.

    The other weights (reduction, graphs, classifier) keep their initial values.

    Args:
        model: a built model.
        path: what `write` wrote.

    Raises:
        ValueError: naming the flags to set, when the model is not what the weights want, or the
            weights that do not fit.
    """
    facts = _read_facts(path)
    _check_conventions(model, path, facts)
    _check_weights(model.backbone, path, facts)
    try:
        with _local(path) as local:
            model.backbone.load_weights(local)
    except (OSError, KeyError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{path} does not fit the facts beside it: {reason}") from error
    silent = [name for name in facts["initial"] if "nonlocal" in name]
    if silent and model.backbone.freeze_batch_norm:
        logging.warning(
            "%s has no non-local blocks, and with frozen batch normalization (whose gamma is 0 "
            "there) %d of their weights never learn: use weights of a non-local network",
            path,
            len(silent),
        )
    own = [layer.name for layer in model.layers if layer.weights and layer is not model.backbone]
    logging.info(
        "the backbone starts from %s (%s, %s), at initial values are %s",
        path,
        facts["format"],
        facts["source"],
        ", ".join([*own, *facts["initial"]]),
    )


def _check_conventions(model: RegionGraphClassifier, path: str, facts: dict[str, Any]) -> None:
    wanted = facts["conventions"]
    actual = {name: getattr(model, name) for name in _INPUT}
    actual |= {name: getattr(model.backbone, name) for name in _NETWORK}
    flags = [
        f"--config.model.{name}={_flag(wanted[name])}"
        for name, value in actual.items()
        if wanted[name] is not None and _flag(wanted[name]) != _flag(value)
    ]
    if flags:
        raise ValueError(f"the weights of {path} want another network: set {' '.join(flags)}")


def _check_weights(backbone: ResNet3D, path: str, facts: dict[str, Any]) -> None:
    theirs = {name: tuple(shape) for name, shape in facts["weights"].items()}
    ours = {name: tuple(weight.shape) for name, weight in named_weights(backbone).items()}
    problems = [f"{name} is not in the file" for name in ours if name not in theirs]
    problems += [f"{name} is not in the network" for name in theirs if name not in ours]
    problems += [
        f"{name} is {list(theirs[name])} in the file and {list(shape)} in the network"
        for name, shape in ours.items()
        if theirs.get(name, shape) != shape
    ]
    if problems:
        more = f" (and {len(problems) - 3} more)" if len(problems) > 3 else ""
        raise ValueError(
            f"{path} is not of the backbone that --config.model.backbone names: "
            f"{'; '.join(problems[:3])}{more}"
        )


def flags_for(conventions: Conventions) -> str:
    """The flags that give a config's network what weights with these conventions want."""
    return " ".join(
        f"--config.model.{name}={_flag(value)}"
        for name, value in dataclasses.asdict(conventions).items()
        if value is not None
    )


def _flag(value: Any) -> str:
    """A setting as one writes it behind a flag; the same for a tuple and JSON's list."""
    if isinstance(value, (list, tuple)):
        return f"'({', '.join(repr(float(number)) for number in value)})'"
    return str(value)


def _facts_path(path: str) -> str:
    if not path.endswith(_SUFFIX):
        raise ValueError(f"a converted file's name must end in {_SUFFIX}; it is {path!r}")
    return f"{path.removesuffix(_SUFFIX)}.json"


def _read_facts(path: str) -> dict[str, Any]:
    facts_path = _facts_path(path)
    for name in (path, facts_path):
        if not tf.io.gfile.exists(name):
            raise ValueError(
                f"{name} does not exist; tools/convert_weights.py writes {path} and {facts_path}"
            )
    facts = files.read_json(facts_path)
    needed = ("format", "source", "conventions", "weights", "initial")
    missing = [name for name in needed if name not in facts]
    missing += [name for name in (*_INPUT, *_NETWORK) if name not in facts.get("conventions", {})]
    if missing:
        raise ValueError(f"{facts_path} lacks {', '.join(missing)}; convert the weights again")
    return facts


@contextlib.contextmanager
def _local(path: str) -> Iterator[str]:
    """The file itself, or a copy where only TensorFlow can reach it (a bucket)."""
    if os.path.exists(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, f"backbone{_SUFFIX}")
        tf.io.gfile.copy(path, copy)
        yield copy
