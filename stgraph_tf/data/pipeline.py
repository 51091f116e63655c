"""Clips from shards: read -> parse -> choose frames -> choose a square -> batch -> decode.

Data flows one way through these phases, as dicts of tensors through plain functions: `schema.parse`
parses, `clips` chooses, `transforms` moves frames and boxes together and decodes. This module puts
them in a row with `tf.data`. Pixels come last, each right in its place in the batch.

Batches are dicts, with `B` clips, `T` frames, `T' = T / box_stride`, `K` boxes, `C` labels:
    frames      uint8 [B, T, H, W, 3], RGB
    boxes       float32 [B, T', K, 4], [ymin, xmin, ymax, xmax] normalized to [0, 1] of the frame
    mask        bool [B, T', K], False where a frame has no further box
    labels      float32 [B, C] of zeros and ones, all zero when unknown
    id          string [B], the video's
    clip_index  int32 [B], which of the video's clips

The training stream is a function of its arguments alone: neither the number of cores, nor global
seeds, nor where it is entered change which clips come, in which order, and how they are cropped.
"""

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import tensorflow as tf

from stgraph_tf import program
from stgraph_tf.data import arguments, clips, memory, salvage, schema, transforms

Tensors = dict[str, tf.Tensor]

# Shards that are read in turn, record by record. Part of what the stream is: another number gives
# another order.
_INTERLEAVED_SHARDS = 8
_PREFETCHED_BATCHES = 2
# Batches in work: one begins while the last clips of the other are being decoded.
_DECODED_BATCHES = 2
# One clip in work on every core. `AUTOTUNE` spends processor time on finding a number.
_NUM_CORES = program.num_cores()


def training_dataset(
    paths: Sequence[str],
    *,
    num_labels: int,
    num_frames: int,
    box_stride: int,
    num_boxes: int,
    short_side: tuple[int, int],
    crop_size: int,
    flip: bool,
    labels: str,
    batch_size: int,
    seed: int,
    shuffle_buffer: int,
    start_step: int = 0,
    num_videos: int | None = None,
    shard: tuple[int, int] = (0, 1),
    skip_damaged: bool = False,
) -> tf.data.Dataset:
    """An endless, shuffled stream of random clips: every epoch one clip of every video.

    Batches run on over the ends of epochs, so none is short. The same arguments give the same
    stream, and `start_step=k` gives what is left of it after `k` batches.

    Clips wait in the shuffle buffer with their frames chosen but not decoded, so that it holds
    JPEGs of `shuffle_buffer` clips, not of whole videos.

    Args:
        paths: the shards.
        num_labels: `C`.
        num_frames: `T`.
        box_stride: clip frames to a feature frame; divides `T`.
        num_boxes: `K`.
        short_side: the range of lengths in pixels that a frame's short side is scaled to.
        crop_size: side of the random square crop in pixels, at most `short_side[0]`.
        flip: whether half of the clips are mirrored left to right.
        labels: `"clip"` for the labels that overlap the clip in time, `"video"` for all of the
            video's.
        batch_size: clips in a step, over all workers.
        seed: of the order of the videos and of every random choice about a clip.
        shuffle_buffer: clips among which the next is drawn.
        start_step: batches to leave out at the start. Their frames are not decoded.
        num_videos: records in the shards, as `dataset.json` has it. When given, whole epochs are
            left out without being read.
        shard: `(index, count)` of the worker. Of every step's clips, each worker gets its own
            `batch_size / count`; together they get what a single worker would.
        skip_damaged: leaves out damaged records, with a warning, where they would end the stream.
            The shards are scanned for them first, and `num_videos` is not heeded; see `salvage`.

    Returns:
        Batches as above, all shapes known, `B = batch_size / count`.

    Raises:
        ValueError: an argument is out of its range, a shard is missing, or all are empty.
    """
    index, count = shard
    arguments.check_shards(paths)
    arguments.check_clip_arguments(num_labels, num_frames, box_stride, num_boxes, batch_size)
    arguments.require(crop_size >= 1, "crop_size", "positive", crop_size)
    ordered = len(short_side) == 2 and crop_size <= short_side[0] <= short_side[1]
    arguments.require(
        ordered, "short_side", f"(low, high) with crop_size {crop_size} <= low <= high", short_side
    )
    arguments.require(
        labels in clips.LABEL_SOURCES, "labels", f"one of {clips.LABEL_SOURCES}", labels
    )
    arguments.require(shuffle_buffer >= 1, "shuffle_buffer", "positive", shuffle_buffer)
    arguments.require(start_step >= 0, "start_step", "0 or more", start_step)
    arguments.require(num_videos is None or num_videos >= 1, "num_videos", "positive", num_videos)
    arguments.check_worker(shard)
    arguments.require(
        batch_size % count == 0, "batch_size", f"a multiple of the {count} workers", batch_size
    )

    records = _Records(paths, num_videos, _reader(paths))
    if skip_damaged:
        whole = salvage.find_whole_records(paths)
        records = _Records(range(len(paths)), whole.count, whole.of_shard)

    def choose(serialized: tf.Tensor, epoch_seed: tf.Tensor) -> Tensors:
        video = schema.parse(serialized)
        video_seed = _fold_in(epoch_seed, video["id"])
        time_seed, space_seed = tf.unstack(tf.random.split(video_seed, 2))
        clip = clips.training_clip(
            video, num_frames=num_frames, box_stride=box_stride, labels=labels, seed=time_seed
        )
        return {**clip, "seed": space_seed}

    def clips_of_epoch(epoch: tf.Tensor) -> tf.data.Dataset:
        epoch_seed = tf.stack([tf.constant(seed, tf.int64), epoch])
        return _shuffled(records, choose, epoch_seed, shuffle_buffer)

    def place(clip: Tensors) -> Tensors:
        rest = {name: value for name, value in clip.items() if name != "seed"}
        return transforms.place_square(
            rest,
            short_side=short_side,
            crop_size=crop_size,
            flip=flip,
            num_boxes=num_boxes,
            seed=clip["seed"],
        )

    def decode(placed: Tensors) -> Tensors:
        return transforms.decode_squares(placed, crop_size=crop_size)

    def finish(clip: Tensors) -> Tensors:
        multi_hot = clips.multi_hot(clip["labels"], num_labels, clip["id"])
        return {**clip, "labels": multi_hot, "clip_index": tf.constant(0, tf.int32)}

    first_epoch, skipped = 0, start_step * batch_size
    if records.count is not None:
        first_epoch, skipped = divmod(skipped, records.count)
    stream = tf.data.Dataset.counter(first_epoch).flat_map(clips_of_epoch).skip(skipped)
    stream = stream.shard(count, index)
    per_worker = batch_size // count
    if skip_damaged:
        # One clip at a time: where one is left out, the next takes its place in the batch.
        stream = salvage.Attempts()(stream, lambda clip: decode(place(clip)), _NUM_CORES)
        stream = stream.map(finish).batch(per_worker, drop_remainder=True)
    else:
        stream = stream.map(lambda clip: finish(place(clip)), num_parallel_calls=_NUM_CORES)
        stream = stream.batch(per_worker, drop_remainder=True)
        stream = stream.map(decode, num_parallel_calls=_DECODED_BATCHES)
    return _with_fixed_order(stream.prefetch(_PREFETCHED_BATCHES))


def evaluation_dataset(
    paths: Sequence[str],
    *,
    num_labels: int,
    num_frames: int,
    box_stride: int,
    num_boxes: int,
    num_clips: int,
    short_side: int,
    batch_size: int,
    shard: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Every video once, as `num_clips` clips of whole frames, spaced evenly over it.

    Only clips of equal frame size share a batch, so a batch may be smaller than `batch_size` and
    the clips of a video need not follow each other: tell them apart by `id` and `clip_index`.

    Args:
        paths: the shards.
        num_labels: `C`.
        num_frames: `T`.
        box_stride: clip frames to a feature frame; divides `T`.
        num_boxes: `K`.
        num_clips: clips of a video; a single one is its middle.
        short_side: length in pixels that a frame's short side is scaled to, keeping the aspect.
        batch_size: clips in a batch at most.
        shard: `(index, count)` of the worker. Each gets every `count`-th video, whole; together
            they get every video once.

    Returns:
        Batches as above, `labels` being the video's; `B`, `H` and `W` differ from batch to batch.

    Raises:
        ValueError: an argument is out of its range, a shard is missing, or all are empty.
    """
    arguments.check_shards(paths)
    arguments.check_clip_arguments(num_labels, num_frames, box_stride, num_boxes, batch_size)
    arguments.require(num_clips >= 1, "num_clips", "positive", num_clips)
    arguments.require(short_side >= 1, "short_side", "positive", short_side)
    arguments.check_worker(shard)

    def choose(serialized: tf.Tensor) -> Tensors:
        chosen = clips.evaluation_clips(
            schema.parse(serialized),
            num_frames=num_frames,
            box_stride=box_stride,
            num_clips=num_clips,
        )
        multi_hot = clips.multi_hot(chosen["labels"], num_labels, chosen["id"])
        return {**chosen, "labels": multi_hot}

    def apart(video: Tensors) -> tf.data.Dataset:
        def clip(index: tf.Tensor) -> Tensors:
            return {
                "jpegs": tf.gather(video["jpegs"], video["frame_indices"][index]),
                "boxes": video["boxes"][index],
                "mask": video["mask"][index],
                "labels": video["labels"],
                "id": video["id"],
                "clip_index": tf.cast(index, tf.int32),
            }

        return tf.data.Dataset.range(num_clips).map(clip)

    def frame_size(clip: Tensors) -> tf.Tensor:
        size = transforms.scaled_size(transforms.jpeg_size(clip["jpegs"][0]), short_side)
        height, width = tf.unstack(tf.cast(size, tf.int64))
        return height * 2**32 + width

    def decode(clip: Tensors) -> Tensors:
        return transforms.evaluation_transform(clip, short_side=short_side, num_boxes=num_boxes)

    def batch(_: tf.Tensor, same: tf.data.Dataset) -> tf.data.Dataset:
        return same.map(decode, num_parallel_calls=_NUM_CORES).batch(batch_size)

    index, count = shard
    records = _reader(paths)(list(paths)).shard(count, index)
    stream = records.map(choose, num_parallel_calls=_NUM_CORES).flat_map(apart)
    # Clips wait for others of their size as JPEG images: there may be hundreds of sizes.
    stream = stream.group_by_window(frame_size, batch, window_size=batch_size)
    return _with_fixed_order(stream.prefetch(_PREFETCHED_BATCHES))


class _Records(NamedTuple):
    """The records of a split: shards, how many records they hold, and how to read a shard."""

    shards: Sequence[str] | Sequence[int]
    count: int | None  # type: ignore[assignment]
    of_shard: Callable[[tf.Tensor], tf.data.Dataset]


def _reader(paths: Sequence[str]) -> Callable[[tf.Tensor | list[str]], tf.data.Dataset]:
    """What reads shards, all of them in one place."""
    # On this machine, the system buffers files; another buffer would copy everything once more.
    buffer_size = None if any("://" in path for path in paths) else 0
    return functools.partial(tf.data.TFRecordDataset, buffer_size=buffer_size)


def _shuffled(
    split: _Records,
    choose: Callable[[tf.Tensor, tf.Tensor], Tensors],
    epoch_seed: tf.Tensor,
    shuffle_buffer: int,
) -> tf.data.Dataset:
    """One epoch: `choose(record, seed)` of every record, in an order that the seed decides."""
    # With its other seed fixed here (to any number but 0, at which `shuffle` compares the tensor,
    # too), `shuffle` does not heed `tf.random.set_seed`.
    tf.compat.v1.get_default_graph().seed = 1
    shards_seed, order_seed, clips_seed = tf.unstack(tf.random.split(epoch_seed, 3))
    shards = tf.random.experimental.stateless_shuffle(list(split.shards), shards_seed)
    records = tf.data.Dataset.from_tensor_slices(shards).interleave(
        split.of_shard, cycle_length=_INTERLEAVED_SHARDS, num_parallel_calls=_NUM_CORES
    )
    if split.count is not None:
        records = records.apply(tf.data.experimental.assert_cardinality(split.count))
    chosen = records.map(lambda record: choose(record, clips_seed), num_parallel_calls=_NUM_CORES)
    order = tf.random.stateless_uniform([], order_seed, 0, 2**31 - 1, tf.int64)
    return chosen.shuffle(shuffle_buffer, order, reshuffle_each_iteration=False)


def _fold_in(seed: tf.Tensor, name: tf.Tensor) -> tf.Tensor:
    """A seed for `name`; the hash is the same on every machine and in every release."""
    number = tf.strings.to_hash_bucket_fast(name, 2**63 - 1)
    return tf.random.fold_in(seed, number)


def _with_fixed_order(dataset: tf.data.Dataset) -> tf.data.Dataset:
    memory.keep_freed()
    options = tf.data.Options()
    options.deterministic = True
    # Clips are decoded side by side; threads for the parts of one operation would only wait.
    options.threading.max_intra_op_parallelism = 1
    # All numbers are given. The thread that would tune them can keep an iterator of several devices
    # from ever being freed (seen in TensorFlow 2.20), and with it the program.
    options.autotune.enabled = False
    # Workers divide the stream by `shard`; tf.distribute must not divide it again by files.
    options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
    return dataset.with_options(options)
