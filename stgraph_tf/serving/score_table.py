"""Labels and scores as people read them: highest first, with bars."""

from collections.abc import Sequence

import numpy as np

_BAR_WIDTH = 30


def ranked(labels: Sequence[str], scores: np.ndarray) -> list[tuple[str, float]]:
    """C labels with their scores `[C]`, highest first."""
    return sorted(zip(labels, scores.tolist(), strict=True), key=lambda pair: -pair[1])


def text(pairs: Sequence[tuple[str, float]]) -> str:
    """A line for each of some labels with their scores, at least one, with a bar."""
    width = max(len(label) for label, _ in pairs)
    return "\n".join(
        f"{label:<{width}}  {score:.3f}  {'█' * round(_BAR_WIDTH * score)}".rstrip()
        for label, score in pairs
    )
