"""Evaluating videos on whole frames, next to the bare network on clips that are held in memory.

What is timed is what `tools/evaluate.py` runs: from shards on the disk, through reading, decoding,
scaling and batching, to pooled scores. The bare network is the bound; it is compiled for batches
and frames of just one size, while ours takes all sizes.
"""

import dataclasses
import functools
import os
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence

import keras
import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from benchmarks import measure, synthetic_films
from stgraph_tf import config as defaults
from stgraph_tf.data import schema, shards
from stgraph_tf.data.dataset_info import DatasetInfo, SplitInfo
from stgraph_tf.evaluation import protocol, views
from stgraph_tf.modeling import build_model

_SEED = 0
_FPS = 6
# Charades' clips a video, and Something-Something's.
_CLIPS_A_VIDEO = (10, 2)
_BARE, _OURS, _READING = "bare network", "stgraph_tf", "stgraph_tf, reading alone"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """What is evaluated.

    Attributes:
        config: the settings of a run; None for the paper's ResNet-50 with both graphs.
        num_classes: classes to score, Charades' by default.
        height: of the stored frames, in pixels.
        width: of the stored frames, in pixels.
        batch_sizes: clips in a batch; all are measured.
        precisions: of `config.model.precision`; all are measured.
    """

    config: ConfigDict | None = None
    num_classes: int = 157
    height: int = 256
    width: int = 340
    batch_sizes: tuple[int, ...] = (1, 2, 4)
    precisions: tuple[str, ...] = ("float32", "mixed_bfloat16")


def run(options: measure.Options, sizes: Sizes | None = None) -> measure.Report:
    """Measures, in seconds a clip; `options.amount` is clips in a turn, in videos of ten or fewer.

    A video's clips begin half a clip after each other, as ten do in half a minute of film.
    """
    sizes = sizes or Sizes()
    config = (sizes.config or defaults.default()).copy_and_resolve_references()
    amount = options.amount or max(sizes.batch_sizes)
    num_clips = min(amount, _CLIPS_A_VIDEO[0])
    num_videos = -(-amount // num_clips)
    config.evaluation.num_clips = num_clips
    with tempfile.TemporaryDirectory() as folder:
        config.data.dir = folder
        info = _write_films(config, sizes, num_videos)
        datasets = {size: _dataset(config, info, size) for size in sizes.batch_sizes}
        contestants: dict[str, Callable[[], object]] = {}
        for precision in sizes.precisions:
            contestants |= _contestants(config, sizes.num_classes, precision, datasets)
        largest = datasets[max(datasets)]
        contestants[_READING] = lambda: [None for _ in largest]
        turns = {
            name: functools.partial(_turn, work, num_videos * num_clips)
            for name, work in contestants.items()
        }
        rows = measure.take_turns(turns, unit="clips", rounds=options.rounds)
    title = (
        f"evaluation of {config.model.backbone}, graph {config.model.graph}, on videos of "
        f"{num_clips} clips of {config.data.num_frames} x {sizes.height} x {sizes.width}, short "
        f"side scaled to {config.evaluation.short_side}, with {config.data.num_boxes} boxes a "
        f"feature frame; {num_videos} in a turn"
    )
    return measure.Report(title, rows, list(_ratios(rows)), seconds_each=True)


def _turn(work: Callable[[], object], num_clips: int) -> measure.Turn:
    with measure.stopwatch() as took:
        work()
    return measure.Turn(num_clips, *took())


def _contestants(
    config: ConfigDict, num_classes: int, precision: str, datasets: Mapping[int, tf.data.Dataset]
) -> dict[str, Callable[[], object]]:
    """The bare network on the largest batches, and what evaluates the data set in each size."""
    keras.utils.set_random_seed(_SEED)
    model = build_model({**config.model, "precision": precision}, num_classes)
    activation = views.ACTIVATIONS[config.train.loss]
    largest, smallest = datasets[max(datasets)], datasets[min(datasets)]
    score = views.compiled(model, activation, smallest.element_spec)
    # The first call compiles.
    views.pooled_scores(score, smallest.take(1))
    precision = precision.removeprefix("mixed_")
    return {f"{_BARE}, {precision}, batch {max(datasets)}": _Bare(model, activation, largest)} | {
        f"{_OURS}, {precision}, batch {batch_size}": functools.partial(
            views.pooled_scores, score, dataset, pooling=config.evaluation.pooling
        )
        for batch_size, dataset in datasets.items()
    }


class _Bare:
    """The network on a data set's batches, which it has in memory."""

    def __init__(self, model: keras.Model, activation: views.Activation, dataset: tf.data.Dataset):
        self._work = []
        scores = {}
        for batch in dataset:
            inputs = {name: batch[name] for name in ("frames", "boxes", "mask")}
            size = batch["frames"].shape
            if size not in scores:
                spec = {name: tf.TensorSpec.from_tensor(value) for name, value in inputs.items()}
                scores[size] = views.compiled(model, activation, spec)
                scores[size](inputs).numpy()
            self._work.append((scores[size], inputs))

    def __call__(self) -> None:
        for score, inputs in self._work:
            score(inputs).numpy()


def _dataset(config: ConfigDict, info: DatasetInfo, batch_size: int) -> tf.data.Dataset:
    config = config.copy_and_resolve_references()
    config.evaluation.batch_size = batch_size
    paths = info.shard_paths(config.data.dir, config.data.validation_split)
    return protocol.validation_dataset(config, info, paths)


def _write_films(config: ConfigDict, sizes: Sizes, num_videos: int) -> DatasetInfo:
    """Writes a data set of one shard."""
    random = np.random.default_rng(_SEED)
    num_frames, num_boxes = config.data.num_frames, config.data.num_boxes
    length = num_frames + (config.evaluation.num_clips - 1) * num_frames // 2
    records = []
    for number in range(num_videos):
        corners = np.sort(random.random([length, num_boxes, 2, 2], np.float32), axis=-2)
        video = schema.Video(
            id=str(number),
            frames=synthetic_films.film(random, length, sizes.height, sizes.width),
            timestamps=[frame * 1_000_000 // _FPS for frame in range(length)],
            height=sizes.height,
            width=sizes.width,
            frame_rate=float(_FPS),
            labels=[0],
            label_names=["0"],
            segments=[],
            boxes=list(corners.reshape(length, num_boxes, 4)),
            scores=[np.linspace(1, 0.1, num_boxes)] * length,
        )
        records.append(schema.encode(video))
    split = config.data.validation_split
    name = shards.shard_name(split, 0, 1)
    shards.write(os.path.join(config.data.dir, name), records)
    return DatasetInfo(
        labels=tuple(map(str, range(sizes.num_classes))),
        multi_label=True,
        frame_rate=float(_FPS),
        short_side=sizes.height,
        splits={split: SplitInfo(num_videos, num_videos * length, 0, [name])},
    )


def _ratios(rows: Sequence[measure.Row]) -> Iterator[str]:
    """A line for each of our rows: its share of the bare network's speed, and videos a second."""
    bare = None
    for row in rows:
        if row.name.startswith(_BARE):
            bare = row
        elif row.name != _READING and bare:
            cpu = statistics.median(bare.cpu) / statistics.median(row.cpu)
            videos = ", ".join(
                f"{row.rate / clips:.3f} of {clips} clips" for clips in _CLIPS_A_VIDEO
            )
            yield (
                f"{row.name.removeprefix(f'{_OURS}, ')}: {row.rate / bare.rate:.2f} of the bare "
                f"network's speed, {cpu:.2f} by CPU time; videos/s: {videos}"
            )
