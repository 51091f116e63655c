"""A small backbone with a stage more than the "tiny" one, for whatever stages may differ in."""

from stgraph_tf.modeling import BACKBONES

THREE_STAGES = {
    **BACKBONES["tiny"],
    "widths": (16, 32, 32),
    "temporal_kernels": ((3,), (3,), (3, 3)),
    "spatial_strides": (1, 2, 1),
}
