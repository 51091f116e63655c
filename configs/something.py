"""Something-Something V1: 174 actions with things, one a video (Goyal et al., ICCV 2017).

The rows of the paper's Table 4 with ResNet-50, 32 frames at 6 fps, 10 proposals a frame, top-1
accuracy on the validation videos (2 clips a video, max-pooled):

    r50_none     41.6   I3D baseline
    r50_joint    43.3   with both graphs

Left and right are labels here, so clips are never mirrored. For your own videos with one label
each, this is the config to start from.

    python tools/train.py --config configs/something.py:r50_joint --workdir runs/something
"""

from ml_collections import ConfigDict

from stgraph_tf import config as settings


def get_config(variant: str = "r50_joint") -> ConfigDict:
    config = settings.for_variant(variant, backbones=("r50", "tiny"))
    config.name = f"something_{variant}"
    config.data.dir = "data/something"
    config.data.num_boxes = 10
    config.data.flip = False
    config.train.loss = "softmax"
    config.evaluation.num_clips = 2
    return config
