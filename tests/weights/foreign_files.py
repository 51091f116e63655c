"""A small network's weights in the files of other frameworks, written byte by byte.

The pickles are put together from opcodes, as Python 2 and PyTorch write them, so that neither is
needed and nothing of the code under test is used.
"""

import json
import struct
import zipfile

import numpy as np

from stgraph_tf.modeling import ResNet3D

NETWORK = {
    "widths": (4, 6),
    "temporal_kernels": ((3, 1), (1, 3)),
    "spatial_strides": (1, 2),
    "expansion": 2,
    "stem_width": 4,
    "stem_kernel": (3, 7, 7),
}
_CHANNELS_FIRST = {5: (4, 3, 0, 1, 2), 4: (3, 2, 0, 1)}


def backbone(seed: int | None = None, **changes) -> ResNet3D:
    """The small network, with random weights when there is a seed."""
    network = ResNet3D(**{**NETWORK, **changes}, name="backbone")
    network.build((None, None, None, None, 3))
    if seed is not None:
        randomize(network, seed)
    return network


def randomize(network: ResNet3D, seed: int) -> None:
    random = np.random.default_rng(seed)
    for weight in network.weights:
        low = 0.5 if weight.path.endswith("variance") else -0.5
        weight.assign(random.uniform(low, 1, weight.shape).astype(np.float32))


def values(network: ResNet3D) -> dict[str, np.ndarray]:
    return {w.path.removeprefix("backbone/"): np.array(w) for w in network.weights}


def caffe2(weights: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The blobs of video-nonlocal-net."""
    blobs = {}

    def add(layer, convolution, norm):
        kernel = weights[f"{layer}/conv/kernel"]
        blobs[f"{convolution}_w"] = kernel.transpose(_CHANNELS_FIRST[kernel.ndim])
        blobs[f"{norm}_s"] = weights[f"{layer}/bn/gamma"]
        blobs[f"{norm}_b"] = weights[f"{layer}/bn/beta"]
        blobs[f"{norm}_rm"] = weights[f"{layer}/bn/moving_mean"]
        blobs[f"{norm}_riv"] = weights[f"{layer}/bn/moving_variance"]

    add("conv1", "conv1", "res_conv1_bn")
    for block in _blocks(weights):
        parts = {"a": "branch2a", "b": "branch2b", "c": "branch2c", "shortcut": "branch1"}
        for part, branch in parts.items():
            if f"{block}/{part}/conv/kernel" in weights:
                add(f"{block}/{part}", f"{block}_{branch}", f"{block}_{branch}_bn")
    if "nonlocal2_1/theta/kernel" in weights:
        prefix = "nonlocal_conv2_1"
        for part in ("theta", "phi", "g", "out"):
            kernel = weights[f"nonlocal2_1/{part}/kernel"]
            blobs[f"{prefix}_{part}_w"] = kernel.transpose(4, 3, 0, 1, 2)
            blobs[f"{prefix}_{part}_b"] = weights[f"nonlocal2_1/{part}/bias"]
        for leaf, suffix in (
            ("gamma", "s"),
            ("beta", "b"),
            ("moving_mean", "rm"),
            ("moving_variance", "riv"),
        ):
            blobs[f"{prefix}_bn_{suffix}"] = weights[f"nonlocal2_1/bn/{leaf}"]
    return blobs


def _blocks(weights: dict[str, np.ndarray]) -> list[str]:
    """`res2_0`, `res2_1`, ..."""
    return [name for name in dict.fromkeys(n.split("/")[0] for n in weights) if name[:3] == "res"]


def pytorch(weights: dict[str, np.ndarray], i3d: bool) -> dict[str, np.ndarray]:
    """A state dict: of Something-Else's I3D, or named as torchvision does."""
    state = {}

    def add(layer, convolution, norm):
        kernel = weights[f"{layer}/conv/kernel"]
        state[f"{convolution}.weight"] = kernel.transpose(_CHANNELS_FIRST[kernel.ndim])
        state[f"{norm}.weight"] = weights[f"{layer}/bn/gamma"]
        state[f"{norm}.bias"] = weights[f"{layer}/bn/beta"]
        state[f"{norm}.running_mean"] = weights[f"{layer}/bn/moving_mean"]
        state[f"{norm}.running_var"] = weights[f"{layer}/bn/moving_variance"]
        state[f"{norm}.num_batches_tracked"] = np.array(7, np.int64)

    add("conv1", "conv1", "bn1")
    for block in _blocks(weights):
        layer = f"layer{int(block[3]) - 1}.{block[5:]}"
        for part, number in (("a", 1), ("b", 2), ("c", 3)):
            names = (f"{layer}.conv{number}", f"{layer}.bn{number}")
            if i3d:
                names = (f"{layer}.conv{number}.0", f"{layer}.conv{number}.1")
            add(f"{block}/{part}", *names)
        if f"{block}/shortcut/conv/kernel" in weights:
            name = "shortcut" if i3d else "downsample"
            add(f"{block}/shortcut", f"{layer}.{name}.0", f"{layer}.{name}.1")
    classifier = "classifier" if i3d else "fc"
    state[f"{classifier}.weight"] = np.ones([5, 12], np.float32)
    state[f"{classifier}.bias"] = np.ones([5], np.float32)
    return state


def write_python2_pickle(path: str, blobs: dict[str, np.ndarray | float]) -> None:
    """`{"blobs": blobs}` as Python 2 writes it, in protocol 2."""
    items = b"".join(_string(name) + _numpy(blob) for name, blob in blobs.items())
    with open(path, "wb") as file:
        file.write(b"\x80\x02}" + _string("blobs") + b"}(" + items + b"us.")


def write_safetensors(path: str, tensors: dict[str, np.ndarray]) -> None:
    names = {"<f4": "F32", "<i8": "I64", "<f2": "F16"}
    header, data = {"__metadata__": {"format": "pt"}}, b""
    for name, tensor in tensors.items():
        content = tensor.tobytes()
        header[name] = {
            "dtype": names[tensor.dtype.str],
            "shape": list(tensor.shape),
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def write_torch_zip(path: str, tensors: dict[str, np.ndarray], key: str | None = None) -> None:
    """A state dict as PyTorch saves it since 1.6; of a checkpoint, under `key`."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("net/data.pkl", b"\x80\x02" + _nested(_torch_dict(tensors), key) + b".")
        archive.writestr("net/byteorder", "little")
        archive.writestr("net/version", "3\n")
        for index, tensor in enumerate(tensors.values()):
            archive.writestr(f"net/data/{index}", tensor.tobytes())


def write_torch_legacy(path: str, tensors: dict[str, np.ndarray]) -> None:
    """A state dict as PyTorch saved it before 1.6."""
    magic = 0x1950A86A20F9469CFC6C.to_bytes(10, "little")
    with open(path, "wb") as file:
        file.write(b"\x80\x02\x8a" + bytes([len(magic)]) + magic + b".")
        file.write(b"\x80\x02M\xe9\x03.")
        file.write(b"\x80\x02}(" + _string("little_endian") + b"\x88u.")
        file.write(b"\x80\x02" + _torch_dict(tensors, view=b"N") + b".")
        keys = b"".join(_string(str(index)) for index in range(len(tensors)))
        file.write(b"\x80\x02](" + keys + b"e.")
        for tensor in tensors.values():
            file.write(struct.pack("<q", tensor.size) + tensor.tobytes())


def _nested(content: bytes, key: str | None) -> bytes:
    if key is None:
        return content
    return b"}(" + _string("epoch") + b"K\x03" + _string(key) + content + b"u"


def _torch_dict(tensors: dict[str, np.ndarray], view: bytes = b"") -> bytes:
    ordered_dict = b"ccollections\nOrderedDict\n)R"
    items = b""
    for index, (name, tensor) in enumerate(tensors.items()):
        kind = {"f": b"FloatStorage", "i": b"LongStorage"}[tensor.dtype.kind]
        strides = [stride // tensor.itemsize for stride in _contiguous_strides(tensor)]
        items += (
            _string(name)
            + b"ctorch._utils\n_rebuild_tensor_v2\n(("
            + _string("storage")
            + b"ctorch\n"
            + kind
            + b"\n"
            + _string(str(index))
            + _string("cpu")
            + _integer(tensor.size)
            + view
            + b"tQK\x00"
            + _tuple(tensor.shape)
            + _tuple(strides)
            + b"\x89"
            + ordered_dict
            + b"tR"
        )
    # PyTorch hangs `_metadata` on the dict.
    return ordered_dict + b"(" + items + b"u}" + _string("_metadata") + ordered_dict + b"sb"


def _contiguous_strides(tensor: np.ndarray) -> tuple[int, ...]:
    return np.empty(tensor.shape, tensor.dtype).strides


def _numpy(value: np.ndarray | float) -> bytes:
    if not isinstance(value, np.ndarray):
        return b"G" + struct.pack(">d", value)
    data = value.tobytes()
    dtype = (
        b"cnumpy\ndtype\n"
        + _string(value.dtype.str[1:])
        + b"K\x00K\x01\x87R(K\x03"
        + _string("<")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    return (
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85"
        + _string("b")
        + b"\x87R(K\x01"
        + _tuple(value.shape)
        + dtype
        + b"\x89T"
        + struct.pack("<i", len(data))
        + data
        + b"tb"
    )


def _string(text: str) -> bytes:
    return b"U" + bytes([len(text)]) + text.encode("latin1")


def _integer(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def _tuple(sizes) -> bytes:
    return b"(" + b"".join(_integer(size) for size in sizes) + b"t"
