"""The benchmark of starting, on the programs as they are."""

import pathlib
import subprocess
import sys

from absl.testing import absltest

from benchmarks import measure, startup

ROOT = pathlib.Path(__file__).absolute().parents[2]
PROGRAMS = [path for name in ("tools", "export") for path in (ROOT / name).glob("*.py")]


class StartupTest(absltest.TestCase):
    def test_measures_every_program_and_the_import(self):
        report = startup.run(measure.Options(rounds=1))
        self.assertSameElements(
            [row.name for row in report.rows],
            [
                *("python -c 'pass'", "python -c 'import stgraph_tf'"),
                *("python -c 'import numpy'", "python -c 'import tensorflow'"),
                *(f"{path.parent.name}/{path.name} --help" for path in PROGRAMS),
            ],
        )
        self.assertEqual(report.title, f"Starts of Python {sys.version.split()[0]}; 1 in a turn")

    def test_no_program_waits_for_tensorflow_to_help(self):
        script = "import runpy, sys; sys.argv = ['x', '--help']; path = {!r}\n"
        script += "try: runpy.run_path(path, run_name='__main__')\n"
        script += "except SystemExit: pass\n"
        script += "sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
        for path in PROGRAMS:
            with self.subTest(path.name):
                command = [sys.executable, "-c", script.format(str(path))]
                done = subprocess.run(command, capture_output=True, check=False)
                self.assertEqual(done.returncode, 0)


if __name__ == "__main__":
    absltest.main()
