"""`dataset.json`, written, read and refused."""

import json
import os
import re

from absl.testing import absltest, parameterized

from stgraph_tf.data import dataset_info

INFO = dataset_info.DatasetInfo(
    labels=("öffnen", "close"),
    multi_label=True,
    frame_rate=6.0,
    short_side=320,
    splits={"train": dataset_info.SplitInfo(2, 30, 400, ["train-00000-of-00001.tfrecord"])},
    made_by={"train": {"stgraph_tf": "0.1.0", "fps": 6.0}},
)


class DatasetInfoTest(parameterized.TestCase):
    def test_load_gives_back_what_was_saved(self):
        directory = self.create_tempdir().full_path
        INFO.save(directory)
        self.assertEqual(dataset_info.DatasetInfo.load(directory), INFO)
        with open(os.path.join(directory, "dataset.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file)["labels"], ["öffnen", "close"])

    def test_shard_paths(self):
        self.assertEqual(
            INFO.shard_paths("some/where", "train"), ["some/where/train-00000-of-00001.tfrecord"]
        )
        with self.assertRaisesRegex(ValueError, r"no split 'test'; it has 'train'"):
            INFO.shard_paths("some/where", "test")

    def test_missing(self):
        directory = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, re.escape(os.path.join(directory, "dataset.json"))):
            dataset_info.DatasetInfo.load(directory)

    @parameterized.named_parameters(
        ("other version", {"format_version": 7}, "expected format_version 1, received 7"),
        ("no labels", {"labels": None}, "is not a data set's description"),
        ("split without shards", {"splits": {"train": {"num_videos": 1}}}, "description"),
    )
    def test_damaged(self, changes, message):
        directory = self.create_tempdir().full_path
        INFO.save(directory)
        path = os.path.join(directory, "dataset.json")
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**value, **changes}, file)
        with self.assertRaisesRegex(ValueError, message):
            dataset_info.DatasetInfo.load(directory)

    def test_lacks_a_key(self):
        directory = self.create_tempdir().full_path
        with open(os.path.join(directory, "dataset.json"), "w", encoding="utf-8") as file:
            file.write('{"format_version": 1, "labels": []}')
        with self.assertRaisesRegex(ValueError, "dataset.json lacks the key 'multi_label'"):
            dataset_info.DatasetInfo.load(directory)


if __name__ == "__main__":
    absltest.main()
