"""Pictures of what goes into the network and comes out of it.

Names load on first use, so that importing the package costs nothing:

    from stgraph_tf import viz

    clips = viz.explain(model, batch)
    viz.show(clips, labels)                                        # in a notebook
    viz.viewer.write("clips.html", "Validation", clips, labels)    # anywhere else
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stgraph_tf.viz.explained_clip import ExplainedClip
    from stgraph_tf.viz.explainer import explain
    from stgraph_tf.viz.notebook import show

__all__ = ["ExplainedClip", "explain", "show"]

_HOMES = {"ExplainedClip": "explained_clip", "explain": "explainer", "show": "notebook"}
_SUBMODULES = ("contact_sheet", "drawing", "gallery", "graph_picture", "viewer")


def __getattr__(name: str):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _HOMES:
        return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES, *_SUBMODULES])
