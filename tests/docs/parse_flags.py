"""Parses command lines as the project's programs do, without running them.

    python tests/docs/parse_flags.py < commands.json

reads a list of `{"script": "tools/train.py", "arguments": [...], "elided": bool}` and writes a list
of what is wrong with each: a sentence, or null. Flags belong to a process, so every command line is
parsed in a fork. Of one with words left out, the flags' names are checked.
"""

import json
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags

from stgraph_tf import config as settings
from stgraph_tf import program

# Programs with arguments that are no flags: a folder, pages.
_TAKE_ARGUMENTS = ("tools/inspect_dataset.py", "tests/docs/run_pages.py")


def main() -> None:
    json.dump([_in_a_fork(command) for command in json.load(sys.stdin)], sys.stdout)


def _check(script: str, arguments: Sequence[str], elided: bool) -> None:
    started = []
    program.run = lambda main, *, extra_flags=False: started.append(extra_flags)
    sys.argv = [script, *arguments]
    names = runpy.run_path(script, run_name="__main__")
    (extra_flags,) = started
    if elided:
        _check_names(arguments, extra_flags)
        return
    left = flags.FLAGS(sys.argv, known_only=extra_flags)[1:]
    if extra_flags:
        _parse_beam_flags(left)
        return
    # tools/benchmark.py takes the name of a part.
    unknown = [word for word in left if word not in names.get("BENCHMARKS", ())]
    if unknown and script not in _TAKE_ARGUMENTS:
        raise ValueError(f"{unknown[0]!r} is neither a flag nor an argument")


def _check_names(words: Sequence[str], extra_flags: bool) -> None:
    config = dict(settings.flatten(settings.default()))
    for word in words:
        name = word.removeprefix("--").split("=")[0]
        known = name in flags.FLAGS or name.removeprefix("no") in flags.FLAGS
        known |= name.startswith("config.") and name.removeprefix("config.") in config
        if not word.startswith("--") or known:
            continue
        if not extra_flags:
            raise ValueError(f"there is no flag --{name}")
        _parse_beam_flags([word])


def _parse_beam_flags(words: Sequence[str]) -> None:
    if words:
        from stgraph_tf.data import beam_runner

        beam_runner.parse_options(words, num_films=1)


def _in_a_fork(command: Mapping[str, Any]) -> str | None:
    """What is wrong, found in a process that has defined and parsed no flags before."""
    read_end, write_end = os.pipe()
    child = os.fork()
    if not child:
        os.close(read_end)
        with os.fdopen(write_end, "w") as file:
            try:
                json.dump(_check(**command), file)
            except (flags.Error, AttributeError, KeyError, TypeError, ValueError) as error:
                # A config flag raises whatever its config raises.
                json.dump(" ".join(str(error).split()), file)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as file:
        answer = file.read()
    os.waitpid(child, 0)
    return json.loads(answer) if answer else "the check of this command died"


if __name__ == "__main__":
    main()
