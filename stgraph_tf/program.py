"""What every program shares: one sentence for a user's mistake, and progress on long work.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from absl import app, logging
from tqdm import tqdm

T = TypeVar("T")

# TensorFlow's errors that a user can cause and mend: a missing file, a full disk, a torn record.
# Told by name, because TensorFlow may not be loaded yet when something goes wrong.
_TENSORFLOW_USER_ERRORS = frozenset(
    {
        "AlreadyExistsError",
        "DataLossError",
        "FailedPreconditionError",
        "NotFoundError",
        "PermissionDeniedError",
        "ResourceExhaustedError",
    }
)


def run(main: Callable[[Sequence[str]], int | None]) -> None:
    """Runs `main` under absl, ending a user's mistake with one sentence and exit status 1.

    `ValueError`, `OSError` and the TensorFlow errors that stand for a bad file or disk are a user's
    to mend: they print `error: ...` without a traceback (`--verbosity=1` shows it too). Anything
    else is a bug and keeps its traceback.

    Args:
        main: takes the positional arguments, as `absl.app.run` gives them.
    """

    def guarded(argv: Sequence[str]) -> int | None:
        try:
            return main(argv)
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except Exception as error:
            if not _is_users_to_mend(error):
                raise
            if logging.level_debug():
                logging.exception("the traceback of the error below")
            print(f"error: {_one_sentence(error)}", file=sys.stderr)
            return 1

    app.run(guarded)


def progress(items: Iterable[T], *, total: int | None = None, unit: str) -> "tqdm[T]":
    """Wraps `items` in a progress line: done, speed, and time left.

    On a terminal the line moves; in a log it is printed every ten seconds.

    Args:
        items: what to iterate over.
        total: how many there are, where `len(items)` does not tell.
        unit: the name of one item ("video", "clip", "step").
    """
    terminal = sys.stderr.isatty()
    return tqdm(
        items,
        total=total,
        unit=f" {unit}",
        mininterval=0.2 if terminal else 10.0,
        ascii=not terminal,
        dynamic_ncols=terminal,
    )


def _is_users_to_mend(error: Exception) -> bool:
    return (
        isinstance(error, (ValueError, OSError)) or type(error).__name__ in _TENSORFLOW_USER_ERRORS
    )


def _one_sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    message = getattr(error, "message", None) or str(error)
    return " ".join(message.split())
