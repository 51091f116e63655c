"""What a request may ask for at most, so that none can exhaust the memory of a server.

Sizes are known before anything is decoded or computed: from the shapes of tensors, and from the
headers of JPEG images. The bounds grow with the model's own clip, of which `ClipSpec.max_clips` fit
into one request. Pixels are positions, of three channels each.
"""

import dataclasses

from stgraph_tf.serving.assets import ClipSpec

# The widest frames of which `max_clips` clips fit, in heights.
_ASPECT = 2
# Decoded pixels take a hundredth of what the network needs for one, see `Limits.decoded_pixels`.
_DECODED_PER_SEEN = 4
# Boxes a frame, over those that the model was trained with, of which `max_clips` clips fit.
_BOXES_PER_TRAINED = 2


@dataclasses.dataclass(frozen=True)
class Limits:
    """The bounds of one model.

    Attributes:
        smallest_side: the least height and width of raw frames, in pixels.
        seen_pixels: `B * T * H * W` of the frames that the network sees, after scaling.
        decoded_pixels: `B * T * H * W` of JPEG frames, before scaling.
        frame_pixels: `H * W` of one JPEG frame.
        jpeg_scans: of one JPEG frame. A progressive image usually has about ten, each of which goes
            through all of its pixels, though it may take no more than a few bytes.
        edges: `B * N ** 2`, `N = T' K`, of the similarity graph.
        videos: of `sequence_example`, which are scored one after the other.
        record_boxes: on one frame of a record, of which the best `K` count.
    """

    smallest_side: int
    seen_pixels: int
    decoded_pixels: int
    edges: int
    videos: int
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
        seen_pixels = clip.max_clips * clip.num_frames * _ASPECT * clip.short_side**2
        nodes = clip.num_frames // clip.box_stride * _BOXES_PER_TRAINED * clip.num_boxes
        return cls(
            smallest_side=smallest_side,
            seen_pixels=seen_pixels,
            decoded_pixels=_DECODED_PER_SEEN * seen_pixels,
            edges=clip.max_clips * nodes**2,
            videos=clip.max_clips,
        )
