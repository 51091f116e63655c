"""What a shape does by itself, checked on composed scenes' truth by geometry of the test's own."""

import numpy as np
from absl.testing import absltest

from tests.data.shapes.seen import Seen, performances


class SoloActionsTest(absltest.TestCase):
    def each(self, name: str) -> list[Seen]:
        seen = performances()[name]
        self.assertGreater(len(seen), 10)
        for one in seen:
            self.assertLen(one.actors, 1)
        return seen

    def test_turn_back_goes_straight_there_and_back(self):
        for seen in self.each("turn_back"):
            strides = np.diff(seen.paths[0], axis=0)
            self.assertLess(np.dot(strides[0], strides[-1]), 0)
            length = np.hypot(*strides.T)
            np.testing.assert_allclose(length, length[0], rtol=1e-6)
            # One corner: all others of the turns are zero.
            turns = np.hypot(*np.diff(strides, axis=0).T) > 1e-6
            self.assertEqual(turns.sum(), 1)

    def test_circle_comes_back_to_its_start(self):
        for seen in self.each("circle"):
            path = seen.paths[0]
            np.testing.assert_allclose(path[0], path[-1], atol=1e-9)
            middle = path[:-1].mean(axis=0)
            radii = np.hypot(*(path - middle).T)
            np.testing.assert_allclose(radii, radii[0], rtol=1e-6)

    def test_stretch_out_stands_and_takes_its_shape_again(self):
        for seen in self.each("stretch_out"):
            np.testing.assert_allclose(seen.steps, 0, atol=1e-9)
            amount = np.hypot(*seen.first.stretch[seen.span].T)
            np.testing.assert_allclose(amount[[0, -1]], 0, atol=1e-9)
            self.assertBetween(int(amount.argmax()), 5, 7)
            self.assertGreater(amount.max(), 0.5)

    def test_change_colour_goes_straight_and_changes_once(self):
        for seen in self.each("change_colour"):
            self.assertLen(seen.colour_changes, 1)
            strides = np.diff(seen.paths[0], axis=0)
            np.testing.assert_allclose(strides, np.broadcast_to(strides[0], strides.shape))


if __name__ == "__main__":
    absltest.main()
