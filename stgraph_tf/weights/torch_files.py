"""Tensors from PyTorch's files, without PyTorch and without running anything in them.

- `.safetensors`: eight bytes with the length of a JSON header, the header, raw little-endian data.
- `.pth`, `.pt` since PyTorch 1.6: a zip archive, `NAME/data.pkl` beside one file a storage.
- `.pth`, `.pt` before: five pickles, then the storages, each behind its length.
"""

import dataclasses
import io
import json
import math
import zipfile
from typing import Any

import numpy as np

from stgraph_tf.weights import safe_pickle
from stgraph_tf.weights.safe_pickle import Constructor, RefusedError, Sealed

_SAFETENSORS = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "bf16",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U8": "u1",
    "BOOL": "?",
}
_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bf16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}
# The first pickle of files from before PyTorch 1.6.
_LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
_MAX_HEADER = 100_000_000


def read(path: str) -> dict[str, np.ndarray]:
    """The named tensors of a file; of a checkpoint, those under `state_dict`.

    Args:
        path: a file that ends in `.safetensors`, `.pth`, `.pt` or `.bin`.

    Raises:
        ValueError: when it is damaged, or its pickle asks for anything but tensors.
    """
    if path.endswith(".safetensors"):
        return _read_safetensors(path)
    return _read_zip(path) if zipfile.is_zipfile(path) else _read_legacy(path)


def _read_safetensors(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        content = file.read()
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(len(content) - 8, _MAX_HEADER):
        raise ValueError(f"{path} is not a safetensors file: its header does not fit into it")
    try:
        header = json.loads(content[8 : 8 + length])
        header.pop("__metadata__", None)
        entries = {
            name: (entry["dtype"], list(entry["shape"]), *entry["data_offsets"])
            for name, entry in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} is not a safetensors file: its header is damaged") from error
    data = memoryview(content)[8 + length :]
    tensors = {}
    for name, (dtype, shape, start, end) in entries.items():
        if not all(map(_is_size, (*shape, start, end))):
            raise ValueError(f"{path}: {name} has the shape {shape} at {start} to {end}")
        if dtype not in _SAFETENSORS:
            raise ValueError(f"{path}: {name} is of the type {dtype!r}, which is not supported")
        if end > len(data) or end - start != math.prod(shape) * _itemsize(_SAFETENSORS[dtype]):
            raise ValueError(f"{path}: {name} {shape} does not lie at {start} to {end} of its data")
        tensors[name] = _decode(data[start:end], _SAFETENSORS[dtype]).reshape(shape)
    return tensors


@dataclasses.dataclass(frozen=True)
class _Storage(Sealed):
    """The flat data that tensors are views of; read later."""

    key: str
    dtype: str
    size: int


@dataclasses.dataclass(frozen=True)
class _Tensor(Sealed):
    """A view of a storage, in elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, data: np.ndarray) -> np.ndarray:
        sides = (*self.shape, *self.strides, self.offset)
        if len(self.shape) != len(self.strides) or not all(map(_is_size, sides)):
            raise ValueError(f"a tensor of shape {self.shape} has the strides {self.strides}")
        last = self.offset + sum(
            (size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True)
        )
        if math.prod(self.shape) == 0:
            return np.zeros(self.shape, data.dtype)
        if last >= data.size:
            raise ValueError(f"a tensor of shape {self.shape} reaches beyond its storage")
        # Strides of zero could make a tensor far larger than the file.
        if math.prod(self.shape) > data.size:
            raise ValueError(f"a tensor of shape {self.shape} is larger than its storage")
        view = np.lib.stride_tricks.as_strided(
            data[self.offset :],
            self.shape,
            [stride * data.itemsize for stride in self.strides],
            writeable=False,
        )
        return np.ascontiguousarray(view)


def _rebuild_tensor(storage, offset, shape, strides, *_) -> _Tensor:
    if not isinstance(storage, _Storage):
        raise RefusedError("it holds a tensor without a storage")
    return _Tensor(storage, offset, tuple(shape), tuple(strides))


_TORCH: dict[tuple[str, str], object] = {
    **safe_pickle.CONTAINERS,
    ("torch._utils", "_rebuild_tensor_v2"): Constructor(_rebuild_tensor),
    ("torch._utils", "_rebuild_parameter"): Constructor(lambda tensor, *_: tensor),
    **{("torch", name): dtype for name, dtype in _STORAGES.items()},
}


def _storage(pid: Any) -> _Storage:
    """What a persistent id stands for: `("storage", type, key, device, size, ...)`."""
    if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
        raise RefusedError(f"it refers to {pid!r:.60}, which is no storage")
    _, dtype, key, _, size, *view = pid
    if dtype not in _STORAGES.values() or not isinstance(key, str) or not _is_size(size):
        raise RefusedError(f"it refers to a storage of the kind {dtype!r:.60}")
    if any(view):
        raise RefusedError("it refers to a part of a storage, which is not supported")
    return _Storage(key, dtype, size)


def _read_zip(path: str) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path) as archive:
            pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
            if len(pickles) != 1:
                raise ValueError(f"{path} is not a PyTorch file: it has no data.pkl")
            folder = pickles[0].removesuffix("data.pkl")
            byteorder = f"{folder}byteorder"
            if byteorder in archive.namelist() and archive.read(byteorder) != b"little":
                raise ValueError(f"{path} holds big-endian data, which is not supported")
            stream = io.BytesIO(archive.read(pickles[0]))
            state = _state_dict(path, safe_pickle.load(stream, path, _TORCH, _storage))
            storages = {}
            for storage in {tensor.storage for tensor in state.values()}:
                name = f"{folder}data/{storage.key}"
                if archive.getinfo(name).file_size != storage.size * _itemsize(storage.dtype):
                    raise ValueError(f"{path}: {name} is not {storage.size} elements long")
                storages[storage.key] = _decode(archive.read(name), storage.dtype)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return _arrays(path, state, storages)


def _read_legacy(path: str) -> dict[str, np.ndarray]:
    with open(path, "rb") as file:
        magic = safe_pickle.load(file, path, {})
        if magic != _LEGACY_MAGIC:
            raise ValueError(f"{path} is neither a PyTorch file nor a safetensors file")
        for _ in ("protocol version", "system"):
            safe_pickle.load(file, path, {})
        found: dict[str, _Storage] = {}

        def storage(pid):
            made = _storage(pid)
            return found.setdefault(made.key, made)

        state = _state_dict(path, safe_pickle.load(file, path, _TORCH, storage))
        storages = {}
        for key in safe_pickle.load(file, path, {}):
            if key not in found:
                raise ValueError(f"{path} is damaged: nothing refers to the storage {key!r:.80}")
            size, dtype = found[key].size, found[key].dtype
            stored = int.from_bytes(file.read(8), "little")
            data = file.read(size * _itemsize(dtype)) if stored == size else b""
            if len(data) != size * _itemsize(dtype):
                raise ValueError(f"{path} is damaged: the storage {key!r} is cut short")
            storages[key] = _decode(data, dtype)
    return _arrays(path, state, storages)


def _state_dict(path: str, value: Any) -> dict[str, _Tensor]:
    if isinstance(value, dict) and isinstance(value.get("state_dict"), dict):
        value = value["state_dict"]
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a state dict; it holds a {type(value).__name__}")
    for name, tensor in value.items():
        if not isinstance(name, str) or not isinstance(tensor, _Tensor):
            raise ValueError(
                f"{path} must hold tensors by name; {name!r:.80} is a {type(tensor).__name__}"
            )
    return value


def _arrays(
    path: str, state: dict[str, _Tensor], storages: dict[str, np.ndarray]
) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in state.items():
        data = storages.get(tensor.storage.key)
        if data is None or data.size != tensor.storage.size:
            raise ValueError(f"{path} is damaged: {name} has no storage of its size")
        try:
            arrays[name] = tensor.view(data)
        except ValueError as error:
            raise ValueError(f"{path} is damaged: {name}: {error}") from error
    return arrays


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value < 2**48


def _itemsize(dtype: str) -> int:
    return 2 if dtype == "bf16" else np.dtype(dtype).itemsize


def _decode(data: bytes | memoryview, dtype: str) -> np.ndarray:
    if dtype == "bf16":
        # The upper half of a float32.
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, dtype)
