"""A split in the making: what is finished, in a hidden folder, until all of it is whole.

    .train.partial/plan.json                 what the split is made from
    .train.partial/tasks.jsonl               the films, in the order of the shards
    .train.partial/films/00003/00017.record  what came of film 17 of shard 3
    .train.partial/films/00003/00018.failure why there is no record
    .train.partial/films/00003/00019.lost    a film on which a worker process died
    .train.partial/films/00003/00020.begun   by whom a film is being read
    .train.partial/00003.tfrecord            a finished shard
    .train.partial/00003.json                what it holds and lacks

The folder knows the plan that it was begun with. Whoever comes back with the same plan finds what
is finished; with another plan, it starts afresh.
"""

import dataclasses
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

import tensorflow as tf
from absl import logging

from stgraph_tf import files
from stgraph_tf.data import film_files, records, shards

RECORD, FAILURE, LOST, BEGUN = ".record", ".failure", ".lost", ".begun"


class ShardTasks(NamedTuple):
    """A shard's films: `count` lines of the file of tasks, from byte `offset` on."""

    shard: int
    offset: int
    count: int  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class Failure:
    """A film that could not be read, and why."""

    id: str
    reason: str


@dataclasses.dataclass
class ShardSummary:
    """What a finished shard holds and lacks, and what there was to say about its films."""

    counts: records.Counts
    failures: list[Failure] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything is; all that workers on other machines need to know of a split."""

    folder: str

    def tasks(self) -> str:
        """The file of tasks."""
        return os.path.join(self.folder, "tasks.jsonl")

    def films(self, shard: int) -> str:
        """The folder of a shard's films."""
        return os.path.join(self.folder, "films", f"{shard:05d}")

    def film(self, shard: int, place: int, suffix: str) -> str:
        """What came of a film: a `RECORD`, a `FAILURE`, or that it is `LOST` or has `BEGUN`."""
        return os.path.join(self.films(shard), f"{place:05d}{suffix}")

    def outcome(self, shard: int, place: int) -> str | None:
        """The file of what came of a film, if it is there."""
        for suffix in (RECORD, FAILURE, LOST):
            path = self.film(shard, place, suffix)
            if tf.io.gfile.exists(path):
                return path
        return None

    def shard(self, shard: int) -> str:
        """Where a shard stands until it is published."""
        return os.path.join(self.folder, f"{shard:05d}.tfrecord")

    def summary(self, shard: int) -> str:
        """The file that makes a shard a finished one."""
        return os.path.join(self.folder, f"{shard:05d}.json")

    def stop(self) -> str:
        """A file that tells workers to leave the remaining films alone."""
        return os.path.join(self.folder, "stop")

    def read_tasks(self, tasks: ShardTasks) -> Iterator[records.Task]:
        """The films of a shard."""
        with tf.io.gfile.GFile(self.tasks(), "rb") as file:
            file.seek(tasks.offset)
            for _ in range(tasks.count):
                yield records.Task.from_json(json.loads(file.readline()))

    def assemble(self, shard: int, count: int) -> None:
        """Puts a shard together from its films, and removes these."""
        if tf.io.gfile.exists(self.summary(shard)):
            return
        summary = ShardSummary(records.Counts())
        with (
            film_files.storing(self.shard(shard)),
            files.published(self.shard(shard)) as temporary,
            files.open_binary(temporary, "wb") as file,
        ):
            for place in range(count):
                outcome = film_files.copy_record(cast(str, self.outcome(shard, place)), file)
                summary.warnings += outcome.warnings
                if outcome.counts is None:
                    summary.failures.append(Failure(outcome.id, str(outcome.failure)))
                else:
                    summary.counts += outcome.counts
        files.write_json(self.summary(shard), dataclasses.asdict(summary))
        if not summary.failures:  # Else somebody may mend a film, and come back.
            files.remove(self.films(shard))

    def read_summary(self, shard: int) -> ShardSummary:
        """What a finished shard holds and lacks."""
        value = files.read_json(self.summary(shard))
        failures = [Failure(**failure) for failure in value["failures"]]
        return ShardSummary(records.Counts(**value["counts"]), failures, value["warnings"])


class Staging:
    """The hidden folder of a split, as a context that leaves nothing useless behind.

    Where its block raises, the folder stays if any film in it is finished, and goes if not; the
    output folder goes with it if there was none before.
    """

    def __init__(self, output: str, split: str, num_shards: int, plan: Mapping[str, Any]):
        self.layout = Layout(os.path.join(output, f".{split}.partial"))
        self._output = output
        self._split = split
        self._num_shards = num_shards
        self._plan = json.loads(json.dumps(plan))
        self._made_output = not tf.io.gfile.exists(output)

    def __enter__(self) -> "Staging":
        plan_path = os.path.join(self.layout.folder, "plan.json")
        if tf.io.gfile.exists(plan_path) and files.read_json(plan_path) == self._plan:
            self._forget_failures()
            return self
        try:
            files.remove(self.layout.folder)
            tf.io.gfile.makedirs(self.layout.folder)
            files.write_json(plan_path, self._plan)
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, error_type: type | None, *_: Any) -> None:
        if not error_type:
            return
        whole = any(shard.counts.num_videos for shard in self.finished().values())
        if whole or self._films(RECORD) or self._films(LOST):
            logging.warning("what is finished is kept: the same command goes on from there")
        else:
            self.discard()

    def discard(self) -> None:
        """Gives up what is there: the folder, and the output folder if it was made for it."""
        files.remove(self.layout.folder)
        there = self._made_output and tf.io.gfile.exists(self._output)
        if there and not tf.io.gfile.listdir(self._output):
            files.remove(self._output)

    def write_tasks(self, planned: Iterable[Sequence[records.Task]]) -> list[ShardTasks]:
        """Writes the file of tasks, shard by shard, and tells where each shard's begin."""
        found, offset = [], 0
        with files.atomic_writer(self.layout.tasks(), "wb") as file:
            for shard, tasks in enumerate(planned):
                found.append(ShardTasks(shard, offset, len(tasks)))
                for task in tasks:
                    line = json.dumps(task.to_json(), ensure_ascii=False).encode() + b"\n"
                    file.write(line)
                    offset += len(line)
        return found

    def add_finished(self, shard: int, summary: ShardSummary) -> None:
        """Counts a shard as finished that was published before, made in the very same way."""
        files.write_json(self.layout.summary(shard), dataclasses.asdict(summary))

    def finished(self) -> dict[int, ShardSummary]:
        """The shards that are whole, here or, where publishing was cut off, in their place."""
        return {
            shard: self.layout.read_summary(shard)
            for shard in range(self._num_shards)
            if tf.io.gfile.exists(self.layout.summary(shard))
            and (tf.io.gfile.exists(self.layout.shard(shard)) or self._is_published(shard))
        }

    def publish(self) -> list[str]:
        """Moves all shards to their final names, and returns these."""
        names = self._names()
        for shard, name in enumerate(names):
            if tf.io.gfile.exists(self.layout.shard(shard)):
                final = os.path.join(self._output, name)
                tf.io.gfile.rename(self.layout.shard(shard), final, overwrite=True)
        return names

    def _names(self) -> list[str]:
        return [
            shards.shard_name(self._split, shard, self._num_shards)
            for shard in range(self._num_shards)
        ]

    def _is_published(self, shard: int) -> bool:
        return tf.io.gfile.exists(os.path.join(self._output, self._names()[shard]))

    def _forget_failures(self) -> None:
        """Who comes back may have mended a film that failed. One that crashed would crash again."""
        for path in self._films(FAILURE):
            shard = int(os.path.basename(os.path.dirname(path)))
            files.remove(self.layout.summary(shard))
            files.remove(path)
        for path in self._films(BEGUN):
            files.remove(path)
        files.remove(self.layout.stop())

    def _films(self, suffix: str) -> list[str]:
        return tf.io.gfile.glob(os.path.join(self.layout.folder, "films", "*", f"*{suffix}"))
