"""Runs the code blocks of the documentation as a reader would type them, in small.

    python tests/docs/run_pages.py                           all pages: minutes
    python tests/docs/run_pages.py README.md docs/data.md    these pages
    python tests/docs/run_pages.py --only python README.md   their Python blocks alone

Each page gets a folder of its own (`folders`), in which its blocks run in order: variables of bash
and names of Python last to the page's end. `pages` tells what the comments above blocks mean.
"""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence

from absl import flags

from stgraph_tf import program

_ONLY = flags.DEFINE_enum("only", None, ["bash", "python"], "Blocks of this language alone.")

# Seconds that a block may take, and a server to answer.
_LONGEST = 1200
# How much of a failed block's output is shown, characters.
_SHOWN = 6000
# Exported variables last from block to block, and all that a block sets is exported.
_BASH = """set -aeuo pipefail
[ ! -f .exported ] || . ./.exported
{text}
export -p > .exported
"""


class BlockError(Exception):
    """A block failed; the message is what it said."""


class Reader:
    """Runs the blocks of one page.

    Args:
        folder: where they run.
        environment: for bash.
    """

    def __init__(self, folder: str, environment: Mapping[str, str]):
        self._folder = folder
        self._environment = environment
        self._names = {"__name__": "__main__"}
        self._printed = ""
        self._servers: list[subprocess.Popen] = []

    def run(self, block) -> None:
        """Runs a block, or compares it with what the one before printed.

        Raises:
            BlockError: it failed.
        """
        if "printed" in block.notes:
            if block.text.strip() != self._printed.strip():
                raise BlockError(f"this was printed instead:\n{self._printed}")
        elif block.language == "python":
            self._python(block)
        elif "keeps running" in block.notes:
            self._serve(block)
        else:
            self._bash(block.notes.get("before", ""))
            self._bash(block.text)

    def close(self) -> None:
        """Stops what keeps running."""
        for server in self._servers:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGTERM)
            server.wait(timeout=_LONGEST)

    def _python(self, block) -> None:
        output, before, directory = io.StringIO(), sys.argv, os.getcwd()
        os.chdir(self._folder)
        sys.path.insert(0, "")
        try:
            with contextlib.redirect_stdout(output):
                exec(compile(block.notes.get("before", ""), block.page, "exec"), self._names)
                # Empty lines in front: then errors name the page's lines.
                text = "\n" * (block.line - 1) + block.text
                exec(compile(text, block.page, "exec"), self._names)
        except Exception as error:
            raise BlockError(output.getvalue() + traceback.format_exc()) from error
        finally:
            os.chdir(directory)
            sys.path.remove("")
            sys.argv = before
        self._printed = output.getvalue()

    def _bash(self, text: str) -> None:
        done = subprocess.run(
            ["bash", "-c", _BASH.format(text=text)],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        if done.returncode:
            raise BlockError(f"{done.stdout}\nexit status {done.returncode}")

    def _serve(self, block) -> None:
        if _answers(block.notes["keeps running"]):
            raise BlockError(f"another server is at {block.notes['keeps running']} already")
        log = os.path.join(self._folder, f"server-{len(self._servers)}.log")
        with open(log, "w") as file:
            server = subprocess.Popen(
                ["bash", "-c", _BASH.format(text=block.text)],
                cwd=self._folder,
                env=self._environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._servers.append(server)
        deadline = time.monotonic() + _LONGEST
        while not _answers(block.notes["keeps running"]):
            if server.poll() is not None or time.monotonic() > deadline:
                with open(log) as file:
                    raise BlockError(f"{file.read()}\nit does not answer")
            time.sleep(0.2)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=10) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def run_page(page, only: str | None) -> bool:
    """Runs a page's blocks, and says how it goes; returns whether all went well."""
    from tests.docs import folders

    kinds = (only,) if only else ("bash", "python")
    blocks = [
        block
        for block in page.blocks
        if "not run" not in block.notes and (block.language in kinds or "printed" in block.notes)
    ]
    if not any(block.language in kinds for block in blocks):
        return True
    with tempfile.TemporaryDirectory() as folder:
        reader = Reader(folder, folders.make(folder, page.folder))
        try:
            for block in blocks:
                started = time.monotonic()
                reader.run(block)
                seconds = time.monotonic() - started
                print(f"{block.place}  {block.language}  {seconds:.1f} s", flush=True)
        except BlockError as error:
            print(f"{block.place} FAILED\n{str(error)[-_SHOWN:]}", flush=True)
            return False
        finally:
            reader.close()
    return True


def main(argv: Sequence[str]) -> None:
    # The tests are no part of the installed package.
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
    from tests.docs import pages

    paths = argv[1:] or pages.names()
    failed = [path for path in paths if not run_page(pages.read(path), _ONLY.value)]
    if failed:
        raise ValueError(f"there are blocks that do not run in {', '.join(failed)}")


if __name__ == "__main__":
    program.run(main)
