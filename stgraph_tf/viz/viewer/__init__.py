"""The viewer: clips with their space-time region graphs, as one HTML page (Figures 3 and 4).

from stgraph_tf.viz import viewer

viewer.write("film.html", "film.mp4", clips, labels)
"""

from stgraph_tf.viz.viewer.document import page, write

__all__ = ["page", "write"]
