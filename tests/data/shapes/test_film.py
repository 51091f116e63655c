import io

import av
import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.data import boxes
from stgraph_tf.data.shapes.actions import LABELS
from stgraph_tf.data.shapes.composition import compose
from stgraph_tf.data.shapes.film import FilmSettings, encode_mp4, make_film
from stgraph_tf.data.shapes.render import render


def decode(mp4: bytes) -> tuple[np.ndarray, list[float], av.VideoStream]:
    with av.open(io.BytesIO(mp4)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        pixels = np.stack([frame.to_ndarray(format="rgb24") for frame in frames])
        return pixels, [frame.time for frame in frames], stream


class FilmTest(parameterized.TestCase):
    @parameterized.parameters((64, 24, 8), (96, 17, 12))
    def test_decodes_as_ordered(self, size, num_frames, fps):
        settings = FilmSettings(seed=1, size=size, num_frames=num_frames, fps=fps)
        film = make_film(settings, "train", 0)
        frames, times, stream = decode(film.mp4)
        self.assertEqual(frames.shape, (num_frames, size, size, 3))
        self.assertEqual(stream.average_rate, fps)
        self.assertEqual(stream.codec_context.name, "h264")
        self.assertEqual(stream.codec_context.pix_fmt, "yuv420p")
        np.testing.assert_allclose(times, np.arange(num_frames) / fps, atol=1e-4)
        np.testing.assert_allclose(film.proposals["times"], times, atol=1e-4)
        self.assertLen(film.proposals["boxes"], num_frames)
        self.assertLen(film.proposals["scores"], num_frames)

    def test_objects_are_found_where_the_film_shows_them(self):
        film = make_film(FilmSettings(seed=3, size=128), "train", 1)
        objects = boxes.check_proposals(film.objects, "objects")
        frames, times, _ = decode(film.mp4)
        np.testing.assert_allclose(objects.times, times, atol=1e-4)
        inside = []
        for frame, found, tracks in zip(frames, objects.boxes, objects.tracks, strict=True):
            self.assertLen(set(tracks), len(found))
            for top, left, bottom, right in (128 * found).round().astype(int):
                patch = frame[top:bottom, left:right].astype(float)
                edges = np.abs(np.diff(patch, axis=1)).max(axis=(1, 2), initial=0)
                inside.append(np.median(edges))
        # A shape is of another colour than what is around it: most rows of its box have an edge.
        self.assertGreater(np.mean(np.array(inside) > 25), 0.9)

    def test_encoding_loses_little(self):
        rng = np.random.default_rng(0)
        frames = render(compose(rng, 24), 64, rng).frames
        decoded, _, _ = decode(encode_mp4(frames, 8))
        self.assertLess(np.abs(decoded.astype(int) - frames).mean(), 6)

    def test_labels_and_segments_agree(self):
        settings = FilmSettings(num_frames=24, fps=8)
        for index in range(30):
            film = make_film(settings, "validation", index)
            self.assertEqual(film.id, f"validation-{index:05d}")
            self.assertEqual({s["label"] for s in film.segments}, set(film.labels))
            self.assertEqual(film.labels, [label for label in LABELS if label in film.labels])
            for segment in film.segments:
                self.assertLessEqual(0, segment["start"])
                self.assertLess(segment["start"], segment["end"])
                self.assertLessEqual(segment["end"], 24 / 8)

    def test_single_label_films_have_the_label_of_their_end(self):
        settings = FilmSettings(single_label=True)
        films = [make_film(settings, "train", index) for index in range(60)]
        for film in films:
            self.assertLen(film.labels, 1)
            self.assertLen(film.segments, 1)
            self.assertEqual(film.segments[0]["label"], film.labels[0])
        self.assertGreater(len({film.labels[0] for film in films}), 12)
        self.assertContainsSubset({"put_down", "take_over"}, {film.labels[0] for film in films})

    def test_depends_on_seed_split_and_index_alone(self):
        base = make_film(FilmSettings(seed=5), "train", 3)
        self.assertEqual(make_film(FilmSettings(seed=5), "train", 3), base)
        for other in (
            make_film(FilmSettings(seed=6), "train", 3),
            make_film(FilmSettings(seed=5), "validation", 3),
            make_film(FilmSettings(seed=5), "train", 4),
        ):
            self.assertNotEqual(other.mp4, base.mp4)
            self.assertNotEqual(other.proposals["boxes"], base.proposals["boxes"])

    def test_encoding_repeats_itself_to_the_byte(self):
        # Other films in between leave other things in memory.
        settings = FilmSettings(seed=2)
        films = {index: make_film(settings, "train", index).mp4 for index in range(6)}
        for _ in range(4):
            for index, mp4 in films.items():
                self.assertEqual(make_film(settings, "train", index).mp4, mp4)

    def test_size_does_not_change_what_happens(self):
        small, large = (make_film(FilmSettings(size=size), "train", 2) for size in (64, 128))
        self.assertEqual(small.segments, large.segments)

    @parameterized.parameters(
        ({"seed": -1}, "seed must not be negative; received -1"),
        ({"size": 63}, "even number from 32 to 1024; received 63"),
        ({"size": 16}, "received 16"),
        ({"num_frames": 13}, "num_frames must be at least 14.*received 13"),
        ({"fps": 0}, "fps must be at least 1; received 0"),
    )
    def test_refuses_settings_out_of_range(self, settings, message):
        with self.assertRaisesRegex(ValueError, message):
            FilmSettings(**settings)


if __name__ == "__main__":
    absltest.main()
