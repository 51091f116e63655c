"""Tests of the file of scores: what comes back, and what is no such file."""

import os

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import score_files
from stgraph_tf.evaluation.score_files import ScoredVideos


def small(**changes):
    videos = ScoredVideos(
        ids=np.array(["a", "ü1"]),
        scores=np.array([[0.25, -1.5, np.inf], [1e-30, 0, 3]], np.float32),
        labels=np.array([[0, 1, 1], [0, 0, 0]], np.float32),
        label_names=("push", "take, then drop", "cover"),
    )
    return videos._replace(**changes)


class ScoreFilesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.path = os.path.join(self.create_tempdir().full_path, "below", "scores.npz")

    def test_comes_back(self):
        score_files.write(self.path, small())
        videos = score_files.read(self.path)
        for received, expected in zip(videos, small(), strict=True):
            np.testing.assert_array_equal(received, expected)
        self.assertEqual(videos.scores.dtype, np.float32)
        self.assertEqual(videos.labels.dtype, np.float32)
        self.assertIsInstance(videos.label_names, tuple)
        self.assertIsInstance(videos.label_names[0], str)

    def test_no_videos_come_back(self):
        nothing = np.zeros([0, 3], np.float32)
        score_files.write(self.path, small(ids=np.array([], str), scores=nothing, labels=nothing))
        self.assertEmpty(score_files.read(self.path).ids)

    def test_is_an_archive_of_four_arrays(self):
        score_files.write(self.path, small())
        with np.load(self.path, allow_pickle=False) as saved:
            self.assertCountEqual(saved.files, ["ids", "scores", "labels", "label_names"])
            np.testing.assert_array_equal(saved["label_names"], small().label_names)

    @parameterized.named_parameters(
        ("text", b"id,score\n"),
        ("nothing", b""),
        ("an array alone", b"\x93NUMPY\x01\x00v\x00{'descr': '<f4', 'fortran_order': False, "),
        ("a torn archive", b"PK\x03\x04\x14\x00\x00\x00"),
    )
    def test_refuses_other_files(self, content):
        os.makedirs(os.path.dirname(self.path))
        with open(self.path, "wb") as file:
            file.write(content)
        with self.assertRaisesRegex(
            ValueError, "scores.npz is no file of scores: expected the arrays ids, scores, labels"
        ):
            score_files.read(self.path)

    def test_refuses_flipped_bits(self):
        score_files.write(self.path, small())
        with open(self.path, "rb") as file:
            content = bytearray(file.read())
        content[len(content) // 4] ^= 0xFF
        with open(self.path, "wb") as file:
            file.write(content)
        with self.assertRaisesRegex(ValueError, "scores.npz is no file of scores"):
            score_files.read(self.path)

    def test_refuses_other_archives(self):
        os.makedirs(os.path.dirname(self.path))
        np.savez(self.path, ids=np.array(["a"]), weights=np.zeros(3))
        with self.assertRaisesRegex(ValueError, "is no file of scores"):
            score_files.read(self.path)

    def test_executes_nothing(self):
        os.makedirs(os.path.dirname(self.path))
        np.savez(self.path, **{**small()._asdict(), "ids": np.array(["a", None], object)})
        with self.assertRaisesRegex(ValueError, "is no file of scores"):
            score_files.read(self.path)

    def test_refuses_missing_file(self):
        with self.assertRaisesRegex(ValueError, "scores.npz does not exist"):
            score_files.read(self.path)

    @parameterized.parameters(
        ({"scores": np.zeros([2, 2])}, "expected scores to be numbers \\[2, 3\\].*float32 \\[2, 2"),
        ({"labels": np.zeros([3, 3])}, "expected labels to be numbers \\[2, 3\\]"),
        ({"labels": np.full([2, 3], 0.5)}, "expected labels of 0 and 1 only"),
        ({"ids": np.array(["a", "a"])}, "'a' is twice in ids"),
        ({"label_names": ("a", "b", "b")}, "'b' is twice in label_names"),
        ({"ids": np.array([["a", "b"]])}, "expected ids to be a list of texts, received <U1 \\[1"),
    )
    def test_does_not_write(self, changes, message):
        with self.assertRaisesRegex(ValueError, message):
            score_files.write(self.path, small(**changes))
        self.assertFalse(os.path.exists(self.path))

    def test_refuses_arrays_that_do_not_fit(self):
        os.makedirs(os.path.dirname(self.path))
        np.savez(self.path, **small(ids=np.array(["a"]))._asdict())
        with self.assertRaisesRegex(ValueError, "expected scores to be numbers \\[1, 3\\]"):
            score_files.read(self.path)


if __name__ == "__main__":
    absltest.main()
