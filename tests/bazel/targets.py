"""Reads the BUILD files of this repository, which are Python as far as they go.

What Bazel would make of them is made here by hand: rules become `Target`s, `glob` lists files and
stops at folders that have a BUILD file of their own, and `pip` gives labels of the lock file's hub.
"""

import dataclasses
import functools
import pathlib
import types

PIP = "@pypi//"


@dataclasses.dataclass(frozen=True)
class Target:
    """A rule of a BUILD file.

    Attributes:
        label: absolute, in Bazel's short form: `//configs`, `//tools:train`.
        rule: the rule's name; `exports_files` for a file that other packages may name.
        srcs: files, relative to the root.
        data: files, relative to the root, and labels.
        deps: labels.
    """

    label: str
    rule: str
    srcs: frozenset[str]
    data: frozenset[str]
    deps: frozenset[str]


def read(root: pathlib.Path) -> dict[str, Target]:
    """All targets below `root` by label.

    Raises:
        ValueError: two targets share a label.
    """
    found: dict[str, Target] = {}
    for path in sorted(root.rglob("BUILD")):
        package = path.parent.relative_to(root)
        if path.is_file() and not any(part.startswith(".") for part in package.parts):
            for target in _Package(root, package.as_posix()).targets():
                if found.setdefault(target.label, target) is not target:
                    raise ValueError(f"{path}: there are two targets {target.label}")
    return found


class _Package:
    """One BUILD file while it is read."""

    RULES = ("py_library", "py_binary", "py_test", "filegroup", "test_suite")

    def __init__(self, root: pathlib.Path, name: str):
        self._folder = root / name
        self._name = "" if name == "." else name
        self._targets: list[Target] = []

    def targets(self) -> list[Target]:
        rules = {rule: functools.partial(self._add, rule) for rule in self.RULES}
        text = (self._folder / "BUILD").read_text(encoding="utf-8")
        known = {
            **rules,
            "exports_files": self._export,
            "glob": self._glob,
            "load": lambda *names: None,
            "package": lambda **settings: None,
            "pip": lambda *names: [PIP + name for name in names],
            "__builtins__": types.MappingProxyType({}),
        }
        exec(compile(text, str(self._folder / "BUILD"), "exec"), known)  # Our own files.
        return self._targets

    def _add(self, rule, *, name, srcs=(), data=(), deps=(), **_):
        self._targets.append(
            Target(
                self._short(f"//{self._name}:{name}"),
                rule,
                frozenset(map(self._file, srcs)),
                frozenset(map(self._file_or_label, data)),
                frozenset(map(self._label, deps)),
            )
        )

    def _export(self, names) -> None:
        for name in names:
            self._add("exports_files", name=name)

    def _glob(self, include, exclude=()):
        hidden = {path for pattern in exclude for path in self._folder.glob(pattern)}
        paths = {path for pattern in include for path in self._folder.glob(pattern)} - hidden
        return sorted(
            path.relative_to(self._folder).as_posix()
            for path in paths
            if path.is_file() and self._is_ours(path) and "__pycache__" not in path.parts
        )

    def _is_ours(self, path: pathlib.Path) -> bool:
        between = path.relative_to(self._folder).parents
        return not any((self._folder / part / "BUILD").is_file() for part in list(between)[:-1])

    def _file(self, name: str) -> str:
        return f"{self._name}/{name}" if self._name else name

    def _file_or_label(self, name: str) -> str:
        return self._label(name) if name.startswith((":", "/", "@")) else self._file(name)

    def _label(self, name: str) -> str:
        return self._short(f"//{self._name}{name}" if name.startswith(":") else name)

    @staticmethod
    def _short(label: str) -> str:
        package, _, name = label.partition(":")
        return package if name == package.rpartition("/")[2] else label
