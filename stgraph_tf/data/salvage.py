"""Reading on past damage: `--config.data.skip_damaged`.

TensorFlow's reader gives up a file at its first damaged record. Here every shard is scanned once,
before training, for the records that are whole and hold a video; only these are read. The scan
reads and parses the whole split on one core, without decoding.
The list that it makes is what a split without the damaged records would be: the stream is the same
on every start, and can be entered at any step.

What a scan at the speed of reading does not find is a frame that cannot be decoded inside a record
that is whole. Its clip is left out when it is met, which moves all later clips forward by one. So
a run that is interrupted and goes on then sees some clips at other steps than one that was not.
"""

import dataclasses
from collections.abc import Callable, Sequence

import tensorflow as tf
from absl import logging

from stgraph_tf import program
from stgraph_tf.data import schema, shards

Tensors = dict[str, tf.Tensor]


@dataclasses.dataclass(frozen=True)
class WholeRecords:
    """Where the records are that can be read.

    Attributes:
        paths: the shards.
        offsets: for every shard, the bytes at which its whole records begin.
    """

    paths: Sequence[str]
    offsets: Sequence[Sequence[int]]

    @property
    def count(self) -> int:
        """Videos in all shards."""
        return sum(map(len, self.offsets))

    def of_shard(self, number: tf.Tensor) -> tf.data.Dataset:
        """The records of shard `number`, int64 `[]`, as strings, in the order of the file."""
        offsets = tf.ragged.constant(self.offsets, tf.int64, ragged_rank=1)[number]

        def read(offset: tf.Tensor) -> tf.Tensor:
            record = tf.numpy_function(self._read, [number, offset], tf.string, stateful=False)
            return tf.ensure_shape(record, [])

        return tf.data.Dataset.from_tensor_slices(offsets).map(read)

    def _read(self, number: int, offset: int) -> bytes:
        return shards.read_at(self.paths[number], int(offset))


def find_whole_records(paths: Sequence[str]) -> WholeRecords:
    """Scans shards, with a warning for every damaged record and one for all of them.

    A record is whole when its checksums are right and it holds a video with MediaSequence's keys
    and at least one frame.

    Raises:
        ValueError: no record is whole.
    """
    offsets: list[list[int]] = []
    num_damaged = num_torn = 0
    with program.progress(paths, unit="shard") as progress:
        for path in progress:
            offsets.append([])
            for record in shards.salvage(path):
                damage: shards.Damage | None
                if isinstance(record, shards.Damage):
                    damage = record
                elif (damage := _without_video(path, record)) is None:
                    offsets[-1].append(record.offset)
                    continue
                num_damaged += 1
                num_torn += damage.rest_is_lost
                lost = ", so all that follows in the file is lost" if damage.rest_is_lost else ""
                logging.warning("%s%s; it is skipped", damage, lost)
    found = WholeRecords(list(paths), offsets)
    if not found.count:
        raise ValueError(f"{paths[0]} to {paths[-1]}: expected a whole record, received none")
    if num_damaged:
        logging.warning(
            "skipping %d damaged records, and the rest of %d files; %d videos are left",
            *(num_damaged, num_torn, found.count),
        )
    return found


class Attempts:
    """Lets clips through whose frames can be decoded, and counts the others."""

    def __init__(self) -> None:
        self.num_dropped = 0

    def __call__(
        self, stream: tf.data.Dataset, decode: Callable[[Tensors], Tensors], num_threads: int
    ) -> tf.data.Dataset:
        """`stream.map(decode)` without the clips at which `decode` fails."""
        decoded = stream.map(_attempted(decode), num_parallel_calls=num_threads)
        return decoded.filter(self._passes).map(lambda clip, _: clip)

    def _passes(self, clip: Tensors, succeeded: tf.Tensor) -> tf.Tensor:
        def drop() -> tf.Tensor:
            return tf.ensure_shape(tf.numpy_function(self._drop, [clip["id"]], tf.bool), [])

        return tf.cond(succeeded, lambda: True, drop)

    def _drop(self, video_id: bytes) -> bool:
        self.num_dropped += 1
        logging.warning(
            "video %s has a frame that is not a JPEG image, is damaged, or is not as large as the "
            "first; its clip is left out, %d since the start",
            *(video_id.decode(errors="replace"), self.num_dropped),
        )
        return False


def _attempted(
    transform: Callable[[Tensors], Tensors],
) -> Callable[[Tensors], tuple[Tensors, tf.Tensor]]:
    """What `transform` gives and True, or zeros, with the clip's id, and False where it fails.

    Inside a graph, nothing catches an operation's error but the `ignore_errors` of a dataset. So
    the clip becomes a dataset of one, which costs about a millisecond.
    """

    def attempt(clip: Tensors) -> tuple[Tensors, tf.Tensor]:
        alone = tf.data.Dataset.from_tensors(clip)
        done = alone.map(transform).ignore_errors()

        def empty(clip: Tensors) -> tuple[Tensors, bool]:
            zeros = tf.nest.map_structure(
                lambda spec: tf.zeros([side or 0 for side in spec.shape], spec.dtype),
                done.element_spec,
            )
            return {**zeros, "id": clip["id"]}, False

        succeeded = done.map(lambda clip: (clip, True))
        return succeeded.concatenate(alone.map(empty)).take(1).get_single_element()

    return attempt


@tf.function(input_signature=[tf.TensorSpec([], tf.string)])
def _num_frames(serialized: tf.Tensor) -> tf.Tensor:
    return tf.size(schema.parse(serialized)["frames"])


def _without_video(path: str, record: shards.Record) -> shards.Damage | None:
    try:
        if _num_frames(record.data) > 0:
            return None
        reason = "it has no frames"
    except tf.errors.InvalidArgumentError as error:
        reason = f"it does not hold a video with MediaSequence's keys: {error.message}"
    return shards.Damage(path, record.offset, record.index, reason)
