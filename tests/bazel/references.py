"""What a Python file of this repository needs: the modules it imports and the files it names."""

import ast
import dataclasses
import functools
import pathlib
import re
import sys
from collections.abc import Iterator

# Where the name of a distribution is not that of its module, in the form of pip's hub.
_DISTRIBUTIONS = {
    "IPython": "ipython",
    "PIL": "pillow",
    "absl": "absl_py",
    "cv2": "opencv_python_headless",
    "google.protobuf": "protobuf",
    "grpc": "grpcio",
    "markdown_it": "markdown_it_py",
    "official": "tf_models_official",
    "orbit": "tf_models_official",
    "sklearn": "scikit_learn",
    "tensorflow_serving": "tensorflow_serving_api",
    "yaml": "pyyaml",
}

# Other software that benchmarks run beside ours; users bring it in environments of its own.
_RIVALS = frozenset({"onnx", "onnxruntime", "openvino", "tf2onnx", "torch", "torchvision"})


@dataclasses.dataclass(frozen=True)
class References:
    """What one file needs.

    Attributes:
        modules: files of this repository that are imported; of packages, those that import more.
        distributions: what is imported from elsewhere, by the names of pip's hub.
        files: files of this repository whose names stand in strings.
    """

    modules: frozenset[str]
    distributions: frozenset[str]
    files: frozenset[str]


class Reader:
    """Reads files of one repository.

    Args:
        root: its folder.
        files: its files, relative to `root`.
    """

    def __init__(self, root: pathlib.Path, files: frozenset[str]):
        self._root = root
        self._files = files
        self._programs = {
            name.rpartition("/")[2]: name
            for name in files
            if re.fullmatch(r"(tools|export)/\w+\.py", name)
        }

    @functools.cache  # noqa: B019 - one reader lives as long as its tests
    def read(self, path: str) -> References:
        """Reads a file; `path` is relative to the root."""
        tree = self._parse(path)
        strings = frozenset(
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        )
        # A module that is named in a string is imported by that name later.
        names = _imported(tree) | {name for name in strings if self._module("." + name)}
        modules = frozenset().union(*map(self._modules, names))
        return References(
            modules - {path},
            frozenset(filter(None, map(self._distribution, names))),
            self._named(strings, path) - modules - {path},
        )

    def _modules(self, name: str) -> set[str]:
        """The files of a module and of the packages around it, if those do anything."""
        parts = name.split(".")
        found = (self._module("." + ".".join(parts[: end + 1])) for end in range(len(parts)))
        return {path for path in found if path and not self._is_empty(path)}

    def _is_empty(self, path: str) -> bool:
        """Whether a file only makes a folder a package."""
        return path.endswith("__init__.py") and not _imported(self._parse(path))

    @functools.cache  # noqa: B019 - one reader lives as long as its tests
    def _parse(self, path: str) -> ast.Module:
        return ast.parse((self._root / path).read_text(encoding="utf-8"), path)

    def _module(self, name: str) -> str | None:
        path = name.replace(".", "/")[1:]
        return next((p for p in (f"{path}.py", f"{path}/__init__.py") if p in self._files), None)

    def _distribution(self, name: str) -> str | None:
        first = name.partition(".")[0]
        if first in sys.stdlib_module_names or first in _RIVALS or self._is_folder(first):
            return None
        matching = (key for key in _DISTRIBUTIONS if f"{name}.".startswith(f"{key}."))
        return next((_DISTRIBUTIONS[key] for key in matching), first)

    def _is_folder(self, name: str) -> bool:
        return any(path.startswith((f"{name}/", f"{name}.py")) for path in self._files)

    def _named(self, strings: frozenset[str], path: str) -> set[str]:
        """Files but tests whose paths stand in strings, from here or the root, and programs."""
        folder = path.rpartition("/")[0]
        found = set()
        for string in strings:
            name = string.removeprefix("/").replace("../", "")
            if not re.fullmatch(r"\w[\w./-]*", name) or "/test_" in f"/{name}":
                continue
            program = self._programs.get(name.rpartition("/")[2])
            beside = f"{folder}/{name}"
            if program:
                found.add(program)
            elif "." in name and (name in self._files or beside in self._files):
                found.add(name if name in self._files else beside)
            elif name in ("configs", "export/deploy"):
                found |= {
                    file
                    for file in self._files
                    if file.startswith(f"{name}/") and not file.endswith("BUILD")
                }
        return found


def _imported(tree: ast.Module) -> set[str]:
    """Names that a file imports, at its top or later; of `from a import b`, both a and a.b.

    What is imported for type checkers alone is not: at run time it is not there.
    """
    names = set()
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names - {"__future__"}


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those below `if TYPE_CHECKING`."""
    yield node
    condition = node.test if isinstance(node, ast.If) else None
    if not (isinstance(condition, ast.Name) and condition.id == "TYPE_CHECKING"):
        for child in ast.iter_child_nodes(node):
            yield from _walk(child)
