"""A whole split on one machine: films in, shards and `dataset.json` out.

A split is built in a hidden folder beside its final place, shard by shard, and moved there when all
shards are whole; `dataset.json`, written last, makes it visible. A run that is cut off is taken up
again after the shards that it had finished.
"""

import contextlib
import dataclasses
import functools
import hashlib
import itertools
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import tensorflow as tf

from stgraph_tf import files, program
from stgraph_tf.data import film_pool, json_lines, records, shards
from stgraph_tf.data.dataset_info import FILE_NAME, DatasetInfo, SplitInfo
from stgraph_tf.data.staging import Failure, Staging

FAILURES_FILE = "failures.jsonl"


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
    num_workers: int = 1,
    max_failures: int = 0,
    made_by: Mapping[str, Any],
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
        num_workers: processes that decode films; 1 decodes in this one.
        max_failures: films that may be unreadable; they are listed in `failures.jsonl`.
        made_by: how the split is made: arguments, versions, digests. A split that was made in the
            very same way is left as it is.

    Raises:
        ValueError: more films than `max_failures` cannot be read (one is named), or `output` holds
            splits of another frame rate, size or list of labels.
    """
    info = _merged_info(load_info(output), settings, labels, multi_label, output)
    made_by = json.loads(json.dumps(made_by))
    old = info.splits.get(split, SplitInfo(0, 0, 0, []))
    if info.made_by.get(split) == made_by and _all_exist(info.shard_paths(output, split)):
        counts = records.Counts(old.num_videos, old.num_frames, old.num_boxes)
        return Summary(counts, skipped=True)
    _check_paths(tasks, max_failures)
    plan = {**made_by, "labels": list(labels)}
    with Staging(output, split, num_shards, plan) as staging:
        _write_shards(staging, _deal(tasks, num_shards), settings, num_workers, max_failures)
        counts, failures = staging.totals()
        if not counts.num_videos:
            staging.discard()
            raise ValueError(f"not one video of the split {split!r} can be read")
        names = staging.publish()
        new = SplitInfo(counts.num_videos, counts.num_frames, counts.num_boxes, names)
        _write_failures(output, split, failures)
        info = dataclasses.replace(
            info,
            splits={**info.splits, split: new},
            made_by={**info.made_by, split: made_by},
        )
        info.save(output)
    for name in set(old.shards) - set(names):
        files.remove(os.path.join(output, name))
    return Summary(counts, failures)


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


def _all_exist(paths: Iterable[str]) -> bool:
    return all(tf.io.gfile.exists(path) for path in paths)


def _check_paths(tasks: Sequence[records.Task], max_failures: int) -> None:
    """Says at once, not after hours, that films are missing; only a local disk answers fast."""
    paths = [(task.entry, task.entry.path) for task in tasks if "://" not in task.entry.path]
    missing = [(entry, path) for entry, path in paths if not os.path.exists(path)]
    if len(missing) > max_failures:
        entry, path = missing[0]
        others = f", nor do {len(missing) - 1} others" if len(missing) > 1 else ""
        raise ValueError(f"{entry.where}: {path} does not exist{others}")


def _deal(tasks: Sequence[records.Task], num_shards: int) -> list[list[records.Task]]:
    by_id = {task.entry.id: task for task in tasks}
    return [[by_id[name] for name in ids] for ids in shards.deal(by_id, num_shards)]


def _write_shards(
    staging: Staging,
    planned: Sequence[Sequence[records.Task]],
    settings: records.Settings,
    num_workers: int,
    max_failures: int,
) -> None:
    """Writes those shards that are not finished yet."""
    failures = staging.totals()[1]
    finished = set(staging.finished())
    pending = [index for index in range(len(planned)) if index not in finished]
    tasks = [task for index in pending for task in planned[index]]
    attempt = functools.partial(_attempt, settings=settings)
    results = film_pool.map_ordered(attempt, tasks, num_workers)
    progress = iter(program.progress(results, total=len(tasks), unit="film"))
    with contextlib.closing(results), contextlib.closing(progress):
        for index in pending:
            counts, num_failures = records.Counts(), len(failures)
            shard = itertools.islice(progress, len(planned[index]))
            kept = _set_failures_aside(shard, counts, failures, max_failures)
            shards.write(staging.shard_path(index), kept)
            staging.finish(index, counts, failures[num_failures:])
        next(progress, None)  # lets the progress line count the last film


Result = tuple[bytes, records.Counts] | Failure


def _attempt(task: records.Task, settings: records.Settings) -> Result:
    try:
        return records.make_record(task, settings)
    except (ValueError, OSError) as error:
        reason = str(error)
    except tf.errors.OpError as error:
        reason = error.message
    return Failure(task.entry.id, f"{task.entry.where}: {reason}")


def _set_failures_aside(
    results: Iterable[Result],
    counts: records.Counts,
    failures: list[Failure],
    max_failures: int,
) -> Iterator[bytes]:
    """Yields the records; adds to `counts` and `failures`; raises when these are too many."""
    for result in results:
        if isinstance(result, Failure):
            failures.append(result)
            if len(failures) > max_failures:
                allowed = f" ({max_failures} other films were set aside)" if max_failures else ""
                raise ValueError(f"{result.reason}{allowed}")
            continue
        serialized, record_counts = result
        counts += record_counts
        yield serialized


def _write_failures(output: str, split: str, failures: Sequence[Failure]) -> None:
    """Lists the films that a split lacks; those of other splits stay listed."""
    path = os.path.join(output, FAILURES_FILE)
    lines = []
    if tf.io.gfile.exists(path):
        lines = [line.read() for line, _ in json_lines.scan(path)]
    lines = [line for line in lines if line["split"] != split]
    lines += [{"split": split, **dataclasses.asdict(failure)} for failure in failures]
    if not lines:
        files.remove(path)
        return
    with files.atomic_writer(path) as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")
