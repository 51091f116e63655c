"""Filling a backbone from a foreign file, with account of every tensor on either side.

Every tensor of the file is used or dropped for a reason that the report gives; every weight of the
backbone is filled, or left at its initial value and listed. Anything else is an error that names
the tensor.

A weight is named by its path below the backbone: `res2_0/a/conv/kernel`, `conv1/bn/gamma`,
`nonlocal3_1/theta/bias`.
"""

import abc
import dataclasses
import re
from collections.abc import Mapping

import keras
import numpy as np

from stgraph_tf.modeling import ResNet3D
from stgraph_tf.weights.inflate import inflate

# Problems told in one message; a file of the wrong network has hundreds.
_MAX_TOLD = 6


@dataclasses.dataclass(frozen=True)
class Conventions:
    """What the network must do for weights to mean what they meant where they were trained.

    Attributes:
        channel_order: "rgb" or "bgr".
        input_mean: subtracted from the pixels in [0, 255], in that order of channels.
        input_std: what they are divided by then.
        stride_on_1x1: whether a stage's stride lies on the first convolution of its first block.
        pool1_padded: whether the pool after conv1 is padded in space.
        pool2_size: of the temporal pool after res2; None for weights from 2-D networks, which have
            no such pool and fit any.
    """

    channel_order: str
    input_mean: tuple[float, float, float]
    input_std: tuple[float, float, float]
    stride_on_1x1: bool
    pool1_padded: bool
    pool2_size: int | None


@dataclasses.dataclass(frozen=True)
class Report:
    """What became of the tensors.

    Attributes:
        used: for each filled weight, the tensors that it was made of.
        dropped: for each tensor that was left out, why.
        initial: the weights that keep their initial values.
        inflated: the weights that were copied over time.
    """

    used: dict[str, tuple[str, ...]]
    dropped: dict[str, str]
    initial: tuple[str, ...]
    inflated: tuple[str, ...]


class MissingTensorError(KeyError):
    """A tensor that a weight needs is not in the file; its argument is the tensor's name."""


class Source(abc.ABC):
    """The tensors of a foreign file.

    Args:
        path: the file, for messages.
        tensors: its arrays by name.

    Attributes:
        format: the name of the format.
        conventions: what the network must do for these weights.
        dropped: patterns of whole names that are deliberately left out, each with the reason.
        batch_norm: a note on where batch normalization's statistics come from.
    """

    format: str
    conventions: Conventions
    dropped: Mapping[str, str]
    batch_norm = "scale, shift and moving statistics as in the file"

    def __init__(self, path: str, tensors: Mapping[str, np.ndarray]):
        self.path = path
        self.tensors = dict(tensors)
        self.taken: list[str] = []

    @abc.abstractmethod
    def value(self, weight: str) -> np.ndarray | None:
        """The value of a weight of the backbone, from what `take` gives.

        Args:
            weight: its path below the backbone.

        Returns:
            An array in Keras' layout, a kernel 2-D `[h, w, in, out]` or 3-D `[t, h, w, in, out]`;
            None when the source's network has no such part, so that the weight stays as it is.

        Raises:
            MissingTensorError: when a tensor that is needed is not there.
        """

    def take(self, name: str) -> np.ndarray:
        """Gives a tensor as float32 and notes that it was used."""
        if name not in self.tensors:
            raise MissingTensorError(name)
        self.taken.append(name)
        return np.asarray(self.tensors[name], np.float32)


def assign(backbone: ResNet3D, source: Source) -> Report:
    """Fills `backbone` from `source`; changes nothing when there is any problem.

    2-D kernels are inflated to the backbone's temporal kernels.

    Raises:
        ValueError: naming the tensors that are missing, extra, misshapen or not finite.
    """
    values: dict[str, np.ndarray] = {}
    used: dict[str, tuple[str, ...]] = {}
    initial, inflated, problems = [], [], []
    weights = named_weights(backbone)
    for name, weight in weights.items():
        source.taken.clear()
        try:
            value = source.value(name)
        except MissingTensorError as error:
            problems.append(f"{error.args[0]} is missing, which {name} is made of")
            continue
        if value is None:
            initial.append(name)
            continue
        used[name] = tuple(source.taken)
        if value.ndim == 4 and len(weight.shape) == 5:
            value = inflate(value, weight.shape[0])
            inflated.append(name)
        values[name] = value
        problems.extend(_problems(source, name, weight, value))
    dropped, extra = _leftovers(source, {tensor for names in used.values() for tensor in names})
    problems.extend(f"{name} has no place in the network" for name in extra)
    if problems:
        told = "; ".join(problems[:_MAX_TOLD])
        more = len(problems) - _MAX_TOLD
        rest = f"; and {more} more" if more > 0 else ""
        raise ValueError(f"{source.path} does not fit the backbone: {told}{rest}")
    for name, value in values.items():
        weights[name].assign(value)
    return Report(used, dropped, tuple(initial), tuple(inflated))


def named_weights(backbone: ResNet3D) -> dict[str, keras.Variable]:
    """A built backbone's weights by their paths below it."""
    return {
        weight.path.split(f"{backbone.name}/", 1)[-1]: weight
        for weight in backbone.weights
        if "seed_generator" not in weight.path
    }


def _problems(source: Source, name: str, weight: keras.Variable, value: np.ndarray) -> list[str]:
    tensors = " and ".join(
        f"{tensor} {list(source.tensors[tensor].shape)}" for tensor in source.taken
    )
    if value.shape != tuple(weight.shape):
        return [f"{tensors} gives {list(value.shape)}, but {name} is {list(weight.shape)}"]
    if not np.all(np.isfinite(value)):
        return [f"{tensors} holds values that are not finite"]
    return []


def _leftovers(source: Source, used: set[str]) -> tuple[dict[str, str], list[str]]:
    """The tensors that were not used: dropped ones with the reason, and those without one."""
    dropped, extra = {}, []
    for name in source.tensors:
        if name in used:
            continue
        reasons = [text for pattern, text in source.dropped.items() if re.fullmatch(pattern, name)]
        if reasons:
            dropped[name] = reasons[0]
        else:
            extra.append(name)
    return dropped, extra
