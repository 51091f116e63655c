"""The documentation's pages: every command, link, file name and Python block in them holds.

`make docs-test` runs the blocks; these tests take seconds.
"""

import ast
import json
import os
import re
import subprocess
import sys

from absl.testing import absltest

from tests.docs import commands, pages

PAGES = [pages.read(path) for path in pages.names()]
BLOCKS = [block for page in PAGES for block in page.blocks]

# Programs that are not the project's. Their own flags are not looked at.
OTHER_PROGRAMS = frozenset(
    (
        *("cd", "curl", "docker", "git", "grep", "head", "kubectl", "ls", "make", "pip"),
        *("pdoc", "ruff", "saved_model_cli", "tensorboard"),
    )
)
MODULES = frozenset(("build", "pip", "pytest", "tf2onnx.convert", "venv"))
# Folders of the checkout.
FOLDERS = "benchmarks|configs|docs|export|stgraph_tf|tests|tools"


def program_of(command: commands.Command) -> str:
    """`tools/train.py`, `-m venv`, `make`: what a command runs."""
    first, *rest = command.words
    if re.fullmatch(r"(.*/)?python3?", first) and rest:
        return f"-m {rest[1]}" if rest[0] == "-m" else rest[0]
    return os.path.basename(first)


def anchors(text: str) -> set[str]:
    """The anchors that GitHub gives a page's headings."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {heading.strip().replace(" ", "-") for heading in plain}


class CommandsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.commands = [
            (block.place, command)
            for block in BLOCKS
            if block.language == "bash"
            for command in commands.parse(block.text)
        ]

    def test_programs_parse_their_flags(self):
        asked = [
            (place, {"script": c.script, "arguments": c.words[2:], "elided": c.elided})
            for place, c in self.commands
            if c.script and c.script != "peak.py"  # of docs/training.md
        ]
        self.assertGreater(len(asked), 50)
        done = subprocess.run(
            [sys.executable, os.path.join(pages.ROOT, "tests/docs/parse_flags.py")],
            input=json.dumps([command for _, command in asked]),
            capture_output=True,
            text=True,
            cwd=pages.ROOT,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        for (place, command), wrong in zip(asked, json.loads(done.stdout), strict=True):
            with self.subTest(place, script=command["script"]):
                self.assertIsNone(wrong)

    def test_programs_are_known(self):
        for place, command in self.commands:
            program = program_of(command)
            with self.subTest(place, program=program):
                known = program in OTHER_PROGRAMS or program in ("-c", "peak.py")
                known |= program.removeprefix("-m ") in MODULES
                known |= os.path.isfile(os.path.join(pages.ROOT, program))
                self.assertTrue(known)

    def test_targets_of_make(self):
        with open(os.path.join(pages.ROOT, "Makefile")) as file:
            targets = re.findall(r"^([\w-]+):", file.read(), re.M)
        asked = [(place, c.words[1:]) for place, c in self.commands if c.words[0] == "make"]
        self.assertNotEmpty(asked)
        for place, words in asked:
            for word in words:
                with self.subTest(place, target=word):
                    self.assertTrue("=" in word or word in targets)

    def test_commands_stand_in_blocks_of_bash(self):
        for block in BLOCKS:
            if block.language in ("bash", "python"):
                continue
            for line in block.text.splitlines():
                with self.subTest(block.place, line=line):
                    self.assertNotRegex(line, r"^\s*(\S*/)?(python3?|make|pip|docker|curl) ")

    def test_blocks_that_are_not_run_say_why(self):
        for block in BLOCKS:
            if "not run" in block.notes:
                with self.subTest(block.place):
                    self.assertGreater(len(block.notes["not run"]), 10)


class TextTest(absltest.TestCase):
    def test_python_compiles(self):
        for block in BLOCKS:
            if block.language == "python":
                with self.subTest(block.place):
                    ast.parse(block.text)

    def test_json_lines_parse(self):
        for block in BLOCKS:
            for line in block.text.splitlines():
                if not block.language and line.startswith('{"') and "..." not in line:
                    with self.subTest(block.place):
                        json.loads(line)

    def test_links_lead_somewhere(self):
        texts = {page.path: page.text for page in PAGES}
        for page in PAGES:
            for target in re.findall(r"\]\(([^)\s]+)\)", page.text):
                if re.match(r"https?://|mailto:", target):
                    continue
                path, _, anchor = target.partition("#")
                path = os.path.normpath(os.path.join(os.path.dirname(page.path), path))
                path = path if target[0] != "#" else page.path
                with self.subTest(page.path, target=target):
                    self.assertTrue(os.path.exists(os.path.join(pages.ROOT, path)))
                    if anchor:
                        self.assertIn(anchor, anchors(texts[path]))

    def test_files_of_the_project_exist(self):
        for page in PAGES:
            for path in re.findall(rf"`((?:{FOLDERS})/[\w/.-]+)", page.text):
                with self.subTest(page.path, path=path):
                    self.assertTrue(os.path.exists(os.path.join(pages.ROOT, path)))


class PythonTest(absltest.TestCase):
    def test_blocks_that_take_seconds(self):
        done = subprocess.run(
            [
                *(sys.executable, os.path.join(pages.ROOT, "tests/docs/run_pages.py")),
                *("--only", "python", "README.md", "docs/data.md", "docs/scaling.md"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertLen(re.findall(r"^\S+:\d+  python", done.stdout, re.M), 3)


if __name__ == "__main__":
    absltest.main()
