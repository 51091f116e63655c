"""The page: one HTML file with everything inside it, which no network is asked for.

What comes from data reaches the page as JSON in which no markup can be, and the script makes texts
of it, never markup. The page's policy lets it run its own script and style, known by their hashes,
and load nothing from anywhere.
"""

import base64
import hashlib
import importlib.resources
import json
import re
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from stgraph_tf import __version__
from stgraph_tf.viz import page_style
from stgraph_tf.viz.explained_clip import ExplainedClip
from stgraph_tf.viz.markup import join
from stgraph_tf.viz.viewer import page_data

_SCRIPTS = ("graph.js", "elements.js", "stage.js", "relations.js", "viewer.js")


def write(path: str, title: str, clips: Iterable[ExplainedClip], labels: Sequence[str], **options):
    """Writes the page atomically; arguments and errors are those of `page`.

    Args:
        path: of the HTML file.
        title: see `page`.
        clips: see `page`.
        labels: see `page`.
        **options: see `page`.
    """
    from stgraph_tf import files  # It loads TensorFlow, which a page in a notebook does not need.

    text = page(title, clips, labels, **options)
    with files.atomic_writer(path) as file:
        file.write(text)


def page(
    title: str,
    clips: Iterable[ExplainedClip],
    labels: Sequence[str],
    *,
    description: str = "",
    pooled_scores: np.ndarray | None = None,
    pooling: str = "max",
) -> str:
    """The viewer as the text of one HTML file, without any request to a network.

    Args:
        title: of the page: the film's name.
        clips: what can be chosen to be seen, at least one; taken one after the other.
        labels: C names, in the order of the clips' scores.
        description: a line below the title, of the model for example.
        pooled_scores: float `[C]`, of the film as a whole: a mark on each bar.
        pooling: how they come from the clips' scores, `max` or `mean`.

    Raises:
        ValueError: there is no clip, or scores and labels differ in number.
    """
    data = page_data.of_clips(clips, labels, pooled_scores=pooled_scores, pooling=pooling)
    return from_content({"title": title, "description": description, **data})


def from_content(content: Mapping[str, Any]) -> str:
    """The page of its content: `title`, `description`, and what `page_data.of_clips` gives."""
    style = page_style.BASE + _text("viewer.css")
    script = '"use strict";\n' + "\n".join(_text(name) for name in _SCRIPTS)
    return string.Template(_text("page.html")).substitute(
        title=join(content["title"]),
        description=join(content["description"]),
        version=__version__,
        policy=f"default-src 'none'; img-src data:; style-src {_hash(style)}; "
        f"script-src {_hash(script)}; base-uri 'none'; form-action 'none'",
        style=style,
        data=as_json(content),
        script=script,
    )


def _text(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    """How a policy names an inline script or style."""
    digest = hashlib.sha256(content.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def content(page: str) -> dict[str, Any]:
    """What a page shows, as `from_content` takes it.

    Raises:
        ValueError: it is no page of the viewer.
    """
    found = re.search('<script type="application/json" id="data">(.*)</script>', page)
    if not found:
        raise ValueError("expected a page of the viewer, received one without its data")
    return json.loads(found[1])


def as_json(value: object) -> str:
    """JSON that may stand inside a `script` element: no `</script>` or `<!--` can be in it."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
