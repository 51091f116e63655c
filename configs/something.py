"""Something-Something V1: 174 actions with things, one a video (Goyal et al., ICCV 2017).

The rows of the paper's Table 4, top-1 and top-5 accuracy on the validation videos (2 clips a video,
max-pooled), 10 proposals a frame:

    r50_i3d         41.6   72.2   I3D baseline
    r50_i3d_joint   43.3   75.1   with both graphs
    r50_nl          44.4   76.0   non-local network
    r50_nl_joint    46.1   76.8   non-local network with both graphs

The other rows of `charades.py` (`r50_i3d_st`, `r101_nl_joint`, ...) are here too, without a number
in the paper. `r50` sees 32 frames at 6 fps, 224 x 224; `r101` sees 128 frames at 24 fps, 288 x 288,
from records of their own (`--fps 24 --short_side 411`). `tiny_i3d` and so on are the same rows with
a network for 16 frames of 64 x 64, for a first try.

Left and right are labels here, so clips are never mirrored. For your own videos with one label
each, this is the config to start from.

    python tools/train.py --config configs/something.py:r50_i3d_joint --workdir runs/something
"""

from ml_collections import ConfigDict

from stgraph_tf import config as settings


def get_config(variant: str = "r50_i3d_joint") -> ConfigDict:
    config = settings.for_variant(variant, backbones=("r50", "r101", "tiny"))
    config.name = f"something_{variant}"
    config.data.dir = "data/something_24fps" if variant.startswith("r101") else "data/something"
    config.data.num_boxes = 10
    config.data.flip = False
    config.train.loss = "softmax"
    config.evaluation.num_clips = 2
    return config
