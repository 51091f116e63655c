"""The commands in a block of bash, as words; enough of a shell for documentation."""

import re
import shlex
from typing import NamedTuple

_PUNCTUATION = "();<>|&\n"
# Words that stand before a command, or before none.
_KEYWORDS = frozenset({"do", "done", "then", "else", "fi", "if", "export", "!"})
_ASSIGNMENT = re.compile(r"\w+=")
ELLIPSIS = "..."


class Command(NamedTuple):
    """A command.

    Attributes:
        words: the program and its arguments; variables of `for` loops have their first value.
        elided: whether words were left out, of which `...` tells.
    """

    words: tuple[str, ...]
    elided: bool

    @property
    def script(self) -> str | None:
        """The Python file that it runs, if it runs one."""
        if len(self.words) < 2 or not re.fullmatch(r"(.*/)?python3?", self.words[0]):
            return None
        return self.words[1] if self.words[1].endswith(".py") else None


def parse(text: str) -> list[Command]:
    """The commands of a block, in order."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars=_PUNCTUATION)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t", True, ""
    commands, words, in_comment, skip = [], [], False, False
    for word in [*lexer, "\n"]:
        if set(word) <= set(_PUNCTUATION):
            if "\n" in word:
                in_comment = False
            if not in_comment:
                # Behind < and > stands a file.
                skip = word[-1] in "<>"
                if not skip:
                    commands.append(words)
                    words = []
        elif word.startswith("#") or in_comment:
            in_comment = True
        elif skip:
            skip = False
        else:
            words.append(word)
    return _without_keywords(commands)


def _without_keywords(commands: list[list[str]]) -> list[Command]:
    values, found = {}, []
    for words in commands:
        while words and (words[0] in _KEYWORDS or _ASSIGNMENT.match(words[0])):
            words = words[1:]
        if words[:1] == ["for"]:
            values[words[1]] = words[3]
        elif words and words != ["$"]:
            for name, value in values.items():
                words = [re.sub(rf"\$({name}\b|{{{name}}})", value, word) for word in words]
            kept = tuple(word for word in words if word != ELLIPSIS)
            if kept:
                found.append(Command(kept, len(kept) < len(words)))
    return found
