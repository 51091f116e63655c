"""Makes the library's reference from its docstrings: HTML pages, by pdoc.

    python docs/make_reference.py --output build/api

pdoc needs no configuration and no files beside the code, and reads the Google style that docstrings
have here, with Markdown inside. It looks into modules as they are, so names that load on first use
are loaded before.
"""

import importlib
import os
import pathlib
import pkgutil
from collections.abc import Sequence

from absl import flags

from stgraph_tf import program

_OUTPUT = flags.DEFINE_string("output", "build/api", "Folder of the pages; made when missing.")


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    # pdoc hinders modules from starting programs while they are imported; some look for the CPU.
    os.environ.setdefault("PDOC_ALLOW_EXEC", "1")

    import pdoc

    import stgraph_tf

    modules = list(pkgutil.walk_packages(stgraph_tf.__path__, "stgraph_tf."))
    for found in program.progress(modules, unit="module"):
        module = importlib.import_module(found.name)
        if names := getattr(module, "__all__", None):
            for name in names:
                setattr(module, name, getattr(module, name))
            # Otherwise pdoc leaves out modules that their package does not name.
            inside = pkgutil.iter_modules(getattr(module, "__path__", []))
            module.__all__ = [*names, *(part.name for part in inside if part.name not in names)]
    pdoc.render.configure(docformat="google")
    pdoc.pdoc("stgraph_tf", output_directory=pathlib.Path(_OUTPUT.value))
    print(f"open {os.path.join(_OUTPUT.value, 'index.html')}")


if __name__ == "__main__":
    program.run(main)
