"""The wheel that `python -m build` makes: the library and its data, and nothing else."""

import email
import pathlib
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

from absl.testing import absltest

import stgraph_tf

ROOT = pathlib.Path(__file__).absolute().parents[1]
# What pip reads; all else in a checkout is there for developers.
_SOURCES = ("LICENSE", "README.md", "pyproject.toml", "setup.cfg")
_DATA = (".css", ".html", ".js", ".typed")


def _run(*command, **options) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise AssertionError(f"{command} fails:\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _library_files() -> set[str]:
    """Modules and data of the library, relative to the root."""
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "stgraph_tf").rglob("*")
        if path.suffix in (".py", *_DATA) and "__pycache__" not in path.parts
    }


@absltest.skipUnless((ROOT / "setup.cfg").exists(), "packages are built from a checkout only")
class PackageTest(absltest.TestCase):
    """Built once, from a copy that holds folders beside the library, as a checkout does."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(absltest.get_default_test_tmpdir()) / "package"
        shutil.rmtree(cls.folder, ignore_errors=True)
        source = cls.folder / "source"
        source.mkdir(parents=True)
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for name in _SOURCES:
            shutil.copy(ROOT / name, source)
        for name in ("stgraph_tf", "tools", "export", "tests", "benchmarks", "configs"):
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, source / name, ignore=ignored)
        # The wheel is made of the source distribution.
        _run(sys.executable, "-m", "build", "--no-isolation", cwd=source)
        (cls.wheel,) = (source / "dist").glob("*.whl")
        (cls.sdist,) = (source / "dist").glob("*.tar.gz")

    def test_holds_the_library_and_nothing_else(self):
        with zipfile.ZipFile(self.wheel) as archive:
            names = {name for name in archive.namelist() if ".dist-info/" not in name}
        self.assertEqual(names, _library_files())
        self.assertIn("stgraph_tf/py.typed", names)

    def test_says_what_it_is_and_needs(self):
        with zipfile.ZipFile(self.wheel) as archive:
            (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
            about = email.message_from_bytes(archive.read(name))
            self.assertEqual(
                archive.read(name.replace("METADATA", "top_level.txt")).split(), [b"stgraph_tf"]
            )
        self.assertEqual(about["Version"], stgraph_tf.__version__)
        needed = about.get_all("Requires-Dist")
        self.assertIn("tensorflow==2.20.*", needed)
        self.assertFalse([line for line in needed if "pytest" in line and "extra ==" not in line])
        readme = (ROOT / "README.md").read_text(encoding="utf-8")
        self.assertIn(readme.splitlines()[0], about.get_payload())

    def test_source_distribution_holds_what_the_wheel_needs(self):
        with tarfile.open(self.sdist) as archive:
            names = {name.partition("/")[2] for name in archive.getnames()}
        self.assertContainsSubset(_library_files() | set(_SOURCES), names)

    def test_installs_into_an_empty_environment_and_imports(self):
        environment = self.folder / "environment"
        venv.create(environment)
        python = environment / "bin" / "python"
        install = ["-m", "pip", "--python", python, "install", "--no-index", "--no-deps"]
        _run(sys.executable, *install, "--disable-pip-version-check", self.wheel)
        code = "import os, stgraph_tf; print(os.path.dirname(stgraph_tf.__file__))"
        (where,) = _run(python, "-c", code, cwd=self.folder).splitlines()
        (site,) = environment.glob("lib/python*/site-packages")
        self.assertEqual(pathlib.Path(where).resolve(), (site / "stgraph_tf").resolve())
        installed = {path.name for path in site.iterdir()}
        version = stgraph_tf.__version__
        self.assertEqual(installed, {"stgraph_tf", f"stgraph_tf-{version}.dist-info"})


if __name__ == "__main__":
    absltest.main()
