"""What a request may ask for at most, so that none can exhaust the memory of a server.

Sizes are known before anything is decoded or computed: from the shapes of tensors, and from the
headers of JPEG images. The bounds grow with the model's own clip, of which `ClipSpec.max_clips` fit
into one request. Pixels are positions, of three channels each.
"""

import dataclasses

from stgraph_tf.serving.assets import ClipSpec

# The widest frames of which `max_clips` clips fit, in heights; and the widest of which one does:
# what non-local blocks need grows with the square of a clip's pixels.
_ASPECT, _GREATEST_ASPECT = 2, 4
# A decoded pixel takes a fiftieth of the memory that the network needs for one.
_DECODED_PER_SEEN = 4
# Boxes a frame, over those that the model was trained with, of which `max_clips` clips fit.
_BOXES_PER_TRAINED = 2


@dataclasses.dataclass(frozen=True)
class Limits:
    """The bounds of one model.

    Attributes:
        smallest_side: the least height and width of raw frames, in pixels.
        clip_pixels: `T * H * W` of the frames that the network sees, after scaling.
        seen_pixels: `B * T * H * W` of the same.
        decoded_pixels: `B * T * H * W` of JPEG frames, before scaling.
        frame_pixels: `H * W` of one JPEG frame.
        jpeg_scans: of one JPEG frame. A progressive image usually has about ten, each of which goes
            through all of its pixels, though it may take no more than a few bytes.
        edges: `B * N ** 2`, `N = T' K`, of the similarity graph.
        record_boxes: on one frame of a record, of which the best `K` count.
    """

    smallest_side: int
    clip_pixels: int
    seen_pixels: int
    decoded_pixels: int
    edges: int
    frame_pixels: int = 2**22
    jpeg_scans: int = 32
    record_boxes: int = 2**10

    @classmethod
    def of(cls, clip: ClipSpec, smallest_side: int) -> "Limits":
        """The bounds for a model's clips.

        Args:
            clip: how they are cut.
            smallest_side: of the frames that the model can look at, in pixels.
        """
        square = clip.num_frames * clip.short_side**2
        seen_pixels = clip.max_clips * _ASPECT * square
        nodes = clip.num_frames // clip.box_stride * _BOXES_PER_TRAINED * clip.num_boxes
        return cls(
            smallest_side=smallest_side,
            clip_pixels=_GREATEST_ASPECT * square,
            seen_pixels=seen_pixels,
            decoded_pixels=_DECODED_PER_SEEN * seen_pixels,
            edges=clip.max_clips * nodes**2,
        )
