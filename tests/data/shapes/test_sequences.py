"""Sequences of dependent actions, checked on composed scenes' truth."""

import numpy as np
from absl.testing import absltest, parameterized

from tests.data.shapes.seen import TOUCHING, Seen, distance, performances


def before(seen: Seen) -> Seen:
    """The `pick_up` that the same scene has just before."""
    (found,) = (
        Seen(seen.scene, performance)
        for performance in seen.scene.performances
        if performance.label == "pick_up" and performance.stop == seen.span.start
    )
    return found


class SequencesTest(parameterized.TestCase):
    def test_pick_up_comes_and_takes_along_to_the_side(self):
        for seen in performances()["pick_up"]:
            contact = seen.contact
            self.assertGreater(contact, 1)
            np.testing.assert_allclose(seen.steps[1][:contact], 0, atol=1e-9)
            strides = np.diff(seen.paths, axis=1)[:, contact:]
            np.testing.assert_allclose(strides[0], strides[1], atol=1e-9)
            came, goes = seen.paths[0, 1] - seen.paths[0, 0], strides[1, 0]
            cosine = np.dot(came, goes) / np.hypot(*came) / np.hypot(*goes)
            self.assertBetween(np.degrees(np.arccos(cosine)), 34, 81)

    @parameterized.parameters("put_down", "hand_over", "take_over")
    def test_the_second_part_begins_where_the_first_ends(self, name):
        self.assertGreater(len(performances()[name]), 8)
        for seen in performances()[name]:
            picked = before(seen)
            carrier, load = picked.actors
            start = seen.span.start
            self.assertLess(distance(carrier, load)[start], TOUCHING)
            self.assertGreater(distance(carrier, load)[seen.span.stop - 1], 1)

    def test_put_down_leaves_the_load_alone(self):
        for seen in performances()["put_down"]:
            self.assertEqual(seen.cast, before(seen).cast)
            np.testing.assert_allclose(seen.steps[1], 0, atol=1e-9)
            self.assertGreater(seen.steps[0].min(), 1)

    def test_hand_over_leaves_the_load_with_the_third(self):
        for seen in performances()["hand_over"]:
            carrier, load = before(seen).actors
            self.assertIs(seen.first, carrier)
            self.assertGreater(seen.steps[0].min(), 1)
            third = seen.second
            self.assertLess(distance(load, third)[seen.span].max(), TOUCHING)
            self.assertGreater(distance(load, third)[0], 1)
            np.testing.assert_allclose(np.diff(third.path, axis=0), 0, atol=1e-9)

    def test_take_over_has_the_third_go_away_with_the_load(self):
        for seen in performances()["take_over"]:
            carrier, load = before(seen).actors
            third, left = seen.actors
            self.assertIs(left, carrier)
            self.assertLess(distance(load, third)[seen.span].max(), TOUCHING)
            np.testing.assert_allclose(seen.steps[1], 0, atol=1e-9)
            self.assertGreater(seen.steps[0].min(), 1)
            moves = np.diff(load.path[seen.span], axis=0)
            np.testing.assert_allclose(moves, np.diff(seen.paths[0], axis=0), atol=1e-9)


if __name__ == "__main__":
    absltest.main()
