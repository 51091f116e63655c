"""Boxes in COCO's layouts: what most detectors write, and data sets of films with tracks.

- Results, `[{"image_id": 7, "category_id": 1, "bbox": [x, y, width, height], "score": 0.9}]`, with
  the file of the images that they are of, `{"images": [{"id": 7, "file_name": "v1/0001.jpg",
  "height": 240, "width": 320}]}`.
- Instances, which hold `images` and `annotations` in one file. Crowds (`iscrowd`) are left out.
- COCO-VID, which also has `videos`, and `video_id` and `frame_id` in its images.

Boxes are in pixels of their image. Categories do not count. A video's id is its name in `videos`,
else the folder in its images' `file_name`. A frame's number is its `frame_id`, counted from 0, else
the last digits of its `file_name`: counted from 1, unless one in the file is number 0. `track_id`,
else `instance_id`, says which boxes of a video are one object.
"""

import array
import dataclasses
import itertools
import math
import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from absl import logging

from stgraph_tf.proposals import json_stream

# A thousandth of a pixel, and more than enough of a score's digits.
_BOX_DECIMALS = 3
_SCORE_DECIMALS = 6
_NO_TRACK = -1

Size = tuple[float, float]


@dataclasses.dataclass(frozen=True, eq=False)
class _Images:
    """The `n` images of a file.

    Attributes:
        path: the file.
        rows: by image id, the row in the arrays.
        names: each video's id.
        sizes: each video's (height, width), if the file says.
        videos: int `[n]`, index of the image's video.
        times: float64 `[n]`, seconds.
    """

    path: str
    rows: dict[int | str, int]
    names: Sequence[str]
    sizes: Sequence[Size | None]
    videos: np.ndarray
    times: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class _Boxes:
    """The `m` boxes of a file, in numbers that take 28 bytes a box.

    Attributes:
        rows: int32 `[m]`, row of the image.
        boxes: float32 `[m, 4]`, `[ymin, xmin, ymax, xmax]` in pixels.
        scores: float32 `[m]`; None if no box has one.
        tracks: int32 `[m]`, index of the name in `track_names`, or -1.
        track_names: names as the file has them.
    """

    rows: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray | None
    tracks: np.ndarray
    track_names: Sequence[int | str]


def videos(
    results: str, images: str | None = None, fps: float | None = None
) -> Iterator[dict[str, Any]]:
    """Yields each video's boxes as an object of a proposals file, see `stgraph_tf.data.boxes`.

    Every image is a time that was looked at, whether there are boxes on it or not. A box without
    four numbers is left out, and a warning counts them.

    Args:
        results: a list of results, or a file with `annotations`.
        images: the file with the images of a list of results.
        fps: frames a second; None to take each video's `fps` in `videos`.

    Raises:
        ValueError: a file is not JSON or not of this layout, or does not say how many frames a
            second there are; file and image are named.
    """
    name = None if json_stream.holds_list(results) else "annotations"
    if name is None and images is None:
        raise ValueError(
            f"{results} is a list of results: the file of its images is needed too, RESULTS,IMAGES"
        )
    known = _read_images(images or results, fps)
    found = _read_boxes(results, name, known)
    by_video = np.lexsort((known.times, known.videos))
    place = np.empty(len(by_video), int)
    place[by_video] = np.arange(len(by_video))
    places = place[found.rows]
    by_place = np.argsort(places, kind="stable")
    # Boxes by_place[cuts[i]:cuts[i + 1]] are on image by_video[i].
    cuts = np.searchsorted(places[by_place], np.arange(len(by_video) + 1))
    ends = np.searchsorted(known.videos[by_video], np.arange(len(known.names) + 1))
    for video, (first, last) in enumerate(itertools.pairwise(ends)):
        spans = [by_place[a:b] for a, b in itertools.pairwise(cuts[first : last + 1])]
        yield _video(known, video, known.times[by_video[first:last]], found, spans)


def _video(
    images: _Images, video: int, times: np.ndarray, found: _Boxes, spans: Sequence[np.ndarray]
) -> dict[str, Any]:
    value: dict[str, Any] = {"id": images.names[video], "unit": "pixels"}
    if images.sizes[video]:
        value["frame_size"] = images.sizes[video]
    value["times"] = times.tolist()
    value["boxes"] = [_rounded(found.boxes[span], _BOX_DECIMALS) for span in spans]
    if found.scores is not None:
        value["scores"] = [_rounded(found.scores[span], _SCORE_DECIMALS) for span in spans]
    if found.track_names:
        names = [*found.track_names, None]  # _NO_TRACK is the last
        value["tracks"] = [[names[track] for track in found.tracks[span]] for span in spans]
    return value


def _rounded(values: np.ndarray, decimals: int) -> list[Any]:
    return values.astype(np.float64).round(decimals).tolist()


def _read_images(path: str, fps: float | None) -> _Images:
    if json_stream.holds_list(path):
        raise ValueError(f'{path}: expected an object with "images", received a list')
    listed = {item.get("id"): item for item in json_stream.objects(path, "videos")}
    rows: dict[int | str, int] = {}
    names: dict[str, int] = {}
    sizes: list[Size | None] = []
    rates: list[float] = []
    of_video, numbers, named = array.array("i"), array.array("q"), array.array("b")
    for image in json_stream.objects(path, "images"):
        where = f"{path}, image {image.get('id')!r}"
        if not isinstance(image.get("id"), int | str) or image["id"] in rows:
            raise ValueError(f'{where}: expected an "id" of its own')
        rows[image["id"]] = len(rows)
        name, video = _video_of(image, listed, where)
        if name not in names:
            names[name] = len(names)
            sizes.append(_size(image, where))
            rates.append(_rate(video, fps, where))
        elif sizes[names[name]] != _size(image, where):
            raise ValueError(f"{where}: another size than the first image of video {name!r}")
        of_video.append(names[name])
        number, from_name = _number(image, where)
        numbers.append(number)
        named.append(from_name)
    if not rows:
        raise ValueError(f'{path}: expected "images", a list; there are none')
    index = np.array(numbers)
    from_one = np.array(named, bool) & (index[np.array(named, bool)] > 0).all()
    video_of_image = np.array(of_video)
    times = (index - from_one) / np.array(rates)[video_of_image]
    return _Images(path, rows, list(names), sizes, video_of_image, times)


def _video_of(
    image: dict[str, Any], listed: dict[Any, dict[str, Any]], where: str
) -> tuple[str, dict[str, Any]]:
    """The id of an image's video, and what `videos` says of it."""
    if "video_id" in image:
        video = listed.get(image["video_id"])
        name = video.get("name") if video else None
        if video is None or not isinstance(name, str) or not name:
            raise ValueError(f'{where}: video {image["video_id"]!r} has no name in "videos"')
        return name, video
    name = os.path.dirname(str(image.get("file_name", "")))
    if not name:
        raise ValueError(
            f'{where}: expected "video_id", or a "file_name" with a folder, which names the video. '
            f"Received: {image.get('file_name')!r}"
        )
    return name, {}


def _rate(video: dict[str, Any], fps: float | None, where: str) -> float:
    rate = video.get("fps") if fps is None else fps
    if rate is None:
        raise ValueError(
            f'{where}: no "fps" in "videos" tells how many frames a second there are; add @FPS to '
            f"the files' names"
        )
    if not _is_number(rate) or rate <= 0:
        raise ValueError(f'{where}: expected the video\'s "fps" above 0. Received: {rate!r}')
    return rate


def _number(image: dict[str, Any], where: str) -> tuple[int, bool]:
    """A frame's number, and whether it is from the file's name."""
    number = image.get("frame_id")
    if number is not None:
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(f'{where}: expected "frame_id" to be a number. Received: {number!r}')
        return number, False
    stem = os.path.splitext(os.path.basename(str(image.get("file_name", ""))))[0]
    digits = re.findall(r"\d+", stem)
    if not digits:
        raise ValueError(
            f'{where}: expected "frame_id", or a "file_name" with the frame\'s number. '
            f"Received: {image.get('file_name')!r}"
        )
    return int(digits[-1]), True


def _size(image: dict[str, Any], where: str) -> Size | None:
    size: tuple[Any, Any] = image.get("height"), image.get("width")
    if size == (None, None):
        return None
    if not all(_is_number(side) and side > 0 for side in size):
        raise ValueError(f"{where}: expected height and width above 0. Received: {size}")
    return size


def _read_boxes(path: str, name: str | None, images: _Images) -> _Boxes:
    rows, tracks = array.array("i"), array.array("i")
    boxes, scores = array.array("f"), array.array("f")
    track_names: dict[int | str, int] = {}
    odd, has_scores, is_empty = [], False, True
    for item in json_stream.objects(path, name):
        is_empty = False
        if item.get("iscrowd"):
            continue
        image = item.get("image_id")
        row = images.rows.get(image) if isinstance(image, int | str) else None
        if row is None:
            raise ValueError(f"{path}: image_id {image!r} is not among the images of {images.path}")
        box, score = item.get("bbox"), item.get("score", 1.0)
        if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, [*box, score])):
            odd.append(image)
            continue
        left, top, width, height = box
        rows.append(row)
        boxes.extend((top, left, top + height, left + width))
        scores.append(score)
        has_scores |= "score" in item
        tracks.append(_track(item, track_names))
    if is_empty and name is not None:
        raise ValueError(f'{path}: expected "{name}", a list of boxes; there are none')
    if odd:
        logging.warning(
            "%s: %d boxes without four numbers (or with a score that is none) are left out, the "
            "first on image %r",
            path,
            len(odd),
            odd[0],
        )
    return _Boxes(
        np.array(rows),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(scores, np.float32) if has_scores else None,
        np.array(tracks),
        list(track_names),
    )


def _track(item: dict[str, Any], names: dict[int | str, int]) -> int:
    name = item.get("track_id", item.get("instance_id"))
    if isinstance(name, bool) or not isinstance(name, int | str):
        return _NO_TRACK
    return names.setdefault(name, len(names))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
