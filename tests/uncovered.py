"""Reports what no test runs, function by function; docs/coverage.md holds the reasons.

python -m slipcover --json --out build/coverage.json -m pytest -n 2
python -m tests.uncovered build/coverage.json                       # `make test`: the report
python -m tests.uncovered build/coverage.json docs/coverage.md      # `make coverage`: the page
"""

import ast
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_ROW = re.compile(r"^\| `(?P<file>[^`]+)`(?: `(?P<name>[^`]+)`)? \|[^|]*\| (?P<reason>.*?) ?\|$")
_HEADER = """# Test coverage

    make coverage

runs the whole suite, sees which lines of the library, the programs and the benchmarks run in the
processes of the tests, and writes this page. The reasons are written by hand and stay. Programs
that tests start as processes of their own are not seen there.

{}
These do not:

| where | lines | why |
|---|---|---|
"""


class Place(NamedTuple):
    """A function, or what stands outside of functions in a file.

    Attributes:
        file: relative to the root.
        name: the function's, with its class; empty outside of functions.
    """

    file: str
    name: str


class Lines(NamedTuple):
    """How many lines of a place did not run, and how many it has."""

    missing: int
    all: int


def places(report: Mapping[str, Any]) -> dict[Place, Lines]:
    """The places that have lines that did not run.

    Args:
        report: what `slipcover --json` writes, of files that can be read from here.
    """
    found = {}
    for file, told in sorted(report["files"].items()):
        missing, ran = set(told["missing_lines"]), set(told["executed_lines"])
        for name, lines in sorted(_functions(file).items()):
            if missing & lines:
                found[Place(file, name)] = Lines(len(missing & lines), len((missing | ran) & lines))
    return found


def reasons(page: str) -> dict[Place, str]:
    """The reasons that stand in a page."""
    rows = filter(None, map(_ROW.match, page.splitlines()))
    return {Place(row["file"], row["name"] or ""): row["reason"] for row in rows}


def render(report: Mapping[str, Any], known: Mapping[Place, str]) -> str:
    """The page, with the reasons that are known."""
    rows = [
        f"| `{place.file}`{place.name and f' `{place.name}`'} "
        f"| {lines.missing} of {lines.all} | {known.get(place, '')} |\n"
        for place, lines in places(report).items()
    ]
    return _HEADER.format(_total(report)) + "".join(rows)


def main(report_path: str, page_path: str | None = None) -> int:
    """Prints the report, or writes the page; 1 if a place of the page has no reason."""
    with open(report_path, encoding="utf-8") as file:
        report = json.load(file)
    if page_path is None:
        for name, told in sorted(report["files"].items()):
            if told["missing_lines"]:
                print(f"{told['summary']['percent_covered']:5.1f} %  {name}")
        print(_total(report))
        return 0
    try:
        with open(page_path, encoding="utf-8") as file:
            known = reasons(file.read())
    except FileNotFoundError:
        known = {}
    with open(page_path, "w", encoding="utf-8") as file:
        file.write(render(report, known))
    unexplained = [place for place in places(report) if not known.get(place)]
    for place in unexplained:
        print(f"{page_path} has no reason for {' '.join(place).strip()}", file=sys.stderr)
    return 1 if unexplained else 0


def _total(report: Mapping[str, Any]) -> str:
    summary = report["summary"]
    covered, missing = summary["covered_lines"], summary["missing_lines"]
    return f"{covered:,} of {covered + missing:,} lines run ({summary['percent_covered']:.1f} %)."


def _functions(path: str) -> dict[str, set[int]]:
    """The lines of every function, those of functions inside them included, and of the rest."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    rest = set(range(1, text.count("\n") + 2))
    found = {}
    for name, node in _named(ast.parse(text), ""):
        found[name] = set(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
        rest -= found[name]
    return {**found, "": rest}


def _named(node: ast.AST, prefix: str) -> Iterator[tuple[str, Any]]:
    """Functions by their names, with those of the classes around them."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _named(child, f"{prefix}{child.name}.")
        else:
            yield from _named(child, prefix)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
