"""A film through an exported model: the clips and the scores of an evaluation."""

import dataclasses
import json
import os
import shutil
import tempfile

import av
import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from PIL import Image

from stgraph_tf import config as settings
from stgraph_tf.data import boxes as box_files
from stgraph_tf.data import pipeline, records, shards, transforms
from stgraph_tf.data.sources import Entry
from stgraph_tf.evaluation import views
from stgraph_tf.modeling import build_model
from stgraph_tf.serving import assets, export, film_clips
from stgraph_tf.serving.predictor import Predictor
from tests import untrained
from tests.serving import exported

LABELS = ("push", "pull", "lift")
CLIP = dataclasses.replace(exported.CLIP, stored_short_side=36, num_clips=5)
BOXES = """\
{"id": "other", "times": [0.5], "boxes": [[[0.1, 0.1, 0.2, 0.2]]]}
{"id": "film", "times": [0, 0.5, 1, 1.5], "boxes": [[[0.1, 0.2, 0.8, 0.5], [0.3, 0, 0.9, 0.4]], \
[[0, 0, 1, 1]], [], [[0.2, 0.2, 0.4, 0.9], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1], [0, 0, 0.1, 1]]]}
"""


def write_film(path, seconds, fps=24):
    """A real H.264 film, 64 x 48, of moving noise."""
    random = np.random.default_rng(2)
    picture = random.integers(0, 256, (48, 64, 3)).astype(np.uint8)
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(round(seconds * fps)):
            image = np.roll(picture, 3 * index, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())


def trained_model():
    """A network in which boxes and frames count, though it never was trained."""
    keras.utils.set_random_seed(3)
    config = settings.for_variant("tiny_i3d_joint", backbones=("tiny",))
    config.model.feature_dim = 8
    model = build_model(config.model, num_classes=len(LABELS))
    untrained.awaken(model)
    return model


def evaluation_batches(film, boxes, folder):
    """The film as the only record of a data set, read by the evaluation's pipeline."""
    entry = Entry(film_clips.film_id(film), film, None, (), (), film)
    task = records.Task(entry, (), (), boxes)
    record, _ = records.make_record(task, records.Settings(6.0, short_side=36))
    path = os.path.join(folder, "validation-00000-of-00001.tfrecord")
    shards.write(path, [record])
    return pipeline.evaluation_dataset(
        [path],
        num_labels=len(LABELS),
        num_frames=4,
        box_stride=2,
        num_boxes=3,
        num_clips=5,
        short_side=24,
        batch_size=2,
    )


class FilmTestCase(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.film = os.path.join(self.folder, "film.mp4")
        self.boxes = os.path.join(self.folder, "boxes.jsonl")
        with open(self.boxes, "w") as file:
            file.write(BOXES)


class FilmClipsTest(FilmTestCase):
    def test_clips_are_those_of_an_evaluation(self):
        write_film(self.film, seconds=2)
        line = film_clips.find_boxes(self.boxes, self.film)
        film = film_clips.read(self.film, CLIP, line)
        self.assertEqual(film.num_stored, 12)
        clips = list(evaluation_batches(self.film, line, self.folder).unbatch())
        self.assertLen(clips, 5)
        self.assertLen(film, 5)
        for index, clip in enumerate(clips):
            self.assertEqual(clip["clip_index"].numpy(), index)
            frames = film.frames[film.frame_indices[index]]
            np.testing.assert_array_equal(frames, clip["frames"])
            np.testing.assert_array_equal(film.boxes[index], clip["boxes"])
            self.assertEqual(film.num_boxes[index], tf.math.count_nonzero(clip["mask"]))
        self.assertGreater(film.num_boxes.sum(), 0)

    def test_frames_that_stay_compressed_are_those_of_the_clips(self):
        write_film(self.film, seconds=2)
        line = film_clips.find_boxes(self.boxes, self.film)
        record = film_clips.record(self.film, CLIP, line)
        self.assertEqual((record.num_stored, record.num_boxes), (12, 7))
        decoded = film_clips.cut(record, CLIP)
        compressed = film_clips.cut(record, CLIP, decode=False)
        for name in ("frame_indices", "boxes", "num_boxes"):
            np.testing.assert_array_equal(getattr(compressed, name), getattr(decoded, name))
        self.assertLen(compressed.frames, len(decoded.frames))
        for jpeg, pixels in zip(compressed.frames, decoded.frames, strict=True):
            frame = transforms.resize_short_side(transforms.decode_jpeg(jpeg), CLIP.short_side)
            np.testing.assert_array_equal(frame, pixels)

    def test_frames_and_boxes_stand_where_the_film_has_them(self):
        write_film(self.film, seconds=2)
        film = film_clips.read(self.film, CLIP, film_clips.find_boxes(self.boxes, self.film))
        # 12 stored frames, so that 5 clips of 4 begin at frames 0, 2, 4, 6 and 8.
        np.testing.assert_array_equal(film.frame_indices[:, 0], [0, 2, 4, 6, 8])
        np.testing.assert_array_equal(np.diff(film.frame_indices), 1)
        self.assertEqual(film.frames.shape, (12, 24, 32, 3))
        # Feature frames stand at 0, 1/3, 2/3 ... seconds, and boxes reach 1/12 of a second.
        np.testing.assert_array_equal(film.num_boxes, [2, 0, 0, 0, 0])
        expected = [[0.1, 0.2, 0.8, 0.5], [0.3, 0.0, 0.9, 0.4], [0.0, 0.0, 0.0, 0.0]]
        np.testing.assert_allclose(film.boxes[0, 0], expected, rtol=1e-6)

    def test_a_film_shorter_than_a_clip_repeats_its_last_frame(self):
        write_film(self.film, seconds=0.5)
        film = film_clips.read(self.film, CLIP)
        self.assertEqual(film.num_stored, 3)
        np.testing.assert_array_equal(film.frame_indices, [[0, 1, 2, 2]])
        np.testing.assert_array_equal(film.num_boxes, [0])
        np.testing.assert_array_equal(film.repeats, [5])
        self.assertEqual(film.boxes.shape, (1, 2, 3, 4))

    def test_clips_that_are_alike_count_in_the_mean_as_often_as_they_occur(self):
        write_film(self.film, seconds=1)  # 6 stored frames, so that 5 clips begin at 0, 1 or 2.
        film = film_clips.read(self.film, CLIP)
        np.testing.assert_array_equal(film.frame_indices[:, 0], [0, 1, 2])
        np.testing.assert_array_equal(film.repeats, [1, 2, 2])
        clip_scores = np.float32([[0.0, 1.0], [0.5, 0.25], [0.25, 0.0]])
        np.testing.assert_allclose(film.pool(clip_scores, "mean"), [0.3, 0.3])
        np.testing.assert_allclose(film.pool(clip_scores, "max"), [0.5, 1.0])

    def test_a_folder_of_frames(self):
        folder = os.path.join(self.folder, "film.v2")
        os.makedirs(folder)
        for index in range(5):
            image = Image.new("RGB", (48, 36), (10 * index, 0, 0))
            image.save(os.path.join(folder, f"{index}.png"))
        self.assertEqual(film_clips.film_id(folder + "/"), "film.v2")
        film = film_clips.read(folder, CLIP, fps=6.0)
        red = film.frames[film.frame_indices[0], ..., 0].mean(axis=(1, 2))
        np.testing.assert_allclose(red, [0, 10, 20, 30], atol=2)
        self.assertLen(film, 2)

    def test_films_that_cannot_be_read(self):
        with self.assertRaisesRegex(ValueError, "film.mp4 does not exist"):
            film_clips.read(self.film, CLIP)
        for content, problem in ((b"", "is empty"), (b"no film" * 99, "cannot be read as a film")):
            with open(self.film, "wb") as file:
                file.write(content)
            with self.assertRaisesRegex(ValueError, f"film.mp4 {problem}"):
                film_clips.read(self.film, CLIP)


class FindBoxesTest(FilmTestCase):
    def test_the_line_with_the_films_name(self):
        for spec in (self.boxes, f"proposals:{self.boxes}"):
            self.assertEqual(film_clips.find_boxes(spec, "a/film.webm").number, 2)

    def test_the_only_line_whatever_its_name(self):
        with open(self.boxes, "w") as file:
            file.write(BOXES.splitlines()[0])
        line = film_clips.find_boxes(self.boxes, self.film)
        self.assertLen(box_files.read_proposals(line, "film").boxes, 1)

    def test_the_only_line_is_another_films_where_ids_count(self):
        with open(self.boxes, "w") as file:
            file.write(BOXES.splitlines()[0])
        boxes = film_clips.FilmBoxes(self.boxes)
        self.assertEqual(boxes.line("other.mp4", by_id=True).number, 1)
        with self.assertRaisesRegex(ValueError, "no line with id 'film', for .*it has 'other'$"):
            boxes.line(self.film, by_id=True)

    def test_none(self):
        self.assertIsNone(film_clips.find_boxes("none", self.film))

    def test_no_line_for_the_film(self):
        with open(self.boxes, "w") as file:
            for index in range(7):
                file.write(f'{{"id": "v{index}", "times": [], "boxes": []}}\n')
        with self.assertRaisesRegex(
            ValueError,
            "boxes.jsonl has no line with id 'film', for .*film.mp4; "
            "it has 'v0', 'v1', 'v2', 'v3', 'v4' and 2 others",
        ):
            film_clips.find_boxes(self.boxes, self.film)

    def test_a_file_that_is_missing_or_empty(self):
        with self.assertRaisesRegex(ValueError, "the box file nothing.jsonl does not exist"):
            film_clips.find_boxes("nothing.jsonl", self.film)
        with open(self.boxes, "w"):
            pass
        with self.assertRaisesRegex(ValueError, "boxes.jsonl is empty"):
            film_clips.find_boxes(self.boxes, self.film)


class PredictorTest(FilmTestCase):
    def test_scores_are_those_of_an_evaluation(self):
        model = trained_model()
        for version in ("2", "10"):
            export.save(os.path.join(self.folder, version), model, LABELS, CLIP)
            model.classifier.bias.assign_add([1.0, 0.0, -1.0])
        model.classifier.bias.assign_add([-1.0, 0.0, 1.0])
        predictor = Predictor(self.folder)
        self.assertEqual(predictor.path, os.path.join(self.folder, "10"))
        self.assertEqual((predictor.labels, predictor.clip), (LABELS, CLIP))

        write_film(self.film, seconds=2)
        line = film_clips.find_boxes(self.boxes, self.film)
        film = film_clips.read(self.film, predictor.clip, line)
        clip_scores = list(predictor.clip_scores(film))
        batches = evaluation_batches(self.film, line, self.folder)
        for pooling in ("max", "mean"):
            evaluated = views.score_videos(
                model, batches, views.ACTIVATIONS["sigmoid"], pooling=pooling
            )
            scores = film.pool(clip_scores, pooling)
            np.testing.assert_allclose(scores, evaluated.scores[0], atol=1e-5)

    def test_what_is_no_exported_model(self):
        saved = os.path.join(self.folder, "saved")
        model = tf.Module()
        model.half = tf.function(lambda x: x / 2, input_signature=[tf.TensorSpec([])])
        tf.saved_model.save(model, saved)
        for path, problem in (
            (os.path.join(self.folder, "nothing"), "nothing does not exist"),
            (self.folder, "is no SavedModel, nor a folder with versions of one"),
            (saved, "was not made by export/export_saved_model.py: it has no .*labels.txt"),
        ):
            with self.assertRaisesRegex(ValueError, problem):
                Predictor(path)
        assets.write(os.path.join(saved, "assets"), LABELS, CLIP)
        with self.assertRaisesRegex(ValueError, "has no signature serving_default"):
            Predictor(saved)
        with open(os.path.join(saved, "saved_model.pb"), "wb") as file:
            file.write(b"not a graph")
        with self.assertRaisesRegex(ValueError, "saved cannot be loaded as a SavedModel"):
            Predictor(saved)

    def test_assets_that_are_damaged(self):
        saved = os.path.join(self.folder, "saved")
        clip_path = os.path.join(saved, "assets", "clip.json")
        os.makedirs(saved)
        with open(os.path.join(saved, "saved_model.pb"), "wb"):
            pass
        for content, problem in (
            ("{", "clip.json is not JSON"),
            ("[1]", "clip.json: expected format_version 1, received None"),
            ('{"format_version": 2}', "clip.json: expected format_version 1, received 2"),
            ('{"format_version": 1, "model": "m"}', "clip.json lacks checkpoint, loss"),
            (
                json.dumps({"format_version": 1, **dataclasses.asdict(CLIP), "pooling": "sum"}),
                "clip.json: pooling must be one of max, mean, received 'sum'",
            ),
        ):
            assets.write(os.path.join(saved, "assets"), LABELS, CLIP)
            with open(clip_path, "w") as file:
                file.write(content)
            with self.assertRaisesRegex(ValueError, problem):
                Predictor(saved)
        os.remove(clip_path)
        with self.assertRaisesRegex(ValueError, "it has no .*clip.json"):
            Predictor(saved)

    def test_labels_of_another_model(self):
        saved = os.path.join(self.folder, "1")
        export.save(saved, trained_model(), LABELS, CLIP)
        assets.write(os.path.join(saved, "assets"), LABELS[:2], CLIP)
        with self.assertRaisesRegex(ValueError, "gives 3 scores, but its labels.txt has 2 labels"):
            Predictor(saved)
        shutil.rmtree(os.path.join(saved, "variables"))
        with self.assertRaisesRegex(ValueError, "1 cannot be loaded as a SavedModel"):
            Predictor(saved)


if __name__ == "__main__":
    absltest.main()
