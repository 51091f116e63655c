"""JSON lines, one object a line: read in one pass, or line by line again without reading the rest.

Every line knows its file and number, so that whatever is wrong with it can be told by place.
"""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Line:
    """Where one line stands: `number` counts from 1, `offset` in bytes from the file's start."""

    path: str
    number: int
    offset: int

    def __str__(self) -> str:
        return f"{self.path}:{self.number}"

    def read(self) -> dict[str, Any]:
        """Reads the line again, and nothing else of the file.

        Raises:
            ValueError: the line is no JSON object; file and line are named.
        """
        with tf.io.gfile.GFile(self.path, "rb") as file:
            file.seek(self.offset)
            return parse(self, file.readline())


def scan(path: str) -> Iterator[tuple[Line, bytes]]:
    """Yields every line that is not blank, unparsed.

    Raises:
        ValueError: there is no such file.
    """
    if not tf.io.gfile.exists(path) or tf.io.gfile.isdir(path):
        raise ValueError(f"{path} does not exist, or is no file")
    offset = 0
    with tf.io.gfile.GFile(path, "rb") as file:
        for number, content in enumerate(file, start=1):
            if content.strip():
                yield Line(path, number, offset), content
            offset += len(content)


def parse(line: Line, content: bytes) -> dict[str, Any]:
    """Parses a line's content.

    Raises:
        ValueError: it is no JSON object; file and line are named.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise ValueError(f"{line} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"{line}: expected a JSON object, received {type(value).__name__}")
    return value
