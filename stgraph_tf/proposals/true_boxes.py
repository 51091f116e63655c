"""Frames with their true boxes, and what is to be measured against them.

True boxes are those of a prepared data set's shards, or of a proposals file; proposals are those of
a proposals file, or what a detector finds on the shards' frames.
"""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import cast

import numpy as np
import tensorflow as tf
from absl import logging

from stgraph_tf import program
from stgraph_tf.data import boxes as box_files
from stgraph_tf.data import failures, json_lines, schema, transforms
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.data.frame_boxes import FrameDetector
from stgraph_tf.proposals.evaluation import Frame

# Of a film with true boxes at one time only, nobody knows the frame rate.
_ONE_FRAME_RATE = 1.0


@dataclasses.dataclass(frozen=True, eq=False)
class Video:
    """A video's frames that have true boxes.

    Attributes:
        id: the video's.
        timestamps: of the `n` frames, in microseconds.
        frame_rate: frames a second.
        truth: `n` arrays `[g, 4]`, `g >= 1`.
        jpegs: the `n` frames, if they are known.
    """

    id: str
    timestamps: np.ndarray
    frame_rate: float
    truth: list[np.ndarray]
    jpegs: list[bytes] | None = None


def read_shards(folder: str, split: str, min_score: float = 0.0) -> Iterator[Video]:
    """The videos of a prepared data set, showing progress.

    Args:
        folder: of the data set.
        split: which of its splits.
        min_score: boxes of a lower score are not true.

    Raises:
        ValueError: there is no such split, or a shard is damaged; it is named.
    """
    info = DatasetInfo.load(folder)
    paths = info.shard_paths(folder, split)
    records = tf.data.TFRecordDataset(paths).map(schema.parse, tf.data.AUTOTUNE)
    with failures.checked(paths):
        for record in program.progress(records, total=info.splits[split].num_videos, unit="video"):
            lengths = record["boxes"].row_lengths().numpy()
            cuts = np.cumsum([0, *lengths])
            boxes, good = record["boxes"].values.numpy(), record["scores"].values.numpy()
            good = good >= min_score
            spans = [slice(*span) for span in itertools.pairwise(cuts)]
            truth = [boxes[span][good[span]] for span in spans]
            kept = [index for index, row in enumerate(truth) if len(row)]
            yield Video(
                record["id"].numpy().decode(),
                record["timestamps"].numpy()[kept],
                float(record["frame_rate"]),
                [truth[index] for index in kept],
                record["frames"].numpy()[kept].tolist(),
            )


def read_file(path: str, min_score: float = 0.0) -> Iterator[Video]:
    """The videos of a proposals file whose boxes are true ones.

    Args:
        path: the file.
        min_score: boxes of a lower score are not true.

    Raises:
        ValueError: a line is damaged; file and line are named.
    """
    for name, line in box_files.index_proposals(path).lines.items():
        proposals = box_files.read_proposals(line, name)
        step = np.diff(proposals.times).min(initial=np.inf)
        pairs = zip(proposals.boxes, proposals.scores, strict=True)
        truth = [boxes[scores >= min_score] for boxes, scores in pairs]
        kept = [index for index, row in enumerate(truth) if len(row)]
        yield Video(
            name,
            np.round(proposals.times[kept] * 1e6).astype(np.int64),
            1 / step if np.isfinite(step) else _ONE_FRAME_RATE,
            [truth[index] for index in kept],
        )


def with_proposals(
    videos: Iterator[Video], lines: Mapping[str, json_lines.Line]
) -> Iterator[Frame]:
    """Puts the boxes of a proposals file beside the true ones, those nearest in time.

    Where there are none within half a frame's time, nothing is found; warnings count how often.

    Args:
        videos: with true boxes.
        lines: of the proposals file, by video id.
    """
    num_videos, without, num_frames, empty = 0, [], 0, 0
    for video in videos:
        num_videos += 1
        num_frames += len(video.truth)
        line = lines.get(video.id)
        if line is None:
            without.append(video.id)
            proposals = None
        else:
            proposals = box_files.read_proposals(line, video.id)
        found, _ = box_files.at_frames(proposals, video.timestamps.tolist(), video.frame_rate)
        empty += sum(not len(boxes) for boxes in found)
        yield from map(Frame, video.truth, found)
    if without:
        logging.warning(
            "%d of %d videos have no proposals, the first of them %r",
            len(without),
            num_videos,
            without[0],
        )
    if empty:
        logging.warning("%d of %d frames have no proposals", empty, num_frames)


def with_detections(videos: Iterator[Video], detector: FrameDetector) -> Iterator[Frame]:
    """Puts what a detector finds on the frames, decoded from JPEG, beside the true boxes.

    Args:
        videos: with true boxes and frames.
        detector: what finds boxes.
    """
    for video in videos:
        jpegs = cast(list[bytes], video.jpegs)
        for first in range(0, len(video.truth), detector.batch_size):
            span = slice(first, first + detector.batch_size)
            images = [transforms.decode_jpeg(jpeg).numpy() for jpeg in jpegs[span]]
            found, _ = detector.detect(images)
            yield from map(Frame, video.truth[span], found)
