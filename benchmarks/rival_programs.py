"""Other software that scores clips, each in an interpreter that is given by a flag."""

import os
import subprocess
from collections.abc import Iterator

_MODES = {"PyTorch, eager": "eager", "PyTorch, compiled": "compiled"}
_PACKAGES = {
    "--torch_python": ("torch", "torchvision"),
    "--rivals_python": ("openvino", "onnxruntime", "tf2onnx", "tensorflow"),
}


def versions(torch_python: str | None, rivals_python: str | None) -> list[str]:
    """Lines on what takes part, in which version.

    Raises:
        ValueError: an interpreter is none, or lacks a package.
    """
    given = {"--torch_python": torch_python, "--rivals_python": rivals_python}
    lines = []
    for flag, python in given.items():
        packages = _PACKAGES[flag]
        if python is None:
            lines.append(
                f"{', '.join(packages[:2])} left out: {flag}, an interpreter, is not given"
            )
            continue
        code = f"""
import importlib.metadata as m
print(", ".join(name + " " + m.version(name) for name in {packages}))
"""
        lines.append(_output([python, "-c", code], f"{flag} must have {', '.join(packages)}"))
    return lines


def commands(
    torch_python: str | None,
    rivals_python: str | None,
    precision: str,
    *,
    saved_model: str,
    onnx: str | None,
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names, with an interpreter, a module of `benchmarks`, and its arguments after the first."""
    if torch_python:
        for name, mode in _MODES.items():
            yield name, (torch_python, "torch_scoring", precision, mode)
    if rivals_python:
        yield "OpenVINO", (rivals_python, "openvino_scoring", precision, saved_model)
    if rivals_python and onnx and precision == "float32":
        yield "ONNX Runtime", (rivals_python, "onnx_scoring", onnx)


# The input checks hide their tensors' shapes behind such nodes, which tf2onnx must be told to take
# for what they are given.
_HIDDEN = "StatefulPartitionedCall/PlaceholderWithDefault"
_MOST_HIDDEN = 10


def to_onnx(python: str, saved_model: str) -> str:
    """Converts `serving_default`; the new file's path.

    Raises:
        ValueError: tf2onnx fails, with its last line.
    """
    output = os.path.join(saved_model, "model.onnx")
    command = [python, "-m", "tf2onnx.convert", "--saved-model", saved_model, "--tag", "serve"]
    command += ["--signature_def", "serving_default", "--opset", "18", "--output", output]
    hidden = [_HIDDEN, *(f"{_HIDDEN}_{number}" for number in range(1, _MOST_HIDDEN))]
    command += ["--use_default", ",".join(hidden)]
    _output(command, "tf2onnx does not convert the exported model")
    return output


def _output(command: list[str], problem: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        lines = str(getattr(error, "stderr", None) or error).strip().splitlines()
        raise ValueError(f"{problem}; {command[0]} says: {lines[-1]}") from error
    return done.stdout.strip()
