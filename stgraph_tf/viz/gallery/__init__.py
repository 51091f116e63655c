"""The viewer for the videos of a split: a page for each, and an index of all.

    DIR/index.html          the videos with what the model says of them, to be sorted and filtered
    DIR/videos/ID.html      the viewer of one video, a file that needs no other
    DIR/videos/ID.webp      its picture on the index
    DIR/videos/ID.json      its scores, and what they were made of

What is there already, made of the same model and the same record, stays: a run that was stopped
goes on where it was.
"""

from stgraph_tf.viz.gallery.models import exported, trained
from stgraph_tf.viz.gallery.run import write
from stgraph_tf.viz.gallery.selection import CHOICES, Selection

__all__ = ["CHOICES", "Selection", "exported", "trained", "write"]
