import collections
import json
import os
import pathlib

import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.data.shapes.dataset import write_dataset
from stgraph_tf.data.shapes.film import FilmSettings


def contents(folder: str) -> dict[str, bytes]:
    paths = [path for path in pathlib.Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


class DatasetTest(parameterized.TestCase):
    def make(self, train: int, validation: int, seed: int = 0, num_workers: int = 1) -> str:
        output = os.path.join(self.create_tempdir().full_path, "films")
        num_videos = {"train": train, "validation": validation}
        write_dataset(output, FilmSettings(seed=seed), num_videos, num_workers)
        return output

    def test_same_films_whatever_the_number_of_films_and_processes(self):
        few = contents(self.make(2, 1))
        many = contents(self.make(5, 1, num_workers=2))
        for path, content in few.items():
            if path == "attributes_class.csv":  # It counts films.
                continue
            if path.startswith("train"):
                self.assertEqual(content.splitlines(), many[path].splitlines()[:2], path)
            else:
                self.assertEqual(content, many[path], path)

    def test_attributes_count_the_training_films_labels(self):
        output = self.make(6, 1)
        lines = pathlib.Path(output, "attributes_class.csv").read_text().splitlines()
        counts = {line.split(",")[0]: int(line.split(",")[1]) for line in lines[1:]}
        shown = collections.Counter(
            segment["label"]
            for line in pathlib.Path(output, "train.jsonl").read_text().splitlines()
            for segment in json.loads(line)["segments"]
        )
        self.assertEqual({label: count for label, count in counts.items() if count}, dict(shown))

    def test_another_seed_gives_other_films(self):
        first, second = (contents(self.make(1, 0, seed=seed)) for seed in (0, 1))
        for path in ("train_proposals.jsonl", os.path.join("videos", "train-00000.mp4")):
            self.assertNotEqual(first[path], second[path])

    def test_a_second_run_gives_the_same(self):
        output = self.make(2, 1)
        before = contents(output)
        write_dataset(output, FilmSettings(), {"train": 2, "validation": 1}, 1)
        self.assertEqual(contents(output), before)

    def test_no_annotations_of_an_earlier_data_set_stay(self):
        output = self.make(1, 1)
        write_dataset(output, FilmSettings(seed=1), {"train": 1, "validation": 0}, 1)
        self.assertFalse(os.path.exists(os.path.join(output, "validation.jsonl")))
        self.assertFalse(os.path.exists(os.path.join(output, "validation_proposals.jsonl")))

    def test_a_run_that_fails_leaves_no_annotations_and_nothing_half_written(self):
        output = self.make(1, 0)
        blocked = os.path.join(output, "videos", "train-00001.mp4")
        os.mkdir(blocked)
        with self.assertRaises(tf.errors.OpError):
            write_dataset(output, FilmSettings(), {"train": 2, "validation": 0}, 1)
        self.assertEqual(os.listdir(output), ["videos"])
        self.assertCountEqual(
            os.listdir(os.path.join(output, "videos")), ["train-00000.mp4", "train-00001.mp4"]
        )

    @parameterized.parameters(
        ({"train": -1}, "number of train videos must not be negative; received -1"),
        ({"train": 0, "validation": 0}, "no videos to make"),
        ({"test": 1}, "one of train, validation; received 'test'"),
    )
    def test_refuses_splits_that_make_no_sense(self, num_videos, message):
        with self.assertRaisesRegex(ValueError, message):
            write_dataset(self.create_tempdir().full_path, FilmSettings(), num_videos)


if __name__ == "__main__":
    absltest.main()
