"""The documentation's pages as the tests read them: code blocks, and what is said above each.

A command stands in a block of ```bash, Python in one of ```python. What is neither (files, layouts,
output) is indented, or in a block of another language. HTML comments, which readers do not see, say
how a block is tested:

    <!-- folder: mine, films -->     at the top: what the page's folder holds, see `readers_files`
    <!-- before: CODE -->            run first: what the reader has got and the test has not
    <!-- not run: REASON -->         its commands are checked, but not run
    <!-- keeps running: URL -->      a server, which the blocks behind it need; it answers at URL
    <!-- printed -->                 what the Python block before prints
"""

import os
import re
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

_COMMENT = re.compile(
    r"<!--\s*(folder|before|not run|keeps running|printed)\b:?\s*(.*?)\s*-->", re.S
)


class Block(NamedTuple):
    """A code block.

    Attributes:
        page: the page's path, from the checkout's folder.
        line: of its first line of code, from 1.
        language: of the fence: `bash`, `python`, ...; "" for none and for indented blocks.
        text: the code.
        notes: what the comments above it say, such as `{"not run": "needs Docker"}`.
    """

    page: str
    line: int
    language: str
    text: str
    notes: dict[str, str]

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


class Page(NamedTuple):
    """A page.

    Attributes:
        path: from the checkout's folder.
        text: all of it.
        blocks: its code blocks, in order.
        folder: names of `readers_files.PARTS`.
    """

    path: str
    text: str
    blocks: list[Block]
    folder: list[str]


def names() -> list[str]:
    """The paths of all pages."""
    docs = sorted(name for name in os.listdir(os.path.join(ROOT, "docs")) if name.endswith(".md"))
    top = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
    return [*top, *(f"docs/{name}" for name in docs)]


def read(path: str) -> Page:
    """Reads a page; `path` is from the checkout's folder.

    Raises:
        ValueError: a comment stands in front of no block.
    """
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        text = file.read()
    blocks, notes, folder = [], {}, []
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "html_block":
            for kind, said in _COMMENT.findall(token.content):
                if kind == "folder":
                    folder = said.replace(",", " ").split()
                else:
                    notes[kind] = said
        elif token.type in ("fence", "code_block"):
            blocks.append(_block(path, token, notes))
            notes = {}
        elif notes and token.type in ("inline", "heading_open"):
            raise ValueError(f"{path}: {notes} stands above no code block")
    return Page(path, text, blocks, folder)


def _block(path: str, token: Token, notes: dict[str, str]) -> Block:
    first = token.map[0] + (2 if token.type == "fence" else 1)
    return Block(path, first, token.info.strip(), token.content, notes)
