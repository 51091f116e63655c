"""A whole split: films in, shards and `dataset.json` out.

A split is built in a hidden folder beside its final place (`staging`), by an Apache Beam pipeline
(`film_pipeline`), and moved there when all shards are whole; `dataset.json`, written last, makes it
visible. A run that is cut off is taken up again after the films that it had finished.
"""

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tensorflow as tf
from absl import logging

from stgraph_tf import files
from stgraph_tf.data import film_pipeline, json_lines, records, shards
from stgraph_tf.data.beam_runner import PipelineOptions
from stgraph_tf.data.dataset_info import FAILURES_FILE, FILE_NAME, DatasetInfo, SplitInfo
from stgraph_tf.data.staging import Failure, ShardSummary, Staging

# Boxes in other layouts than ours, converted; whoever needs the room may remove it.
BOXES_FOLDER = ".boxes"
_TOLD_WARNINGS = 20


@dataclasses.dataclass(frozen=True)
class Summary:
    """What became of a split; `skipped` where it was there already."""

    counts: records.Counts
    failures: Sequence[Failure] = ()
    skipped: bool = False


def load_info(output: str) -> DatasetInfo | None:
    """The `dataset.json` that is in a folder already, if any."""
    if tf.io.gfile.exists(os.path.join(output, FILE_NAME)):
        return DatasetInfo.load(output)
    return None


def digest(path: str) -> str:
    """A file's SHA-256, in hex: a split remembers by it what it was made from."""
    sha256 = hashlib.sha256()
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(1 << 20):
            sha256.update(block)
    return sha256.hexdigest()


def prepare_split(
    tasks: Sequence[records.Task],
    settings: records.Settings,
    *,
    split: str,
    output: str,
    labels: Sequence[str],
    multi_label: bool,
    num_shards: int,
    made_by: Mapping[str, Any],
    max_failures: int | None = None,
    options: PipelineOptions | None = None,
) -> Summary:
    """Writes a split's shards, and adds it to `output/dataset.json`.

    Args:
        tasks: the videos.
        settings: how films become records.
        split: `train`, `validation` or `test`.
        output: the data set's folder; it may hold other splits.
        labels: all of the data set's, in order.
        multi_label: whether a video may have several.
        num_shards: how many files.
        made_by: how the split is made: arguments, versions, digests. Shards that were made in the
            very same way are left as they are.
        max_failures: films that may be unreadable, None for any number; they are listed in
            `failures.jsonl`.
        options: Beam's; without any, films are read one after the other in this process.

    Raises:
        ValueError: there are fewer videos than shards, more films than `max_failures` cannot be
            read (one is named), or `output` holds splits of another frame rate, size or list of
            labels.
    """
    info = _merged_info(load_info(output), settings, labels, multi_label, output)
    made_by = json.loads(json.dumps(made_by))
    before = _Before(output, split, info, made_by)
    if before.is_whole():
        return before.summary()
    if num_shards > len(tasks):
        raise ValueError(
            f"--num_shards must not exceed the number of videos, as no shard is empty; it is "
            f"{num_shards}, and the split {split!r} has {len(tasks)}"
        )
    _check_paths(tasks, max_failures)
    planned = deal(tasks, num_shards)
    with Staging(output, split, num_shards, {**made_by, "labels": list(labels)}) as staging:
        before.keep_whole_shards(staging, planned)
        shard_tasks = staging.write_tasks(planned)
        finished = staging.finished()
        allowed = max_failures
        if max_failures is not None:
            allowed = max_failures - sum(len(shard.failures) for shard in finished.values())
        film_pipeline.read_films(
            staging.layout,
            settings,
            [tasks for tasks in shard_tasks if tasks.shard not in finished],
            options=options or PipelineOptions([]),
            max_failures=allowed,
        )
        finished = staging.finished()
        counts = sum_counts(shard.counts for shard in finished.values())
        if not counts.num_videos:
            first = finished[0].failures[0].reason if finished[0].failures else "there are none"
            staging.discard()
            raise ValueError(f"not one video of the split {split!r} can be read: {first}")
        _tell(warning for shard in finished.values() for warning in shard.warnings)
        names = staging.publish()
        failures = _write_failures(output, split, dict(zip(names, finished.values(), strict=True)))
        shard_counts: list[Mapping[str, int]]
        shard_counts = [dataclasses.asdict(finished[shard].counts) for shard in sorted(finished)]
        new = SplitInfo(counts.num_videos, counts.num_frames, counts.num_boxes, names, shard_counts)
        info = dataclasses.replace(
            info,
            splits={**info.splits, split: new},
            made_by={**info.made_by, split: made_by},
        )
        info.save(output)
        staging.discard()
    for name in set(before.shards) - set(names):
        files.remove(os.path.join(output, name))
    return Summary(counts, failures)


def sum_counts(counts: Iterable[records.Counts]) -> records.Counts:
    """Everything that several shards hold together."""
    total = records.Counts()
    for shard in counts:
        total += shard
    return total


class _Before:
    """What an earlier run left of a split."""

    def __init__(self, output: str, split: str, info: DatasetInfo, made_by: Mapping[str, Any]):
        self._output = output
        self._split = split
        self._same = info.made_by.get(split) == made_by
        self._info = info.splits.get(split, SplitInfo(0, 0, 0, []))
        self.shards = self._info.shards
        self._there = [tf.io.gfile.exists(os.path.join(output, name)) for name in self.shards]

    def is_whole(self) -> bool:
        """Whether every shard is there, made in the same way."""
        return self._same and all(self._there)

    def summary(self) -> Summary:
        """Of a split that is whole."""
        counts = sum_counts(records.Counts(**shard) for shard in self._info.shard_counts)
        failures = [
            Failure(line["id"], line["reason"])
            for line in read_failures(self._output)
            if line["split"] == self._split
        ]
        return Summary(counts, failures, skipped=True)

    def keep_whole_shards(
        self, staging: Staging, planned: Sequence[Sequence[records.Task]]
    ) -> None:
        """Lets those shards stand that are there, made in the same way."""
        if not self._same or len(self._info.shard_counts) != len(planned):
            return
        failures = {line["id"]: line["reason"] for line in read_failures(self._output)}
        for shard, counts in enumerate(self._info.shard_counts):
            if self._there[shard]:
                ids = (task.entry.id for task in planned[shard])
                lost = [Failure(name, failures[name]) for name in ids if name in failures]
                staging.add_finished(shard, ShardSummary(records.Counts(**counts), lost))


def _merged_info(
    info: DatasetInfo | None,
    settings: records.Settings,
    labels: Sequence[str],
    multi_label: bool,
    output: str,
) -> DatasetInfo:
    """What `output` holds already, or nothing yet; checked against what is to be added."""
    if info is None:
        return DatasetInfo(tuple(labels), multi_label, settings.fps, settings.short_side)
    wanted = {
        "labels": (info.labels, tuple(labels)),
        "frame_rate": (info.frame_rate, settings.fps),
        "short_side": (info.short_side, settings.short_side),
    }
    for name, (there, received) in wanted.items():
        if there != received:
            raise ValueError(
                f"{os.path.join(output, FILE_NAME)} has {name} {there}, and all splits must have "
                f"the same. Received: {received}"
            )
    return dataclasses.replace(info, multi_label=multi_label)


def _check_paths(tasks: Sequence[records.Task], max_failures: int | None) -> None:
    """Says at once, not after hours, that films are missing; only a local disk answers fast."""
    paths = [(task.entry, task.entry.path) for task in tasks if "://" not in task.entry.path]
    missing = [(entry, path) for entry, path in paths if not os.path.exists(path)]
    if not missing:
        return
    entry, path = missing[0]
    others = f", nor do {len(missing) - 1} others" if len(missing) > 1 else ""
    message = f"{entry.where}: {path} does not exist{others}"
    allowed = len(tasks) - 1 if max_failures is None else max_failures
    if len(missing) > allowed:
        raise ValueError(message)
    logging.warning("%s; of %d films, they will be left out", message, len(tasks))


def deal(tasks: Sequence[records.Task], num_shards: int) -> list[list[records.Task]]:
    """Deals videos to shards, as `shards.deal` deals their ids."""
    by_id = {task.entry.id: task for task in tasks}
    return [[by_id[name] for name in ids] for ids in shards.deal(by_id, num_shards)]


def read_failures(output: str) -> list[dict[str, str]]:
    """The lines of a data set's `failures.jsonl`: `split`, `shard`, `id` and `reason` of each."""
    path = os.path.join(output, FAILURES_FILE)
    if not tf.io.gfile.exists(path):
        return []
    return [json_lines.parse(line, content) for line, content in json_lines.scan(path)]


def _write_failures(
    output: str, split: str, summaries: Mapping[str, ShardSummary]
) -> list[Failure]:
    """Lists the films that a split lacks; those of other splits stay listed."""
    lines = [line for line in read_failures(output) if line["split"] != split]
    failures = []
    for shard, summary in summaries.items():
        failures += summary.failures
        lines += [
            {"split": split, "shard": shard, **dataclasses.asdict(failure)}
            for failure in summary.failures
        ]
    path = os.path.join(output, FAILURES_FILE)
    if not lines:
        files.remove(path)
        return failures
    with files.atomic_writer(path) as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
    return failures


def _tell(warnings: Iterable[str]) -> None:
    """Repeats what workers warned of, as far as one cares to read."""
    warnings = list(warnings)
    for warning in warnings[:_TOLD_WARNINGS]:
        logging.warning("%s", warning)
    if len(warnings) > _TOLD_WARNINGS:
        logging.warning("and %d more like these", len(warnings) - _TOLD_WARNINGS)
