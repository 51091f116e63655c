"""The exported model in ONNX Runtime, scoring.

Run by an interpreter that has ONNX Runtime (see `benchmarks.serving`):

    python -m benchmarks.onnx_scoring INPUT.npz MODEL.onnx

Its processor kernels compute in float32.
"""

import sys
from typing import Any

import numpy as np
import onnxruntime

from benchmarks import step_processes


class OnnxScorer:
    """A `step_processes.Scorer`, with all of ONNX Runtime's optimizations of the graph."""

    def __init__(self, path: str, model: str):
        with np.load(path) as file:
            self._clip = {name: file[f"input/{name}"] for name in ("frames", "boxes")}
            threads = int(file["input/num_threads"])
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session = onnxruntime.InferenceSession(
            model, options, providers=["CPUExecutionProvider"]
        )

    def check(self) -> dict[str, Any]:
        return {"scores": self._scores(self._clip).tolist()}

    def score(self, batch: int) -> None:
        self._scores({name: np.repeat(value, batch, axis=0) for name, value in self._clip.items()})

    def _scores(self, clips: dict[str, np.ndarray]) -> np.ndarray:
        return self._session.run(["scores"], clips)[0]


if __name__ == "__main__":
    step_processes.serve(lambda: OnnxScorer(*sys.argv[1:3]))
