"""A survey told: `as_json` for programs, `as_text` of the same for people."""

import collections
import itertools
import math
import os
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from stgraph_tf.data.dataset_info import SplitInfo
from stgraph_tf.data.inspection import failed_films
from stgraph_tf.data.inspection.survey import SplitSurvey, Survey, Trouble

_BAR_WIDTH = 30
# The least number of boxes in each bin of the histogram.
_BOX_BINS = (0, 1, 2, 3, 5, 10, 20, 50, 100)


def as_json(survey: Survey, *, clip_length: int = 32) -> dict[str, Any]:
    """All that a survey found, in lists, dicts, texts and numbers.

    Args:
        survey: of the shards.
        clip_length: films shorter than this are counted, in frames.

    Raises:
        ValueError: `failures.jsonl` is not what `tools/prepare_dataset.py` writes.
    """
    info = survey.info
    value: dict[str, Any] = {
        "directory": survey.directory,
        "num_labels": len(info.labels),
        "multi_label": info.multi_label,
        "frame_rate": info.frame_rate,
        "short_side": info.short_side,
        "splits": {
            split.name: _split_as_json(split, info.splits[split.name], info.labels, clip_length)
            for split in survey.splits
        },
        "ids_in_several_splits": _trouble(survey.shared_ids),
        "failed_films": {
            split: failed
            for split, failed in failed_films.summarize(survey.directory).items()
            if any(split == known.name for known in survey.splits)
        },
    }
    value["ok"] = not any(split["problems"] for split in value["splits"].values())
    value["verdict"] = _verdict(survey, value)
    return value


def as_text(value: Mapping[str, Any], *, max_labels: int = 20) -> str:
    """What `as_json` returns, as a page of text whose last line is the verdict.

    Args:
        value: of `as_json`.
        max_labels: bars in a split's histogram of labels, the commonest.
    """
    several = "several a video" if value["multi_label"] else "one a video"
    lines = [
        f"{value['directory']}: {value['num_labels']} labels, {several}; "
        f"{value['frame_rate']:g} frames a second, short side at most {value['short_side']} pixels"
    ]
    for name, split in value["splits"].items():
        lines += ["", name, *(f"  {line}" for line in _split_as_text(split, max_labels))]
        if failed := value["failed_films"].get(name):
            lines.append(f"  set aside: {_count(failed['num_videos'], 'film')} (failures.jsonl)")
            for reason in failed["reasons"]:
                lines.append(f"    {reason['num_videos']:,} x {reason['reason']}")
                lines.append(f"      such as {reason['example']}")
    if shared := value["ids_in_several_splits"]["count"]:
        lines += ["", f"{_count(shared, 'id')} in several splits: films may have leaked"]
        lines += [f"  {example}" for example in value["ids_in_several_splits"]["examples"]]
    return "\n".join([*lines, "", value["verdict"]])


def _split_as_json(
    split: SplitSurvey, said: SplitInfo, labels: tuple[str, ...], clip_length: int
) -> dict[str, Any]:
    by_count = np.argsort(-split.label_counts, kind="stable").tolist()
    shapes: collections.Counter[str] = collections.Counter()
    for (height, width), count in split.sizes.items():
        turned = "landscape" if width > height else "portrait" if height > width else "square"
        shapes[turned] += count
        shapes["odd"] += count * bool(height % 2 or width % 2)
    lengths, boxes = split.lengths, split.boxes_on_frame
    return {
        "num_shards": len(split.shards),
        "num_bytes": split.num_bytes,
        "num_videos": split.num_videos,
        "num_frames": split.num_frames,
        "seconds": round(split.seconds, 3),
        "frame_rates": [
            {"frame_rate": rate, "num_videos": count}
            for rate, count in split.frame_rates.most_common()
        ],
        "sizes": [
            {"width": width, "height": height, "num_videos": count}
            for (height, width), count in split.sizes.most_common()
        ],
        "shapes": {name: shapes[name] for name in ("landscape", "portrait", "square", "odd")},
        "film_frames": {"shortest": min(lengths), "median": _quantile(lengths, 0.5)}
        | {"longest": max(lengths)}
        if lengths
        else None,
        "film_seconds": [round(split.shortest, 3), round(split.longest, 3)] if lengths else None,
        "clip_length": clip_length,
        "num_shorter_than_clip": sum(n for length, n in lengths.items() if length < clip_length),
        "label_counts": {labels[i]: int(split.label_counts[i]) for i in by_count},
        "num_labels_unseen": int((split.label_counts == 0).sum()),
        "num_unlabelled": split.num_unlabelled,
        "num_segments": split.num_segments,
        "num_boxes": split.num_boxes,
        "boxes_on_frame": {str(count): boxes[count] for count in sorted(boxes)},
        "num_videos_without_boxes": split.num_without_boxes,
        "score_range": list(split.score_range) if split.score_range else None,
        "problems": _problems(split, said),
    }


def _problems(split: SplitSurvey, said: SplitInfo) -> list[dict[str, Any]]:
    """All that is wrong in a split: what it is, how often it was met, and the first places."""
    found = []
    if split.missing:
        found.append({"what": "shards are missing"} | _trouble(Trouble.of(split.missing)))
    if split.damage.count:
        found.append({"what": "records are damaged"} | _trouble(split.damage))
    for kind, trouble in split.oddities.items():
        found.append({"what": kind} | _trouble(trouble))
    if split.duplicates.count:
        found.append({"what": "several records have the same id"} | _trouble(split.duplicates))
    if short := _short_shards(split, said):
        found.append({"what": "shards lack videos"} | _trouble(Trouble.of(short.values())))
    counts = Trouble.of(
        f"{getattr(said, name):,} {name.removeprefix('num_')}, and the shards hold "
        f"{getattr(split, name):,}"
        for name in ("num_videos", "num_frames", "num_boxes")
        if getattr(said, name) != getattr(split, name)
    )
    if counts.count:
        found.append({"what": "counts are not those of dataset.json"} | _trouble(counts))
    return found


def _short_shards(split: SplitSurvey, said: SplitInfo) -> dict[str, str]:
    """Shards of which whole records are gone, as when a copy ended between two of them."""
    short = {}
    for path, counts in zip(split.shards, said.shard_counts, strict=False):
        name = os.path.basename(path)
        held, expected = split.videos_in_shard[name], counts["num_videos"]
        if held < expected and name not in (*split.missing, *split.damaged_shards):
            short[name] = f"{name} holds {held:,} videos of {expected:,}"
    return short


def _trouble(trouble: Trouble) -> dict[str, Any]:
    return {"count": trouble.count, "examples": trouble.examples}


def _quantile(counter: Mapping[int, int], share: float) -> int:
    """The least value that at least `share` of all counted values do not exceed."""
    values = sorted(counter)
    totals = np.cumsum([counter[value] for value in values])
    return values[int(np.searchsorted(totals, share * totals[-1]))]


def _verdict(survey: Survey, value: Mapping[str, Any]) -> str:
    if value["ok"]:
        return f"all is well: train with --config.data.dir={survey.directory}"
    damaged = [
        name
        for split in survey.splits
        for name in (
            *split.damaged_shards,
            *_short_shards(split, survey.info.splits[split.name]),
            *split.missing,
        )
    ]
    if damaged:
        others = f" and {len(damaged) - 1} more" if len(damaged) > 1 else ""
        return (
            f"damage found: remove {damaged[0]}{others} and run tools/prepare_dataset.py again as "
            f"before, or train on what is whole with --config.data.skip_damaged=True"
        )
    kinds = {problem["what"] for split in value["splits"].values() for problem in split["problems"]}
    return (
        f"damage found: the bytes are whole, but {'; '.join(sorted(kinds))}: mend what wrote the "
        f"records, and write them again to an empty folder"
    )


def _split_as_text(split: Mapping[str, Any], max_labels: int) -> Iterator[str]:
    frames = split["num_frames"]
    yield (
        f"{_count(split['num_videos'], 'video')}, {_count(frames, 'frame')}, "
        f"{_time(split['seconds'])} of film in {_count(split['num_shards'], 'shard')} of "
        f"{_size(split['num_bytes'])}"
    )
    if frames:
        yield from _films_as_text(split)
        yield from _labels_as_text(split, max_labels)
        yield from _boxes_as_text(split)
    for problem in split["problems"]:
        yield f"PROBLEM: {problem['what']} ({problem['count']:,})"
        yield from (f"  {example}" for example in problem["examples"])
        if more := problem["count"] - len(problem["examples"]):
            yield f"  and {more:,} more"


def _films_as_text(split: Mapping[str, Any]) -> Iterator[str]:
    length, (shortest, longest) = split["film_frames"], split["film_seconds"]
    yield (
        f"length: {length['shortest']:,} to {length['longest']:,} frames ({shortest:.1f} to "
        f"{longest:.1f} s), median {length['median']:,}; {split['num_shorter_than_clip']:,} "
        f"shorter than a clip of {split['clip_length']} frames"
    )
    sizes = [f"{s['width']}x{s['height']} ({s['num_videos']:,})" for s in split["sizes"][:5]]
    if more := len(split["sizes"]) - len(sizes):
        sizes.append(f"and {more:,} more")
    shapes = [f"{count:,} {shape}" for shape, count in split["shapes"].items() if count]
    yield f"frame size: {', '.join(sizes)}"
    yield f"frame shape: {', '.join(shapes).replace(' odd', ' with an odd side')}"
    rates = [f"{r['frame_rate']:g} ({r['num_videos']:,})" for r in split["frame_rates"][:5]]
    yield f"frames a second: {', '.join(rates)}"


def _labels_as_text(split: Mapping[str, Any], max_labels: int) -> Iterator[str]:
    counts = split["label_counts"]
    seen = len(counts) - split["num_labels_unseen"]
    yield (
        f"labels: {seen:,} of {len(counts):,} seen, {_count(split['num_segments'], 'segment')}; "
        f"{_count(split['num_unlabelled'], 'video')} without any"
    )
    shown = dict(itertools.islice(counts.items(), min(seen, max_labels)))
    yield from _bars(shown)
    if seen > len(shown):
        rarest = min(filter(None, counts.values()))
        yield f"  and {seen - len(shown):,} more labels; the rarest on {_count(rarest, 'video')}"
    if unseen := [label for label, count in counts.items() if not count]:
        names = ", ".join(unseen[:5]) + (", ..." if len(unseen) > 5 else "")
        yield f"  never seen ({len(unseen):,}): {names}"


def _boxes_as_text(split: Mapping[str, Any]) -> Iterator[str]:
    if not split["num_boxes"]:
        yield "boxes: none"
        return
    frames = {int(count): number for count, number in split["boxes_on_frame"].items()}
    low, high = split["score_range"] or (float("nan"), float("nan"))
    yield (
        f"boxes: {split['num_boxes']:,}, {split['num_boxes'] / split['num_frames']:.1f} a frame "
        f"(median {_quantile(frames, 0.5)}, most {max(frames)}), scores {low:.3g} to {high:.3g}; "
        f"none on {frames.get(0, 0) / split['num_frames']:.1%} "
        f"of frames, nor anywhere in {_count(split['num_videos_without_boxes'], 'video')}"
    )
    yield from _bars(_in_bins(frames))


def _in_bins(frames: Mapping[int, int]) -> dict[str, int]:
    bins: dict[str, int] = {}
    for low, after in zip(_BOX_BINS, [*_BOX_BINS[1:], None], strict=True):
        last = math.inf if after is None else after - 1
        name = f"{low}" if last == low else f"{low}-{last}" if after else f"{low}+"
        bins[name] = sum(n for k, n in frames.items() if low <= k <= last)
    filled = [index for index, count in enumerate(bins.values()) if count]
    return dict(itertools.islice(bins.items(), filled[0], filled[-1] + 1))


def _bars(counts: Mapping[str, int]) -> Iterator[str]:
    if not counts:
        return
    most = max(counts.values())
    names = [name if len(name) <= 44 else f"{name[:41]}..." for name in counts]
    width = max(map(_columns, names))
    for name, count in zip(names, counts.values(), strict=True):
        bar = "#" * -(-count * _BAR_WIDTH // most)
        yield f"  {name}{' ' * (width - _columns(name))}  {count:>{len(f'{most:,}')},}  {bar}"


def _columns(text: str) -> int:
    """How wide a terminal sets a text: Chinese letters take two places."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _size(num_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if num_bytes < 1000:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.4g} TB"


def _time(seconds: float) -> str:
    return f"{seconds / 3600:,.1f} hours" if seconds >= 3600 else f"{seconds:,.1f} seconds"
