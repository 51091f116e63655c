"""The page of what no test runs, from a real measurement of a small module."""

import contextlib
import io
import os
import subprocess
import sys

from absl.testing import absltest

from tests import uncovered

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
        # Told of the suite's own measurement, slipcover would remove what that has written so far.
        suite = "SLIPCOVER_"
        subprocess.run(
            [sys.executable, "-m", "slipcover", "--json", "--out", self.report, "shape.py"],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if not name.startswith(suite)},
            check=True,
        )
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder)  # The report's names are relative.

    def rows(self):
        with open(self.page) as file:
            return [line.rstrip() for line in file if line.startswith("| `")]

    def test_lists_functions_and_keeps_reasons(self):
        self.assertEqual(uncovered.main(self.report, self.page), 1)
        self.assertEqual(
            self.rows(),
            ["| `shape.py` `Shape.area` | 1 of 1 |  |", "| `shape.py` `used` | 1 of 3 |  |"],
        )
        with open(self.page) as file:
            text = file.read()
        self.assertIn("6 of 8 lines run (75.0 %).", text)
        with open(self.page, "w") as file:
            file.write(text.replace("1 of 1 |  |", "1 of 1 | a shape has none |"))
        self.assertEqual(uncovered.main(self.report, self.page), 1)
        self.assertEqual(self.rows()[0], "| `shape.py` `Shape.area` | 1 of 1 | a shape has none |")

    def test_ends_well_when_all_have_a_reason(self):
        with open(self.page, "w") as file:
            file.write("| `shape.py` `Shape.area` | 9 of 9 | a |\n| `shape.py` `used` | 1 | b |\n")
        self.assertEqual(uncovered.main(self.report, self.page), 0)

    def test_prints_the_report(self):
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            self.assertEqual(uncovered.main(self.report), 0)
        self.assertEqual(printed.getvalue(), " 75.0 %  shape.py\n6 of 8 lines run (75.0 %).\n")


if __name__ == "__main__":
    absltest.main()
