"""The BUILD files against the sources: every file in a target, and an edge for every use."""

import pathlib
import re
import subprocess

from absl.testing import absltest

from tests.bazel import references, targets

ROOT = pathlib.Path(__file__).absolute().parents[2]


def _tree() -> frozenset[str]:
    """The files that git knows or would take."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return frozenset(name for name in listed.stdout.split("\0") if (ROOT / name).is_file())


@absltest.skipUnless((ROOT / ".git").exists(), "BUILD files are compared in a checkout only")
class BuildFilesTest(absltest.TestCase):
    """Edges go from a target to the targets of the files that its own files use."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = _tree()
        cls.targets = targets.read(ROOT)
        cls.owners: dict[str, list[str]] = {}
        for label, target in cls.targets.items():
            for path in target.srcs:
                cls.owners.setdefault(path, []).append(label)
        reader = references.Reader(ROOT, cls.files)
        cls.used = {
            label: [reader.read(path) for path in target.srcs if path.endswith(".py")]
            for label, target in cls.targets.items()
        }

    def test_every_source_is_in_one_target(self):
        sources = {
            path for path in self.files if path.endswith(".py") and not path.startswith("docs/")
        }
        owned = {path: self.owners.get(path, []) for path in sources}
        self.assertEqual({path: own for path, own in owned.items() if len(own) != 1}, {})

    def test_every_named_file_exists(self):
        for label, target in self.targets.items():
            named = {*target.srcs, *map(self._path, target.data)}
            self.assertEqual(named - self.files - self.targets.keys(), set(), label)

    def test_what_other_packages_name_is_there_for_them(self):
        """A file of another package is one that this exports."""
        for label, target in self.targets.items():
            named = {name for name in target.data if name.startswith("//")}
            self.assertEqual(named - self.targets.keys(), set(), label)

    def test_rules_suit_the_files(self):
        for label, target in self.targets.items():
            if target.rule == "exports_files":
                self.assertIn(self._path(label), self.files)
                continue
            name = min(target.srcs, default="").rpartition("/")[2]
            if label.startswith("//tests"):
                expected = "py_test" if name.startswith("test_") else "py_library"
            elif label.startswith(("//tools", "//export:")) and name.endswith(".py"):
                expected = "py_binary"
            else:
                expected = "py_library" if name.endswith(".py") else "filegroup"
            self.assertEqual(target.rule, expected, label)

    def test_dependencies_are_the_imports(self):
        wrong = {}
        for label, used in self.used.items():
            modules = {path for one in used for path in one.modules}
            packages = {targets.PIP + name for one in used for name in one.distributions}
            expected = self._labels(modules) - {label} | packages
            if self.targets[label].deps != expected:
                wrong[label] = self._difference(self.targets[label].deps, expected)
        self.assertEqual(wrong, {})

    def test_files_that_strings_name_are_data(self):
        """Programs exactly; other data may be found by other means, such as `glob`."""
        wrong = {}
        for label, used in self.used.items():
            target = self.targets[label]
            named = self._labels({path for one in used for path in one.files}) - {label}
            data = self._labels(map(self._path, target.data)) | target.data
            there = data | target.deps | self._data_of(target.deps)
            programs = {name for name in data if self._is_program(name)}
            if not named <= there or not programs <= named:
                wrong[label] = self._difference(programs, named - there | programs & named)
        self.assertEqual(wrong, {})

    def test_no_target_needs_itself(self):
        finished: set[str] = set()

        def visit(label, path):
            self.assertNotIn(label, path, " -> ".join([*path, label]))
            if label not in finished and label in self.targets:
                for dependency in sorted(self.targets[label].deps):
                    visit(dependency, [*path, label])
                finished.add(label)

        for label in self.targets:
            visit(label, [])

    def test_packages_of_other_people_are_locked(self):
        lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
        locked = {name.lower().replace("-", "_") for name in re.findall(r"(?m)^([\w-]+)", lock)}
        for label, target in self.targets.items():
            needed = {
                name.removeprefix(targets.PIP)
                for name in target.deps
                if name.startswith(targets.PIP)
            }
            self.assertEqual(needed - locked, set(), label)

    def _labels(self, paths) -> set[str]:
        """The targets of files; a file that no target has as a source stands for itself."""
        return {label for path in paths for label in self.owners.get(path, [path])}

    def _path(self, label: str) -> str:
        """The file that a label means, if it means one."""
        path = label.removeprefix("//").removeprefix(":").replace(":", "/")
        return path if path in self.files else label

    def _data_of(self, labels) -> set[str]:
        """Files that come with targets of this repository."""
        there = (self.targets[label] for label in labels if label in self.targets)
        return {self._path(name) for target in there for name in target.data}

    def _is_program(self, label: str) -> bool:
        return label in self.targets and self.targets[label].rule == "py_binary"

    @staticmethod
    def _difference(there, expected) -> dict[str, list[str]]:
        return {"missing": sorted(expected - there), "needless": sorted(there - expected)}


if __name__ == "__main__":
    absltest.main()
