"""From encoded frames to pixels, with the boxes going through the very same window.

Training (section 4.1 of the paper): the short side is scaled to a random length and a random square
is cropped. That is one square window in the stored frame, so only this window is decoded. Testing
is fully convolutional: the whole frame, its short side scaled to a fixed length.

Conventions: a window is `[top, left, height, width]` in whole pixels of the stored frame; pixel
`(y, x)` covers `[y, y + 1) x [x, x + 1)`. Boxes are `[ymin, xmin, ymax, xmax]`, normalized to
[0, 1] of their frame, before and after. Resizing is bilinear between pixel centres without
antialiasing, and rounds to the nearest of the 256 values.
"""

import tensorflow as tf

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
        clip: with `jpegs` string `[T]`, `boxes` float32 `[T', k, 4]` and `mask` bool `[T', k]`.
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
        tf.errors.InvalidArgumentError: a frame is no JPEG or not as large as the first.
    """
    scale_seed, top_seed, left_seed, flip_seed = tf.unstack(tf.random.split(seed, 4))
    jpegs = clip["jpegs"]
    size = _size(jpegs[0])
    window = random_window(
        size, short_side, crop_size, scale_seed=scale_seed, top_seed=top_seed, left_seed=left_seed
    )
    frames = decode_window(jpegs, window, size, crop_size)
    boxes, mask = crop_boxes(clip["boxes"], clip["mask"], window, size)
    if flip:
        mirrored = tf.random.stateless_uniform([], flip_seed) < 0.5
        frames = tf.cond(mirrored, lambda: mirror_frames(frames), lambda: frames)
        boxes = tf.where(mirrored, mirror_boxes(boxes), boxes)
    return _with_pixels(clip, frames, *best_boxes(boxes, mask, num_boxes))


def evaluation_transform(
    clips: dict[str, tf.Tensor], *, short_side: int, num_boxes: int
) -> dict[str, tf.Tensor]:
    """Decodes whole frames, their short side scaled to `short_side`; boxes stay where they are.

    Args:
        clips: with `jpegs` string `[U]`, `boxes` float32 `[..., k, 4]` and `mask` bool `[..., k]`.
        short_side: in pixels.
        num_boxes: `K`.

    Returns:
        The clips without `jpegs`, with `frames` uint8 `[U, H, W, 3]`, `boxes` `[..., K, 4]` and
        `mask` `[..., K]`.

    Raises:
        tf.errors.InvalidArgumentError: a frame is no JPEG or not as large as the first.
    """
    jpegs = clips["jpegs"]
    size = _size(jpegs[0])

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([_assert_size(jpeg, size)]):
            return resize_short_side(decode_jpeg(jpeg), short_side)

    frames = tf.map_fn(decode, jpegs, fn_output_signature=tf.TensorSpec([None, None, 3], tf.uint8))
    boxes, mask = _cut(clips["boxes"], clips["mask"])
    return _with_pixels(clips, frames, *best_boxes(boxes, mask, num_boxes))


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
    short = tf.reduce_min(size)
    wanted = (2 * size * short_side + short) // (2 * short)

    def resized() -> tf.Tensor:
        pixels = tf.reshape(frames, tf.concat([[-1], shape[-3:]], 0))
        return tf.reshape(_resize(pixels, wanted), tf.concat([shape[:-3], wanted, [3]], 0))

    result = tf.cond(tf.reduce_all(tf.equal(size, wanted)), lambda: frames, resized)
    return tf.ensure_shape(result, [*frames.shape[:-3], None, None, 3])


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


def decode_window(
    jpegs: tf.Tensor, window: tf.Tensor, size: tf.Tensor, crop_size: int
) -> tf.Tensor:
    """Decodes one window of every frame, and nothing else of it, as a square of `crop_size`.

    Args:
        jpegs: string `[T]`; a grey image gives three equal channels.
        window: int32 `[4]`.
        size: int32 `[2]`, the height and width that every frame must have.
        crop_size: side of the result in pixels.

    Returns:
        uint8 `[T, crop_size, crop_size, 3]`.

    Raises:
        tf.errors.InvalidArgumentError: a frame is no JPEG or is not of this size.
    """

    def decode(jpeg: tf.Tensor) -> tf.Tensor:
        with tf.control_dependencies([_assert_size(jpeg, size)]):
            pixels = tf.image.decode_and_crop_jpeg(jpeg, window, **_DECODING)
        return _resize(pixels[tf.newaxis], [crop_size, crop_size])[0]

    return tf.map_fn(
        decode, jpegs, fn_output_signature=tf.TensorSpec([crop_size, crop_size, 3], tf.uint8)
    )


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


def mirror_frames(frames: tf.Tensor) -> tf.Tensor:
    """Frames uint8 `[T, H, W, 3]` mirrored left to right."""
    # As one tall picture: `tf.reverse` of three dimensions is four times faster than of four.
    shape = tf.shape(frames)
    picture = tf.reshape(frames, [-1, shape[2], 3])
    return tf.ensure_shape(tf.reshape(tf.reverse(picture, [1]), shape), frames.shape)


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
    padding = [[0, 0]] * (len(mask.shape) - 1) + [[0, num_boxes]]
    mask = tf.pad(mask, padding)
    boxes = tf.pad(boxes, [*padding, [0, 0]])
    order = tf.argsort(tf.cast(~mask, tf.int32), axis=-1, stable=True)[..., :num_boxes]
    order = tf.ensure_shape(order, [*mask.shape[:-1], num_boxes])
    axis = len(mask.shape) - 1
    mask = tf.gather(mask, order, axis=axis, batch_dims=axis)
    boxes = tf.gather(boxes, order, axis=axis, batch_dims=axis)
    return tf.where(mask[..., tf.newaxis], boxes, 0.0), mask


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


def _size(jpeg: tf.Tensor) -> tf.Tensor:
    """Height and width int32 `[2]`, read from the JPEG's header alone."""
    return tf.image.extract_jpeg_shape(jpeg)[:2]


def _assert_size(jpeg: tf.Tensor, size: tf.Tensor) -> tf.Operation:
    return tf.debugging.Assert(tf.reduce_all(tf.equal(_size(jpeg), size)), [_size(jpeg), size])


def _resize(pixels: tf.Tensor, size: tf.Tensor | list[int]) -> tf.Tensor:
    return tf.cast(tf.round(tf.image.resize(pixels, size)), tf.uint8)
