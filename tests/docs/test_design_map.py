"""docs/design.md maps the whole paper, and every name in its map exists."""

import ast
import functools
import importlib.util
import os
import re

from absl.testing import absltest

from stgraph_tf import config as settings
from tests.docs.pages import ROOT

PAGE = os.path.join(ROOT, "docs/design.md")
# What a reader of the paper looks for.
PAPER = (
    *("Section 3", "4.1", "4.2", "4.3", "Section 5", "Section 6", "Section 6.1", "Section 6.2"),
    *(f"equation {number}" for number in (1, 2, 3, 4, 5)),
    *("Table 1", "Table 2a", "Table 2b", "Table 3", "Table 4"),
    *(f"Figure {number}" for number in (1, 2, 3, 4, 5)),
)


def the_map() -> str:
    with open(PAGE, encoding="utf-8") as file:
        return re.search(r"<!-- map -->(.*)<!-- end of map -->", file.read(), re.S)[1]


@functools.cache
def names_in(path: str) -> frozenset[str]:
    """The names that a module defines: `name`, `Class.name`, and flags as `--name`."""
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        tree = ast.parse(file.read())
    found = set()
    for node in tree.body:
        found |= _defined(node, "")
        if isinstance(node, ast.ClassDef):
            for member in node.body:
                found |= _defined(member, f"{node.name}.")
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and "DEFINE" in ast.unparse(call.func):
            found.add(f"--{ast.literal_eval(call.args[0])}")
    return frozenset(found)


def _defined(node: ast.stmt, prefix: str) -> set[str]:
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {prefix + node.name}
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return {prefix + target.id for target in targets if isinstance(target, ast.Name)}


def has_variant(path: str, variant: str) -> bool:
    spec = importlib.util.spec_from_file_location("config_file", os.path.join(ROOT, path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        module.get_config(variant)
    except ValueError:
        return False
    return True


def exists(name: str, path: str) -> bool:
    """Whether a name of the map exists, `path` being the file that stands before it."""
    if name.startswith("config."):
        return name.removeprefix("config.") in dict(settings.flatten(settings.default()))
    if "/" in name:
        file, _, variant = name.partition(":")
        there = os.path.isfile(os.path.join(ROOT, file))
        return there and (not variant or has_variant(file, variant))
    return bool(path) and name in names_in(path)


class DesignMapTest(absltest.TestCase):
    def test_every_name_exists(self):
        rows = re.findall(r"^\| .* \| (.*) \|$", the_map(), re.M)
        self.assertGreater(len(rows), 50)
        for row in rows:
            path = ""
            for name in re.findall(r"`([^`]+)`", row):
                with self.subTest(name, path=path):
                    self.assertTrue(exists(name, path))
                path = name if name.endswith(".py") else path

    def test_names_that_do_not_exist(self):
        graphs = "stgraph_tf/modeling/graphs.py"
        self.assertTrue(exists("SimilarityGraph.call", graphs))
        for name, path in (
            ("SimilarityGraph.walk", graphs),
            ("similarity", graphs),
            ("RoIAlign", ""),
            ("stgraph_tf/modeling/graph.py", ""),
            ("configs/charades.py:r50_i4d", ""),
            ("config.model.drop", ""),
            ("--row", "tools/study.py"),
        ):
            with self.subTest(name):
                self.assertFalse(exists(name, path))

    def test_the_whole_paper_is_on_it(self):
        text = the_map()
        for part in PAPER:
            with self.subTest(part):
                self.assertRegex(text, rf"(?i)\b{re.escape(part)}\b")


if __name__ == "__main__":
    absltest.main()
