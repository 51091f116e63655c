"""One film of the data set, whole: H.264 bytes, labels with their times, and box proposals.

A film depends on its settings, seed, split and index alone: not on how many films are made, in what
order, or by how many processes.
"""

import dataclasses
import fractions
import io
from typing import Any

import av
import numpy as np

from stgraph_tf.data.shapes.actions import LABELS
from stgraph_tf.data.shapes.composition import compose
from stgraph_tf.data.shapes.groups import MAX_ACTION_FRAMES
from stgraph_tf.data.shapes.proposals import propose
from stgraph_tf.data.shapes.render import render
from stgraph_tf.data.shapes.scene import Scene

SPLITS = ("train", "validation")


@dataclasses.dataclass(frozen=True)
class FilmSettings:
    """What all films of a data set have in common.

    Attributes:
        seed: the data set's seed, not negative.
        size: width and height, pixels; even, as H.264 wants it.
        num_frames: the length, frames.
        fps: frames a second.
        single_label: one action a film and one label, that of its end, with little around it, in
            the style of Something-Something.

    Raises:
        ValueError: for a value outside its range.
    """

    seed: int = 0
    size: int = 64
    num_frames: int = 24
    fps: int = 8
    single_label: bool = False

    def __post_init__(self):
        if self.seed < 0:
            raise ValueError(f"seed must not be negative; received {self.seed}")
        if self.size % 2 or not 32 <= self.size <= 1024:
            raise ValueError(f"size must be an even number from 32 to 1024; received {self.size}")
        if self.num_frames < MAX_ACTION_FRAMES:
            raise ValueError(
                f"num_frames must be at least {MAX_ACTION_FRAMES}, the length of an action; "
                f"received {self.num_frames}"
            )
        if self.fps < 1:
            raise ValueError(f"fps must be at least 1; received {self.fps}")


@dataclasses.dataclass(frozen=True)
class Film:
    """A film as it goes into the data set.

    Attributes:
        id: its name, `SPLIT-INDEX`.
        mp4: the encoded film.
        labels: the actions in it, in class order.
        segments: `{"label", "start", "end"}` of every action, seconds, in order of time.
        proposals: `{"times", "boxes", "scores"}`, one entry a frame: what a detector might find.
        objects: `{"times", "boxes", "tracks"}`, one entry a frame: what is there.
    """

    id: str
    mp4: bytes
    labels: list[str]
    segments: list[dict[str, Any]]
    proposals: dict[str, Any]
    objects: dict[str, Any]


def make_film(settings: FilmSettings, split: str, index: int) -> Film:
    """Makes film number `index` of a split."""
    # One generator a part: a change in how a film is lit leaves scene and boxes alone.
    script, light, detector = (
        np.random.default_rng([settings.seed, SPLITS.index(split), index, part])
        for part in range(3)
    )
    scene = compose(script, settings.num_frames, single=settings.single_label)
    rendering = render(scene, settings.size, light)
    boxes = propose(rendering.boxes, rendering.seen, detector)
    segments = _segments(scene, settings.fps)
    if settings.single_label:
        segments = segments[-1:]
    times = [_seconds(frame, settings.fps) for frame in range(settings.num_frames)]
    return Film(
        id=f"{split}-{index:05d}",
        mp4=encode_mp4(rendering.frames, settings.fps),
        labels=sorted({segment["label"] for segment in segments}, key=LABELS.index),
        segments=segments,
        proposals={
            "times": times,
            "boxes": [np.round(b.astype(float), 4).tolist() for b, _ in boxes],
            "scores": [np.round(s.astype(float), 3).tolist() for _, s in boxes],
        },
        objects={
            "times": times,
            "boxes": [
                np.round(there[seen].clip(0, 1).astype(float), 4).tolist()
                for there, seen in zip(rendering.boxes, rendering.seen, strict=True)
            ],
            "tracks": [np.flatnonzero(seen).tolist() for seen in rendering.seen],
        },
    )


def encode_mp4(frames: np.ndarray, fps: int) -> bytes:
    """Encodes RGB frames, uint8 `[F, H, W, 3]` with even H and W, as H.264 in an MP4 container."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fractions.Fraction(fps))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        # One thread: the bytes must not depend on the machine, and films are made side by side. No
        # macroblock tree: for frames this small it varies from run to run on the same input.
        stream.options = {"crf": "18", "preset": "fast", "threads": "1", "x264-params": "mbtree=0"}
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return file.getvalue()


def _segments(scene: Scene, fps: int) -> list[dict[str, Any]]:
    performances = sorted(scene.performances, key=lambda performance: performance.start)
    return [
        {
            "label": performance.label,
            "start": _seconds(performance.start, fps),
            "end": _seconds(performance.stop, fps),
        }
        for performance in performances
    ]


def _seconds(frame: int, fps: int) -> float:
    return round(frame / fps, 6)
