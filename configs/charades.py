"""Charades: 157 actions in cluttered homes, several at once (Sigurdsson et al., ECCV 2016).

The rows of the paper's Table 2, ResNet-50, 32 frames at 6 fps, 50 proposals a frame, mAP on the
validation videos (10 clips a video, max-pooled):

    r50_none     31.8   I3D baseline
    r50_avgpool  32.1   mean of the proposals' features
    r50_st       34.2   spatial-temporal GCN
    r50_sim      35.0   similarity GCN
    r50_joint    36.2   both

    python tools/train.py --config configs/charades.py:r50_joint --workdir runs/charades
"""

from ml_collections import ConfigDict

from stgraph_tf import config as settings


def get_config(variant: str = "r50_joint") -> ConfigDict:
    config = settings.for_variant(variant, backbones=("r50",))
    config.name = f"charades_{variant}"
    config.data.dir = "data/charades"
    return config
