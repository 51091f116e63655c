"""A data set's shards read once from end to end: every checksum, and every record looked at.

Memory does not grow with the length of films, and by 24 bytes a video: enough to find ids that are
there twice. Everything else is counted as it goes by.
"""

import collections
import dataclasses
import os
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from stgraph_tf import program
from stgraph_tf.data import shards
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.data.inspection import contents
from stgraph_tf.data.inspection.places import Draw, Ids, Place
from stgraph_tf.data.shards import Damage

# Examples that are kept of each kind of trouble; the rest is counted.
MAX_EXAMPLES = 5


@dataclasses.dataclass
class Trouble:
    """How often something was met, and where at first."""

    count: int = 0
    examples: list[str] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, examples: Iterable[str]) -> "Trouble":
        """Trouble that was met in all these places."""
        trouble = cls()
        for example in examples:
            trouble.add(example)
        return trouble

    def add(self, example: str) -> None:
        """Counts one more."""
        self.count += 1
        if len(self.examples) < MAX_EXAMPLES:
            self.examples.append(example)


@dataclasses.dataclass
class SplitSurvey:
    """What one split's shards hold.

    Attributes:
        shards: full paths, in order.
        num_bytes: of all shards that are there.
        num_labels: of the data set.
        label_counts: int64 `[num_labels]`, videos with each label.
        frame_rates: videos by frames a second.
        sizes: videos by `(height, width)` of their frames.
        lengths: videos by number of frames.
        boxes_on_frame: frames by number of boxes.
        score_range: the lowest and the highest score; None without boxes.
        videos_in_shard: by the shard's name.
        missing: names of shards that are not there.
        damage: records, by what is wrong with their bytes, and the shards they are in.
        oddities: records that are whole, by what is odd in them.
        duplicates: ids that several records have.
        sample: records to draw, chosen by `seed` whatever the order in which they are read.
    """

    name: str
    shards: Sequence[str]
    num_labels: int
    num_bytes: int = 0
    num_videos: int = 0
    num_frames: int = 0
    num_boxes: int = 0
    num_segments: int = 0
    num_unlabelled: int = 0
    num_without_boxes: int = 0
    seconds: float = 0.0
    shortest: float = np.inf
    longest: float = 0.0
    label_counts: np.ndarray = dataclasses.field(init=False)
    frame_rates: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    sizes: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    lengths: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    boxes_on_frame: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    score_range: tuple[float, float] | None = None
    videos_in_shard: collections.Counter = dataclasses.field(default_factory=collections.Counter)
    missing: list[str] = dataclasses.field(default_factory=list)
    damage: Trouble = dataclasses.field(default_factory=Trouble)
    damaged_shards: list[str] = dataclasses.field(default_factory=list)
    oddities: dict[str, Trouble] = dataclasses.field(default_factory=dict)
    duplicates: Trouble = dataclasses.field(default_factory=Trouble)
    sample: list[Place] = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.label_counts = np.zeros(self.num_labels, np.int64)

    def add(self, video: contents.Contents) -> None:
        """Counts one video."""
        self.num_videos += 1
        self.num_frames += video.num_frames
        self.num_boxes += int(video.boxes_per_frame.sum())
        self.num_segments += video.num_segments
        self.num_unlabelled += not video.labels
        self.num_without_boxes += not video.boxes_per_frame.any()
        self.seconds += video.seconds
        self.shortest = min(self.shortest, video.seconds)
        self.longest = max(self.longest, video.seconds)
        known = {label for label in video.labels if 0 <= label < self.num_labels}
        self.label_counts[list(known)] += 1
        self.frame_rates[video.frame_rate] += 1
        self.sizes[video.height, video.width] += 1
        self.lengths[video.num_frames] += 1
        self.boxes_on_frame.update(video.boxes_per_frame.tolist())
        scores = video.scores[np.isfinite(video.scores)]
        if scores.size:
            low, high = self.score_range or (np.inf, -np.inf)
            self.score_range = min(low, float(scores.min())), max(high, float(scores.max()))

    def add_damage(self, damage: Damage) -> None:
        """Counts one damaged record, or what is left of a shard."""
        name = os.path.basename(damage.path)
        if name not in self.damaged_shards:
            self.damaged_shards.append(name)
        rest = ", and the rest of the shard is lost" if damage.rest_is_lost else ""
        self.damage.add(
            f"{name}, byte {damage.offset}, record {damage.index}: {damage.reason}{rest}"
        )

    def add_oddity(self, kind: str, where: str) -> None:
        """Counts one record with something odd in it."""
        self.oddities.setdefault(kind, Trouble()).add(where)


@dataclasses.dataclass
class Survey:
    """What a data set holds: its description, its splits as they are, ids in several splits."""

    directory: str
    info: DatasetInfo
    splits: list[SplitSurvey]
    shared_ids: Trouble = dataclasses.field(default_factory=Trouble)


def inspect(
    directory: str, split: str | None = None, *, num_samples: int = 0, seed: int = 0
) -> Survey:
    """Reads all shards of a data set, or of one split, with a progress line.

    Args:
        directory: with `dataset.json`.
        split: its name; None for all.
        num_samples: videos to choose for drawing, spread evenly over the splits.
        seed: of that choice.

    Raises:
        ValueError: there is no `dataset.json`, it cannot be understood, or has no such split.
    """
    info = DatasetInfo.load(directory)
    names = [split] if split else list(info.splits)
    surveys = [SplitSurvey(x, info.shard_paths(directory, x), len(info.labels)) for x in names]
    sizes = {
        path: tf.io.gfile.stat(path).length
        for survey in surveys
        for path in survey.shards
        if tf.io.gfile.exists(path)
    }
    ids, num_read = Ids(), 0
    with program.progress_bar(_megabytes(sum(sizes.values())), unit="MB") as bar:
        for number, survey in enumerate(surveys):
            share = num_samples // len(surveys) + (number < num_samples % len(surveys))
            draw = Draw(f"{seed}/{survey.name}", share)
            for path in survey.shards:
                if path not in sizes:
                    survey.missing.append(os.path.basename(path))
                    continue
                survey.num_bytes += sizes[path]
                for place, video in _videos(path, survey, info):
                    ids.add(video.id, survey.name, place)
                    draw.offer(video.id, place)
                    bar.update(_megabytes(num_read + place.offset) - bar.n)
                num_read += sizes[path]
                bar.update(_megabytes(num_read) - bar.n)
            survey.sample = draw.places()
    result = Survey(directory, info, surveys)
    _note_repeated(result, ids)
    return result


def _videos(
    path: str, survey: SplitSurvey, info: DatasetInfo
) -> Iterator[tuple[Place, contents.Contents]]:
    """Yields the videos of a shard after counting them, and all that is wrong, in `survey`."""
    try:
        for item in shards.salvage(path):
            if isinstance(item, shards.Damage):
                survey.add_damage(item)
                continue
            place = Place(path, item.offset, item.index)
            try:
                video = contents.examine(item.data, info)
            except ValueError as error:
                survey.add_oddity("a record is no video", f"{place}: {error}")
                continue
            survey.add(video)
            survey.videos_in_shard[os.path.basename(path)] += 1
            for kind, detail in video.oddities:
                survey.add_oddity(kind, f"{place}, video {video.id!r}: {detail}")
            yield place, video
    except tf.errors.OpError as error:
        survey.add_damage(shards.Damage(path, 0, 0, f"the file cannot be read ({error.message})"))


def _megabytes(size: int) -> int:
    return -(-size // 1_000_000)


def _note_repeated(survey: Survey, ids: Ids) -> None:
    """Notes the ids that a split has more than once, and those that several splits have."""
    by_name = {split.name: split for split in survey.splits}
    for places in ids.repeated():
        first = next(iter(places.values()))[0]
        video = contents.read_id(shards.read_at(first.path, first.offset))
        for split, same in places.items():
            if len(same) > 1:
                by_name[split].duplicates.add(f"{video!r}: {' and '.join(map(str, same))}")
        if len(places) > 1:
            survey.shared_ids.add(f"{video!r} in {' and '.join(places)}")
