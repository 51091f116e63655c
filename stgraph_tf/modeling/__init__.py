"""The network: layers and models of the paper, free of data, files and training."""

from stgraph_tf.modeling.builder import build_model
from stgraph_tf.modeling.non_local import NonLocalBlock
from stgraph_tf.modeling.region_graph import GRAPHS, RegionGraphClassifier, RegionGraphs
from stgraph_tf.modeling.resnet3d import BACKBONES, ResNet3D
from stgraph_tf.modeling.roi_align import RoIAlign

__all__ = [
    "BACKBONES",
    "GRAPHS",
    "NonLocalBlock",
    "RegionGraphClassifier",
    "RegionGraphs",
    "ResNet3D",
    "RoIAlign",
    "build_model",
]
