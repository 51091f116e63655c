"""Videos as Space-Time Region Graphs (Wang & Gupta, ECCV 2018) on TensorFlow and Keras 3.

Submodules load on first use, so that `import stgraph_tf` costs nothing:

    import stgraph_tf
    model = stgraph_tf.modeling.RegionGraphClassifier(num_classes=157, graph="joint")
"""

import importlib

__version__ = "0.1.0"

_SUBPACKAGES = (
    "config",
    "data",
    "evaluation",
    "files",
    "modeling",
    "program",
    "proposals",
    "serving",
    "study",
    "training",
    "viz",
    "weights",
)


def __getattr__(name: str):
    if name in _SUBPACKAGES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBPACKAGES])
