"""TF Serving's `batching.config`, so that both servers can have the same one.

max_batch_size { value: 8 }
batch_timeout_micros { value: 1000 }
max_enqueued_batches { value: 16 }
num_batch_threads { value: 2 }
"""

import re

from absl import logging

_COMMENT = re.compile(r"#[^\n]*")
_FIELD = re.compile(r"(\w+)\s*:?\s*\{\s*value\s*:\s*([^\s{}]+)\s*\}[\s,;]*|(\w+)\s*:\s*[^\s{}]+\s*")
_SETTINGS = ("max_batch_size", "batch_timeout_micros", "num_batch_threads", "max_enqueued_batches")


def read(path: str) -> dict[str, int]:
    """The settings that a file has, by their names in `Settings`.

    Fields that only TF Serving knows are passed over with a warning.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such configuration.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        text = _COMMENT.sub("", file.read())
    found, position = {}, len(text) - len(text.lstrip())
    while position < len(text):
        match = _FIELD.match(text, position)
        if not match:
            line = text[position:].splitlines()[0].strip()
            raise ValueError(f"{path} is no configuration of batching: it has {line!r}")
        position = match.end()
        name, value = match[1] or match[3], match[2]
        if name not in _SETTINGS:
            logging.warning("%s: this server passes over %s", path, name)
        elif value is None or not value.isdecimal():
            raise ValueError(f"{path}: {name} must be {{ value: a whole number }}")
        else:
            found[name] = int(value)
    if "max_enqueued_batches" in found:
        # TF Serving counts batches in its queue, and this server requests.
        found["max_queue_length"] = found.pop("max_enqueued_batches") * found.get(
            "max_batch_size", 1
        )
    return found
