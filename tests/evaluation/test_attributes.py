"""Attribute files in the published layout, and groups worked by hand."""

import os

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import attributes
from stgraph_tf.evaluation.attributes import Bins

LABELS = ("Holding some clothes", "Putting clothes down", "Running, fast")
# The columns and the style of the published files, with figures of our own.
CLASSES = """class,#Samples,#Frames,Extent,Seq,PoseVar,Obj
c000,600,8500.5,18.1,1,0.748,1
c001,640,6900.3,14.3,1,,1
c002,480,4700.7,13.5,0,0.7625,0
"""
VIDEOS = """id,Novel,NewActor,People,#Actions
AAAAA,-3.3253,161,1,5
BBBBB,4.6747,,2,14
CCCCC,,,,
"""


class FilesTest(parameterized.TestCase):
    def write(self, text: str) -> str:
        return self.create_tempfile("attributes.csv", text).full_path

    def read(self, text: str) -> dict[str, np.ndarray]:
        return attributes.read_class_attributes(self.write(text), LABELS)

    def assert_refused(self, message: str, text: str) -> None:
        path = self.write(text)
        with self.assertRaises(ValueError) as caught:
            attributes.read_class_attributes(path, LABELS)
        self.assertEqual(str(caught.exception).replace(path, "FILE"), message)

    def test_reads_classes_by_code(self):
        values = self.read(CLASSES)
        self.assertEqual(list(values), ["#Samples", "#Frames", "Extent", "Seq", "PoseVar", "Obj"])
        np.testing.assert_array_equal(values["Seq"], [1, 1, 0])
        np.testing.assert_array_equal(values["PoseVar"], [0.748, np.nan, 0.7625])

    def test_reads_classes_by_name_in_any_order(self):
        values = self.read(
            'class,Seq\n"Running, fast",1\nHolding some clothes,2\nPutting clothes down,3\n'
        )
        np.testing.assert_array_equal(values["Seq"], [2, 3, 1])

    def test_a_label_that_looks_like_a_code_is_a_name(self):
        path = self.write("class,Seq\nc001,5\nc000,6\n")
        values = attributes.read_class_attributes(path, ("c001", "c000"))
        np.testing.assert_array_equal(values["Seq"], [5, 6])

    def test_nan_is_an_empty_cell(self):
        values = self.read("class,Seq\nc000,NaN\nc001,\nc002,1\n")
        np.testing.assert_array_equal(values["Seq"], [np.nan, np.nan, 1])

    def test_reads_what_a_spreadsheet_writes(self):
        values = self.read("\ufeff" + CLASSES.replace("\n", "\r\n") + "\r\n")
        np.testing.assert_array_equal(values["Obj"], [1, 1, 0])

    @parameterized.named_parameters(
        (
            "a word",
            "class,Seq\nc000,1\nc001,often\nc002,0\n",
            "FILE:3: expected a finite number or nothing for 'Seq', received 'often'",
        ),
        (
            "an infinity",
            "class,Seq\nc000,inf\n",
            "FILE:2: expected a finite number or nothing for 'Seq', received 'inf'",
        ),
        (
            "an unknown class",
            "class,Seq\nRunning,1\n",
            "FILE:2: expected the name of one of the 3 labels, or c000 to c002, received 'Running'",
        ),
        (
            "a code too many",
            "class,Seq\nc003,1\n",
            "FILE:2: expected the name of one of the 3 labels, or c000 to c002, received 'c003'",
        ),
        (
            "a class by name and code",
            "class,Seq\nc000,1\nHolding some clothes,1\n",
            "FILE:3: 'Holding some clothes' has a line already, FILE:2",
        ),
        (
            "a class missing",
            "class,Seq\nc000,1\n",
            "FILE: expected a line for each of the 3 labels, but 'Putting clothes down' has none "
            "(2 lack one)",
        ),
        (
            "a column twice",
            "class,Seq,Seq\nc000,1,1\n",
            "FILE:1: the column 'Seq' is there more than once",
        ),
        (
            "another table",
            "id,Seq\nc000,1\n",
            "FILE:1: expected a header with the column 'class'. Received: 'id,Seq'",
        ),
        (
            "a short line",
            "class,Seq,Obj\nc000,1\n",
            "FILE:2: expected 3 cells, as the header has. Received: 2",
        ),
    )
    def test_refuses(self, text: str, message: str):
        self.assert_refused(message, text)

    def test_a_missing_file_is_named(self):
        path = os.path.join(self.create_tempdir().full_path, "none.csv")
        with self.assertRaisesRegex(ValueError, "none.csv does not exist"):
            attributes.read_class_attributes(path, LABELS)

    def test_reads_videos_in_the_order_asked_for(self):
        values = attributes.read_video_attributes(
            self.write(VIDEOS), np.array(["BBBBB", "ZZZZZ", "AAAAA", "CCCCC"])
        )
        self.assertEqual(list(values), ["Novel", "NewActor", "People", "#Actions"])
        np.testing.assert_array_equal(values["NewActor"], [np.nan, np.nan, 161, np.nan])
        np.testing.assert_array_equal(values["People"], [2, np.nan, 1, np.nan])

    def test_lines_of_other_videos_are_not_read(self):
        path = self.write("id,People\nAAAAA,1\nBBBBB,many\n")
        values = attributes.read_video_attributes(path, ["AAAAA"])
        np.testing.assert_array_equal(values["People"], [1])

    def test_refuses_a_file_of_other_videos(self):
        with self.assertRaisesRegex(ValueError, "attributes.csv has none of the 2 videos"):
            attributes.read_video_attributes(self.write(VIDEOS), ["DDDDD", "EEEEE"])

    def test_refuses_a_video_twice(self):
        with self.assertRaisesRegex(ValueError, ":3: 'AAAAA' has a line already, .*:2"):
            attributes.read_video_attributes(self.write("id,A\nAAAAA,1\nAAAAA,2\n"), ["AAAAA"])


class GroupsTest(parameterized.TestCase):
    def test_the_nearest_centre_counts(self):
        # The borders lie at .7, .75 and .8.
        values = np.array([0.66, 0.699, 0.701, 0.76, 0.81, 0.849])
        groups = attributes.group(values, attributes.CHARADES_BINS["PoseVar"])
        self.assertEqual(groups.names, ("0.675", "0.725", "0.775", "0.825"))
        np.testing.assert_array_equal(groups.members, [0, 0, 1, 2, 3, 3])

    def test_half_way_is_the_lower_group(self):
        groups = attributes.group(np.array([1.0, 1.5, 1.6, 2.0]), Bins("", (1, 2)))
        np.testing.assert_array_equal(groups.members, [0, 0, 1, 1])

    def test_half_way_is_the_lower_group_where_centres_fall(self):
        groups = attributes.group(np.array([0.0, 50, 51]), attributes.CHARADES_BINS["NewActor"])
        self.assertEqual(groups.names, ("100", "0"))
        np.testing.assert_array_equal(groups.members, [1, 1, 0])

    def test_centres_may_stand_in_any_order(self):
        groups = attributes.group(np.array([1.0, 4, 9]), Bins("", (4, 9, 1), ("b", "c", "a")))
        self.assertEqual([groups.names[place] for place in groups.members], ["a", "b", "c"])

    def test_yes_is_one(self):
        for name in ("Seq", "Passive", "Obj"):
            groups = attributes.group(np.array([1.0, 0.0]), attributes.CHARADES_BINS[name])
            self.assertEqual([groups.names[place] for place in groups.members], ["yes", "no"])

    def test_nan_is_in_no_group(self):
        groups = attributes.group(np.array([np.nan, 1.0]), Bins("", (0, 1)))
        np.testing.assert_array_equal(groups.members, [-1, 1])

    def test_values_beyond_the_limits_make_thirds(self):
        # Cuts lie at 3 and 6, which belong to the group below.
        values = np.array([9.0, 8, 7, 6, 5, 4, 3, 2, 1, 0])
        groups = attributes.group(values, attributes.CHARADES_BINS["PoseVar"])
        self.assertEqual(groups.names, ("0 to 3", "4 to 6", "7 to 9"))
        np.testing.assert_array_equal(groups.members, [2, 2, 2, 1, 1, 1, 0, 0, 0, 0])

    def test_one_value_beyond_the_limits_is_enough(self):
        values = np.array([0.7, 0.75, 0.86])
        groups = attributes.group(values, attributes.CHARADES_BINS["PoseVar"])
        self.assertEqual(groups.names, ("0.7", "0.75", "0.86"))

    def test_equal_values_stay_together(self):
        groups = attributes.group(np.array([1.0, 1, 1, 1, 1, 2]), Bins(""))
        self.assertEqual(groups.names, ("1", "2"))
        np.testing.assert_array_equal(groups.members, [0, 0, 0, 0, 0, 1])

    def test_no_value_makes_no_thirds(self):
        groups = attributes.group(np.array([np.nan, np.nan]), Bins(""))
        self.assertEqual(groups.names, ())

    def test_own_attributes_of_few_values_have_a_group_each(self):
        values = np.array([3.0, 1, np.nan, 3])
        groups = attributes.group(values, attributes.bins_for("Speed", values))
        self.assertEqual(groups.names, ("1", "3"))
        np.testing.assert_array_equal(groups.members, [1, 0, -1, 1])

    def test_own_attributes_of_many_values_make_thirds(self):
        bins = attributes.bins_for("Speed", np.arange(5.0))
        self.assertEqual(bins, Bins("Speed"))


if __name__ == "__main__":
    absltest.main()
