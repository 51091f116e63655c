"""One video file, decoded frame by frame with PyAV: H.264, VP9, and whatever FFmpeg reads.

What real films bring is settled here: clocks that start late, stutter, jump back or are missing,
pictures that are stored turned or with pixels that are not square, covers that pose as video, and
files that break off.
"""

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import Any, cast

import av
import numpy as np
import tensorflow as tf
from av.video.reformatter import VideoReformatter
from PIL import Image

# A film may end this much before the length that it declares; containers round and estimate.
_MISSING_END = Fraction(1, 2)
# A longer step between two frames is a break in the clock, as at the seam of joined recordings.
_LONGEST_STEP = 600

# The eight right-angled display matrices: how (x, y) goes to (a x + c y, b x + d y), y downwards.
_UPRIGHT = {
    (-1, 0, 0, -1): Image.Transpose.ROTATE_180,
    (0, 1, -1, 0): Image.Transpose.ROTATE_270,
    (0, -1, 1, 0): Image.Transpose.ROTATE_90,
    (-1, 0, 0, 1): Image.Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Image.Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Image.Transpose.TRANSPOSE,
    (0, -1, -1, 0): Image.Transpose.TRANSVERSE,
}


class Film:
    """A film, open for one pass over its frames.

    Attributes:
        half_frame: half of a frame's time at the film's nominal rate, in seconds.
    """

    def __init__(self, path: str):
        """Opens the film.

        Raises:
            ValueError: the film is missing or empty, is no film, or has no video; it is named.
        """
        self._path = path
        self._container = _open(path)
        self._stream = _video_stream(self._container, path)
        # Not "FRAME": FFmpeg's frame threads keep a damaged packet to themselves.
        self._stream.thread_type = "SLICE"
        # Taken now: a closed film's stream crashes the process that asks it anything.
        self._tick = self._stream.time_base
        self._pixel_aspect = self._stream.sample_aspect_ratio or Fraction(1)
        rate = self._stream.guessed_rate or self._stream.average_rate
        self._frame_duration = 1 / Fraction(rate) if rate else Fraction(1, 25)
        self._declared_end = _declared_end(self._container, self._stream)
        self.half_frame = self._frame_duration / 2
        # One for all frames: a frame's own one would set itself up anew, which takes longer than
        # what it does.
        self._reformatter = VideoReformatter()

    def frames(self) -> Iterator[tuple[Fraction, Fraction, av.VideoFrame]]:
        """Yields every frame as `(time, duration, frame)`, in seconds from the film's first frame.

        Times never decrease. A frame is still in the film's own pixel format: see `image`.

        Raises:
            ValueError: after the last whole frame, where the film breaks off.
        """
        first: Fraction | None = None
        time, duration, joined = Fraction(0), Fraction(0), False
        stutter = -2 * self._frame_duration
        for frame in self._decode():
            tick = frame.time_base or self._tick
            stamp = None if frame.pts is None else frame.pts * tick
            if first is None:
                first = stamp or Fraction(0)
            elif stamp is None:
                time += self._frame_duration
            elif stutter < (since := stamp - first) - time < _LONGEST_STEP:
                # A small step back is a stutter of the clock: the later frame stays.
                time = max(time, since)
            else:
                time += self._frame_duration
                first, joined = stamp - time, True
            duration = (frame.duration or 0) * tick or self._frame_duration
            yield time, duration, frame
        declared, end = self._declared_end - (first or 0), time + duration
        if declared - end > _MISSING_END and not joined:
            raise ValueError(
                f"{self._path} breaks off: it declares {float(declared):.1f} s of video, but only "
                f"{float(end):.1f} s can be decoded"
            )

    def image(self, frame: av.VideoFrame) -> tuple[Image.Image, None]:
        """A frame in RGB, upright and with square pixels; and None, for it is no JPEG file."""
        plane = self._reformatter.reformat(frame, format="rgb24").planes[0]
        layout = "raw", "RGB", plane.line_size, 1
        image = Image.frombytes("RGB", (frame.width, frame.height), memoryview(plane), *layout)
        aspect = self._pixel_aspect
        size = round(image.width * max(1, aspect)), round(image.height * max(1, 1 / aspect))
        if size != image.size:
            image = image.resize(size)
        matrix = frame.side_data.get("DISPLAYMATRIX")
        if matrix is not None:
            image = upright(image, np.frombuffer(cast(bytes, matrix), np.int32))
        return image, None

    def _decode(self) -> Iterator[av.VideoFrame]:
        """All frames in the order in which they are shown; the film is closed after the last."""
        count, torn = 0, False
        with self._container:
            try:
                for packet in self._container.demux(self._stream):
                    torn = packet.is_corrupt or (torn and not packet.size)
                    for frame in self._decode_packet(packet, lenient=not count):
                        count += 1
                        yield frame
            except av.FFmpegError as error:
                raise self._break_off(count, str(error.strerror)) from error
        if torn:
            raise self._break_off(count, "the file ends inside a frame")
        if not count:
            raise ValueError(f"{self._path}: not one frame of it can be decoded")

    def _decode_packet(self, packet: av.Packet, lenient: bool) -> list[av.VideoFrame]:
        try:
            return packet.decode()
        except av.error.InvalidDataError:
            # A recording cut in the middle begins with packets that need earlier ones.
            if lenient:
                return []
            raise

    def _break_off(self, count: int, reason: str) -> ValueError:
        return ValueError(
            f"{self._path} breaks off: no more than its first {count} frames can be decoded "
            f"({reason})"
        )


def upright(image: Image.Image, matrix: np.ndarray) -> Image.Image:
    """Turns and mirrors an image as its film's display matrix says.

    Args:
        image: as it is stored.
        matrix: FFmpeg's nine integers `a b u c d v x y w` in 16.16 fixed point: a stored point
            `(x, y)` is shown at `(a x + c y, b x + d y)`. Other than right angles are left alone.
    """
    a, b, c, d = (int(v) for v in np.round(matrix[[0, 1, 3, 4]] / 65536))
    method = _UPRIGHT.get((a, b, c, d))
    return image if method is None else image.transpose(method)


def _open(path: str) -> Any:
    if not tf.io.gfile.exists(path):
        raise ValueError(f"{path} does not exist")
    if not tf.io.gfile.stat(path).length:
        raise ValueError(f"{path} is empty (0 bytes)")
    try:
        # With "file:" in front, FFmpeg takes no name for a protocol ("a:b.mp4") or a pattern.
        return av.open(tf.io.gfile.GFile(path, "rb") if "://" in path else f"file:{path}")
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a film: {error.strerror}") from error


def _video_stream(container: Any, path: str) -> Any:
    cover = av.stream.Disposition.attached_pic
    for stream in container.streams.video:
        if not stream.disposition & cover:
            return stream
    container.close()
    raise ValueError(f"{path} has no video stream")


def _declared_end(container: Any, stream: Any) -> Fraction:
    """Seconds on the film's own clock at which its video ends, as it declares; 0 if it does not."""
    if stream.duration:
        return ((stream.start_time or 0) + stream.duration) * stream.time_base
    if match := re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", "")):
        hours, minutes, seconds = match.groups()
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    if container.duration and len(container.streams) == 1:
        return Fraction((container.start_time or 0) + container.duration, av.time_base)
    return Fraction(0)
