"""A training step in each stage, ours next to PyTorch's, with the same weights and clip.

Every contestant is a process, so that its peak memory is its own; they take turns. What PyTorch
does is in `benchmarks.torch_training`. It is no dependency of this project, and needs an
environment of its own:

    python -m venv TORCH && TORCH/bin/pip install torch==2.14.1 torchvision==0.29.1
    python tools/benchmark.py train --torch_python TORCH/bin/python

Before anything is timed, PyTorch's logits and the losses before and after a step must be ours.
Dropout, which no two programs draw alike, is off.
"""

import contextlib
import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from benchmarks import measure
from benchmarks.step_processes import StepProcess
from stgraph_tf import config as defaults
from stgraph_tf import files, program
from stgraph_tf.modeling.builder import build_backbone
from stgraph_tf.training import stages

_SEED = 0
_TOLERANCE = 1e-4
# What bfloat16, with 8 bits of mantissa, may change of a loss.
_BFLOAT16_TOLERANCE = 0.05
_OURS = "stgraph_tf"
_RIVALS = {"PyTorch, eager": "eager", "PyTorch, compiled": "compiled"}


# Large enough for a step to show in the loss. At ten times as much, rounding shows, too: it decides
# which of two almost equal bins of RoIAlign is the larger one and gets the gradient.
_LEARNING_RATE = 1e-4
# The forward pass stands next to the stage that it is the measure of.
_WORK = {"graph": ("forward", "step"), "backbone": ("step",), "joint": ("step",)}


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is trained.

    Attributes:
        config: the settings of a run; None for the paper's ResNet-50 with both graphs.
        num_classes: classes to score, Charades' by default.
        stages: those that are measured.
        precisions: of `config.model.precision`, float32 first; None for float32, and bfloat16 where
            the processor multiplies it.
    """

    config: ConfigDict | None = None
    num_classes: int = 157
    stages: tuple[str, ...] = ("graph", "backbone", "joint")
    precisions: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Contestant:
    """A process, with the software's name and the precision that it computes in."""

    name: str
    precision: str
    process: StepProcess


def run(options: measure.Options, sizes: Sizes | None = None) -> measure.Report:
    """Measures, in seconds a step; `options.amount` is steps in a turn.

    Raises:
        ValueError: PyTorch's interpreter does not work, or what it computes is not what we do.
    """
    sizes = sizes or Sizes()
    config = (sizes.config or defaults.default()).copy_and_resolve_references()
    config.train.batch_size = 1
    config.train.reference_batch_size = 0
    config.model.dropout = 0.0
    rows, notes = [], []
    if options.torch_python:
        rival = f"PyTorch is {torch_version(options.torch_python)}"
    else:
        rival = "PyTorch was left out: --torch_python, its interpreter, was not given"
    for stage in sizes.stages:
        with _contestants(config, sizes, stage, options.torch_python) as contestants:
            sound, left_out = check(stage, contestants)
            measured = _take_turns(stage, sound, options)
        rows += measured
        notes += [*_ratios(stage, measured), *left_out]
    frames, crop = config.data.num_frames, config.data.crop_size
    title = (
        f"training steps of {config.model.backbone}, graph {config.model.graph}, of a clip of "
        f"{frames} x {crop} x {crop} with {config.data.num_boxes} boxes a feature frame"
    )
    return measure.Report(title, rows, [*notes, rival], seconds_each=True)


@contextlib.contextmanager
def _contestants(
    config: ConfigDict, sizes: Sizes, stage: str, torch_python: str | None
) -> Iterator[list[Contestant]]:
    """Starts a process for each software and precision."""
    config = config.copy_and_resolve_references()
    config.stages[stage].update(learning_rate=_LEARNING_RATE, decay_steps=(), warmup_steps=0)
    precisions = sizes.precisions or ("float32", "mixed_bfloat16")[: 1 + has_bfloat16()]
    num_classes = sizes.num_classes
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        inputs, settings = os.path.join(folder, "input.npz"), os.path.join(folder, "settings.json")
        arrays: dict[str, Any] = {
            **weights(config, num_classes, stage),
            **batch(config, num_classes),
        }
        np.savez(inputs, **arrays)
        files.write_json(settings, defaults.to_json(config))
        contestants = []
        for precision in precisions:
            commands = {_OURS: (sys.executable, "tensorflow_training", settings)}
            if torch_python:
                for name, mode in _RIVALS.items():
                    commands[name] = (torch_python, "torch_training", mode)
            for name, (python, module, argument) in commands.items():
                arguments = (inputs, stage, precision, argument)
                process = StepProcess(python, f"benchmarks.{module}", arguments)
                stack.callback(process.close)
                contestants.append(Contestant(name, precision, process))
        yield contestants


def check(stage: str, contestants: list[Contestant]) -> tuple[list[Contestant], list[str]]:
    """Lets every process make its first steps, which must come to what our first comes to.

    Returns:
        Those who take part, and a line on each who does not: other software that computes no number
        in bfloat16.

    Raises:
        ValueError: a contestant computes something else.
    """
    expected = None
    sound, left_out = [], []
    for contestant in contestants:
        found = contestant.process.ask("check")
        expected = expected or found
        brain = contestant.precision != "float32"
        who = f"{contestant.name} in {contestant.precision.removeprefix('mixed_')}, stage {stage!r}"
        if brain and contestant.name != _OURS and not np.isfinite(found["loss_after"]):
            left_out.append(f"{who}, is left out: its loss after a step is {found['loss_after']}")
            continue
        tolerance = _BFLOAT16_TOLERANCE if brain else _TOLERANCE
        for name in ("logits", "loss", "loss_after"):
            ours, theirs = np.asarray(expected[name]), np.asarray(found[name])
            error = np.max(np.abs(theirs - ours)) / np.max(np.abs(ours))
            logging.info("%s: %s differs by %.1e", who, name, error)
            if not error <= tolerance:
                raise ValueError(
                    f"{who}, has another {name.replace('_', ' ')} than stgraph_tf in float32: "
                    f"the relative difference is {error:.1e}, more than {tolerance:.0e}"
                )
        sound.append(contestant)
    return sound, left_out


def _take_turns(
    stage: str, contestants: list[Contestant], options: measure.Options
) -> list[measure.Row]:
    amount = options.amount or 2
    peaks = {}

    def turn(name: str, process: StepProcess, work: str) -> measure.Turn:
        answers = [process.ask(work) for _ in range(amount)]
        if work == "step":
            peaks[name] = answers[-1]["peak_bytes"]
        seconds, cpu = (sum(a[key] for a in answers) for key in ("seconds", "cpu_seconds"))
        return measure.Turn(amount, seconds, cpu)

    turns = {}
    for contestant in contestants:
        precision = contestant.precision.removeprefix("mixed_")
        for work in _WORK[stage]:
            what = stage if work == "step" else "forward pass alone"
            name = f"{what}: {contestant.name}, {precision}"
            turns[name] = functools.partial(turn, name, contestant.process, work)
            # Compiles what the check has not called.
            turns[name]()
    rows = measure.take_turns(turns, unit="steps", rounds=options.rounds)
    return [dataclasses.replace(row, peak_bytes=peaks.get(row.name)) for row in rows]


def _ratios(stage: str, rows: list[measure.Row]) -> Iterator[str]:
    """Lines that compare the rows of a stage, by the time that a step takes."""
    seconds = {row.name: 1 / row.rate for row in rows}
    for precision in ("float32", "bfloat16"):
        ours = seconds.get(f"{stage}: {_OURS}, {precision}")
        forward = seconds.get(f"forward pass alone: {_OURS}, {precision}")
        rivals = [seconds.get(f"{stage}: {name}, {precision}") for name in _RIVALS]
        if ours and forward:
            yield f"{stage}, {precision}: a step takes {ours / forward:.2f} forward passes"
        if ours and any(rivals):
            best = min(filter(None, rivals))
            yield f"{stage}, {precision}: {ours / best:.2f} of the time of PyTorch's best"
    brain, single = (seconds.get(f"{stage}: {_OURS}, {p}") for p in ("bfloat16", "float32"))
    if brain and single:
        yield f"{stage}: bfloat16 takes {brain / single:.2f} of the time of float32"


def weights(config: ConfigDict, num_classes: int, stage: str) -> dict[str, np.ndarray]:
    """Random weights by name, none of which is left at a value that hides a mistake."""
    keras.utils.set_random_seed(_SEED)
    random = np.random.default_rng(_SEED)
    weights = {}
    for variable in stages.build_model(config, stage, num_classes).weights:
        name = variable.path.split("/", 1)[1]
        value = keras.ops.convert_to_numpy(variable)
        kind = name.rsplit("/", 1)[1]
        if kind in ("gamma", "moving_variance"):
            # A block adds less than it is given, or sixteen of them would add up to too much.
            scale = 0.3 if name.endswith("/c/bn/gamma") else 1.0
            value = scale * random.uniform(0.5, 1.5, value.shape)
        elif kind in ("beta", "moving_mean", "bias"):
            value = random.normal(0, 0.1, value.shape)
        elif not value.any():
            value = random.normal(0, value.shape[0] ** -0.5, value.shape)
        weights[name] = value.astype(np.float32)
    return weights


def batch(config: ConfigDict, num_classes: int) -> dict[str, np.ndarray]:
    """A clip, and what PyTorch's side must know of the network and of the optimizer."""
    random = np.random.default_rng(_SEED)
    data, network = config.data, build_backbone(config.model)
    size = data.crop_size
    nodes = (1, data.num_frames // data.box_stride, data.num_boxes)
    corners = random.uniform(0, 0.6, [*nodes, 2])
    boxes = np.concatenate([corners, corners + random.uniform(0.1, 0.4, [*nodes, 2])], axis=-1)
    values = {
        "id": np.array(["clip"]),
        "frames": random.integers(0, 256, [1, data.num_frames, size, size, 3], np.uint8),
        "boxes": boxes.astype(np.float32),
        "mask": np.ones(nodes, bool),
        "labels": (random.random([1, num_classes]) < 0.1).astype(np.float32),
        "stem_stride": network.stem_stride,
        "pool1": (network.pool1_size, network.pool1_stride),
        "spatial_strides": network.spatial_strides,
        "learning_rate": _LEARNING_RATE,
        "momentum": config.train.momentum,
        "weight_decay": config.train.weight_decay,
        "num_threads": program.num_cores(),
    }
    return {f"input/{name}": np.asarray(value) for name, value in values.items()}


def torch_version(python: str) -> str:
    """The version of an interpreter's PyTorch.

    Raises:
        ValueError: it is no interpreter, or has no PyTorch or no torchvision.
    """
    try:
        done = subprocess.run(
            [python, "-c", "import torch, torchvision; print(torch.__version__)"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise ValueError(
            f"--torch_python must be an interpreter with PyTorch and torchvision; {python} says: "
            f"{lines[-1]}"
        ) from error
    return done.stdout.strip()


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16 itself; where it does not, it is no gain."""
    try:
        with open("/proc/cpuinfo") as file:
            known = file.read()
            return any(flag in known for flag in ("avx512_bf16", "amx_bf16"))
    except OSError:
        return False
