"""The viewer inside a notebook."""

import html
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from stgraph_tf.viz import viewer
from stgraph_tf.viz.explained_clip import ExplainedClip


def show(
    clips: ExplainedClip | Iterable[ExplainedClip],
    labels: Sequence[str] | None = None,
    *,
    title: str = "",
    description: str = "",
    pooled_scores: np.ndarray | None = None,
    pooling: str = "max",
    height: int = 760,
) -> None:
    """Shows clips with their graphs below the notebook's cell.

    The page stands in a frame of its own that may run its script and nothing else: it cannot touch
    the notebook, and asks no network for anything.

    Args:
        clips: of `stgraph_tf.viz.explain` or of `Predictor.explained`; one, or several.
        labels: C names, in the order of the scores; by default they are numbered.
        title: of the page; by default the first clip's.
        description: a line below the title.
        pooled_scores: float `[C]`, of the film whose clips these are.
        pooling: how they come from the clips' scores.
        height: of the frame, in pixels; what is longer is scrolled.

    Raises:
        ImportError: IPython is not installed.
        ValueError: there is no clip, or scores and labels differ in number.
    """
    display = _display()
    clips = [clips] if isinstance(clips, ExplainedClip) else list(clips)
    if clips and labels is None:
        labels = [f"class {index}" for index in range(len(clips[0].scores))]
    page = viewer.page(
        title or (clips[0].title if clips else ""),
        clips,
        labels or (),
        description=description,
        pooled_scores=pooled_scores,
        pooling=pooling,
    )
    count = "1 clip" if len(clips) == 1 else f"{len(clips)} clips"
    # As a bundle, not as IPython's `HTML`, which warns of every frame.
    display({"text/html": framed(page, height), "text/plain": count}, raw=True)


def framed(page: str, height: int) -> str:
    """A whole HTML page as an element of another, shut off from it.

    Args:
        page: its text.
        height: in pixels.

    Raises:
        ValueError: the height is not positive.
    """
    if height < 1:
        raise ValueError(f"expected a height of at least 1 pixel, received {height}")
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts" title="Region graphs" '
        f'style="width: 100%; height: {height}px; border: 0; border-radius: 10px"></iframe>'
    )


def _display() -> Callable[..., object]:
    """IPython's function that shows a value below a cell."""
    try:
        from IPython.display import display
    except ImportError as error:
        raise ImportError(
            "stgraph_tf.viz.show shows clips in a notebook, which needs IPython: pip install "
            "ipython; elsewhere, stgraph_tf.viz.viewer.write makes a page of them"
        ) from error
    return display
