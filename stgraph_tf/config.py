"""Every setting of a run, with its default: the paper's for Charades with ResNet-50.

The files in `configs/` start from `default()` and change what their data set or row needs; flags
change the rest (`--config.train.batch_size=4`). Settings are checked where they are first used, by
`check`.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ml_collections import ConfigDict

# The parts of a training run (section 6 of the paper), see stgraph_tf.training.stages.
STAGES = ("backbone", "graph", "joint")


def default() -> ConfigDict:
    """The settings that all configs share, as a fresh, editable `ConfigDict`."""
    config = ConfigDict()
    config.name = "default"
    config.seed = 0

    model = config.model = ConfigDict()
    model.graph = "joint"  # none, avgpool, spatial_temporal, similarity or joint
    model.backbone = "r50"  # a row of stgraph_tf.modeling.BACKBONES
    model.pool1_padded = True  # in space; the authors' public weights want False
    model.pool2_size = 3  # frames, with stride 2; the authors' public weights want 2
    model.stride_on_1x1 = False  # weights of keras.applications want True
    model.freeze_batch_norm = True  # False only to train from scratch
    model.feature_dim = 512  # d, after the 1x1x1 reduction
    model.gcn_layers = 3
    model.dropout = 0.3
    model.channel_order = "rgb"  # or bgr, where the weights want blue first; videos are RGB always
    model.input_mean = (114.75, 114.75, 114.75)  # subtracted from pixels in [0, 255]
    model.input_std = (57.375, 57.375, 57.375)  # then divided by
    model.precision = "float32"  # or mixed_bfloat16, or mixed_float16 for GPUs without bfloat16
    model.rematerialize = False  # True computes activations twice and keeps fewer of them

    data = config.data = ConfigDict()
    data.dir = "data/dataset"  # what tools/prepare_dataset.py wrote
    data.train_split = "train"
    data.validation_split = "validation"
    data.num_frames = 32  # T, frames a clip, as stored in the shards
    data.box_stride = 2  # T / T': feature frame i takes the boxes of frame i * box_stride
    data.num_boxes = 50  # K, proposals a feature frame
    data.short_side = (256, 320)  # the range that training scales to, pixels
    data.crop_size = 224  # the training crop, pixels
    data.flip = True  # mirror half of the training clips
    data.labels = "clip"  # a clip's labels: those overlapping it, or all of the "video"
    data.shuffle_buffer = 256  # records
    data.skip_damaged = False  # True trains on without damaged records; False stops at the first

    train = config.train = ConfigDict()
    train.loss = "sigmoid"  # multi-label; "softmax" for single-label
    train.stages = STAGES  # those that the run has, in their order
    train.batch_size = 8  # clips, over all replicas
    train.reference_batch_size = 0  # the batch that learning rates are meant for; 0: any
    train.microbatches = 1  # parts that a replica's clips are worked through in, to save memory
    train.optimizer = "sgd"  # or "adamw"
    train.decay_rate = 0.1  # what each of a stage's decay_steps multiplies the rate by
    train.momentum = 0.9
    train.weight_decay = 1e-4
    train.clip_norm = 0.0  # the longest gradient, L2; 0: any length
    train.use_ema = False  # True evaluates and exports the moving average of the weights
    train.ema_momentum = 0.999
    train.deterministic = True  # the same bits from every run on a CPU
    train.log_interval = 20  # steps between progress lines and summaries
    train.checkpoint_interval = 1000  # steps
    train.keep_checkpoints = 3
    train.validation_interval = 0  # steps; 0: an epoch of the data; -1: never
    train.validation_clips = 1  # clips a video, for validation between epochs

    stages = config.stages = ConfigDict()
    for stage, steps, learning_rate, decay_steps in (
        ("backbone", 100_000, 0.00125, (90_000,)),
        ("graph", 100_000, 0.00125, (90_000,)),
        ("joint", 30_000, 0.000125, ()),
    ):
        schedule = stages[stage] = ConfigDict()
        schedule.steps = steps
        schedule.learning_rate = learning_rate
        schedule.decay_steps = decay_steps  # of the stage's own, where the rate falls
        schedule.warmup_steps = 0  # linear, from zero

    init = config.init = ConfigDict()
    init.weights = ""  # what tools/convert_weights.py wrote: where a fresh backbone starts
    init.checkpoint = ""  # of another run: where the first stage starts, instead

    evaluation = config.evaluation = ConfigDict()
    evaluation.num_clips = 10  # clips a video, evenly spaced
    evaluation.pooling = "max"  # of the clips' scores, or "mean"
    evaluation.short_side = 256  # whole frames, scaled to this short side, pixels
    evaluation.batch_size = 4  # clips
    evaluation.precision = ""  # as trained; or float32 or mixed_bfloat16
    return config


# The networks of the paper's tables, as variant strings name them: the suffix of the backbone's row
# in stgraph_tf.modeling.BACKBONES, and the graph.
_NETWORKS = {
    "i3d": ("", "none"),
    "i3d_avgpool": ("", "avgpool"),
    "i3d_st": ("", "spatial_temporal"),
    "i3d_sim": ("", "similarity"),
    "i3d_joint": ("", "joint"),
    "nl": ("_nl", "none"),
    "nl_joint": ("_nl", "joint"),
}

# What a backbone looks at, where it is not the default.
_INPUTS = {
    "r50": {},
    # The same five seconds at 24 fps. The paper gives the crop alone; its short sides are those of
    # R50 times 288 / 224, so that a crop shows as much of the picture (X3D scales them so, too).
    "r101": {
        "data.num_frames": 128,
        "data.box_stride": 8,
        "data.short_side": (329, 411),
        "data.crop_size": 288,
        "evaluation.short_side": 329,
    },
    "tiny": {
        "model.feature_dim": 64,
        "data.num_frames": 16,
        "data.short_side": (64, 80),
        "data.crop_size": 64,
        "evaluation.short_side": 64,
    },
}


def for_variant(
    variant: str,
    backbones: Sequence[str],
    networks: Sequence[str] = tuple(_NETWORKS),
    proposals: Sequence[int] = (),
) -> ConfigDict:
    """The defaults with what a variant string names: a row of the paper's tables.

    Args:
        variant: `BACKBONE_NETWORK`, such as "r50_i3d_joint", of which `i3d_` may be left out; with
            `_25` behind a joint network, 25 proposals a frame.
        backbones: the backbones that the config has, of r50, r101 and tiny.
        networks: the networks that it has.
        proposals: the numbers of proposals that may be asked for.

    Raises:
        ValueError: listing the variants, when there is no such one.
    """
    rows = {
        f"{backbone}_{network}{suffix}": (backbone, network, suffix)
        for backbone in backbones
        for network in networks
        for suffix in ("", *(f"_{number}" for number in proposals if network.endswith("joint")))
    }
    row = variant if variant in rows else variant.replace("_", "_i3d_", 1)
    if row not in rows:
        raise ValueError(f"--config has no variant {variant!r}; it has {', '.join(rows)}")
    backbone, network, suffix = rows[row]
    config = default()
    config.update_from_flattened_dict(_INPUTS[backbone])
    backbone_suffix, config.model.graph = _NETWORKS[network]
    config.model.backbone = backbone + backbone_suffix
    if config.model.graph == "none":
        config.train.stages = ("backbone",)
    if suffix:
        config.data.num_boxes = int(suffix[1:])
    return config


_CHOICES = {
    "model.graph": ("none", "avgpool", "spatial_temporal", "similarity", "joint"),
    "model.channel_order": ("rgb", "bgr"),
    "model.precision": ("float32", "mixed_bfloat16", "mixed_float16"),
    "data.labels": ("clip", "video"),
    "train.loss": ("sigmoid", "softmax"),
    "train.optimizer": ("sgd", "adamw"),
    "evaluation.pooling": ("max", "mean"),
    "evaluation.precision": ("", "float32", "mixed_bfloat16"),
}

_AT_LEAST_ONE = (
    "model.pool2_size",
    "data.num_frames",
    "data.box_stride",
    "data.num_boxes",
    "data.crop_size",
    "data.shuffle_buffer",
    "train.batch_size",
    "train.microbatches",
    "train.log_interval",
    "train.checkpoint_interval",
    "train.keep_checkpoints",
    "train.validation_clips",
    "stages.backbone.steps",
    "stages.graph.steps",
    "stages.joint.steps",
    "evaluation.num_clips",
    "evaluation.short_side",
    "evaluation.batch_size",
)


def check(config: ConfigDict) -> None:
    """Checks what can be checked without data.

    Raises:
        ValueError: naming the flag, what it may be, and what it is.
    """
    settings = dict(flatten(config))
    for name, choices in _CHOICES.items():
        if settings[name] not in choices:
            raise ValueError(
                f"--config.{name} must be one of {', '.join(choices)}; it is {settings[name]!r}"
            )
    for name in _AT_LEAST_ONE:
        if settings[name] < 1:
            raise ValueError(f"--config.{name} must be at least 1; it is {settings[name]}")
    low, high = config.data.short_side
    if not 1 <= low <= high:
        raise ValueError(
            "--config.data.short_side must be a range (low, high) with 1 <= low <= high; "
            f"it is {tuple(config.data.short_side)}"
        )
    if config.data.crop_size > low:
        raise ValueError(
            f"--config.data.crop_size must not exceed the smallest short side; it is "
            f"{config.data.crop_size}, and --config.data.short_side starts at {low}"
        )
    _check_training(config)


def _check_training(config: ConfigDict) -> None:
    train, stages = config.train, tuple(config.train.stages)
    if not stages or list(stages) != [name for name in STAGES if name in stages]:
        raise ValueError(
            f"--config.train.stages must be some of {STAGES} in this order; it is {stages}"
        )
    if config.model.graph == "none" and "graph" in stages:
        raise ValueError(
            '--config.train.stages has the stage "graph", but --config.model.graph is "none"; '
            'a network without a graph is trained by the stage "backbone"'
        )
    for name in STAGES:
        if config.stages[name].learning_rate <= 0:
            raise ValueError(
                f"--config.stages.{name}.learning_rate must be positive; "
                f"it is {config.stages[name].learning_rate}"
            )
    for name, low in (("reference_batch_size", 0), ("clip_norm", 0), ("validation_interval", -1)):
        if train[name] < low:
            raise ValueError(f"--config.train.{name} must be at least {low}; it is {train[name]}")
    if not 0 <= train.ema_momentum < 1:
        raise ValueError(
            f"--config.train.ema_momentum must be in [0, 1); it is {train.ema_momentum}"
        )
    if train.microbatches > train.batch_size:
        raise ValueError(
            "--config.train.microbatches must not exceed --config.train.batch_size; "
            f"they are {train.microbatches} and {train.batch_size}"
        )
    if config.init.weights and config.init.checkpoint:
        raise ValueError("give --config.init.weights or --config.init.checkpoint, not both")


def flatten(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields `("train.batch_size", 8)` and so on, tuples as tuples."""
    for name, value in config.items():
        if isinstance(value, (Mapping, ConfigDict)):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", tuple(value) if isinstance(value, list) else value


def to_json(config: ConfigDict) -> dict[str, Any]:
    """A nested dict that JSON can hold; `differences` compares it with a config again."""
    return json.loads(config.to_json())


def differences(saved: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The settings in which two configs differ, a phrase each, for messages."""
    before, now = dict(flatten(saved)), dict(flatten(config))
    return [
        f"{name} was {before.get(name)!r} and is {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]
