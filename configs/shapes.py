"""Shapes: small films of moving shapes whose actions are what shapes do to each other.

Rendered by tools/make_shapes.py, learned from scratch in minutes on two CPU cores; `make demo`
runs the whole chain. The rows are those of `charades.py`: `tiny_i3d`, `tiny_i3d_avgpool`,
`tiny_i3d_st`, `tiny_i3d_sim`, `tiny_i3d_joint`, `tiny_nl` and `tiny_nl_joint`.

    python tools/train.py --config configs/shapes.py:tiny_i3d_joint --workdir runs/shapes

`single_` before a row's name is for films of one action and one label (`make_shapes.py
--single_label`), in the style of Something-Something, scored by top-1 and top-5 accuracy.
"""

from ml_collections import ConfigDict

from stgraph_tf import config as settings


def get_config(variant: str = "tiny_i3d_joint") -> ConfigDict:
    row = variant.removeprefix("single_")
    config = settings.for_variant(row, backbones=("tiny",))
    config.name = f"shapes_{variant}"
    config.model.freeze_batch_norm = False
    config.model.dropout = 0.1

    config.data.dir = "data/shapes"
    config.data.num_boxes = 10
    config.data.short_side = (64, 64)

    config.train.stages = ("joint",)  # All weights at once, from random ones.
    config.train.batch_size = 8
    config.train.optimizer = "adamw"
    config.train.weight_decay = 0.01
    config.train.decay_rate = 0.3
    # Now and then the similarity graph's gradient leaps, and without a bound a run falls back.
    config.train.clip_norm = 0.3
    config.train.checkpoint_interval = 200
    config.train.validation_interval = 800
    config.stages.joint.steps = 2400
    config.stages.joint.learning_rate = 2e-3
    config.stages.joint.decay_steps = (1700, 2150)
    config.stages.joint.warmup_steps = 60

    if variant != row:
        config.data.dir = "data/shapes_single"
        config.train.loss = "softmax"

    config.evaluation.num_clips = 1
    config.evaluation.batch_size = 16
    return config
