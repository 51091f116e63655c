"""The exported model in OpenVINO, scoring.

Run by an interpreter that has OpenVINO (see `benchmarks.serving`):

    python -m benchmarks.openvino_scoring INPUT.npz PRECISION SAVED_MODEL_OR_ONNX
"""

import sys
from typing import Any

import numpy as np
import openvino

from benchmarks import step_processes

_PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoScorer:
    """A `step_processes.Scorer`, compiled for least latency and for the very shapes of the clip."""

    def __init__(self, path: str, precision: str, model: str):
        with np.load(path) as file:
            self._clip = {name: file[f"input/{name}"] for name in ("frames", "boxes")}
        network = openvino.convert_model(model)
        network.reshape({name: list(value.shape) for name, value in self._clip.items()})
        settings = {
            "INFERENCE_PRECISION_HINT": _PRECISIONS[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        self._request = openvino.compile_model(network, "CPU", settings).create_infer_request()

    def check(self) -> dict[str, Any]:
        return {"scores": self._scores().tolist()}

    def score(self, batch: int) -> None:
        if batch != 1:
            raise ValueError("the network was compiled for a single clip")
        self._scores()

    def _scores(self) -> np.ndarray:
        return self._request.infer(self._clip)["scores"]


if __name__ == "__main__":
    step_processes.serve(lambda: OpenVinoScorer(*sys.argv[1:4]))
