"""Which videos are chosen, from shards of records that hold little but an id."""

import os
import tempfile

import numpy as np
from absl.testing import absltest

from stgraph_tf.data import shards
from stgraph_tf.evaluation.score_files import ScoredVideos
from stgraph_tf.viz.gallery import Selection, selection
from tests import small_dataset


def scored(values: dict[str, float]) -> ScoredVideos:
    """Videos of class 0 and the scores that their margins are; of class 1 all scores are 0."""
    scores = np.zeros([len(values), 2], np.float32)
    scores[:, 0] = list(values.values())
    labels = np.zeros_like(scores)
    labels[:, 0] = [not np.isnan(value) for value in values.values()]
    return ScoredVideos(np.array(list(values)), np.nan_to_num(scores), labels, ("a", "b"))


class FindTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        info = small_dataset.write(folder.name, num_videos=6)
        cls.paths = info.shard_paths(folder.name, "validation")

    def ids(self, **wanted) -> list[str]:
        found = selection.find(self.paths, Selection(**wanted))
        return [name.removeprefix("validation-") for name in found]

    def test_all_in_the_order_of_the_shards(self):
        # Two shards, with every other video each.
        self.assertEqual(self.ids(), ["0", "2", "4", "1", "3", "5"])

    def test_places_are_those_of_the_records(self):
        for name, place in selection.find(self.paths, Selection()).items():
            self.assertIn(name.encode(), shards.read_at(place.path, place.offset))

    def test_given_ids_in_their_order_each_once(self):
        given = ["validation-3", "validation-0", "validation-3"]
        self.assertEqual(self.ids(ids=given, number=1), ["3", "0"])

    def test_a_seed_draws_the_same_videos_each_time_and_another_others(self):
        drawn = [self.ids(number=3, seed=seed) for seed in range(6)]
        self.assertEqual(drawn, [self.ids(number=3, seed=seed) for seed in range(6)])
        self.assertGreater(len(set(map(tuple, drawn))), 1)
        for names in drawn:
            self.assertLen(set(names), 3)

    def test_worst_and_best_by_their_margins_and_those_without_labels_last(self):
        names = [f"validation-{index}" for index in range(6)]
        margins = dict(zip(names, (0.3, 0.1, np.nan, 0.9, 0.2, 0.8), strict=True))
        self.assertEqual(self.ids(choice="worst", number=2, scored=scored(margins)), ["1", "4"])
        self.assertEqual(self.ids(choice="best", number=2, scored=scored(margins)), ["3", "5"])
        self.assertEqual(self.ids(choice="best", scored=scored(margins))[-1], "2")

    def test_names_ids_that_are_not_there(self):
        with self.assertRaisesRegex(ValueError, "6 videos of the split have none of the id 'x'"):
            self.ids(ids=["validation-1", "x"])
        with self.assertRaisesRegex(ValueError, "none of the id 'gone'"):
            self.ids(choice="worst", scored=scored({"gone": 0.5}))

    def test_names_the_damaged_record_and_what_is_no_video(self):
        folder = self.create_tempdir().full_path
        path = os.path.join(folder, "a.tfrecord")
        shards.write(path, [b"", b""])
        with self.assertRaisesRegex(ValueError, "a.tfrecord, byte 0, record 0: expected one value"):
            selection.find([path], Selection())
        with open(path, "r+b") as file:
            file.truncate(14)
        with self.assertRaisesRegex(ValueError, f"{path} is damaged"):
            selection.find([path], Selection())

    def test_refuses_what_is_not_asked_for_rightly(self):
        for options, sentence in (
            ({"choice": "worst"}, "worst videos are found by their scores: --scores must name"),
            ({"choice": "middle"}, "expected a choice of random, worst, best, received 'middle'"),
            ({"number": -1}, "expected at least 0 videos, received -1"),
        ):
            with self.assertRaisesRegex(ValueError, sentence):
                Selection(**options)


if __name__ == "__main__":
    absltest.main()
