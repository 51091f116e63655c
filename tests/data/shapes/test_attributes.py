import csv
import io

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.data.shapes import attributes
from stgraph_tf.data.shapes.actions import LABELS


def rows() -> dict[str, dict[str, str]]:
    text = io.StringIO(attributes.class_attributes({"approach": 7}))
    return {row["class"]: row for row in csv.DictReader(text)}


class AttributesTest(parameterized.TestCase):
    def test_has_a_line_for_each_label_in_order(self):
        self.assertEqual(tuple(rows()), LABELS)
        self.assertEqual(list(rows()["approach"]), ["class", "#Samples", "Seq", "PoseVar", "Obj"])

    def test_counts_are_those_given(self):
        self.assertEqual(rows()["approach"]["#Samples"], "7")
        self.assertEqual(rows()["leave"]["#Samples"], "0")

    @parameterized.parameters(
        ("approach", "0", "1"),
        ("put_down", "1", "1"),
        ("take_over", "1", "1"),
        ("change_colour_after_contact", "1", "1"),
        ("change_colour", "0", "0"),
        ("circle", "0", "0"),
        ("stretch_out", "0", "0"),
    )
    def test_knows_sequences_and_partners(self, label, sequence, partner):
        self.assertEqual((rows()[label]["Seq"], rows()[label]["Obj"]), (sequence, partner))

    def test_poses_vary_most_where_shapes_stretch(self):
        variance = {label: float(row["PoseVar"]) for label, row in rows().items()}
        rigid = [variance[label] for label in ("approach", "leave", "meet_alike", "turn_back")]
        self.assertGreater(variance["stretch_out"], 3 * max(rigid))
        self.assertGreater(variance["follow"], 3 * max(rigid))
        self.assertBetween(variance["circle"], 1.5 * max(rigid), variance["follow"])

    def test_procrustes_distance_of_two_poses_worked_out_by_hand(self):
        # A square and the rectangle twice as long, as four corners: with both centred and of length
        # one, the best rotation leaves 1 - (sum of the singular values)^2 = 1 - 9 / 10.
        square = np.array([[-1, -1], [-1, 1], [1, 1], [1, -1]], float)
        rectangle = square * (2, 1)
        self.assertAlmostEqual(attributes.pose_distance(square, rectangle), 0.1)
        turned = rectangle @ np.array([[0.6, -0.8], [0.8, 0.6]]) * 3 + 5
        self.assertAlmostEqual(attributes.pose_distance(rectangle, turned), 0)


if __name__ == "__main__":
    absltest.main()
