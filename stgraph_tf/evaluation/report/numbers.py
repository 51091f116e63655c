"""How numbers are written on the page: the same everywhere, as in the terminal's table."""

import math

NOTHING = "\N{EN DASH}"


def percent(share: float | None) -> str:
    """`45.3 %`; a dash where there is no number."""
    if share is None or math.isnan(share):
        return NOTHING
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def score(value: float) -> str:
    """A score with three decimals."""
    return f"{value:.3f}" if math.isfinite(value) else str(value)


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 video`, `1,863 videos`."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
