"""Galleries of real shards, by a network that was never trained."""

import json
import os
import re
import tempfile
from unittest import mock

import numpy as np
import tensorflow as tf
from absl.testing import absltest
from PIL import Image

from stgraph_tf import files
from stgraph_tf.data import schema, shards
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.evaluation import protocol, views
from stgraph_tf.viz import gallery, viewer
from stgraph_tf.viz.gallery import Selection, entries
from tests import small_dataset
from tests.viz.gallery import small_gallery

SPLIT = "validation"


class RunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.data, cls.saved = (os.path.join(folder.name, name) for name in ("data", "saved"))
        small_dataset.write(cls.data, num_videos=4)
        small_gallery.save_model(cls.data, cls.saved)
        cls.model = gallery.exported(cls.saved)

    def setUp(self):
        super().setUp()
        self.output = os.path.join(self.create_tempdir().full_path, "gallery")

    def write(self, **selection):
        return gallery.write(self.model, self.data, SPLIT, self.output, Selection(**selection))

    def read(self, *names) -> str:
        with open(os.path.join(self.output, *names), encoding="utf-8") as file:
            return file.read()

    def test_each_video_has_a_page_a_picture_and_a_card(self):
        made = self.write()
        self.assertLen(made, 4)
        index = self.read("index.html")
        for entry in made:
            page = self.read("videos", f"{entry.name}.html")
            self.assertIn(f"<title>{entry.id}</title>", page)
            with Image.open(os.path.join(self.output, "videos", f"{entry.name}.webp")) as image:
                self.assertEqual((image.format, image.size), ("WEBP", (300, 240)))
            self.assertEqual(index.count(f'href="videos/{entry.name}.html"'), 1)
        # The worst come first.
        margins = [float(value) for value in re.findall('data-margin="([^"]*)"', index)]
        self.assertLen(margins, 4)
        self.assertEqual(margins, sorted(margins))

    def test_scores_of_a_training_run_are_those_of_its_evaluation(self):
        config, workdir = small_dataset.config(self.data), self.create_tempdir().full_path
        network = small_gallery.save_run(self.data, workdir)
        self.model = gallery.trained(config, workdir)
        found = {entry.id: entry for entry in self.write()}
        info = DatasetInfo.load(self.data)
        dataset = protocol.validation_dataset(config, info, info.shard_paths(self.data, SPLIT))
        expected = views.score_videos(network, dataset, views.ACTIVATIONS["sigmoid"])
        self.assertCountEqual(found, expected.ids)
        for video_id, scores, labels in zip(*expected, strict=True):
            np.testing.assert_allclose(found[video_id].scores, scores, atol=1e-4)
            self.assertEqual(list(found[video_id].labels), np.flatnonzero(labels).tolist())
        self.assertIn(f"{config.name}, ckpt-1", self.read("videos", "validation-0.html"))

    def test_a_run_that_was_stopped_goes_on_where_it_was(self):
        with (
            mock.patch.object(viewer, "write", side_effect=_after(2, viewer.write)),
            self.assertRaises(KeyboardInterrupt),
        ):
            self.write()
        self.assertFalse(os.path.exists(os.path.join(self.output, "index.html")))
        with mock.patch.object(viewer, "write", wraps=viewer.write) as written:
            resumed = self.write()
        self.assertEqual(written.call_count, 2)
        with mock.patch.object(viewer, "write", wraps=viewer.write) as written:
            again = self.write()
        written.assert_not_called()
        for one, other in zip(resumed, again, strict=True):
            self.assertEqual((one.id, one.labels), (other.id, other.labels))
            np.testing.assert_allclose(one.scores, other.scores, rtol=1e-6)

    def test_pages_of_another_model_or_record_are_made_anew(self):
        self.write(ids=["validation-1"])
        for made_of in ("model", "record"):
            path = os.path.join(self.output, "videos", "validation-1.json")
            value = files.read_json(path)
            value["made_of"][made_of] = "another"
            files.write_json(path, value)
            with mock.patch.object(viewer, "write", wraps=viewer.write) as written:
                self.write(ids=["validation-1"])
            written.assert_called_once()
        with open(path, "w", encoding="utf-8") as file:
            file.write("[")  # torn
        self.assertLen(self.write(ids=["validation-1"]), 1)

    def test_refuses_data_of_other_labels(self):
        data = self.create_tempdir().full_path
        small_dataset.write(data, num_videos=1)
        path = os.path.join(data, "dataset.json")
        with open(path, encoding="utf-8") as file:
            value = json.load(file)
        files.write_json(path, {**value, "labels": ["other"]})
        with self.assertRaisesRegex(ValueError, f"{data} has other labels than .*saved"):
            gallery.write(self.model, data, SPLIT, self.output, Selection())

    def test_names_the_record_whose_label_the_model_does_not_have(self):
        data = self.create_tempdir().full_path
        (path, _) = small_dataset.write(data, num_videos=1).shard_paths(data, SPLIT)
        (record,) = shards.scan(path)
        example = tf.train.SequenceExample.FromString(record.data)
        example.context.feature[schema.LABELS].int64_list.value[0] = 9
        shards.write(path, [example.SerializeToString()])
        with self.assertRaisesRegex(ValueError, "no class 9, a label of 'validation-0'"):
            gallery.write(self.model, data, SPLIT, self.output, Selection())

    def test_videos_without_labels_are_neither_right_nor_wrong(self):
        data = self.create_tempdir().full_path
        small_dataset.write(data, num_videos=1, labelled=False)
        (made,) = gallery.write(self.model, data, SPLIT, self.output, Selection())
        self.assertIsNone(made.is_right)
        index = self.read("index.html")
        self.assertIn("labels not known", index)
        self.assertNotIn("data-margin", index)


class FileNameTest(absltest.TestCase):
    def test_plain_ids_are_their_own_names(self):
        self.assertEqual(entries.file_name("v_Kitchen-07"), "v_Kitchen-07")

    def test_others_have_names_that_harm_nothing_and_differ(self):
        ids = ["../up", "a/b", "a b", "a_b.", "ü" * 90, "ü" * 91, ".hidden", "a%2f", ""]
        names = [entries.file_name(video_id) for video_id in ids]
        self.assertLen(set(names), len(ids))
        for name in names:
            self.assertRegex(name, "^[A-Za-z0-9_-]{1,90}$")


def _after(count: int, function):
    """Runs `function` so many times; then somebody presses Ctrl-C."""
    calls = []

    def counted(*arguments, **options):
        if len(calls) == count:
            raise KeyboardInterrupt
        calls.append(arguments)
        return function(*arguments, **options)

    return counted


if __name__ == "__main__":
    absltest.main()
