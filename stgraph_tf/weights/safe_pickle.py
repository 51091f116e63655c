"""Reading strangers' pickles without running them.

A pickle is a program: it names functions and calls them. Here it may name only those in a table
that the caller gives, which build plain data. Not even NumPy's own unpickling code is reached:
`NUMPY` rebuilds arrays from their parts and checks these.
"""

import math
import pickle
from collections.abc import Callable, Mapping
from typing import IO, Any

import numpy as np

# What a tensor may hold; object arrays, records and strings are refused.
_DTYPES = frozenset(
    f"{kind}{size}"
    for kind, sizes in (("f", "248"), ("i", "1248"), ("u", "1248"), ("b", "1"))
    for size in sizes
)


class RefusedError(pickle.UnpicklingError):
    """A pickle asks for what weights have no need of."""


class Sealed:
    """What a pickle may build or call, and then no longer alter."""

    __slots__ = ()

    def __setstate__(self, state):
        raise RefusedError("it would alter what reads it")


class Constructor(Sealed):
    """A function that a pickle may call; of a bare one it could set attributes."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]):
        self._function = function

    def __call__(self, *args):
        return self._function(*args)


class _Dict(dict):
    """Stands for an `OrderedDict`, whose attributes (PyTorch's `_metadata`) are left out."""

    def __setstate__(self, state):
        pass


CONTAINERS = {("collections", "OrderedDict"): Constructor(_Dict)}


class _Dtype:
    """A NumPy dtype of plain numbers, built in the two steps that a pickle takes."""

    def __init__(self, name, align=False, copy=False):
        if name not in _DTYPES:
            raise RefusedError(f"it holds an array of dtype {name!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state):
        if state[1] not in ("<", ">", "|", "="):
            raise RefusedError(f"it holds an array of byte order {state[1]!r}")
        self.dtype = self.dtype.newbyteorder(state[1])


class _Array:
    """A NumPy array, built in the two steps that a pickle takes; `array` holds it then."""

    def __init__(self, kind=None, shape=None, typecode=None):
        self.array = None

    def __setstate__(self, state):
        _, shape, dtype, fortran, data = state
        if not isinstance(dtype, _Dtype):
            raise RefusedError("it holds an array without a dtype")
        if not all(isinstance(size, int) and size >= 0 for size in shape):
            raise RefusedError(f"it holds an array of shape {shape!r}")
        values = np.frombuffer(_bytes(data), dtype.dtype)
        if values.size != math.prod(shape):
            raise RefusedError(f"an array of shape {shape} has {values.size} values")
        self.array = values.reshape(shape, order="F" if fortran else "C")


def _scalar(dtype: _Dtype, data) -> np.ndarray:
    return np.frombuffer(_bytes(data), dtype.dtype, count=1).reshape(())


def _bytes(data: bytes | str) -> bytes:
    """The raw bytes of an array; a pickle of Python 2, read as Latin-1, has them as text."""
    if not isinstance(data, (bytes, str)):
        raise RefusedError(f"an array's data are a {type(data).__name__}")
    return data.encode("latin1") if isinstance(data, str) else data


def _encode(text: str, encoding: str) -> bytes:
    """How Python 3 writes bytes in the pickles of Python 2."""
    if encoding != "latin1":
        raise RefusedError(f"it encodes text as {encoding!r}")
    return text.encode("latin1")


NUMPY = {
    ("numpy", "dtype"): Constructor(_Dtype),
    ("numpy", "ndarray"): Constructor(_Array),
    ("_codecs", "encode"): Constructor(_encode),
    **{
        (module, name): Constructor(function)
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
        for name, function in (("_reconstruct", _Array), ("scalar", _scalar))
    },
}


def as_array(value: Any) -> np.ndarray | None:
    """The array that a stand-in or a number stands for; None for anything else."""
    if isinstance(value, _Array):
        return value.array
    return np.asarray(value) if isinstance(value, (np.ndarray, int, float)) else None


def load(
    file: IO[bytes],
    path: str,
    allowed: Mapping[tuple[str, str], object],
    persistent_load: Callable[[Any], Any] | None = None,
) -> Any:
    """Reads the next pickle of a file.

    Args:
        file: open for reading.
        path: its name, for messages.
        allowed: what the pickle may name, by (module, name).
        persistent_load: what a persistent id stands for; without it they are refused.

    Returns:
        Plain data. NumPy arrays in it are stand-ins; `as_array` gives the arrays.

    Raises:
        ValueError: naming what the pickle asked for that is not allowed, or what is wrong with it.
    """

    class Unpickler(pickle.Unpickler):
        def find_class(self, module, name):
            if (module, name) not in allowed:
                raise RefusedError(f"it asks for {module}.{name}, which weights have no need of")
            return allowed[module, name]

        def persistent_load(self, pid):
            if persistent_load is None:
                raise RefusedError("it refers to data outside of it")
            return persistent_load(pid)

    try:
        return Unpickler(file, encoding="latin1").load()
    except RefusedError as error:
        raise ValueError(f"{path} is refused, and nothing in it was run: {error}") from error
    except Exception as error:
        # A damaged or hostile pickle can raise anything; it is a bad file whatever it is.
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is not a readable pickle ({reason})") from error
