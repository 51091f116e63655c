"""Requests that would take too much, and images that mean harm: refused before they are decoded."""

import resource
import struct

import numpy as np
from absl.testing import absltest

from stgraph_tf.serving.limits import Limits
from tests.serving.exported import (
    CLIP,
    NUM_FRAMES,
    SHORT_SIDE,
    ExportedTestCase,
    compressed,
    image_file,
    jpeg,
    request,
)

LIMITS = Limits.of(CLIP, smallest_side=4)
HALF_A_GIGABYTE = 2**19  # in kilobytes


def patched(data, height, width):
    """A JPEG whose header tells another size."""
    start = data.index(b"\xff\xc0") + 5  # Marker, length, precision.
    return data[:start] + struct.pack(">HH", height, width) + data[start + 4 :]


def with_scans(data, count):
    """A progressive JPEG whose last scan comes `count` more times."""
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * count + data[end:]


class RawLimitsTest(ExportedTestCase):
    def test_more_pixels_than_a_clip_or_a_request_may_have(self):
        square = NUM_FRAMES * SHORT_SIDE**2
        self.assertEqual((LIMITS.clip_pixels, LIMITS.seen_pixels), (4 * square, 8 * 2 * square))
        frames, boxes = request(batch=5, height=48, width=49, num_boxes=1)
        self.assert_refused(
            "frames of shape [1, 4, 48, 49, 3] have more than the 9216 pixels (T * H * W) that a "
            "clip may have",
            frames=frames[:1],
            boxes=boxes[:1],
        )
        self.assert_refused(
            "frames of shape [5, 4, 48, 48, 3] have more than the 36864 pixels (B * T * H * W) "
            "that a request may have",
            frames=frames[:, :, :, :48],
            boxes=boxes,
        )
        self.call("serving_default", frames=frames[:4, :, :, :48], boxes=boxes[:4])

    def test_more_boxes_than_a_graph_may_have(self):
        frames, _ = request(batch=1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assert_refused(
            "boxes of shape [1, 2, 100000, 4] have more than the 1152 edges (B * N * N, of N boxes "
            "a clip) that a request may have",
            frames=frames,
            boxes=np.zeros([1, 2, 100_000, 4], np.float32),
        )
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, HALF_A_GIGABYTE)


class JpegLimitsTest(ExportedTestCase):
    def assert_image_refused(self, sentence, image):
        """The image as the seventh of a request."""
        frames, boxes = request()
        jpegs, _ = compressed(frames)
        jpegs[1, 2] = image
        self.assert_refused(sentence, "encoded_frames", encoded_frames=jpegs, boxes=boxes)

    def assert_images_refused(self, sentence, image):
        """The image as all frames of a request."""
        _, boxes = request(batch=1)
        jpegs = np.full([1, NUM_FRAMES], image, object)
        self.assert_refused(sentence, "encoded_frames", encoded_frames=jpegs, boxes=boxes)

    def test_images_of_another_kind(self):
        pixels = request()[0][1, 2]
        others = [image_file(pixels, kind) for kind in ("PNG", "GIF", "BMP", "WEBP")]
        for data in (*others, b"", b"\x00\x01\x02\x03"):
            with self.subTest(data[:4]):
                self.assert_image_refused("encoded_frames[1, 2] is no JPEG image", data)

    def test_a_jpeg_that_breaks_off(self):
        whole = jpeg(request()[0][1, 2])
        for length in (3, 20, len(whole) // 2, len(whole) - 100):
            with self.subTest(length):
                self.assert_image_refused("Invalid JPEG data", whole[:length])

    def test_a_jpeg_of_noise_behind_its_header(self):
        whole = jpeg(request()[0][1, 2])
        start = whole.index(b"\xff\xda") + 20
        noise = np.random.default_rng(0).integers(0, 255, len(whole) - start, np.uint8)
        self.assert_image_refused("Invalid JPEG data", whole[:start] + noise.tobytes())

    def test_a_header_that_tells_of_gigabytes(self):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assert_image_refused(
            "encoded_frames[1, 2] has [65500, 65500] pixels, and may have 4194304 in all",
            patched(jpeg(request()[0][1, 2]), 65500, 65500),
        )
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertLess(after - before, HALF_A_GIGABYTE)

    def test_frames_of_several_sizes(self):
        self.assert_image_refused(
            "encoded_frames[1, 2] has [20, 32] pixels, and the first frame has [24, 32]",
            jpeg(request()[0][1, 2, :20]),
        )

    def test_more_pixels_than_a_request_may_have(self):
        self.assert_images_refused(
            "encoded_frames has 4 frames of [256, 145] pixels, and may have 147456 pixels in all",
            jpeg(np.zeros([256, 145, 3], np.uint8)),
        )

    def test_a_narrow_frame_that_would_be_scaled_to_an_enormous_one(self):
        self.assert_images_refused(
            "encoded_frames has 4 frames of [24, 120] pixels once scaled, and may have 9216 pixels "
            "in all in a clip",
            jpeg(np.zeros([1, 5, 3], np.uint8)),
        )

    def test_scans_that_take_much_longer_than_their_bytes_suggest(self):
        progressive = jpeg(request()[0][1, 2], progressive=True)
        self.assert_image_refused(
            "encoded_frames[1, 2] has more than 32 scans", with_scans(progressive, 30)
        )

    def test_progressive_images_are_images(self):
        frames, boxes = request(batch=1)
        baseline = [jpeg(frame) for frame in frames[0]]
        progressive = [jpeg(frame, progressive=True) for frame in frames[0]]
        scores = [
            self.call("encoded_frames", encoded_frames=np.array([images], object), boxes=boxes)
            for images in (baseline, progressive)
        ]
        np.testing.assert_allclose(*scores, atol=1e-6)


if __name__ == "__main__":
    absltest.main()
