"""Files that would run something, or that lie about their sizes, are refused; nothing runs."""

import json
import os
import pickle
import struct
import zipfile

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf import weights
from tests.weights import foreign_files


class _Command:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (os.system, (f"touch {self.path}",))


class HostileTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.path = os.path.join(self.folder, "weights")
        self.trace = os.path.join(self.folder, "it-ran")

    def _write(self, kind: str, content: bytes) -> None:
        if kind == "zip":
            with zipfile.ZipFile(self.path, "w") as archive:
                archive.writestr("net/data.pkl", content)
        else:
            with open(self.path, "wb") as file:
                file.write(content)

    @parameterized.parameters(("caffe2", "pkl"), ("pytorch", "zip"), ("pytorch", "legacy"))
    def test_a_command_is_refused_and_does_not_run(self, name, kind):
        content = pickle.dumps({"conv1_w": _Command(self.trace)}, protocol=2)
        pickle.loads(content)
        self.assertTrue(os.path.exists(self.trace), "the pickle is not dangerous at all")
        os.remove(self.trace)
        self._write(kind, content)
        with self.assertRaisesRegex(
            ValueError, "refused, and nothing in it was run: it asks for posix.system"
        ):
            weights.FORMATS[name](self.path)
        self.assertFalse(os.path.exists(self.trace))

    @parameterized.named_parameters(
        ("eval", b"\x80\x02c__builtin__\neval\nU\x011\x85R."),
        ("getattr", b"\x80\x02cbuiltins\ngetattr\n."),
        ("extension", b"\x80\x02\x82\x01."),
        ("persistent_id", b"\x80\x02K\x01Q."),
        ("altering_a_function", b"\x80\x02ccollections\nOrderedDict\n}U\x01aK\x01sb."),
        ("object_array", b"\x80\x02cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R."),
    )
    def test_refused(self, content):
        self._write("pkl", content)
        with self.assertRaisesRegex(ValueError, f"{self.path} is "):
            weights.Caffe2Source(self.path)

    @parameterized.parameters(b"", b"no pickle at all", b"\x80\x02}(U\x07conv1_w")
    def test_no_pickle(self, content):
        self._write("pkl", content)
        for name in ("caffe2", "pytorch"):
            with self.assertRaisesRegex(ValueError, f"{self.path} is not a readable pickle"):
                weights.FORMATS[name](self.path)

    def test_an_array_shorter_than_its_shape_is_refused(self):
        content = pickle.dumps({"conv1_w": np.zeros([3], np.float32)}, protocol=2)
        content = content.replace(b"K\x03\x85", b"K\x04\x85")
        self._write("pkl", content)
        with self.assertRaisesRegex(ValueError, r"shape \(4,\) has 3 values"):
            weights.Caffe2Source(self.path)

    def test_a_view_beyond_its_storage_is_refused(self):
        foreign_files.write_torch_zip(self.path, {"conv1.weight": np.zeros([3, 5], np.float32)})
        with zipfile.ZipFile(self.path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        # Strides (5, 1) become (6, 1): the last row ends two elements behind the storage.
        strides = b"(J\x05\0\0\0J\x01\0\0\0t"
        self.assertEqual(parts["net/data.pkl"].count(strides), 1)
        parts["net/data.pkl"] = parts["net/data.pkl"].replace(strides, b"(J\x06" + strides[3:])
        with zipfile.ZipFile(self.path, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        with self.assertRaisesRegex(ValueError, r"conv1\.weight: .* reaches beyond its storage"):
            weights.PytorchSource(self.path)

    @parameterized.parameters(
        ({"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}, "does not lie"),
        ({"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}, "does not lie"),
        ({"dtype": "F32", "shape": [-1], "data_offsets": [4, 0]}, "has the shape"),
        ({"dtype": "F8", "shape": [8], "data_offsets": [0, 8]}, "not supported"),
        ({"dtype": "F32"}, "header is damaged"),
    )
    def test_safetensors_out_of_bounds(self, entry, message):
        header = json.dumps({"conv1.weight": entry}).encode()
        path = f"{self.path}.safetensors"
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", len(header)) + header + bytes(8))
        with self.assertRaisesRegex(ValueError, message):
            weights.PytorchSource(path)

    def test_a_safetensors_header_longer_than_the_file_is_refused(self):
        path = f"{self.path}.safetensors"
        with open(path, "wb") as file:
            file.write(struct.pack("<Q", 2**60) + b"{}")
        with self.assertRaisesRegex(ValueError, "its header does not fit"):
            weights.PytorchSource(path)


if __name__ == "__main__":
    absltest.main()
