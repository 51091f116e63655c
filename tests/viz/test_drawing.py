"""Boxes on frames, pixel by pixel where it matters."""

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.viz import drawing

FIRST, SECOND, THIRD, FOURTH = map(np.array, drawing.RANK_COLORS[:4])


def grey(height: int = 100, width: int = 200, shade: int = 128) -> np.ndarray:
    return np.full((height, width, 3), shade, np.uint8)


class DrawBoxesTest(parameterized.TestCase):
    def test_line_lies_inside_the_box(self):
        # Rows 20 to 59 and columns 20 to 119.
        picture = drawing.draw_boxes(grey(), np.array([[0.2, 0.1, 0.6, 0.6]]))
        of_color = (picture == FIRST).all(-1)
        rows, columns = np.nonzero(of_color)
        self.assertEqual((rows.min(), rows.max(), columns.min(), columns.max()), (20, 59, 20, 119))
        # The best box's line is 3 pixels wide, between dark ones; outside and inside stay grey.
        self.assertEqual(of_color[40].nonzero()[0].tolist(), [20, 21, 22, 117, 118, 119])
        for column in (19, 23, 116, 120):
            self.assertLess(picture[40, column].max(), 40)
        for column in (18, 24, 115, 121):
            self.assertEqual(picture[40, column].tolist(), [128] * 3)

    def test_lower_ranks_are_thinner_and_below(self):
        boxes = np.array([[0, 0, 1, 0.5]] * 4 + [[0.1, 0.6, 0.9, 0.9]])
        picture = drawing.draw_boxes(grey(), boxes)
        self.assertEqual(picture[50, 0].tolist(), FIRST.tolist())
        self.assertFalse((picture == SECOND).all(-1).any())
        fifth = (picture == np.array(drawing.RANK_COLORS[4])).all(-1)
        self.assertEqual(fifth[50].sum(), 2)

    def test_box_over_the_whole_frame_is_seen(self):
        picture = drawing.draw_boxes(grey(), np.array([[0, 0, 1, 1]]))
        for row, column in ((0, 0), (0, 199), (99, 0), (99, 199), (50, 2)):
            self.assertEqual(picture[row, column].tolist(), FIRST.tolist())

    @parameterized.parameters(0, 255)
    def test_every_color_stands_out(self, shade):
        for rank, color in enumerate(drawing.RANK_COLORS):
            boxes = np.array([[2, 2, 2, 2]] * rank + [[0.2, 0.2, 0.8, 0.8]])
            picture = drawing.draw_boxes(grey(shade=shade), boxes).astype(int)
            line = picture[50, 35:50].sum(-1)
            self.assertIn(sum(color), line)
            # Either the light line or its dark edge differs much from the frame.
            self.assertGreater(np.abs(line - 3 * shade).max(), 300)

    def test_best_boxes_only(self):
        boxes = np.array([[0.1, 0.1, 0.4, 0.4], [0.5, 0.5, 0.9, 0.9]])
        picture = drawing.draw_boxes(grey(), boxes, max_boxes=1)
        self.assertTrue((picture == FIRST).all(-1).any())
        self.assertFalse((picture == SECOND).all(-1).any())

    def test_boxes_that_cannot_be_drawn_are_left_out(self):
        boxes = np.array([[0, np.nan, 1, 1], [-np.inf, 0, 1, 1]])
        np.testing.assert_array_equal(drawing.draw_boxes(grey(), boxes), grey())

    @parameterized.parameters(([0.5, 0.5, 0.5, 0.5],), ([-3, 2, -2, 5],), ([0.9, 0.9, 0.1, 0.1],))
    def test_strange_boxes_do_no_harm(self, box):
        picture = drawing.draw_boxes(grey(4, 3), np.array([box]), captions=["x"])
        self.assertEqual(picture.shape, (4, 3, 3))

    def test_no_boxes(self):
        np.testing.assert_array_equal(drawing.draw_boxes(grey(), np.zeros((0, 4))), grey())

    @parameterized.parameters(((20, 40, 90),), ((240, 240, 90),))
    def test_captions_can_be_read_on_any_colour(self, color):
        outline = drawing.Outline(np.array([0.5, 0.25, 0.9, 0.9]), color, 1, "a cup")
        picture = drawing.draw_outlines(grey(), [outline]).astype(int)
        patch = picture[35:48, 50:85]
        self.assertGreater(np.abs(patch.sum(-1) - sum(color)).max(), 400)

    def test_frame_is_left_as_it_is(self):
        frame = grey()
        frame.flags.writeable = False
        drawing.draw_boxes(frame, np.array([[0, 0, 1, 1]]))
        np.testing.assert_array_equal(frame, grey())

    def test_caption_stands_above_its_box(self):
        box = np.array([[0.5, 0.25, 0.9, 0.9]])
        plain = drawing.draw_boxes(grey(), box)
        named = drawing.draw_boxes(grey(), box, captions=["a cup"])
        rows, columns = np.nonzero((plain != named).any(-1))
        self.assertBetween(rows.min(), 30, 45)
        self.assertEqual((rows.max(), columns.min()), (49, 50))

    def test_no_line_crosses_a_caption(self):
        # The best box's left side goes through the caption of the other.
        boxes = np.array([[0.1, 0.35, 0.9, 0.9], [0.5, 0.25, 0.8, 0.6]])
        picture = drawing.draw_boxes(grey(), boxes, captions=["", "a cup on a table"])
        caption = picture[40:50, 50:120]
        self.assertFalse((caption == FIRST).all(-1).any())
        self.assertGreater((caption == SECOND).all(-1).mean(), 0.5)

    @parameterized.parameters(
        (grey().astype(np.float32), [[0, 0, 1, 1]], None, "expected a frame of uint8"),
        (grey()[..., 0], [[0, 0, 1, 1]], None, r"received uint8 \[100, 200\]"),
        (grey(), [0, 0, 1, 1], None, r"expected boxes of shape \[k, 4\], received \[4\]"),
        (grey(), [[0, 0, 1, 1]], ["a", "b"], "expected 1 captions, one a box, received 2"),
    )
    def test_refused(self, frame, boxes, captions, message):
        with self.assertRaisesRegex(ValueError, message):
            drawing.draw_boxes(frame, np.array(boxes), captions=captions)


class DrawNoteTest(parameterized.TestCase):
    def test_lower_left_corner(self):
        changed = (drawing.draw_note(grey(), "1.50 s") != grey()).any(-1)
        rows, columns = np.nonzero(changed)
        self.assertGreater(rows.min(), 75)
        self.assertLess(columns.max(), 60)

    @parameterized.parameters("", "a long note " * 30, "日本語\n\x00🎬", "é")
    def test_any_text(self, text):
        self.assertEqual(drawing.draw_note(grey(30, 20), text).shape, (30, 20, 3))


if __name__ == "__main__":
    absltest.main()
