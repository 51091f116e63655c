"""The page of what no test runs, from a real measurement of a small module."""

import ast
import contextlib
import io
import os
import pathlib
import subprocess
import sys

from absl.testing import absltest

from tests import uncovered

ROOT = pathlib.Path(__file__).absolute().parents[1]
_MODULE = """
def used(flag):
    if flag:
        return 1
    return 2


class Shape:
    def area(self):
        return 3


used(True)
"""


class UncoveredTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        folder = self.create_tempdir().full_path
        self.page, self.report = (os.path.join(folder, name) for name in ("page.md", "report.json"))
        with open(os.path.join(folder, "shape.py"), "w") as file:
            file.write(_MODULE)
        with open(os.path.join(folder, "unused.py"), "w") as file:
            file.write(_MODULE)
        # Told of the suite's own measurement, this one would take part in it.
        env = {name: value for name, value in os.environ.items() if "COVERAGE" not in name}
        for command in (["run", "--source", ".", "shape.py"], ["json", "-q", "-o", self.report]):
            subprocess.run(
                [sys.executable, "-m", "coverage", *command], cwd=folder, env=env, check=True
            )

    def rows(self):
        with open(self.page) as file:
            return [line.rstrip() for line in file if line.startswith("| `")]

    def test_lists_functions_and_keeps_reasons(self):
        self.assertEqual(uncovered.main(self.report, self.page), 1)
        self.assertEqual(
            self.rows(),
            [
                "| `shape.py` `Shape.area` | 1 of 1 |  |",
                "| `shape.py` `used` | 1 of 3 |  |",
                "| `unused.py` | 8 of 8 |  |",
            ],
        )
        with open(self.page) as file:
            text = file.read()
        self.assertIn("6 of 16 lines run (37.5 %).", text)
        with open(self.page, "w") as file:
            file.write(text.replace("1 of 1 |  |", "1 of 1 | a shape has none |"))
        self.assertEqual(uncovered.main(self.report, self.page), 1)
        self.assertEqual(self.rows()[0], "| `shape.py` `Shape.area` | 1 of 1 | a shape has none |")

    def test_ends_well_when_all_have_a_reason(self):
        with open(self.page, "w") as file:
            file.write("| `shape.py` `Shape.area` | 9 of 9 | a |\n")
            file.write("| `shape.py` `used` | 1 of 3 | b |\n| `unused.py` | 8 of 8 | c |\n")
        self.assertEqual(uncovered.main(self.report, self.page), 0)

    def test_prints_the_total(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            uncovered.main(self.report, self.page)
        self.assertEqual(printed.getvalue(), "6 of 16 lines run (37.5 %).\n")


@absltest.skipUnless((ROOT / ".git").exists(), "the page is compared in a checkout only")
class CommittedPageTest(absltest.TestCase):
    """docs/coverage.md, as it is."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.reasons = uncovered.reasons((ROOT / "docs/coverage.md").read_text(encoding="utf-8"))

    def test_tells_a_reason_for_each_place(self):
        self.assertNotEmpty(self.reasons)
        self.assertEqual([place for place, reason in self.reasons.items() if not reason], [])

    def test_names_functions_that_exist(self):
        for file in {place.file for place in self.reasons}:
            named = {place.name for place in self.reasons if place.file == file}
            tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
            self.assertEqual(named - {"", *self.names(tree)}, set(), file)

    def names(self, node, prefix=""):
        """Functions and classes, with those around them."""
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield f"{prefix}{child.name}"
                yield from self.names(child, f"{prefix}{child.name}.")
            else:
                yield from self.names(child, prefix)


if __name__ == "__main__":
    absltest.main()
