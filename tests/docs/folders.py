"""The folders that the documentation's commands run in.

A folder has the checkout's files, a `.venv` whose `python` makes work small (`smaller`), and the
parts that its page asks for, see `readers_files`.
"""

import os
import sys
from collections.abc import Sequence

from tests.docs.pages import ROOT

_CHECKOUT = (
    *("Makefile", "README.md", "constraints.txt", "pyproject.toml", "requirements.lock"),
    *("benchmarks", "configs", "docs", "export", "setup.cfg", "stgraph_tf", "tests", "tools"),
)
_TOOLS = ("pdoc", "pytest", "ruff", "saved_model_cli", "tensorboard")


def make(folder: str, parts: Sequence[str]) -> dict[str, str]:
    """Fills a folder.

    Args:
        folder: an empty one.
        parts: names of `readers_files.PARTS`.

    Returns:
        The environment for its commands.
    """
    for name in _CHECKOUT:
        os.symlink(os.path.join(ROOT, name), os.path.join(folder, name))
    programs = os.path.join(folder, ".venv", "bin")
    os.makedirs(programs)
    write(os.path.join(programs, "python"), _script(f"{ROOT}/tests/docs/smaller.py"), mode=0o755)
    for name in _TOOLS:
        path = os.path.join(os.path.dirname(sys.executable), name)
        if os.path.exists(path):
            os.symlink(path, os.path.join(programs, name))
    write(os.path.join(folder, ".venv", "ready"), "")
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    if parts:
        # Their films need TensorFlow.
        from tests.docs import readers_files

        for part in parts:
            readers_files.PARTS[part](folder, environment)
    return environment


def _script(path: str) -> str:
    return f'#!/bin/sh\nexec "{sys.executable}" "{path}" "$@"\n'


def write(path: str, text: str, mode: int = 0o644) -> None:
    """Writes a text file, and its folder where there is none."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)
