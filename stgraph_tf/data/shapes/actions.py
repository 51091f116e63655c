"""All that shapes can do, and the labels that films of it have."""

from stgraph_tf.data.shapes import pair_actions, sequences, solo_actions  # noqa: F401 (register)
from stgraph_tf.data.shapes.script import ACTIONS

LABELS: tuple[str, ...] = tuple(
    dict.fromkeys(label for action in ACTIONS.values() for label in action.labels)
)
"""The classes, in their order."""
