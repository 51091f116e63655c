"""Reads a page as a browser does, as far as tests need it."""

import html.parser

_VOID = {"br", "col", "img", "input", "link", "meta", "source", "wbr"}


class PageReader(html.parser.HTMLParser):
    """What a page holds.

    Attributes:
        tags: names and attributes of all elements, in order.
        text: all that is not inside `style` and `script`.
        rows: the texts of the cells of every row of every table.
        problems: elements that are closed wrongly or not at all.
    """

    def __init__(self, page: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.problems: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        self.problems += [f"<{name}> stays open" for name in self._open]

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        if not self._open or self._open.pop() != tag:
            self.problems.append(f"</{tag}> closes another")

    def handle_data(self, data):
        if self._open and self._open[-1] not in ("style", "script"):
            self.text += data
            if {"td", "th"} & set(self._open):
                self.rows[-1][-1] += data

    def attributes(self, tag: str, key: str) -> list[str]:
        """The values of one attribute of all elements of a kind that have it."""
        return [values[key] for name, values in self.tags if name == tag and key in values]
