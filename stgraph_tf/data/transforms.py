"""From encoded frames to pixels, with the boxes going through the very same window.

Training (section 4.1 of the paper): the short side is scaled to a random length and a random square
is cropped. That is one square window in the stored frame, so only this window is resized. Testing
is fully convolutional: the whole frame, its short side scaled to a fixed length.

Conventions: a window is `[top, left, height, width]` in whole pixels of the stored frame; pixel
`(y, x)` covers `[y, y + 1) x [x, x + 1)`. Boxes are `[ymin, xmin, ymax, xmax]`, normalized to
[0, 1] of their frame, before and after. Resizing is bilinear between pixel centres without
antialiasing, and rounds to one of the two nearest of the 256 values.
"""

import tensorflow as tf

from stgraph_tf.data import window_decoder

# A box that is thinner than this share of the frame is what rounding leaves of a box that only
# touches the crop's border.
_NOTHING = 1e-5

# TensorFlow's default is a fast, inexact inverse DCT, wrong by up to 5 of 255 at usual qualities.
# This one gives every other decoder's pixels, and is no slower.
_DECODING = {"channels": 3, "dct_method": "INTEGER_ACCURATE"}


def training_transform(
    clip: dict[str, tf.Tensor],
    *,
    short_side: tuple[int, int],
    crop_size: int,
    flip: bool,
    num_boxes: int,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """Decodes a random square of a clip's frames, and moves the boxes along.

    Args:
        clip: with `id` string `[]`, `jpegs` string `[T]`, `boxes` float32 `[T', k, 4]` and `mask`
            bool `[T', k]`.
        short_side: the range `(low, high)` of the length, in pixels, that the frame's short side is
            scaled to.
        crop_size: side of the square in pixels, at most `low`.
        flip: whether half of the clips are mirrored left to right.
        num_boxes: `K`.
        seed: int64 `[2]`; equal seeds give equal squares.

    Returns:
        The clip without `jpegs`, with `frames` uint8 `[T, crop_size, crop_size, 3]`, `boxes`
        `[T', K, 4]` and `mask` `[T', K]`.

    Raises:
        tf.errors.InvalidArgumentError: a frame is no JPEG, or is not as large as the first, where
            the video is named.
    """
    placed = place_square(
        clip,
        short_side=short_side,
        crop_size=crop_size,
        flip=flip,
        num_boxes=num_boxes,
        seed=seed,
    )
    return decode_squares(placed, crop_size=crop_size)


def place_square(
    clip: dict[str, tf.Tensor],
    *,
    short_side: tuple[int, int],
    crop_size: int,
    flip: bool,
    num_boxes: int,
    seed: tf.Tensor,
) -> dict[str, tf.Tensor]:
    """The first half of `training_transform`: all but the frames, which `decode_squares` decodes.

    Returns:
        The clip with `boxes` `[T', K, 4]` and `mask` `[T', K]` in the square, and with `size` int32
        `[2]`, `window` int32 `[4]` and `mirrored` bool `[]`, which tell where that is.
    """
    scale_seed, top_seed, left_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
    size = jpeg_size(clip["jpegs"][0])
    window = random_window(
        size, short_side, crop_size, scale_seed=scale_seed, top_seed=top_seed, left_seed=left_seed
    )
    mirrored = tf.random.stateless_uniform([], flip_seed) < (0.5 if flip else 0.0)
    boxes, mask = crop_boxes(clip["boxes"], clip["mask"], window, size)
    boxes = tf.where(mirrored, mirror_boxes(boxes), boxes)
    boxes, mask = best_boxes(boxes, mask, num_boxes)
    place = {"size": size, "window": window, "mirrored": mirrored}
    return {**clip, **place, "boxes": boxes, "mask": mask}


def decode_squares(clips: dict[str, tf.Tensor], *, crop_size: int) -> dict[str, tf.Tensor]:
    """The second half of `training_transform`, of one clip or of a batch of them.

    Args:
        clips: as `place_square` returns them.
        crop_size: as `place_square` was given it.
    """
    rest = dict(clips)
    jpegs, window, size = (rest.pop(name) for name in ("jpegs", "window", "size"))
    frames = window_decoder.decode_window(
        jpegs, window, size, crop_size, mirrored=rest.pop("mirrored"), video_id=rest["id"]
    )
    return {**rest, "frames": frames}


def evaluation_transform(
    clips: dict[str, tf.Tensor], *, short_side: int, num_boxes: int
) -> dict[str, tf.Tensor]:
    """Decodes whole frames, their short side scaled to `short_side`; boxes stay where they are.

    Args:
        clips: with `id` string `[]`, `jpegs` string `[U]`, `boxes` float32 `[..., k, 4]` and `mask`
            bool `[..., k]`.
        short_side: in pixels.
        num_boxes: `K`.

    Returns:
        The clips without `jpegs`, with `frames` uint8 `[U, H, W, 3]`, `boxes` `[..., K, 4]` and
        `mask` `[..., K]`.

    Raises:
        tf.errors.InvalidArgumentError: a frame is no JPEG, or is not as large as the first, where
            the video is named.
    """
    jpegs = clips["jpegs"]
    size, problem = jpeg_size(jpegs[0]), _problem(clips["id"])

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([_assert_size(jpeg, size, problem)]):
            return resize_short_side(decode_jpeg(jpeg), short_side)

    frames = tf.map_fn(decode, jpegs, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))
    return _with_pixels(clips, frames, *whole_frame_boxes(clips, num_boxes=num_boxes))


def whole_frame_boxes(
    clips: dict[str, tf.Tensor], *, num_boxes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """The boxes of `evaluation_transform`: cut at the frame, the `K` best of each.

    Args:
        clips: with `boxes` float32 `[..., k, 4]` and `mask` bool `[..., k]`.
        num_boxes: `K`.

    Returns:
        Boxes `[..., K, 4]` and their mask `[..., K]`.
    """
    return best_boxes(*_cut(clips["boxes"], clips["mask"]), num_boxes)


def decode_jpeg(jpeg: tf.Tensor) -> tf.Tensor:
    """Decodes one image, string `[]`, to uint8 `[H, W, 3]`; grey ones to three equal channels.

    Raises:
        tf.errors.InvalidArgumentError: it is no JPEG.
    """
    return tf.io.decode_jpeg(jpeg, **_DECODING)


def resize_short_side(frames: tf.Tensor, short_side: int) -> tf.Tensor:
    """Scales frames so that their short side is `short_side`, keeping the aspect.

    The other side is rounded to the nearest whole pixel (half up). Frames that have this size
    already are returned as they are.

    Args:
        frames: uint8 `[..., H, W, 3]`.
        short_side: in pixels.

    Returns:
        uint8 `[..., H', W', 3]` with `min(H', W') = short_side`.
    """
    shape = tf.shape(frames)
    size = shape[-3:-1]
    wanted = scaled_size(size, short_side)

    def resized() -> tf.Tensor:
        pixels = tf.reshape(frames, tf.concat([[-1], shape[-3:]], 0))
        return tf.reshape(_resize(pixels, wanted), tf.concat([shape[:-3], wanted, [3]], 0))

    result = tf.cond(tf.reduce_all(tf.equal(size, wanted)), lambda: frames, resized)
    return tf.ensure_shape(result, [*frames.shape[:-3], None, None, 3])


def scaled_size(size: tf.Tensor, short_side: int) -> tf.Tensor:
    """The size that `resize_short_side` scales frames of a size to, int32 `[2]` both."""
    short = tf.reduce_min(size)
    return (2 * size * short_side + short) // (2 * short)


def jpeg_size(jpeg: tf.Tensor) -> tf.Tensor:
    """Height and width int32 `[2]` of an image, read from its header alone."""
    return tf.image.extract_jpeg_shape(jpeg)[:2]


def random_window(
    size: tf.Tensor,
    short_side: tuple[int, int],
    crop_size: int,
    *,
    scale_seed: tf.Tensor,
    top_seed: tf.Tensor,
    left_seed: tf.Tensor,
) -> tf.Tensor:
    """The square of the stored frame that a random scale and a random crop show.

    After scaling the short side to `s` pixels, `crop_size` of them are
    `crop_size * short / s` pixels of the stored frame, here rounded to a whole number.

    Args:
        size: int32 `[2]`, the stored frame's height and width.
        short_side: the range of `s`, every value equally likely.
        crop_size: in pixels after scaling, at most `short_side[0]`.
        scale_seed: int64 `[2]`, chooses `s`.
        top_seed: int64 `[2]`, chooses the window's top.
        left_seed: int64 `[2]`, chooses the window's left.

    Returns:
        int32 `[4]`, `[top, left, side, side]`, inside the frame.
    """
    scaled = tf.random.stateless_uniform([], scale_seed, *map(float, short_side))
    short = tf.reduce_min(size)
    side = tf.cast(tf.round(crop_size * tf.cast(short, tf.float32) / scaled), tf.int32)
    side = tf.clip_by_value(side, 1, short)
    free = size - side + 1
    top = tf.random.stateless_uniform([], top_seed, maxval=free[0], dtype=tf.int32)
    left = tf.random.stateless_uniform([], left_seed, maxval=free[1], dtype=tf.int32)
    return tf.stack([top, left, side, side])


def crop_boxes(
    boxes: tf.Tensor, mask: tf.Tensor, window: tf.Tensor, size: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Boxes of a frame as boxes of a window of that frame, cut at its border.

    Args:
        boxes: float32 `[..., k, 4]`, normalized to the frame.
        mask: bool `[..., k]`.
        window: int32 `[4]`.
        size: int32 `[2]`, the frame's height and width in pixels.

    Returns:
        Boxes of the same shape, normalized to the window, and the mask, now False also for boxes of
        which nothing lies inside the window.
    """
    window = tf.cast(window, tf.float32)
    pixels = boxes * tf.cast(tf.tile(size, [2]), tf.float32)
    return _cut((pixels - tf.tile(window[:2], [2])) / tf.tile(window[2:], [2]), mask)


def mirror_boxes(boxes: tf.Tensor) -> tf.Tensor:
    """Boxes `[..., 4]` on the frame mirrored left to right."""
    ymin, xmin, ymax, xmax = tf.unstack(boxes, axis=-1)
    return tf.stack([ymin, 1 - xmax, ymax, 1 - xmin], axis=-1)


def best_boxes(boxes: tf.Tensor, mask: tf.Tensor, num_boxes: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The first `K` valid boxes of every frame, moved to the front in the order they had.

    Records hold the best box first, so these are the `K` best *that the crop left*: a box outside
    the crop takes no place away from one inside.

    Args:
        boxes: float32 `[..., k, 4]`.
        mask: bool `[..., k]`.
        num_boxes: `K`, more or fewer than `k`.

    Returns:
        `[..., K, 4]` and `[..., K]`; where a frame has fewer, boxes of zeros with mask False.
    """
    # The `n`-th valid box is where the count of valid ones first reaches `n`; one more place at the
    # end, which is empty, is where it never does.
    leading = [[0, 0]] * (len(mask.shape) - 1)
    counts = tf.cumsum(tf.cast(mask, tf.int32), axis=-1)
    counts = tf.pad(counts, [*leading, [0, 1]], constant_values=num_boxes + 1)
    boxes = tf.pad(boxes, [*leading, [0, 1], [0, 0]])
    wanted = tf.broadcast_to(
        tf.range(1, num_boxes + 1), tf.concat([tf.shape(mask)[:-1], [num_boxes]], 0)
    )
    places = tf.searchsorted(counts, wanted)
    places = tf.ensure_shape(places, [*mask.shape[:-1], num_boxes])
    found = places < tf.shape(mask)[-1]
    axis = len(mask.shape) - 1
    boxes = tf.gather(boxes, places, axis=axis, batch_dims=axis)
    return tf.where(found[..., tf.newaxis], boxes, 0.0), found


def _cut(boxes: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Cuts boxes at the frame; the mask keeps those of which something is left."""
    boxes = tf.clip_by_value(boxes, 0.0, 1.0)
    left = tf.reduce_min(boxes[..., 2:] - boxes[..., :2], axis=-1)
    return boxes, mask & (left > _NOTHING)


def _with_pixels(
    clip: dict[str, tf.Tensor], frames: tf.Tensor, boxes: tf.Tensor, mask: tf.Tensor
) -> dict[str, tf.Tensor]:
    rest = {name: value for name, value in clip.items() if name != "jpegs"}
    return {**rest, "frames": frames, "boxes": boxes, "mask": mask}


def _problem(video_id: tf.Tensor) -> tf.Tensor:
    return tf.strings.join(["video ", video_id, " has a frame that is not as large as the first"])


def _assert_size(jpeg: tf.Tensor, size: tf.Tensor, problem: tf.Tensor | str) -> tf.Operation:
    return tf.debugging.Assert(tf.reduce_all(tf.equal(jpeg_size(jpeg), size)), [problem])


def _resize(pixels: tf.Tensor, size: tf.Tensor | list[int]) -> tf.Tensor:
    # From float32: the same kernel takes twice as long to read bytes.
    resized = tf.image.resize(tf.cast(pixels, tf.float32), size)
    return tf.cast(tf.round(resized), tf.uint8)
