"""Apache Beam on this machine's cores, or wherever its own flags say.

Beam's FnApiRunner is what `DirectRunner` stands for. It is named here because `DirectRunner` first
looks for another runner, for which it would download a program.
"""

import argparse
import logging
import shlex
import sys
import threading
from collections.abc import Sequence
from typing import NoReturn

# Beam regrets, at length, cloud libraries that are not installed.
_disabled = logging.root.manager.disable
logging.disable(max(logging.WARNING, _disabled))
import apache_beam as beam  # noqa: E402
import grpc  # noqa: E402
from apache_beam.options.pipeline_options import (  # noqa: E402
    DirectOptions,
    PipelineOptions,
    StandardOptions,
)
from apache_beam.runners.portability.fn_api_runner import fn_runner  # noqa: E402
from apache_beam.transforms import environments  # noqa: E402

from stgraph_tf.data import film_pool  # noqa: E402

logging.disable(_disabled)
logging.getLogger("apache_beam").setLevel(logging.CRITICAL)

__all__ = ["WORKER_MODULE", "PipelineOptions", "beam", "choose_runner", "parse_options"]

WORKER_MODULE = "stgraph_tf.data.beam_worker"
_LOCAL = ("", "DirectRunner", "FnApiRunner")


def parse_options(flags: Sequence[str], num_films: int) -> PipelineOptions:
    """Beam's options from its flags.

    Args:
        flags: as on a command line.
        num_films: decides how many processes of this machine pay, where no flag does.

    Raises:
        ValueError: one of them is no flag of Beam's, or has a wrong value.
    """
    options = PipelineOptions(list(flags))
    parsers = []
    options.get_all_options(add_extra_args_fn=lambda p: parsers.append(_raising(p)))
    _, unknown = parsers[0].parse_known_args(list(flags))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is neither a flag of this program nor one of Beam's")
    if not any(flag.startswith("--direct_num_workers") for flag in flags):
        options.view_as(DirectOptions).direct_num_workers = film_pool.worth_starting(num_films)
    return options


def choose_runner(options: PipelineOptions) -> fn_runner.FnApiRunner | None:
    """The runner on this machine, with workers that keep quiet; None for what options name."""
    if (options.view_as(StandardOptions).runner or "") not in _LOCAL:
        return None
    direct = options.view_as(DirectOptions)
    if direct.direct_num_workers == 1 or direct.direct_running_mode == "multi_threading":
        return fn_runner.FnApiRunner()
    threading.excepthook = _tell_but_lost_workers
    direct.direct_running_mode = "in_memory"  # What the processes are is said by their command.
    command = f"exec {shlex.quote(sys.executable)} -m {WORKER_MODULE}"
    return fn_runner.FnApiRunner(environments.SubprocessSDKEnvironment.from_command_string(command))


def _tell_but_lost_workers(args: threading.ExceptHookArgs) -> None:
    # Each of Beam's threads reports a lost worker; one sentence from us is enough.
    if not issubclass(args.exc_type, grpc.RpcError):
        threading.__excepthook__(args)


def _raising(parser: argparse.ArgumentParser) -> argparse.ArgumentParser:
    def error(message: str) -> NoReturn:
        raise ValueError(f"Beam: {message}")

    parser.error = error  # type: ignore[method-assign]
    return parser
