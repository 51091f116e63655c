"""What every program shares: one sentence for a user's mistake, and progress on long work.

Imports neither TensorFlow nor Keras, so that `--help` answers at once.
"""

import contextlib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

from absl import app, flags, logging
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

_ENVIRONMENT = {
    # The C++ log tells of a missing GPU driver at level "error". What is an error for the user
    # arrives as an exception.
    "TF_CPP_MIN_LOG_LEVEL": "3",
    # By itself TensorFlow uses oneDNN's kernels only on processors with AVX-512 for neural
    # networks. On those with AVX2 alone a training step takes a third of the time with them, too.
    "TF_ENABLE_ONEDNN_OPTS": "1",
}
"""What TensorFlow is told by environment variables, unless the user has set them."""


def run(main: Callable[[Sequence[str]], int | None], *, extra_flags: bool = False) -> None:
    """Runs `main` under absl, ending a user's mistake with one sentence and exit status 1.

    `ValueError`, `OSError` and the TensorFlow errors that stand for a bad file or disk are a user's
    to mend: they print `error: ...` without a traceback (`--verbosity=1` shows it too). Anything
    else is a bug and keeps its traceback.

    Args:
        main: takes the positional arguments, as `absl.app.run` gives them.
        extra_flags: whether `main` takes flags, too, that are not defined here.
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

    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    app.run(guarded, flags_parser=functools.partial(_parse_flags, extra_flags=extra_flags))


def progress(items: Iterable[T], *, total: int | None = None, unit: str) -> "tqdm[T]":
    """Wraps `items` in a progress line: done, speed, and time left.

    On a terminal the line moves; in a log it is printed every ten seconds.

    Args:
        items: what to iterate over.
        total: how many there are, where `len(items)` does not tell.
        unit: the name of one item ("video", "clip", "step").
    """
    return tqdm(items, total=total, **_style(unit))


def progress_bar(total: int, *, unit: str, done: int = 0) -> "tqdm[None]":
    """The same line for work that is no loop over items: call its `update`.

    Args:
        total: how many items there are in all.
        unit: the name of one item.
        done: how many were done before this program started.
    """
    return tqdm(total=total, initial=done, **_style(unit))


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hushes what TensorFlow, Orbit and Model Garden log of their own workings."""
    verbosity = logging.get_verbosity()
    if verbosity < logging.DEBUG:
        logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)


def num_cores() -> int:
    """The cores that this process may run on."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _style(unit: str) -> dict[str, Any]:
    terminal = sys.stderr.isatty()
    return {
        "unit": f" {unit}",
        "mininterval": 0.2 if terminal else 10.0,
        "ascii": not terminal,
        "dynamic_ncols": terminal,
    }


def _parse_flags(argv: Sequence[str], extra_flags: bool) -> Sequence[str]:
    try:
        return flags.FLAGS(argv, known_only=extra_flags)
    except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
        # A config flag raises whatever its config raises, and wraps it with the traceback.
        if isinstance(error, AttributeError):
            # ml_collections raises AttributeError(KeyError("'name'\nDid you mean ...")).
            cause = error.args[0]
            cause = cause.args[0] if isinstance(cause, KeyError) else cause
            reason = f"the config has no setting {' '.join(str(cause).split())}"
        else:
            reason = str(error).strip().splitlines()[-1].strip().removeprefix("ValueError: ")
        print(f"error: {reason}; --help tells what the flags are", file=sys.stderr)
        sys.exit(1)


def _is_users_to_mend(error: Exception) -> bool:
    return (
        isinstance(error, (ValueError, OSError)) or type(error).__name__ in _TENSORFLOW_USER_ERRORS
    )


def _one_sentence(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}"
    message = getattr(error, "message", None) or str(error)
    # TensorFlow puts the graph's node before what went wrong, and the operation behind it.
    message = re.sub(r"\{\{.*?\}\}|\[Op:\w+\]", "", message)
    return " ".join(message.split())
