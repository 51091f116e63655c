"""Charades: 157 actions in cluttered homes, several at once (Sigurdsson et al., ECCV 2016).

The rows of the paper's Tables 2 and 3, mAP on the validation videos (10 clips a video, max-pooled):

    r50_i3d           31.8   I3D baseline
    r50_i3d_avgpool   32.1   mean of the proposals' features
    r50_i3d_st        34.2   spatial-temporal GCN
    r50_i3d_sim       35.0   similarity GCN
    r50_i3d_joint     36.2   both; r50_i3d_joint_25 has 35.9, r50_i3d_joint_100 has 36.1
    r50_nl            33.5   non-local network
    r50_nl_joint      37.5   non-local network with both graphs
    r101_i3d          35.5   I3D baseline
    r101_i3d_joint    39.1   with both graphs
    r101_nl           37.5   non-local network
    r101_nl_joint     39.7   non-local network with both graphs

The proposals are 50 a frame; `_25` or `_100` behind a joint row changes that. `r50` sees 32 frames
at 6 fps, 224 x 224; `r101` sees 128 frames at 24 fps, 288 x 288, from records of their own:

    python tools/prepare_dataset.py ... --fps 6 --short_side 320 --output data/charades
    python tools/prepare_dataset.py ... --fps 24 --short_side 411 --output data/charades_24fps
    python tools/train.py --config configs/charades.py:r50_i3d_joint --workdir runs/charades

`tiny_i3d` and so on are the same rows with a network for 16 frames of 64 x 64, for a first try.
"""

from ml_collections import ConfigDict

from stgraph_tf import config as settings


def get_config(variant: str = "r50_i3d_joint") -> ConfigDict:
    config = settings.for_variant(variant, backbones=("r50", "r101", "tiny"), proposals=(25, 100))
    config.name = f"charades_{variant}"
    config.data.dir = "data/charades_24fps" if variant.startswith("r101") else "data/charades"
    return config
