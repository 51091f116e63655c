"""Scoring a clip with the exported model, next to the trained one and to other software.

Every contestant is a process with the same weights and clip, so that its peak memory is its own;
those of a precision take turns. Before anything is timed, everybody's scores must be the trained
model's; a rival that cannot run the model, or has other scores, is left out by name.

The rivals are no dependencies of this project, and need environments of their own:

    python -m venv TORCH && TORCH/bin/pip install torch==2.14.1 torchvision==0.29.1
    python -m venv RIVALS && RIVALS/bin/pip install openvino onnxruntime tf2onnx tensorflow==2.20.0
    python tools/benchmark.py serve --torch_python TORCH/bin/python \\
        --rivals_python RIVALS/bin/python

PyTorch has the same network of its own (`benchmarks.torch_scoring`). OpenVINO reads the exported
model as it is, and ONNX Runtime what tf2onnx makes of it.
"""

import contextlib
import dataclasses
import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from absl import logging
from ml_collections import ConfigDict

from benchmarks import measure, rival_programs, training
from benchmarks.step_processes import StepProcess
from stgraph_tf import config as defaults
from stgraph_tf import files
from stgraph_tf.serving import assets, export, verification
from stgraph_tf.training import stages

EXPORTED, TRAINED = "exported", "Keras, as trained"
_WITHOUT_GRAPH = "exported, no graph (i3d)"
_OURS = (EXPORTED, TRAINED, _WITHOUT_GRAPH)
_BATCHES = (2, 4)
_CLIENTS = (2, 4)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is scored.

    Attributes:
        config: the settings of a run; None for the paper's ResNet-50 with both graphs.
        num_classes: classes to score, Charades' by default.
        precisions: of `optimize.PRECISIONS`, float32 first; None for float32, and bfloat16 where
            the processor multiplies it.
    """

    config: ConfigDict | None = None
    num_classes: int = 157
    precisions: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class _Models:
    """The files that the contestants read.

    Attributes:
        inputs: weights by name, and a clip.
        settings: the config.
        exported: SavedModels by precision.
        without_graph: likewise, of the network whose graph is "none".
        onnx: what ONNX Runtime reads; None without it.
        problem: a line that says why there is no `onnx` though it was asked for; empty otherwise.
    """

    inputs: str
    settings: str
    exported: Mapping[str, str]
    without_graph: Mapping[str, str]
    onnx: str | None
    problem: str


def run(options: measure.Options, sizes: Sizes | None = None) -> measure.Report:
    """Measures, in seconds a clip; `options.amount` is clips in a turn, for each client.

    Raises:
        ValueError: a rival's interpreter does not work, or our scores are not the trained model's.
    """
    sizes = sizes or Sizes()
    config = (sizes.config or defaults.default()).copy_and_resolve_references()
    config.model.dropout = 0.0
    precisions = sizes.precisions or ("float32", "bfloat16")[: 1 + training.has_bfloat16()]
    rivals = rival_programs.versions(options.torch_python, options.rivals_python)
    rows: list[measure.Row] = []
    notes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        models = _write(folder, config, sizes.num_classes, precisions, options.rivals_python)
        notes += filter(None, [models.problem])
        for precision in precisions:
            measured, lines = _measure(models, precision, options)
            rows += measured
            notes += lines
    frames, crop = config.data.num_frames, config.data.crop_size
    title = (
        f"scoring clips with {config.model.backbone}, graph {config.model.graph}, of "
        f"{frames} x {crop} x {crop} with {config.data.num_boxes} boxes a feature frame"
    )
    return measure.Report(title, rows, [*notes, *rivals], seconds_each=True)


def _write(
    folder: str,
    config: ConfigDict,
    num_classes: int,
    precisions: tuple[str, ...],
    rivals_python: str | None,
) -> _Models:
    """Writes the weights and exports the models."""
    inputs, settings = os.path.join(folder, "input.npz"), os.path.join(folder, "settings.json")
    batch = training.batch(config, num_classes)
    arrays: dict[str, Any] = {**training.weights(config, num_classes, "joint"), **batch}
    np.savez(inputs, **arrays)
    files.write_json(settings, defaults.to_json(config))
    exported = {p: os.path.join(folder, p) for p in precisions}
    without_graph = {p: os.path.join(folder, f"{p}_i3d") for p in precisions}
    # The stage of the backbone trains the network without a graph.
    for stage, paths in (("joint", exported), ("backbone", without_graph)):
        model = untrained(config, stage, num_classes)
        for precision, path in paths.items():
            labels = [f"class {number}" for number in range(num_classes)]
            export.save(path, model, labels, clip_spec(config), precision=precision)
    onnx, problem = None, ""
    if rivals_python and "float32" in exported:
        try:
            onnx = rival_programs.to_onnx(rivals_python, exported["float32"])
        except ValueError as error:
            problem = f"ONNX Runtime is left out: {error}"
    return _Models(inputs, settings, exported, without_graph, onnx, problem)


def untrained(config: ConfigDict, stage: str, num_classes: int) -> keras.Model:
    """A network with random weights, none of which is left at a value that hides a mistake."""
    model = stages.build_model(config, stage, num_classes)
    weights = training.weights(config, num_classes, stage)
    for variable in model.weights:
        variable.assign(weights[variable.path.split("/", 1)[1]])
    return model


def clip_spec(config: ConfigDict) -> assets.ClipSpec:
    """How clips are cut, for a model that never saw a film."""
    return assets.ClipSpec(
        model="benchmark",
        checkpoint="random weights",
        loss="sigmoid",
        multi_label=True,
        frame_rate=6.0,
        stored_short_side=config.data.crop_size,
        short_side=config.data.crop_size,
        num_frames=config.data.num_frames,
        box_stride=config.data.box_stride,
        num_boxes=config.data.num_boxes,
        num_clips=1,
    )


@contextlib.contextmanager
def _contestants(
    models: _Models, precision: str, options: measure.Options
) -> Iterator[dict[str, StepProcess]]:
    """Starts a process for each, ours first."""
    ours = (sys.executable, "tensorflow_scoring")
    policy = "float32" if precision == "float32" else f"mixed_{precision}"
    commands = {
        EXPORTED: (*ours, "exported", models.exported[precision]),
        TRAINED: (*ours, "trained", policy, models.settings),
        _WITHOUT_GRAPH: (*ours, "exported", models.without_graph[precision]),
    }
    commands |= rival_programs.commands(
        options.torch_python,
        options.rivals_python,
        precision,
        saved_model=models.exported["float32"],
        onnx=models.onnx,
    )
    with contextlib.ExitStack() as stack:
        processes = {}
        for name, (python, module, *arguments) in commands.items():
            process = StepProcess(python, f"benchmarks.{module}", [models.inputs, *arguments])
            stack.callback(process.close)
            processes[name] = process
        yield processes


def _measure(
    models: _Models, precision: str, options: measure.Options
) -> tuple[list[measure.Row], list[str]]:
    amount = options.amount or 2
    with _contestants(models, precision, options) as contestants:
        answers, left_out = check(contestants, precision)
        contestants = {name: contestants[name] for name in answers}
        peaks = {f"{name}, {precision}": answer["peak_bytes"] for name, answer in answers.items()}
        turns = {
            f"{name}, {precision}": functools.partial(_turn, process, ["score 1"] * amount, 1)
            for name, process in contestants.items()
        }
        exported = contestants[EXPORTED]
        for batch in _BATCHES:
            name = f"exported, batches of {batch}, {precision}"
            turns[name] = functools.partial(_turn, exported, [f"score {batch}"], batch)
        for clients in _CLIENTS:
            name = f"exported, {clients} clients at a time, {precision}"
            command = f"concurrent {clients} {amount}"
            turns[name] = functools.partial(_turn, exported, [command], clients * amount)
        for warm_up in turns.values():
            warm_up()
        rows = measure.take_turns(turns, unit="clips", rounds=options.rounds)
        most = exported.ask("score 1")["peak_bytes"]
    rows = [dataclasses.replace(row, peak_bytes=peaks.get(row.name)) for row in rows]
    lines = [*ratios(rows, precision), *left_out, *_loading(answers, precision)]
    lines.append(f"exported, {precision}, after batches and clients: peak {most / 2**30:.2f} GiB")
    return rows, lines


def _turn(process: StepProcess, commands: list[str], clips: int) -> measure.Turn:
    """Gives commands, each for as many clips."""
    answers = [process.ask(command) for command in commands]
    seconds, cpu = (sum(answer[key] for answer in answers) for key in ("seconds", "cpu_seconds"))
    return measure.Turn(clips * len(commands), seconds, cpu)


def check(
    contestants: Mapping[str, StepProcess], precision: str
) -> tuple[dict[str, dict], list[str]]:
    """Lets everybody score the clip, and compares the scores with the trained model's.

    Returns:
        The answers of those who take part, and a line on each rival that does not.

    Raises:
        ValueError: one of ours fails, or has other scores.
    """
    # The trained model first.
    order = sorted(contestants, key=lambda name: name != TRAINED)
    answers: dict[str, dict[str, Any]] = {}
    left_out = []
    for name in order:
        try:
            answer = contestants[name].ask("check")
            if name != _WITHOUT_GRAPH:
                expected = answers.get(TRAINED, answer)["scores"]
                _compare(np.asarray(answer["scores"]), np.asarray(expected), precision)
        except ValueError as error:
            line = f"{name}, {precision}: {error}"
            if name in _OURS:
                raise ValueError(line) from error
            logging.warning("left out: %s", line)
            left_out.append(f"left out: {line}")
        else:
            answers[name] = answer
    return {name: answers[name] for name in contestants if name in answers}, left_out


def _compare(scores: np.ndarray, expected: np.ndarray, precision: str) -> None:
    difference = np.max(np.abs(scores - expected))
    tolerance = verification.TOLERANCES[precision]
    if not difference <= tolerance:
        raise ValueError(
            f"its scores differ from the trained model's by {difference:.1e}, more than "
            f"{tolerance:.0e}"
        )


def ratios(rows: list[measure.Row], precision: str) -> Iterator[str]:
    """Lines that compare the rows of a precision, by the time that a clip takes."""
    seconds = {row.name.removesuffix(f", {precision}"): 1 / row.rate for row in rows}
    ours = seconds[EXPORTED]
    best_of: dict[str, Callable[[str], bool]] = {
        TRAINED: lambda name: name == TRAINED,
        "PyTorch's best": lambda name: name.startswith("PyTorch"),
        "OpenVINO": lambda name: name.startswith("OpenVINO"),
        "ONNX Runtime": lambda name: name.startswith("ONNX"),
    }
    for rival, matches in best_of.items():
        times = [time for name, time in seconds.items() if matches(name)]
        if times:
            yield f"{precision}: {rival} takes {min(times) / ours:.2f} times as long as exported"
    share = ours / seconds[_WITHOUT_GRAPH] - 1
    yield f"{precision}: the graph part adds {share:.1%} to the network without a graph"


def _loading(answers: Mapping[str, Mapping], precision: str) -> Iterator[str]:
    for name, answer in answers.items():
        scores = np.asarray(answer["scores"])
        yield (
            f"{name}, {precision}: loads in {answer['load_seconds']:.1f} s, scores its first clip "
            f"in {answer['seconds']:.1f} s (scores {scores.min():.3f} to {scores.max():.3f})"
        )
