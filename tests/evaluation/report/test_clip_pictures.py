"""Moving pictures of real shards, decoded again."""

import io
import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.data import schema, shards
from stgraph_tf.evaluation.report import clip_pictures
from stgraph_tf.evaluation.report.inputs import Films
from stgraph_tf.viz import drawing
from tests.data import pictures


def film(name: str, num_frames: int, boxes: np.ndarray) -> bytes:
    """A film in which a frame's grey is ten times its number."""
    return encoded(
        name, [np.full([30, 40, 3], 10 * number, np.uint8) for number in range(num_frames)], boxes
    )


def encoded(name: str, frames: list[np.ndarray], boxes: np.ndarray) -> bytes:
    """A film at 4 frames a second with the same boxes on every frame."""
    num_frames = len(frames)
    return schema.encode(
        schema.Video(
            id=name,
            frames=[pictures.jpeg(frame) for frame in frames],
            timestamps=[number * 250_000 for number in range(num_frames)],
            height=frames[0].shape[0],
            width=frames[0].shape[1],
            frame_rate=4.0,
            labels=[0],
            label_names=["open"],
            segments=[],
            boxes=[boxes] * num_frames,
            scores=[np.linspace(0.9, 0.1, len(boxes))] * num_frames,
        )
    )


class ClipPicturesTest(absltest.TestCase):
    def read(self, records: list[bytes], ids: list[str], num_frames: int = 8) -> dict:
        path = os.path.join(self.create_tempdir().full_path, shards.shard_name("test", 0, 1))
        shards.write(path, records)
        return clip_pictures.read(Films([path], num_frames, box_stride=2, num_boxes=3), ids)

    def test_shows_the_feature_frames_of_the_middle_clip_at_the_films_speed(self):
        nothing = np.zeros([0, 4])
        found = self.read([film("a", 20, nothing), film("b", 20, nothing)], ["b"])
        self.assertEqual(list(found), ["b"])
        animation = Image.open(io.BytesIO(found["b"].animation))
        # Frames 6 to 13 are the middle clip; every second one is a feature frame.
        self.assertEqual(animation.n_frames, 4)
        for place, grey in enumerate([60, 80, 100, 120]):
            animation.seek(place)
            animation.load()
            self.assertEqual(animation.info["duration"], 500)
            self.assertAlmostEqual(np.mean(animation.convert("RGB")), grey, delta=5)
        self.assertEqual(animation.size, (found["b"].width, found["b"].height))
        self.assertEqual(animation.size, (280, 210))
        self.assertFalse(found["b"].has_boxes)

    def test_still_is_one_frame(self):
        found = self.read([film("a", 20, np.zeros([0, 4]))], ["a"])
        still = Image.open(io.BytesIO(found["a"].still))
        self.assertEqual(still.n_frames, 1)
        self.assertAlmostEqual(np.mean(still.convert("RGB")), 100, delta=5)

    def test_draws_the_boxes(self):
        found = self.read([film("a", 8, np.float32([[0.2, 0.2, 0.8, 0.8]]))], ["a"])
        self.assertTrue(found["a"].has_boxes)
        frame = np.asarray(Image.open(io.BytesIO(found["a"].still)).convert("RGB"), int)
        line = frame[100, 57]  # two fifths from the top, at the left side of the box
        self.assertLess(np.abs(line - drawing.RANK_COLORS[0]).max(), 60)

    def test_film_shorter_than_a_clip(self):
        found = self.read([film("a", 1, np.zeros([0, 4]))], ["a"])
        self.assertEqual((found["a"].width, found["a"].height), (280, 210))

    def test_id_that_no_shard_has_is_left_out(self):
        self.assertEqual(self.read([film("a", 8, np.zeros([0, 4]))], ["c"]), {})

    def test_noise_is_made_small(self):
        random = np.random.default_rng(0)
        frames = [random.integers(0, 256, [280, 280, 3], np.uint8) for _ in range(16)]
        found = self.read([encoded("a", frames, np.zeros([0, 4]))], ["a"], num_frames=16)
        self.assertLessEqual(len(found["a"].animation), clip_pictures.MAX_BYTES)
        self.assertEqual((found["a"].width, found["a"].height), (280, 280))

    def test_source_is_the_picture_itself(self):
        self.assertEqual(clip_pictures.source(b"abc"), "data:image/webp;base64,YWJj")


if __name__ == "__main__":
    absltest.main()
