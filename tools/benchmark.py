"""Measures how fast a part is, next to a bound and to other software, on this machine.

    python tools/benchmark.py input

The first argument says which part:
    input      reading training clips from shards
    prepare    making shards of films
    proposals  finding boxes on films
    train      training steps of each stage; PyTorch's too, with --torch_python
    evaluate   scoring videos on whole frames, in batches of several sizes
    load       the local server: right answers at saturation, malformed requests, and its end
    serve      scoring clips with the exported model; PyTorch too, with --torch_python, and
               OpenVINO and ONNX Runtime, with --rivals_python
    startup    --help of every program, and importing the library
"""

import importlib
import os
import sys

from absl import app, flags

from stgraph_tf import program

# What can be measured, and the module that does it: `run(measure.Options) -> measure.Report`.
BENCHMARKS = {
    "input": "benchmarks.input",
    "prepare": "benchmarks.preparation",
    "proposals": "benchmarks.proposals",
    "train": "benchmarks.training",
    "evaluate": "benchmarks.evaluation",
    "load": "benchmarks.load",
    "serve": "benchmarks.serving",
    "startup": "benchmarks.startup",
}

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Turns that everyone has.", lower_bound=1)
_AMOUNT = flags.DEFINE_integer(
    "amount",
    None,
    "Work in a turn: clips for `input`, `evaluate` and `serve`, requests for `load`, steps for "
    "`train`, starts for `startup`, films for the others; by default, as much as is right.",
    lower_bound=1,
)
_PROFILE = flags.DEFINE_bool("profile", False, "Also say where the time goes.")
_TORCH_PYTHON = flags.DEFINE_string(
    "torch_python",
    None,
    "Interpreter of an environment with PyTorch, which `train` and `serve` compare with: "
    "python -m venv DIR && DIR/bin/pip install torch==2.14.1 torchvision==0.29.1",
)
_RIVALS_PYTHON = flags.DEFINE_string(
    "rivals_python",
    None,
    "Interpreter of an environment with OpenVINO, ONNX Runtime and tf2onnx, which `serve` compares "
    "with: python -m venv DIR && DIR/bin/pip install openvino onnxruntime tf2onnx "
    "tensorflow==2.20.0",
)
_MODEL_BASE_PATH = flags.DEFINE_string(
    "model_base_path",
    None,
    "Folder of an exported model's versions, which `load` serves; by default, a small model that "
    "is made for it.",
)
_MALFORMED = flags.DEFINE_integer(
    "malformed", 10_000, "Malformed requests that `load` sends, in all turns.", lower_bound=0
)
_JSON = flags.DEFINE_string("json", None, "File to write all figures to.")


def main(argv):
    if len(argv) != 2 or argv[1] not in BENCHMARKS:
        raise app.UsageError(f"expected one of {', '.join(BENCHMARKS)}, received {argv[1:]}")
    # The benchmarks are no part of the installed package.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

    from benchmarks import measure
    from stgraph_tf import files

    benchmark = importlib.import_module(BENCHMARKS[argv[1]])
    report = benchmark.run(
        measure.Options(
            _ROUNDS.value,
            _AMOUNT.value,
            _PROFILE.value,
            _TORCH_PYTHON.value,
            _RIVALS_PYTHON.value,
            _MODEL_BASE_PATH.value,
            _MALFORMED.value,
        )
    )
    print(measure.table(report))
    if _JSON.value:
        files.write_json(_JSON.value, report.to_json())


if __name__ == "__main__":
    program.run(main)
