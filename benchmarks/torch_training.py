"""The same network and the same training step in PyTorch, as its users would write it.

Run by an interpreter that has PyTorch and torchvision (see `benchmarks.training`):

    python -m benchmarks.torch_training INPUT.npz STAGE PRECISION {eager,compiled}

INPUT.npz holds our weights by name, and a batch. Activations and kernels lie `channels_last_3d`;
batch normalization, always frozen, is PyTorch's own in evaluation mode; SGD is the fused one. All
boxes of the batch are valid, so there is no mask.
"""

import contextlib
import sys
from typing import Any

import numpy as np
import torch
import torchvision
from torch import nn
from torch.nn import functional

from benchmarks import step_processes

_LAST = torch.channels_last_3d


class Weights:
    """Our weights, by our names, in PyTorch's layouts."""

    def __init__(self, arrays: dict[str, np.ndarray]):
        self._arrays = arrays

    def __contains__(self, layer: str) -> bool:
        return any(name.startswith(f"{layer}/") for name in self._arrays)

    def __getitem__(self, name: str) -> torch.Tensor:
        return torch.from_numpy(self._arrays[name])

    def kernel(self, layer: str) -> nn.Parameter:
        """Of a convolution, `[out, in, t, h, w]`, or of a matrix product, `[out, in]`."""
        kernel = self[f"{layer}/kernel"]
        if kernel.ndim == 2:
            return nn.Parameter(kernel.T.contiguous())
        return nn.Parameter(kernel.permute(4, 3, 0, 1, 2).contiguous(memory_format=_LAST))


class ConvolutionBN(nn.Module):
    def __init__(self, weights: Weights, name: str, stride=(1, 1, 1)):
        super().__init__()
        kernel = weights.kernel(f"{name}/conv")
        outputs, inputs, *size = kernel.shape
        padding = [side // 2 for side in size]
        self.conv = nn.Conv3d(inputs, outputs, size, stride, padding, bias=False)
        self.conv.weight = kernel
        self.norm = nn.BatchNorm3d(outputs, eps=1e-5)
        self.norm.weight = nn.Parameter(weights[f"{name}/bn/gamma"], requires_grad=False)
        self.norm.bias = nn.Parameter(weights[f"{name}/bn/beta"], requires_grad=False)
        self.norm.running_mean = weights[f"{name}/bn/moving_mean"]
        self.norm.running_var = weights[f"{name}/bn/moving_variance"]

    def train(self, mode: bool = True) -> "ConvolutionBN":
        super().train(mode)
        self.norm.eval()  # frozen
        return self

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


class Bottleneck(nn.Module):
    def __init__(self, weights: Weights, name: str, stride: int):
        super().__init__()
        in_space = (1, stride, stride)
        self.a = ConvolutionBN(weights, f"{name}/a")
        self.b = ConvolutionBN(weights, f"{name}/b", in_space)
        self.c = ConvolutionBN(weights, f"{name}/c")
        self.shortcut = None
        if f"{name}/shortcut" in weights:
            self.shortcut = ConvolutionBN(weights, f"{name}/shortcut", in_space)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.relu(self.a(x), inplace=True)
        y = functional.relu(self.b(y), inplace=True)
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return functional.relu(self.c(y) + shortcut, inplace=True)


class Backbone(nn.Module):
    """A `ResNet3D` of ours without non-local blocks, and the reduction behind it."""

    def __init__(self, weights: Weights, stem_stride, pool1, strides):
        super().__init__()
        self.stem = ConvolutionBN(weights, "backbone/conv1", stem_stride)
        self.pool1 = pool1
        self.stages = nn.ModuleList()
        for index, stride in enumerate(strides):
            blocks = nn.Sequential()
            while (name := f"backbone/res{index + 2}_{len(blocks)}") in weights:
                blocks.append(Bottleneck(weights, name, 1 if len(blocks) else stride))
            self.stages.append(blocks)
        kernel = weights.kernel("reduction")
        self.reduction = nn.Conv3d(kernel.shape[1], kernel.shape[0], 1)
        self.reduction.weight = kernel
        self.reduction.bias = nn.Parameter(weights["reduction/bias"])

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """uint8 `[B, T, H, W, 3]` to `[B, d, T', H', W']`."""
        x = ((frames.float() - 114.75) / 57.375).permute(0, 4, 1, 2, 3)
        x = functional.relu(self.stem(x), inplace=True)
        size, stride = self.pool1
        x = functional.max_pool3d(x, size, stride, [0, *(side // 2 for side in size[1:])])
        for index, stage in enumerate(self.stages):
            x = stage(x)
            if index == 0:
                x = functional.max_pool3d(x, (3, 1, 1), (2, 1, 1), (1, 0, 0))
        return self.reduction(x)


class Linear(nn.Linear):
    def __init__(self, weights: Weights, name: str):
        kernel = weights.kernel(name)
        bias = f"{name}/bias" in weights._arrays
        super().__init__(kernel.shape[1], kernel.shape[0], bias=bias)
        self.weight = kernel
        if bias:
            self.bias = nn.Parameter(weights[f"{name}/bias"])


class Branch(nn.Module):
    """Graph convolutions; `multiply` are the products with each graph of a layer."""

    def __init__(self, weights: Weights, name: str, graphs: list[str]):
        super().__init__()
        self.layers, self.norms = nn.ModuleList(), nn.ModuleList()
        while f"{name}/{graphs[0]}_{len(self.layers)}" in weights:
            index = len(self.layers)
            self.layers.append(
                nn.ModuleList([Linear(weights, f"{name}/{graph}_{index}") for graph in graphs])
            )
        for index in range(len(self.layers) - 1):
            norm = nn.LayerNorm(self.layers[0][0].out_features, eps=1e-5)
            norm.weight = nn.Parameter(weights[f"{name}/norm_{index}/gamma"])
            norm.bias = nn.Parameter(weights[f"{name}/norm_{index}/beta"])
            self.norms.append(norm)

    def forward(self, nodes: torch.Tensor, multiply) -> torch.Tensor:
        for index, layer in enumerate(self.layers):
            products = zip(multiply, layer, strict=True)
            nodes = sum(product(linear(nodes)) for product, linear in products)
            if index < len(self.norms):
                nodes = functional.relu(self.norms[index](nodes))
        return nodes


class Head(nn.Module):
    """Regions, both graphs, graph convolutions and the classifier; or the classifier alone."""

    def __init__(self, weights: Weights, graph: bool):
        super().__init__()
        self.graph = graph
        if graph:
            self.query = Linear(weights, "similarity_graph/query")
            self.key = Linear(weights, "similarity_graph/key")
            self.similarity = Branch(weights, "similarity_branch", ["similarity"])
            self.spatial_temporal = Branch(weights, "spatial_temporal_branch", ["front", "back"])
        self.classifier = Linear(weights, "classifier")

    def forward(self, features: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        pooled = features.float().mean(dim=(2, 3, 4))
        if self.graph:
            pooled = torch.cat([pooled, self._reason(features, boxes)], dim=-1)
        with torch.autocast("cpu", enabled=False):
            return self.classifier(pooled)

    def _reason(self, features: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        batch, _, time, height, width = features.shape
        frames = features.permute(0, 2, 1, 3, 4).flatten(0, 1)
        size = boxes.new_tensor([width, height, width, height])
        corners = boxes.flatten(0, 1)[..., [1, 0, 3, 2]] * size
        regions = torchvision.ops.roi_align(
            frames, list(corners), (7, 7), sampling_ratio=2, aligned=True
        )
        nodes = regions.amax(dim=(2, 3)).reshape(batch, time, boxes.shape[2], -1)
        flat = nodes.flatten(1, 2)
        affinity = self.query(flat) @ self.key(flat).transpose(1, 2)
        similarity = affinity.float().softmax(dim=-1)
        overlap = _intersection_over_union(boxes[:, :-1], boxes[:, 1:])
        front, back = _normalized(overlap), _normalized(overlap.transpose(-1, -2))
        updated = self.similarity(flat, [lambda x: similarity.to(x.dtype) @ x])
        updated = updated.reshape(nodes.shape) + self.spatial_temporal(
            nodes,
            [
                lambda x: functional.pad(front.to(x.dtype) @ x[:, 1:], (0, 0, 0, 0, 0, 1)),
                lambda x: functional.pad(back.to(x.dtype) @ x[:, :-1], (0, 0, 0, 0, 1, 0)),
            ],
        )
        return updated.float().mean(dim=(1, 2))


def _intersection_over_union(boxes: torch.Tensor, others: torch.Tensor) -> torch.Tensor:
    boxes, others = boxes[..., :, None, :], others[..., None, :, :]
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    intersection = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(b[..., 2:] - b[..., :2]).prod(dim=-1) for b in (boxes, others)]
    return intersection / (areas[0] + areas[1] - intersection)


def _normalized(overlap: torch.Tensor) -> torch.Tensor:
    total = overlap.sum(dim=-1, keepdim=True)
    return torch.where(total > 0, overlap / total.clamp(min=1e-30), 0.0)


class TorchTraining:
    """A `step_processes.Contestant`."""

    def __init__(self, path: str, stage: str, precision: str, mode: str):
        with np.load(path) as file:
            arrays = dict(file)
        numbers = {name: arrays.pop(name) for name in list(arrays) if name.startswith("input/")}
        self._frames, self._boxes, self._labels = (
            torch.from_numpy(numbers[f"input/{name}"]) for name in ("frames", "boxes", "labels")
        )
        torch.set_num_threads(int(numbers["input/num_threads"]))
        strides = numbers["input/spatial_strides"].tolist()
        pool1 = numbers["input/pool1"].tolist()
        weights = Weights(arrays)
        self._fixed, self._bfloat16 = stage == "graph", precision != "float32"
        self._backbone = Backbone(weights, numbers["input/stem_stride"].tolist(), pool1, strides)
        self._head = Head(weights, graph=stage != "backbone")
        self._backbone.train()
        trained: list[nn.Module] = [self._head] if self._fixed else [self._backbone, self._head]
        parameters = [p for part in trained for p in part.parameters() if p.requires_grad]
        decay = float(numbers["input/weight_decay"])
        self._optimizer = torch.optim.SGD(
            [
                # Kernels have two dimensions or more; biases and normalization have one.
                {"params": [p for p in parameters if p.ndim > 1], "weight_decay": decay},
                {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
            ],
            lr=float(numbers["input/learning_rate"]),
            momentum=float(numbers["input/momentum"]),
            fused=True,
        )
        self._features, self._loss = self._compute_features, self._compute_loss
        if mode == "compiled":
            self._features = torch.compile(self._features)
            self._loss = torch.compile(self._loss)

    def _precision(self) -> contextlib.AbstractContextManager:
        return torch.autocast("cpu", torch.bfloat16, enabled=self._bfloat16)

    def _compute_features(self, frames: torch.Tensor) -> torch.Tensor:
        with self._precision():
            return self._backbone(frames)

    def _compute_loss(
        self, inputs: torch.Tensor, boxes: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Of frames, or of features where they are fixed."""
        with self._precision():
            features = inputs if self._fixed else self._backbone(inputs)
            logits = self._head(features, boxes)
        return functional.binary_cross_entropy_with_logits(logits, labels), logits

    def _train(self) -> tuple[torch.Tensor, torch.Tensor]:
        inputs = self._frames
        if self._fixed:
            with torch.no_grad():
                inputs = self._features(inputs)
        self._optimizer.zero_grad(set_to_none=True)
        loss, logits = self._loss(inputs, self._boxes, self._labels)
        loss.backward()
        self._optimizer.step()
        return loss, logits

    def check(self) -> dict[str, Any]:
        loss, logits = self._train()
        after, _ = self._train()
        return {"logits": logits.tolist(), "loss": loss.item(), "loss_after": after.item()}

    def step(self) -> None:
        self._train()

    def forward(self) -> None:
        with torch.no_grad():
            self._features(self._frames)


if __name__ == "__main__":
    step_processes.serve(lambda: TorchTraining(*sys.argv[1:5]))
