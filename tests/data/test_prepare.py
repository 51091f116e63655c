"""Whole splits, made of folders of small JPEGs in this process."""

import contextlib
import dataclasses
import io
import json
import os
import resource
import shutil
import signal

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from stgraph_tf.data import film_pipeline, prepare, records, schema, shards
from stgraph_tf.data.beam_runner import PipelineOptions
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.data.sources import manifest
from stgraph_tf.data.staging import Staging

LABELS = ("fall", "jump", "run")
SETTINGS = records.Settings(fps=4.0, short_side=32)
BOX = [0.25, 0.5, 0.75, 1.0]


class PrepareTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.videos = self.create_tempdir("videos").full_path
        self.output = os.path.join(self.create_tempdir("data").full_path, "set")

    def write_frames(self, name: str, num_frames: int) -> list[bytes]:
        folder = os.path.join(self.videos, name)
        os.makedirs(folder)
        contents = []
        for index in range(num_frames):
            path = os.path.join(folder, f"{index}.jpg")
            noise = np.random.default_rng(index).integers(0, 256, (24, 32, 3), np.uint8)
            Image.fromarray(noise).save(path)
            with open(path, "rb") as file:
                contents.append(file.read())
        return contents

    def spoil(self, name: str) -> str:
        path = os.path.join(self.videos, name, "0.jpg")
        with open(path, "wb") as file:
            file.write(b"no picture")
        return path

    def write_videos(self, *names: str, num_frames: int = 2) -> list[records.Task]:
        for name in names:
            self.write_frames(name, num_frames)
        return self.tasks(*({"id": name, "labels": ["run"]} for name in names))

    def tasks(self, *values: dict) -> list[records.Task]:
        lines = [json.dumps({"frames": v["id"], "fps": 4, **v}) for v in values]
        path = self.create_tempfile("videos.jsonl", "\n".join(lines)).full_path
        entries = manifest.read(path, self.videos).entries
        found = {entry.id: entry.boxes for entry in entries if entry.boxes}
        return records.make_tasks(entries, LABELS, found)

    def prepare(self, tasks, settings=SETTINGS, **changes) -> prepare.Summary:
        arguments = {
            "split": "train",
            "output": self.output,
            "labels": LABELS,
            "multi_label": False,
            "num_shards": 1,
            "max_failures": 0,
            "made_by": {"settings": dataclasses.asdict(settings), **changes},
        }
        return prepare.prepare_split(tasks, settings, **{**arguments, **changes})

    def read(self, split="train") -> dict[str, dict]:
        paths = DatasetInfo.load(self.output).shard_paths(self.output, split)
        videos = [schema.parse(record.data) for path in paths for record in shards.scan(path)]
        return {video["id"].numpy().decode(): video for video in videos}

    def test_records_hold_what_the_manifest_says(self):
        frames = self.write_frames("v1", 4)
        self.write_frames("v2", 2)
        tasks = self.tasks(
            {
                "id": "v1",
                "labels": ["run"],
                "segments": [{"label": "jump", "start": 0.25, "end": 0.75}],
                "boxes": {"times": [0.25, 0.5], "boxes": [[BOX], [BOX, BOX]]},
            },
            {"id": "v2"},
        )
        summary = self.prepare(tasks, num_shards=2, multi_label=True)
        self.assertEqual(summary.counts, records.Counts(2, 6, 3, 2))

        info = DatasetInfo.load(self.output)
        self.assertEqual((info.labels, info.multi_label), (LABELS, True))
        self.assertEqual((info.frame_rate, info.short_side), (4.0, 32))
        names = ["train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"]
        split = info.splits["train"]
        self.assertEqual(
            (split.num_videos, split.num_frames, split.num_boxes, split.shards), (2, 6, 3, names)
        )
        self.assertCountEqual([shard["num_frames"] for shard in split.shard_counts], [4, 2])
        self.assertCountEqual(os.listdir(self.output), [*names, "dataset.json"])

        videos = self.read()
        first, second = videos["v1"], videos["v2"]
        self.assertEqual(first["frames"].numpy().tolist(), frames)
        self.assertEqual(first["timestamps"].numpy().tolist(), [0, 250_000, 500_000, 750_000])
        self.assertEqual((first["height"], first["width"]), (24, 32))
        self.assertEqual(first["labels"].numpy().tolist(), [2, 1])
        self.assertEqual(first["segment_labels"].numpy().tolist(), [1])
        self.assertEqual(first["segment_starts"].numpy().tolist(), [250_000])
        self.assertEqual(first["segment_ends"].numpy().tolist(), [750_000])
        self.assertEqual(first["boxes"].to_list(), [[], [BOX], [BOX, BOX], []])
        self.assertEqual(second["boxes"].to_list(), [[], []])
        self.assertEqual(second["labels"].shape, [0])

    def test_best_boxes_are_kept(self):
        self.write_frames("v", 1)
        value = {"times": [0], "boxes": [[[0, 0, 1, 1], BOX]], "scores": [[0.1, 0.9]]}
        tasks = self.tasks({"id": "v", "boxes": value})
        self.prepare(tasks, dataclasses.replace(SETTINGS, max_boxes=1))
        self.assertEqual(self.read()["v"]["boxes"].to_list(), [[BOX]])

    def test_warns_of_boxes_at_other_times(self):
        self.write_frames("v", 1)
        tasks = self.tasks({"id": "v", "boxes": {"times": [1000], "boxes": [[BOX]]}})
        with self.assertLogs(level="WARNING") as logs:
            self.prepare(tasks)
        self.assertIn("video 'v': none of its boxes' times is in the film", logs.output[0])

    def test_second_split(self):
        tasks = self.write_videos("v1", "v2")
        self.prepare(tasks[:1])
        self.prepare(tasks[1:], split="validation")
        self.assertEqual(list(self.read("train")), ["v1"])
        self.assertEqual(list(self.read("validation")), ["v2"])
        self.assertEqual(set(DatasetInfo.load(self.output).made_by), {"train", "validation"})

    @parameterized.parameters(
        (dataclasses.replace(SETTINGS, fps=2.0), "frame_rate 4.0.*Received: 2.0"),
        (dataclasses.replace(SETTINGS, short_side=16), "short_side 32.*Received: 16"),
    )
    def test_splits_must_agree(self, settings, message):
        tasks = self.write_videos("v1")
        self.prepare(tasks)
        with self.assertRaisesRegex(ValueError, f"dataset.json has {message}"):
            self.prepare(tasks, settings, split="validation")

    def test_same_split_again_is_left_as_it_is(self):
        tasks = self.write_videos("v1")
        first = self.prepare(tasks)
        self.spoil("v1")
        second = self.prepare(tasks)
        self.assertTrue(second.skipped)
        self.assertEqual(second.counts.num_frames, first.counts.num_frames)

    def test_split_made_in_another_way_takes_its_place(self):
        tasks = self.write_videos("v1", "v2", "v3")
        self.prepare(tasks, num_shards=3)
        self.prepare(tasks, num_shards=2)
        names = ["train-00000-of-00002.tfrecord", "train-00001-of-00002.tfrecord"]
        self.assertCountEqual(os.listdir(self.output), [*names, "dataset.json"])
        self.assertCountEqual(self.read(), ["v1", "v2", "v3"])

    def test_more_shards_than_videos(self):
        tasks = self.write_videos("v1", "v2")
        with self.assertRaisesRegex(
            ValueError, "--num_shards must not exceed .*is 3, .*'train' has 2"
        ):
            self.prepare(tasks, num_shards=3)
        self.assertFalse(os.path.exists(self.output))

    def test_lost_shard_is_made_again(self):
        tasks = self.write_videos("v1")
        self.prepare(tasks)
        os.remove(os.path.join(self.output, "train-00000-of-00001.tfrecord"))
        self.assertFalse(self.prepare(tasks).skipped)
        self.assertCountEqual(self.read(), ["v1"])

    def test_unreadable_film_leaves_nothing(self):
        tasks = self.write_videos("v2")
        path = self.spoil("v2")
        where = tasks[0].entry.where
        with self.assertRaisesRegex(ValueError, f"^{where}: {path} cannot be read as an image"):
            self.prepare(tasks)
        self.assertFalse(os.path.exists(self.output))

    def test_unreadable_film_leaves_other_splits(self):
        tasks = self.write_videos("v1", "v2")
        self.prepare(tasks[:1])
        before = sorted(os.listdir(self.output))
        self.spoil("v2")
        with self.assertRaisesRegex(ValueError, "cannot be read as an image"):
            self.prepare(tasks[1:], split="validation")
        self.assertEqual(sorted(os.listdir(self.output)), before)
        self.assertEqual(list(self.read("train")), ["v1"])

    def test_missing_films_are_told_before_any_is_read(self):
        tasks = self.write_videos("v1", "v2", "v3")
        self.spoil("v1")
        for name in ("v2", "v3"):
            shutil.rmtree(os.path.join(self.videos, name))
        with self.assertRaisesRegex(ValueError, "v2 does not exist, nor do 1 others"):
            self.prepare(tasks)

    def test_failures_are_set_aside(self):
        tasks = self.write_videos("v1", "v2", "v3", "v4")
        path = self.spoil("v2")
        shutil.rmtree(os.path.join(self.videos, "v4"))
        summary = self.prepare(tasks, num_shards=2, max_failures=2)
        self.assertEqual(summary.counts.num_videos, 2)
        self.assertCountEqual(self.read(), ["v1", "v3"])
        with open(os.path.join(self.output, "failures.jsonl")) as file:
            failures = {line["id"]: line for line in map(json.loads, file)}
        self.assertEqual(set(failures), {"v2", "v4"})
        self.assertEqual(failures["v2"]["split"], "train")
        self.assertIn(f"{path} cannot be read as an image", failures["v2"]["reason"])

        # A split without failures keeps the list; the same split, mended, clears it.
        self.prepare(tasks[2:3], split="validation")
        self.assertTrue(os.path.exists(os.path.join(self.output, "failures.jsonl")))
        self.prepare([tasks[0]])
        self.assertFalse(os.path.exists(os.path.join(self.output, "failures.jsonl")))

    def test_more_failures_than_allowed(self):
        tasks = self.write_videos("v1", "v2", "v3")
        self.spoil("v1")
        self.spoil("v2")
        with self.assertRaisesRegex(ValueError, r"image.*\(1 other films were set aside\)"):
            self.prepare(tasks, max_failures=1)

    def test_no_film_at_all(self):
        tasks = self.write_videos("v1")
        self.spoil("v1")
        with self.assertRaisesRegex(ValueError, "not one video of the split 'train'"):
            self.prepare(tasks, max_failures=1)
        self.assertFalse(os.path.exists(self.output))

    def test_only_the_lost_shard_is_made_again(self):
        names = [f"v{index}" for index in range(6)]
        tasks = self.write_videos(*names)
        first, _ = shards.deal(names, 2)
        first_summary = self.prepare(tasks, num_shards=2)
        self.spoil(first[0])  # Whoever reads this film again stops.
        os.remove(os.path.join(self.output, "train-00001-of-00002.tfrecord"))
        self.assertEqual(self.prepare(tasks, num_shards=2).counts, first_summary.counts)
        self.assertCountEqual(self.read(), names)

    def test_failures_of_shards_that_stay_stay_listed(self):
        names = [f"v{index}" for index in range(6)]
        tasks = self.write_videos(*names)
        first, _ = shards.deal(names, 2)
        self.spoil(first[0])
        self.prepare(tasks, num_shards=2, max_failures=None)
        os.remove(os.path.join(self.output, "train-00001-of-00002.tfrecord"))
        summary = self.prepare(tasks, num_shards=2, max_failures=None)
        self.assertEqual([failure.id for failure in summary.failures], [first[0]])
        (line,) = prepare.read_failures(self.output)
        self.assertEqual((line["id"], line["shard"]), (first[0], "train-00000-of-00002.tfrecord"))

    def test_any_number_of_failures(self):
        tasks = self.write_videos("v1", "v2", "v3")
        self.spoil("v1")
        shutil.rmtree(os.path.join(self.videos, "v2"))
        with self.assertLogs(level="WARNING") as logs:
            summary = self.prepare(tasks, max_failures=None)
        self.assertIn("v2 does not exist; of 3 films", logs.output[0])
        self.assertEqual((summary.counts.num_videos, len(summary.failures)), (1, 2))

    def cut_off(self) -> list[records.Task]:
        """A run that stops because one film cannot be read; that film is then mended."""
        names = [f"v{index}" for index in range(6)]
        tasks = self.write_videos(*names)
        self.spoil("v3")
        with self.assertLogs(level="WARNING") as logs, self.assertRaises(ValueError):
            self.prepare(tasks, num_shards=2)
        self.assertIn("the same command goes on from there", logs.output[-1])
        self.assertEqual(os.listdir(self.output), [".train.partial"])
        shutil.rmtree(os.path.join(self.videos, "v3"))
        self.write_frames("v3", 2)
        for name in names:
            if name != "v3":  # Whoever reads these films again stops.
                self.spoil(name)
        return tasks

    def test_goes_on_after_finished_films(self):
        summary = self.prepare(self.cut_off(), num_shards=2)
        self.assertEqual(summary.counts, records.Counts(6, 12, 0, 0))
        self.assertCountEqual(self.read(), [f"v{index}" for index in range(6)])
        self.assertNotIn(".train.partial", os.listdir(self.output))

    def test_starts_afresh_with_another_plan(self):
        tasks = self.cut_off()
        with self.assertRaisesRegex(ValueError, "cannot be read as an image"):
            self.prepare(tasks, dataclasses.replace(SETTINGS, jpeg_quality=50), num_shards=2)

    def test_goes_on_where_publishing_was_cut_off(self):
        tasks = self.write_videos("v1", "v2", "v3")
        staging = Staging(self.output, "train", 2, {"labels": list(LABELS)})
        with staging:
            planned = staging.write_tasks(prepare.deal(tasks, 2))
            film_pipeline.read_films(
                staging.layout, SETTINGS, planned, options=PipelineOptions([]), max_failures=0
            )
        shutil.move(
            staging.layout.shard(0), os.path.join(self.output, "train-00000-of-00002.tfrecord")
        )
        for name in ("v1", "v2", "v3"):
            self.spoil(name)
        self.prepare(tasks, num_shards=2, made_by={})
        self.assertCountEqual(self.read(), ["v1", "v2", "v3"])

    @parameterized.parameters(1 << 10, 1 << 14)
    def test_full_disk_leaves_nothing(self, room):
        tasks = self.write_videos("v1", num_frames=40)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        try:
            # The limit is that of every file: of the one that takes the progress bar, too.
            with (
                contextlib.redirect_stderr(io.StringIO()),
                self.assertRaises((OSError, tf.errors.OpError)) as caught,
            ):
                self.prepare(tasks)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        self.assertIn(self.output, str(caught.exception))
        self.assertNotIn("Traceback", str(caught.exception))
        self.assertFalse(os.path.exists(self.output))

    def test_folder_below_a_file(self):
        tasks = self.write_videos("v1")
        below = os.path.join(self.create_tempfile().full_path, "set")
        with self.assertRaises(tf.errors.OpError):
            self.prepare(tasks, output=below)


if __name__ == "__main__":
    absltest.main()
