"""JPEG frames of a request: looked at in their headers before they are decoded.

An image of 65500 x 65500 pixels of one colour takes 50 MB as JPEG and 13 GB decoded.
"""

from collections.abc import Callable

import tensorflow as tf

from stgraph_tf.data import transforms
from stgraph_tf.serving import input_checks
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.limits import Limits

# In compressed data these two bytes begin a scan, and nothing else.
_START_OF_SCAN = (0xFF, 0xDA)

_FRAME = tf.TensorSpec([None, None, 3], tf.uint8)


def checked(
    jpegs: tf.Tensor,
    name: str | tf.Tensor,
    name_of: Callable[[tf.Tensor], str | tf.Tensor],
    clip: ClipSpec,
    limits: Limits,
) -> tf.Tensor:
    """The images, if they may be decoded and scaled, and are of one size.

    Args:
        jpegs: string `[n]`, `n` at least 1.
        name: what a message calls all of them.
        name_of: what a message calls the image of an index, int64 `[]`.
        clip: of which they are frames, and how they will be scaled.
        limits: of one image, of a clip and of all.

    Returns:
        The images `[n]`.

    Raises:
        tf.errors.InvalidArgumentError: an image is no JPEG, has a header that cannot be read, more
            pixels or scans than it may, or another size than the first; or a clip or all together
            have more pixels than they may.
    """

    def check(valid: tf.Tensor, *problem: str | tf.Tensor) -> tf.Operation:
        name = name_of(_first(~valid))
        return input_checks.require(tf.reduce_all(valid), name, " ", *problem)

    # TensorFlow's JPEG decoder takes a PNG, too, but nothing that reads headers does.
    jpegs = input_checks.after([check(tf.io.is_jpeg(jpegs), "is no JPEG image")], jpegs)

    headers = tf.map_fn(_header, jpegs, fn_output_signature=tf.TensorSpec([3], tf.int32))
    sizes, scans = headers[:, :2], headers[:, 2]
    pixels = tf.reduce_prod(tf.cast(sizes, tf.int64), axis=-1)
    small = pixels <= limits.frame_pixels
    quick = scans <= limits.jpeg_scans
    alike = tf.reduce_all(sizes == sizes[0], axis=-1)
    large, other = sizes[_first(~small)], sizes[_first(~alike)]
    checks = [
        check(small, "has [", large, f"] pixels, and may have {limits.frame_pixels} in all"),
        check(quick, f"has more than {limits.jpeg_scans} scans"),
        check(alike, "has [", other, "] pixels, and the first frame has [", sizes[0], "]"),
    ]
    size = input_checks.after(checks, sizes[0])
    return input_checks.after(_pixel_checks(name, tf.size(jpegs), size, clip, limits), jpegs)


def decoded(jpegs: tf.Tensor) -> tf.Tensor:
    """Checked images `[n]` as frames, uint8 `[n, H, W, 3]`."""
    return tf.map_fn(transforms.decode_jpeg, jpegs, fn_output_signature=_FRAME)


def decoded_and_scaled(jpegs: tf.Tensor, short_side: int) -> tf.Tensor:
    """The same, their short side scaled to `short_side` one by one, as in evaluation."""

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        return transforms.resize_short_side(transforms.decode_jpeg(jpeg), short_side)

    return tf.map_fn(decode, jpegs, fn_output_signature=_FRAME)


def scaled(frames: tf.Tensor, short_side: int) -> tf.Tensor:
    """Frames `[n, H, W, 3]`, their short side scaled to `short_side` one by one."""
    return tf.map_fn(
        lambda frame: transforms.resize_short_side(frame, short_side),
        frames,
        fn_output_signature=_FRAME,
    )


def _pixel_checks(
    name: str | tf.Tensor, count: tf.Tensor, size: tf.Tensor, clip: ClipSpec, limits: Limits
) -> list[tf.Operation]:
    """Checks of what `count` frames of a size have together, decoded and scaled."""
    scaled = transforms.scaled_size(size, clip.short_side)
    return [
        input_checks.require(
            input_checks.product([number, *tf.unstack(shown)]) <= float(most),
            *(
                name,
                " has ",
                number,
                " frames of [",
                shown,
                f"] pixels{state}, and may have {most}",
            ),
            f" pixels in all{of_what}",
        )
        for number, shown, state, most, of_what in (
            (count, size, "", limits.decoded_pixels, ""),
            (count, scaled, " once scaled", limits.seen_pixels, ""),
            (clip.num_frames, scaled, " once scaled", limits.clip_pixels, " in a clip"),
        )
    ]


def _header(jpeg: tf.Tensor) -> tf.Tensor:
    """Height, width and number of scans of an image, int32 `[3]`."""
    first, second = _START_OF_SCAN
    data = tf.io.decode_raw(jpeg, tf.uint8)
    markers = tf.where(data[:-1] == first)[:, 0]
    scans = tf.math.count_nonzero(tf.gather(data, markers + 1) == second, dtype=tf.int32)
    return tf.concat([transforms.jpeg_size(jpeg), [scans]], axis=0)


def _first(marked: tf.Tensor) -> tf.Tensor:
    """The first place that is marked, int64 `[]`; 0 if none is."""
    return tf.pad(tf.where(marked), [[0, 1], [0, 0]])[0, 0]
