"""A split in the making: finished shards in a hidden folder, until all of them are whole.

The folder knows the plan that it was begun with. Whoever comes back with the same plan finds the
shards that are finished; with another plan, it starts afresh.
"""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
from absl import logging

from stgraph_tf import files
from stgraph_tf.data import shards
from stgraph_tf.data.records import Counts

_PLAN_FILE = "plan.json"


@dataclasses.dataclass(frozen=True)
class Failure:
    """A film that could not be read, and why."""

    id: str
    reason: str


class Staging:
    """The hidden folder `output/.SPLIT.partial`, as a context that leaves nothing half-written.

    Where its block raises, the folder stays if it holds finished shards, and goes if not; the
    output folder goes with it if there was none before.
    """

    def __init__(self, output: str, split: str, num_shards: int, plan: Mapping[str, Any]):
        self._output = output
        self._split = split
        self._num_shards = num_shards
        self._plan = json.loads(json.dumps(plan))
        self._folder = os.path.join(output, f".{split}.partial")
        self._made_output = not tf.io.gfile.exists(output)

    def __enter__(self) -> "Staging":
        plan_path = os.path.join(self._folder, _PLAN_FILE)
        if tf.io.gfile.exists(plan_path) and files.read_json(plan_path) == self._plan:
            return self
        try:
            files.remove(self._folder)
            tf.io.gfile.makedirs(self._folder)
            files.write_json(plan_path, self._plan)
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, error_type: type | None, *_: Any) -> None:
        finished = len(self.finished()) if error_type else 0
        if not finished:
            self.discard()
            return
        logging.warning(
            "%d of %d shards are finished; the same command goes on from there",
            finished,
            self._num_shards,
        )

    def discard(self) -> None:
        """Gives up what is there: the folder, and the output folder if it was made for it."""
        files.remove(self._folder)
        there = self._made_output and tf.io.gfile.exists(self._output)
        if there and not tf.io.gfile.listdir(self._output):
            files.remove(self._output)

    def finished(self) -> list[int]:
        """The numbers of the shards that are whole."""
        return [
            index
            for index in range(self._num_shards)
            if tf.io.gfile.exists(self._counts_path(index))
            and tf.io.gfile.exists(self.shard_path(index))
        ]

    def shard_path(self, index: int) -> str:
        """Where a shard stands until it is published."""
        return os.path.join(self._folder, f"{index:05d}.tfrecord")

    def finish(self, index: int, counts: Counts, failures: Sequence[Failure]) -> None:
        """Marks a shard as whole, and keeps what it holds and lacks."""
        value = {
            "counts": dataclasses.asdict(counts),
            "failures": [dataclasses.asdict(failure) for failure in failures],
        }
        files.write_json(self._counts_path(index), value)

    def totals(self) -> tuple[Counts, list[Failure]]:
        """What all finished shards hold together, and the films that they lack."""
        counts, failures = Counts(), []
        for index in self.finished():
            value = files.read_json(self._counts_path(index))
            counts += Counts(**value["counts"])
            failures += [Failure(**failure) for failure in value["failures"]]
        return counts, failures

    def publish(self) -> list[str]:
        """Moves all shards to their final names, and returns these."""
        names = [
            shards.shard_name(self._split, index, self._num_shards)
            for index in range(self._num_shards)
        ]
        for index, name in enumerate(names):
            final = os.path.join(self._output, name)
            tf.io.gfile.rename(self.shard_path(index), final, overwrite=True)
        return names

    def _counts_path(self, index: int) -> str:
        return os.path.join(self._folder, f"{index:05d}.json")
