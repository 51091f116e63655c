"""Films in, frames at the wanted rate out: real video files through PyAV, or folders of images.

Time starts at the film's first frame. Output frame `i` is the one that is shown at `i / fps`
seconds: the source frame whose presentation interval covers that time, or the next one where it is
nearer and begins within half a source frame. A constant frame rate thus gives the nearest frame
(and clocks that round do no harm); a picture that stands for seconds is not left early.

Frames are upright (the film's display matrix or the image's EXIF orientation is applied), have
square pixels, and are shrunk to `short_side` with antialiasing, never enlarged.
"""

import io
import math
import os
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps

from stgraph_tf.data.film import Film

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
JPEG_QUALITY = 95

# WebM and Matroska clocks tick in milliseconds, so a film's end is known no better than that.
_TICK = Fraction(1, 1000)
_EXIF_ORIENTATION = 0x0112


class Frame(NamedTuple):
    """One frame at the wanted rate.

    Attributes:
        timestamp: microseconds from the film's first frame.
        picture: in RGB.
        jpeg: the JPEG file that the picture was read from, where it could stay as it was, else
            None.
        source_size: `(height, width)` in pixels before the frame was shrunk.
    """

    timestamp: int
    picture: Image.Image
    jpeg: bytes | None
    source_size: tuple[int, int]

    @property
    def image(self) -> np.ndarray:
        """The pixels, uint8 `[height, width, 3]`."""
        return np.asarray(self.picture)


def read_frames(
    path: str,
    fps: float,
    *,
    short_side: int | None = None,
    source_fps: float | None = None,
) -> Iterator[Frame]:
    """Decodes a film, frame by frame: only one source frame is held at a time.

    Args:
        path: a film that FFmpeg reads, or a folder of JPEG or PNG frames in the natural order of
            their names (`frame9.jpg` before `frame10.jpg`).
        fps: frames a second wanted.
        short_side: the shorter side of larger frames is shrunk to this many pixels.
        source_fps: frames a second of a folder; a film knows its own.

    Yields:
        Frames of one size at times 0, 1 / fps, 2 / fps, ... while the film lasts; at least one.

    Raises:
        ValueError: the film is missing, empty, broken off or no film, or its frames have several
            shapes; it is named. A film that breaks off raises after its last whole frame.
    """
    wanted = _fraction(fps, "fps")
    if short_side is not None and short_side < 1:
        raise ValueError(f"short_side must be at least 1 pixel. Received: short_side={short_side}")
    source: Film | _Folder
    if tf.io.gfile.isdir(path):
        source = _Folder(path, source_fps)
    elif source_fps is None:
        source = Film(path)
    else:
        raise ValueError(f"{path}: expected a folder of frames to go with a frame rate")
    return _read(path, source, wanted, short_side)


def compressed(
    frames: Iterable[Frame], quality: int = JPEG_QUALITY
) -> Iterator[tuple[Frame, bytes]]:
    """Pairs every frame with its JPEG image.

    JPEG files of a folder that need no change are kept byte for byte; others are encoded with
    `quality` (1 to 100). A frame that is shown several times is encoded once.
    """
    jpeg, picture = b"", None
    for frame in frames:
        if frame.picture is not picture:
            picture, jpeg = frame.picture, frame.jpeg or encode_jpeg(frame.picture, quality)
        yield frame, jpeg


def encode_jpeg(picture: Image.Image, quality: int = JPEG_QUALITY) -> bytes:
    """Compresses an RGB image."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def shrunk_size(width: float, height: float, short_side: int | None) -> tuple[int, int]:
    """The size, `(width, height)` in pixels, whose shorter side is at most `short_side`."""
    scale = min(1.0, short_side / min(width, height)) if short_side else 1.0
    return max(1, round(width * scale)), max(1, round(height * scale))


def _read(
    path: str, source: "Film | _Folder", fps: Fraction, short_side: int | None
) -> Iterator[Frame]:
    shown = first = None
    for index, frame in _resample(source, fps):
        if frame is not shown:
            shown = frame
            picture, jpeg = source.image(frame)
            if first is None:
                first, size = picture.size, shrunk_size(*picture.size, short_side)
            elif not _same_shape(picture.size, first):
                raise ValueError(
                    f"{path}: the frame at {float(index / fps):.2f} s is {_pixels(picture.size)}, "
                    f"another shape than the first, which is {_pixels(first)}"
                )
            source_size = picture.size[::-1]
            if picture.size != size:
                # Pillow's filters widen as they shrink, so nothing aliases.
                picture, jpeg = picture.resize(size, Image.Resampling.BICUBIC), None
        yield Frame(round(index * 1_000_000 / fps), picture, jpeg, source_size)


def _resample(source: "Film | _Folder", fps: Fraction) -> Iterator[tuple[int, Any]]:
    """Yields `(i, frame)`: the source's frame that is shown at `i / fps` seconds."""
    index, wanted, shown, time = 0, Fraction(0), None, Fraction(0)
    for next_time, duration, frame in source.frames():
        # Of most frames one look is enough, and fractions are slow.
        if shown is not None and wanted <= next_time:
            until = next_time - min((next_time - time) / 2, source.half_frame)
            while wanted <= until:
                yield index, shown
                index += 1
                wanted = index / fps
        shown, time, end = frame, next_time, next_time + duration
    while index == 0 or index / fps < end - _TICK:
        yield index, shown
        index += 1


class _Folder:
    """A folder of JPEG or PNG images as a film; a frame is its file's path."""

    def __init__(self, path: str, fps: float | None):
        if fps is None:
            raise ValueError(f"{path} is a folder of frames, and needs its frame rate")
        self._interval = 1 / _fraction(fps, f"{path}: its frame rate")
        names = [n for n in tf.io.gfile.listdir(path) if n.lower().endswith(IMAGE_SUFFIXES)]
        names = [name for name in names if not name.startswith(".")]
        if not names:
            raise ValueError(f"{path} holds no frames ({', '.join(IMAGE_SUFFIXES)})")
        self._paths = [os.path.join(path, name) for name in sorted(names, key=_natural)]
        self.half_frame = self._interval / 2

    def frames(self) -> Iterator[tuple[Fraction, Fraction, str]]:
        for index, path in enumerate(self._paths):
            yield index * self._interval, self._interval, path

    def image(self, path: str) -> tuple[Image.Image, bytes | None]:
        """A frame in RGB and upright; and its file's bytes, if that is a JPEG that was both."""
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
        if not content:
            raise ValueError(f"{path} is empty (0 bytes)")
        try:
            image = Image.open(io.BytesIO(content))
            image.load()
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"{path} cannot be read as an image: {error}") from error
        if image.mode[0] in "IF":
            raise ValueError(f"{path}: expected 8 bits a channel, received mode {image.mode}")
        usable = image.format == "JPEG" and image.mode in ("L", "RGB")
        usable = usable and image.getexif().get(_EXIF_ORIENTATION, 1) == 1
        return ImageOps.exif_transpose(image).convert("RGB"), content if usable else None


def _same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two sizes have one aspect: a stream that adapts to the network changes its size."""
    return math.isclose(size[0] * other[1], size[1] * other[0], rel_tol=0.02)


def _pixels(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]} pixels"


def _natural(name: str) -> list[tuple[int, int | str]]:
    parts = re.split(r"(\d+)", name.lower())
    return [(0, int(part)) if part.isdigit() else (1, part) for part in parts]


def _fraction(rate: float, name: str) -> Fraction:
    """A frame rate as the fraction that its decimals stand for: 29.97 as 2997/100."""
    if not (math.isfinite(rate) and rate >= 0.001):
        raise ValueError(f"{name} must be a number of frames a second. Received: {rate}")
    return Fraction(rate).limit_denominator(1_000_000)
