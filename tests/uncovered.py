"""Reports what no test runs, function by function; docs/coverage.md holds the reasons.

python -m tests.uncovered build/coverage.json docs/coverage.md

The first is what `coverage json` wrote. `make coverage` does all of it.
"""

import json
import re
import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

_ROW = re.compile(r"^\| `(?P<file>[^`]+)`(?: `(?P<name>[^`]+)`)? \|[^|]*\| (?P<reason>.*?) ?\|$")
_HEADER = """# Test coverage

`make coverage` runs the whole suite, sees which lines of the library, the programs and the
benchmarks run, in the tests' own processes and in those that they start, and writes this page. The
reasons are written by hand and stay.

{} These do not:

| where | lines | why |
|---|---|---|
"""


class Place(NamedTuple):
    """A function; what stands outside of functions in a file; or a file of which nothing ran.

    Attributes:
        file: relative to the root.
        name: the function's, with those of the classes and functions around it; empty for others.
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
        report: what `coverage json` writes.
    """
    found = {}
    for file, told in sorted(report["files"].items()):
        parts = told["functions"] if told["executed_lines"] else {"": told}
        for name, lines in sorted(parts.items()):
            missing = len(lines["missing_lines"])
            if missing:
                found[Place(file, name)] = Lines(missing, missing + len(lines["executed_lines"]))
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


def main(report_path: str, page_path: str) -> int:
    """Writes the page; 1 if a place has no reason."""
    with open(report_path, encoding="utf-8") as file:
        report = json.load(file)
    try:
        with open(page_path, encoding="utf-8") as file:
            known = reasons(file.read())
    except FileNotFoundError:
        known = {}
    with open(page_path, "w", encoding="utf-8") as file:
        file.write(render(report, known))
    print(_total(report))
    unexplained = [place for place in places(report) if not known.get(place)]
    for place in unexplained:
        print(f"{page_path} has no reason for {' '.join(place).strip()}", file=sys.stderr)
    return 1 if unexplained else 0


def _total(report: Mapping[str, Any]) -> str:
    total = report["totals"]
    share = total["percent_covered"]
    return f"{total['covered_lines']:,} of {total['num_statements']:,} lines run ({share:.1f} %)."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
