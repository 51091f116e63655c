"""Tests of submissions: what is written, and what their rules forbid."""

import json
import os

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import submission
from stgraph_tf.evaluation.score_files import ScoredVideos

CHARADES = tuple(f"Doing {number}" for number in range(157))
SOMETHING = tuple(f"Moving {number}, then more" for number in range(174))


def scored(ids, scores, labels):
    scores = np.asarray(scores, np.float32)
    return ScoredVideos(np.array(ids), scores, np.zeros_like(scores), labels)


def random_scores(num_videos, num_classes, seed=0):
    return np.random.default_rng(seed).random((num_videos, num_classes), np.float32)


class SubmissionTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.path = os.path.join(self.folder, "submission")

    def save(self, content, name="submission"):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(content)
        return path

    def lines(self):
        with open(self.path, encoding="utf-8", newline="") as file:
            content = file.read()
        self.assertEndsWith(content, "\n")
        return content[:-1].split("\n")


class CharadesTest(SubmissionTest):
    def test_lines(self):
        scores = np.zeros([2, 157])
        scores[0, :3] = 0.5, 1e-7, -2
        scores[1, 156] = 1
        videos = scored(["YSKX3", "6RE8D"], scores, CHARADES)
        self.assertEqual(submission.write(self.path, "charades", videos), 2)
        first, second = self.lines()
        self.assertEqual(first, "YSKX3 0.5 1e-07 -2.0" + " 0.0" * 154)
        self.assertEqual(second, "6RE8D" + " 0.0" * 156 + " 1.0")

    def test_scores_are_read_the_same_again(self):
        scores = random_scores(20, 157)
        # Neighbours, which six digits do not tell apart.
        scores[0] = 0.1 + np.arange(157, dtype=np.float32) * np.spacing(np.float32(0.1))
        scores[1] *= np.float32(1e-30)
        ids = [f"v{number}" for number in range(20)]
        submission.write(self.path, "charades", scored(ids, scores, CHARADES))
        # The official evaluation reads double precision.
        read = np.array([[float(cell) for cell in line.split(" ")[1:]] for line in self.lines()])
        np.testing.assert_array_equal(read.astype(np.float32), scores)
        np.testing.assert_array_equal(
            np.argsort(read, axis=None, kind="stable"), np.argsort(scores, axis=None, kind="stable")
        )

    def test_classes_are_brought_into_the_publishers_order(self):
        scores = random_scores(1, 157)
        order = np.random.default_rng(1).permutation(157)
        shuffled = scored(["a"], scores[:, order], tuple(CHARADES[place] for place in order))
        submission.write(self.path, "charades", shuffled, CHARADES)
        received = self.lines()
        submission.write(self.path, "charades", scored(["a"], scores, CHARADES))
        self.assertEqual(received, self.lines())

    @parameterized.parameters(
        ("a" + " 0.5" * 156, ":1: expected a video id and 157 scores, with one ' ' between each"),
        ("a" + " 0.5" * 158, ":1: expected a video id and 157 scores"),
        ("a " + " 0.5" * 157, ":1: expected a video id and 157 scores"),
        ("a" + " 0.5" * 157 + " ", ":1: expected a video id and 157 scores"),
        (" 0.5" * 157, ":1: expected a video id and 157 scores"),
        ("", ":1: expected a video id and 157 scores"),
        ("a" + " 0.5" * 157 + "\n\n", ":2: expected a video id and 157 scores"),
        ("a" + " 0.5" * 156 + " nan", ":1: expected score 157 to be a finite number.*'nan'"),
        ("a inf" + " 0.5" * 156, ":1: expected score 1 to be a finite number.*'inf'"),
        ("a 1e999" + " 0.5" * 156, ":1: expected score 1 to be a finite number.*'1e999'"),
        ("a 1_0" + " 0.5" * 156, ":1: expected score 1 to be a finite number.*'1_0'"),
        ("a" + " 0.5" * 157 + "\na" + " 0.1" * 157, ":2: video 'a' is already on .*submission:1"),
    )
    def test_check_refuses(self, content, message):
        self.save(content)
        with self.assertRaisesRegex(ValueError, f"submission{message}"):
            submission.check(self.path, "charades")

    @parameterized.parameters("1", "-.5", "+2.", "1E-5", "1.25e+10", "000.1")
    def test_check_takes_numbers_of_all_kinds(self, number):
        self.save("a" + f" {number}" * 157 + "\nb" + " 0.5" * 157 + "\n")
        self.assertEqual(submission.check(self.path, "charades"), 2)

    @parameterized.parameters(
        (["a b"], np.zeros([1, 157]), "video 'a b': expected a video id and 157 scores"),
        ([""], np.zeros([1, 157]), "video '': expected a video id"),
        (["a"], np.full([1, 157], np.nan), "video 'a': expected finite scores"),
        (["a"], np.full([1, 157], -np.inf), "video 'a': expected finite scores"),
        ([], np.zeros([0, 157]), "there is no video to submit"),
    )
    def test_write_refuses(self, ids, scores, message):
        with self.assertRaisesRegex(ValueError, message):
            submission.write(self.path, "charades", scored(ids, scores, CHARADES))
        self.assertFalse(os.path.exists(self.path))

    def test_refuses_other_number_of_classes(self):
        videos = scored(["a"], np.zeros([1, 3]), ("x", "y", "z"))
        with self.assertRaisesRegex(ValueError, "charades: expected 157 classes, received 3"):
            submission.write(self.path, "charades", videos)

    def test_refuses_other_classes(self):
        videos = scored(["a"], np.zeros([1, 157]), (*CHARADES[:156], "sleep"))
        with self.assertRaisesRegex(ValueError, "not in both are 'Doing 156', 'sleep'"):
            submission.write(self.path, "charades", videos, CHARADES)

    def test_publishers_files(self):
        path = self.save(
            'id,script,actions\nA1,"first, then",c092 11.90 21.20\nB2,x,\n', "Charades_v1_test.csv"
        )
        self.assertEqual(submission.read_ids(path, "charades"), ("A1", "B2"))
        path = self.save("c000 Holding some clothes\nc001 Putting clothes\n", "classes.txt")
        self.assertEqual(
            submission.read_labels(path, "charades"), ("Holding some clothes", "Putting clothes")
        )


class SomethingV2Test(SubmissionTest):
    def test_line_by_hand(self):
        scores = np.zeros(174)
        scores[[9, 173, 0, 45, 46, 3]] = 0.6, 0.5, 0.4, 0.2, 0.2, 0.1
        submission.write(self.path, "something_v2", scored(["78687"], [scores], SOMETHING))
        # Of the equal 45 and 46, the first comes first.
        self.assertEqual(self.lines(), ["78687;9;173;0;45;46"])

    def test_equals_the_publishers_choice_without_ties(self):
        scores = random_scores(30, 174)
        ids = [str(number) for number in range(30)]
        submission.write(self.path, "something_v2", scored(ids, scores, SOMETHING))
        expected = [
            ";".join([name, *map(str, row.argsort()[-5:][::-1])])
            for name, row in zip(ids, scores, strict=True)
        ]
        self.assertEqual(self.lines(), expected)
        self.assertEqual(submission.check(self.path, "something_v2", SOMETHING, ids), 30)

    def test_label_ids_are_the_publishers(self):
        scores = random_scores(1, 174)
        backwards = scored(["1"], scores[:, ::-1], SOMETHING[::-1])
        submission.write(self.path, "something_v2", backwards, SOMETHING)
        _, *received = self.lines()[0].split(";")
        self.assertEqual(received, [str(label) for label in np.argsort(-scores[0])[:5]])

    @parameterized.parameters(
        ("1;2;3;4;5\n", ":1: expected a video id and 5 label ids, with one ';' between"),
        ("1;2;3;4;5;6;7\n", ":1: expected a video id and 5 label ids"),
        ("video_id,2,3,4,5,6\n", ":1: expected a video id and 5 label ids"),
        ("1;2;3;4;5;174\n", ":1: expected label ids from 0 to 173. Received: '174'"),
        ("1;2;3;4;5;-1\n", ":1: expected label ids from 0 to 173. Received: '-1'"),
        ("1;2;3;4;5;Closing\n", ":1: expected label ids from 0 to 173. Received: 'Closing'"),
        ("1;2;3;4;5;6\r\n", ":1: expected label ids from 0 to 173. Received: '6..'"),
        ("1;0;1;2;3;4\n2;2;3;4;5;2\n", ":2: expected 5 different label ids. Received: 2, 3, 4"),
        ("1;0;1;2;3;4\n1;0;1;2;3;4\n", ":2: video '1' is already on .*submission:1"),
    )
    def test_check_refuses(self, content, message):
        self.save(content)
        with self.assertRaisesRegex(ValueError, f"submission{message}"):
            submission.check(self.path, "something_v2")

    def test_publishers_files(self):
        path = self.save(json.dumps([{"id": "7"}, {"id": "5"}]), "test.json")
        self.assertEqual(submission.read_ids(path, "something_v2"), ("7", "5"))
        path = self.save(json.dumps({"b": "1", "a": "0"}), "labels.json")
        self.assertEqual(submission.read_labels(path, "something_v2"), ("a", "b"))

    @parameterized.parameters('{"id": "7"}', '[{"label": "7"}]', "[7]", "[]", '[{"id": ""}]')
    def test_refuses_other_lists(self, content):
        path = self.save(content, "test.json")
        with self.assertRaisesRegex(ValueError, "test.json: expected a list of "):
            submission.read_ids(path, "something_v2")


class SomethingV1Test(SubmissionTest):
    def test_line_by_hand(self):
        scores = np.zeros(174)
        scores[[12, 40]] = 0.7, 0.7
        submission.write(self.path, "something_v1", scored(["100218"], [scores], SOMETHING))
        self.assertEqual(self.lines(), ["100218;Moving 12, then more"])
        self.assertEqual(submission.check(self.path, "something_v1", SOMETHING), 1)

    @parameterized.parameters(
        ("1\n", ":1: expected a video id and 1 label, with one ';'"),
        ("1;\n", ":1: expected the name of a class. Received: ''"),
        ("1;Sleeping\n", ":1: expected the name of a class. Received: 'Sleeping'"),
        ("1;12\n", ":1: expected the name of a class. Received: '12'"),
    )
    def test_check_refuses(self, content, message):
        self.save(content)
        with self.assertRaisesRegex(ValueError, f"submission{message}"):
            submission.check(self.path, "something_v1", SOMETHING)

    def test_label_with_the_separator(self):
        scores = np.zeros([1, 174])
        scores[0, 0] = 1
        videos = scored(["1"], scores, ("Moving; more", *SOMETHING[1:]))
        with self.assertRaisesRegex(ValueError, "video '1': expected a video id and 1 label"):
            submission.write(self.path, "something_v1", videos)

    def test_publishers_files(self):
        path = self.save("1420\n42326\n", "something-something-v1-test.csv")
        self.assertEqual(submission.read_ids(path, "something_v1"), ("1420", "42326"))
        path = self.save("7;Moving, slowly\n", "something-something-v1-validation.csv")
        self.assertEqual(submission.read_ids(path, "something_v1"), ("7",))
        path = self.save("b, c\na\n", "something-something-v1-labels.csv")
        self.assertEqual(submission.read_labels(path, "something_v1"), ("b, c", "a"))


class ListedVideosTest(SubmissionTest):
    def setUp(self):
        super().setUp()
        self.videos = scored(["1", "2"], random_scores(2, 174), SOMETHING)

    def test_order_is_free(self):
        self.assertEqual(
            submission.write(self.path, "something_v2", self.videos, ids=["2", "1"]), 2
        )
        self.assertEqual(submission.check(self.path, "something_v2", ids=["2", "1"]), 2)

    @parameterized.parameters(
        (["1", "2", "4", "3"], "the scores: 2 of the 4 listed videos are missing.* '3'"),
        (["1"], "video '2': '2' is not among the 1 listed videos"),
    )
    def test_write_refuses(self, ids, message):
        with self.assertRaisesRegex(ValueError, message):
            submission.write(self.path, "something_v2", self.videos, ids=ids)
        self.assertFalse(os.path.exists(self.path))

    @parameterized.parameters(
        (["1", "2", "4", "3"], "submission: 2 of the 4 listed videos are missing.* '3'"),
        (["1"], "submission:2: '2' is not among the 1 listed videos"),
    )
    def test_check_refuses(self, ids, message):
        submission.write(self.path, "something_v2", self.videos)
        with self.assertRaisesRegex(ValueError, message):
            submission.check(self.path, "something_v2", ids=ids)

    def test_unknown_format(self):
        with self.assertRaisesRegex(ValueError, "one of charades, something_v1, something_v2"):
            submission.check(self.path, "kinetics")

    def test_missing_file(self):
        with self.assertRaisesRegex(ValueError, "submission does not exist"):
            submission.check(self.path, "charades")


if __name__ == "__main__":
    absltest.main()
