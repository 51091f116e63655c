"""Records made film by film: their bytes, their memory, and what is kept of a film's failure."""

import json
import os
import tracemalloc
from unittest import mock

import numpy as np
import tensorflow as tf
from absl import logging
from absl.testing import absltest
from PIL import Image

from stgraph_tf.data import film_files, json_lines, records, schema, shards
from stgraph_tf.data.sources import Entry, TimedLabel

SETTINGS = records.Settings(fps=4.0, short_side=480)


class FilmCase(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def task(self, num_frames: int, size=(24, 32), boxes: dict | None = None) -> records.Task:
        frames = os.path.join(self.folder, "v")
        os.makedirs(frames)
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        for index in range(num_frames):
            Image.fromarray(np.roll(noise, index)).save(os.path.join(frames, f"{index}.jpg"))
        line = None
        if boxes:
            path = self.create_tempfile("boxes.jsonl", json.dumps({"id": "v", **boxes})).full_path
            line = json_lines.Line(path, 1, 0)
        return records.Task(self.entry(frames), (1,), (schema.Segment(1, 0, 500_000),), line)

    def entry(self, path: str) -> Entry:
        segments = (TimedLabel("ünicode", 0.0, 0.5),)
        return Entry("v", path, 4.0, ("ünicode",), segments, "list.jsonl:7")

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)


class ReadFilmTest(FilmCase):
    def test_pieces_are_the_record(self):
        task = self.task(5)
        with records.read_film(task, SETTINGS) as record:
            pieces = b"".join(record.chunks())
            self.assertLen(pieces, record.size)
            self.assertEqual(record.counts, records.Counts(1, 5, 0, 0))
        self.assertEqual(records.make_record(task, SETTINGS)[0], pieces)
        video = schema.parse(pieces)
        for index, frame in enumerate(video["frames"].numpy()):
            with open(os.path.join(task.entry.path, f"{index}.jpg"), "rb") as file:
                self.assertEqual(frame, file.read())
        self.assertEqual(video["segment_ends"].numpy().tolist(), [500_000])

    def test_memory_does_not_grow_with_the_film(self):
        task = self.task(600, size=(96, 128))
        records.make_record(task, SETTINGS)
        tracemalloc.start()
        with (
            mock.patch.object(records, "_SPOOLED", 1 << 18),
            records.read_film(task, SETTINGS) as record,
        ):
            size = sum(len(chunk) for chunk in record.chunks())
            peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        self.assertEqual(size, record.size)
        self.assertGreater(size, 3e6)
        self.assertLess(peak, size / 4)

    def test_boxes_in_pixels_are_those_of_the_film_before_it_is_shrunk(self):
        boxes = {"unit": "pixels", "times": [0], "boxes": [[[12, 16, 24, 32]]]}
        task = self.task(1, boxes=boxes)
        small = records.Settings(fps=4.0, short_side=12)
        video = schema.parse(records.make_record(task, small)[0])
        self.assertEqual((video["height"], video["width"]), (12, 16))
        self.assertEqual(video["boxes"].to_list(), [[[0.5, 0.5, 1.0, 1.0]]])

    def test_record_that_no_reader_takes(self):
        with (
            mock.patch.object(records, "_LONGEST_RECORD", 1000),
            self.assertRaisesRegex(ValueError, "v would make a record of .* GB, .*cut the film"),
            records.read_film(self.task(3), SETTINGS),
        ):
            pass

    def test_task_survives_json(self):
        task = self.task(1, boxes={"times": [], "boxes": []})
        self.assertEqual(records.Task.from_json(json.loads(json.dumps(task.to_json()))), task)


class FilmFilesTest(FilmCase):
    def write(self, task: records.Task) -> film_files.Outcome:
        return film_files.write(task, SETTINGS, self.path("film.record"), self.path("film.failure"))

    def test_shard_of_copied_records(self):
        task = self.task(3)
        outcome = self.write(task)
        self.assertEqual(outcome.counts, records.Counts(1, 3, 0, 0))
        with open(self.path("shard"), "wb") as shard:
            for _ in range(2):
                self.assertEqual(film_files.copy_record(self.path("film.record"), shard), outcome)
        expected = records.make_record(task, SETTINGS)[0]
        found = [record.numpy() for record in tf.data.TFRecordDataset(self.path("shard"))]
        self.assertEqual(found, [expected, expected])
        self.assertIsNone(shards.find_damage(self.path("shard")))

    def test_failure_names_the_annotation_and_the_film(self):
        task = records.Task(self.entry(self.path("missing")), (), (), None)
        outcome = self.write(task)
        self.assertIsNone(outcome.counts)
        self.assertStartsWith(outcome.failure, "list.jsonl:7: ")
        self.assertIn(self.path("missing"), outcome.failure)
        self.assertEqual(os.listdir(self.folder), ["film.failure"])
        self.assertEqual(film_files.read_outcome(self.path("film.failure")), outcome)
        with open(self.path("shard"), "wb") as shard:
            film_files.copy_record(self.path("film.failure"), shard)
        self.assertEqual(os.path.getsize(self.path("shard")), 0)

    def test_warnings_come_back_with_the_film(self):
        boxes = {"times": [0.0], "boxes": [[[0.5, 0.5, 0.25, 0.75]]]}
        with self.assertNoLogs(level="WARNING"):
            outcome = self.write(self.task(1, boxes=boxes))
        self.assertLen(outcome.warnings, 1)
        self.assertIn("swapped corners", outcome.warnings[0])
        with self.assertLogs(level="WARNING"):
            logging.warning("afterwards, warnings are told again")

    def test_disk_at_fault(self):
        below_a_file = os.path.join(self.create_tempfile("file").full_path, "film.record")
        with self.assertRaisesRegex(records.StorageError, "film.record|file"):
            film_files.write(self.task(1), SETTINGS, below_a_file, self.path("film.failure"))
        self.assertFalse(os.path.exists(self.path("film.failure")))

    def test_given_up(self):
        task = self.task(1)
        with film_files.begun(self.path("film.begun"), task):
            self.assertEqual(film_files.begun_by(self.path("film.begun")), os.getpid())
            where = film_files.give_up(self.path("film.begun"), self.path("film.lost"))
        self.assertEqual(where, "list.jsonl:7")
        self.assertIn("died", film_files.read_outcome(self.path("film.lost")).failure)
        self.assertFalse(os.path.exists(self.path("film.begun")))


if __name__ == "__main__":
    absltest.main()
