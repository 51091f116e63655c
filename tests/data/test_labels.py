"""Which labels a data set gets, and whether several at once."""

import json

from absl.testing import absltest, parameterized

from stgraph_tf.data import labels
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.data.sources import Entry


def entry(*names: str) -> Entry:
    return Entry(f"video of {names}", "v.mp4", None, names, (), "videos.jsonl:7")


def info(*names: str, multi_label: bool = False) -> DatasetInfo:
    return DatasetInfo(names, multi_label, 6.0, 320)


class ChooseLabelsTest(absltest.TestCase):
    ENTRIES = (entry("run"), entry("jump", "éclair"))

    def test_sorted_when_nothing_says_otherwise(self):
        self.assertEqual(
            labels.choose_labels(self.ENTRIES, None, None, "out"), ("jump", "run", "éclair")
        )

    def test_those_of_the_data_set(self):
        there = info("run", "éclair", "sit", "jump")
        self.assertEqual(labels.choose_labels(self.ENTRIES, None, there, "out"), there.labels)

    def test_those_of_a_file(self):
        path = self.create_tempfile("labels.txt", "sit\nrun\n\n jump \néclair\n").full_path
        expected = ("sit", "run", "jump", "éclair")
        self.assertEqual(labels.choose_labels(self.ENTRIES, path, None, "out"), expected)
        self.assertEqual(labels.choose_labels(self.ENTRIES, path, info(*expected), "out"), expected)

    def test_file_and_data_set_disagree(self):
        path = self.create_tempfile("labels.txt", "jump\nrun\n").full_path
        with self.assertRaisesRegex(ValueError, "labels.txt are not those of out/dataset.json"):
            labels.choose_labels(self.ENTRIES, path, info("run", "jump"), "out")

    def test_unknown_label(self):
        expected = "videos.jsonl:7: label 'éclair' is not among the 2 of out/dataset.json"
        with self.assertRaisesRegex(ValueError, expected):
            labels.choose_labels(self.ENTRIES, None, info("run", "jump"), "out")
        path = self.create_tempfile("labels.txt", "jump\nrun\n").full_path
        with self.assertRaisesRegex(ValueError, "'éclair' is not among the 2 of .*labels.txt"):
            labels.choose_labels(self.ENTRIES, path, None, "out")


class ReadLabelsTest(parameterized.TestCase):
    def test_json(self):
        path = self.create_tempfile("labels.json", json.dumps(["b c", "a"])).full_path
        self.assertEqual(labels.read_labels(path), ("b c", "a"))

    @parameterized.named_parameters(
        ("empty", "labels.txt", "\n\n", "with at least one"),
        ("twice", "labels.txt", "a\nb\na\n", "names label 'a' more than once"),
        ("no list", "labels.json", '{"a": 1}', "expected a list of labels"),
        ("numbers", "labels.json", "[1, 2]", "expected a list of labels"),
    )
    def test_refused(self, name, content, message):
        path = self.create_tempfile(name, content).full_path
        with self.assertRaisesRegex(ValueError, message):
            labels.read_labels(path)

    def test_missing(self):
        with self.assertRaisesRegex(ValueError, "no/labels.txt does not exist"):
            labels.read_labels("no/labels.txt")


class ChooseMultiLabelTest(parameterized.TestCase):
    @parameterized.parameters(
        # What the user says, what the data set is already, labels of a video, what comes out.
        (None, None, 1, False),
        (None, None, 2, True),
        (None, True, 1, True),
        (None, False, 1, False),
        (True, None, 1, True),
        (True, False, 2, True),
        (False, None, 1, False),
    )
    def test_chosen(self, choice, there, num_labels, expected):
        entries = [entry(), entry(*"ab"[:num_labels])]
        there = None if there is None else info("a", "b", multi_label=there)
        self.assertEqual(labels.choose_multi_label(entries, choice, there, "out"), expected)

    @parameterized.parameters((False, None), (None, False))
    def test_several_where_one_is_wanted(self, choice, there):
        there = None if there is None else info("a", "b", multi_label=there)
        with self.assertRaisesRegex(ValueError, "videos.jsonl:7: .* has 2 labels"):
            labels.choose_multi_label([entry("a", "b")], choice, there, "out")


if __name__ == "__main__":
    absltest.main()
