"""The same network in PyTorch, scoring: `benchmarks.torch_training` without the training.

Run by an interpreter that has PyTorch and torchvision (see `benchmarks.serving`):

    python -m benchmarks.torch_scoring INPUT.npz PRECISION {eager,compiled}
"""

import sys
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import step_processes
from benchmarks.torch_training import Backbone, Head, Weights


class Classifier(nn.Module):
    """Frames and boxes to scores."""

    def __init__(self, arrays: dict[str, np.ndarray], bfloat16: bool):
        super().__init__()
        numbers = {name: arrays.pop(name) for name in list(arrays) if name.startswith("input/")}
        weights = Weights(arrays)
        strides = numbers["input/spatial_strides"].tolist()
        stem_stride, pool1 = (
            numbers[f"input/{name}"].tolist() for name in ("stem_stride", "pool1")
        )
        self._backbone = Backbone(weights, stem_stride, pool1, strides)
        self._head = Head(weights, graph=True)
        self._bfloat16 = bfloat16

    def forward(self, frames: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16):
            logits = self._head(self._backbone(frames), boxes)
        return logits.float().sigmoid()


class TorchScorer:
    """A `step_processes.Scorer`."""

    def __init__(self, path: str, precision: str, mode: str):
        with np.load(path) as file:
            arrays = dict(file)
        self._frames, self._boxes = (
            torch.from_numpy(arrays[f"input/{name}"]) for name in ("frames", "boxes")
        )
        torch.set_num_threads(int(arrays["input/num_threads"]))
        self._score = Classifier(arrays, bfloat16=precision != "float32").eval()
        if mode == "compiled":
            self._score = torch.compile(self._score)

    def check(self) -> dict[str, Any]:
        with torch.inference_mode():
            return {"scores": self._score(self._frames, self._boxes).tolist()}

    def score(self, batch: int) -> None:
        frames, boxes = (
            torch.cat([tensor] * batch) if batch > 1 else tensor
            for tensor in (self._frames, self._boxes)
        )
        with torch.inference_mode():
            self._score(frames, boxes).numpy()


if __name__ == "__main__":
    step_processes.serve(lambda: TorchScorer(*sys.argv[1:4]))
