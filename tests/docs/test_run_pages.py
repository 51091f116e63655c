"""How the documentation's blocks are found, read and run."""

import os
import re
import subprocess
import sys
import tempfile

from absl.testing import absltest, parameterized

from tests.docs import commands, pages, smaller

PROGRAM = os.path.join(pages.ROOT, "tests/docs/run_pages.py")


class PagesTest(absltest.TestCase):
    def read(self, text: str) -> pages.Page:
        path = self.create_tempfile("page.md", text).full_path
        return pages.read(path)

    def test_blocks(self):
        page = self.read(
            "# Title\n<!-- folder: mine, demo -->\n\n- item\n\n      file\n\n"
            "<!-- not run: needs\n     Docker -->\n\n```bash\ndocker run\n```\n\n"
            "```python\nx = 1\n```\n"
        )
        self.assertEqual(page.folder, ["mine", "demo"])
        self.assertEqual(
            [(block.line, block.language, block.text) for block in page.blocks],
            [(6, "", "file\n"), (12, "bash", "docker run\n"), (16, "python", "x = 1\n")],
        )
        self.assertEqual(
            [block.notes for block in page.blocks], [{}, {"not run": "needs\n     Docker"}, {}]
        )

    def test_a_note_without_a_block(self):
        with self.assertRaisesRegex(ValueError, "stands above no code block"):
            self.read("<!-- printed -->\n\nWords.\n\n    code\n")


class CommandsTest(parameterized.TestCase):
    @parameterized.parameters(
        ("python a.py --x 1 \\\n    --y", [("python", "a.py", "--x", "1", "--y")]),
        (
            "cd x && ls | head  # first\nmake demo",
            [("cd", "x"), ("ls",), ("head",), ("make", "demo")],
        ),
        ("A=1 make x > log\nexport B=2", [("make", "x")]),
        (
            "for s in train test; do\n  echo $s ${s}.x $st\ndone",
            [("echo", "train", "train.x", "$st")],
        ),
        ("f=$(ls films | head -n 1)", [("ls", "films"), ("head", "-n", "1")]),
        ("echo 'a # b; c'", [("echo", "a # b; c")]),
    )
    def test_words(self, text, expected):
        self.assertEqual([command.words for command in commands.parse(text)], expected)

    def test_words_left_out(self):
        (command,) = commands.parse(".venv/bin/python tools/x.py ... --a 1")
        self.assertTrue(command.elided)
        self.assertEqual(command.script, "tools/x.py")
        self.assertEqual(command.words[2:], ("--a", "1"))


class SmallerTest(absltest.TestCase):
    def test_training_is_small(self):
        arguments = smaller.smaller(["tools/train.py", "--config=configs/charades.py:r101_nl"])
        self.assertEqual(arguments[1], "--config=configs/charades.py:tiny_nl")
        self.assertIn("--config.stages.graph.steps=2", arguments)

    def test_what_only_computes_is_left(self):
        arguments = ["tools/model_info.py", "--config=configs/charades.py:r50_i3d"]
        self.assertEqual(smaller.smaller(arguments), arguments)


class RunPagesTest(absltest.TestCase):
    def run_page(self, text: str) -> subprocess.CompletedProcess:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "page.md")
            with open(path, "w") as file:
                file.write(text)
            return subprocess.run(
                [sys.executable, PROGRAM, path], capture_output=True, text=True, check=False
            )

    def test_names_and_variables_last(self):
        done = self.run_page(
            "```bash\nname=value\n```\n\n```bash\necho $name > file\n```\n\n"
            "<!-- before: x = 20 -->\n\n```python\nprint(x + 1, open('file').read())\n```\n\n"
            "<!-- printed -->\n\n    21 value\n\n```python\nassert x == 20\n```\n\n"
            "<!-- not run: it would fail -->\n\n```bash\nfalse\n```\n"
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertLen(re.findall(r"  (?:bash|python|)  [\d.]+ s$", done.stdout, re.M), 5)

    def test_failures_name_the_line(self):
        done = self.run_page("```python\nprint(1)\n```\n\n<!-- printed -->\n\n    2\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("page.md:7 FAILED\nthis was printed instead:\n1", done.stdout)
        self.assertRegex(done.stderr, "error: there are blocks that do not run in .*page.md")

        done = self.run_page("Words.\n\n```bash\ntrue\nls nothing\n```\n")
        self.assertIn("page.md:4 FAILED", done.stdout)
        self.assertRegex(done.stdout, "nothing.*\n\nexit status 2")

        done = self.run_page("```python\nx = 1\nraise KeyError(x)\n```\n")
        self.assertRegex(done.stdout, r'page.md", line 3, in <module>\n.*\n?KeyError: 1')


if __name__ == "__main__":
    absltest.main()
