"""Every pair's definition, checked on composed scenes' truth by geometry of the test's own."""

import numpy as np
from absl.testing import absltest, parameterized

from tests.data.shapes.seen import APART, Seen, performances


class PairActionsTest(parameterized.TestCase):
    def each(self, name: str) -> list[Seen]:
        seen = performances()[name]
        self.assertGreater(len(seen), 10)
        return seen

    def assert_still(self, steps: np.ndarray) -> None:
        np.testing.assert_allclose(steps, 0, atol=1e-9)

    def test_approach_shortens_the_distance_until_contact(self):
        for seen in self.each("approach"):
            self.assertGreater(seen.distance[0], APART)
            self.assertTrue((np.diff(seen.distance) < 0).all())
            self.assertTrue(seen.touching[-1])
            self.assert_still(seen.steps[1])

    def test_leave_lengthens_the_distance_from_contact(self):
        for seen in self.each("leave"):
            self.assertTrue(seen.touching[0])
            self.assertTrue((np.diff(seen.distance) > 0).all())
            self.assertGreater(seen.distance[-1], APART)
            self.assert_still(seen.steps[1])

    def test_follow_repeats_the_leader_path_later(self):
        for seen in self.each("follow"):
            self.assertGreater(seen.distance.min(), APART)
            follower, leader = seen.paths
            gaps = np.hypot(*(follower[-1] - leader).T)
            lag = len(leader) - 1 - int(gaps.argmin())
            self.assertGreater(lag, 0)
            np.testing.assert_allclose(follower[lag:], leader[:-lag], atol=1e-9)

    def test_bounce_off_turns_back_at_contact(self):
        for seen in self.each("bounce_off"):
            self.assert_still(seen.steps[1])
            hit = int(seen.distance.argmin())
            self.assertTrue(seen.touching[hit])
            self.assertGreater(min(seen.distance[0], seen.distance[-1]), APART)
            before, after = np.diff(seen.paths[0], axis=0)[[0, -1]]
            self.assertLess(np.dot(before, after), 0)

    def test_push_moves_the_second_only_after_contact(self):
        for seen in self.each("push"):
            contact = seen.contact
            self.assertGreater(contact, 1)
            self.assert_still(seen.steps[1][:contact])
            self.assertGreater(seen.steps[1][contact:].min(), 0.5)
            self.assertTrue(seen.touching[contact:].all())
            travelled = np.diff(seen.paths, axis=1)[:, contact:]
            np.testing.assert_allclose(travelled[0], travelled[1], atol=1e-9)

    def test_swap_places_exchanges_the_ends(self):
        for seen in self.each("swap_places"):
            np.testing.assert_allclose(seen.paths[0, -1], seen.paths[1, 0], atol=1e-9)
            np.testing.assert_allclose(seen.paths[1, -1], seen.paths[0, 0], atol=1e-9)
            self.assertGreater(seen.distance.min(), APART)

    def test_colour_changes_before_or_after_contact(self):
        for seen in self.each("change_colour_before_contact"):
            (change,) = seen.colour_changes
            self.assertLess(change, seen.contact)
            self.assertTrue(seen.touching[-1])
        for seen in self.each("change_colour_after_contact"):
            (change,) = seen.colour_changes
            self.assertGreater(change, seen.contact)
            self.assertTrue(seen.touching[-1])

    @parameterized.parameters("meet_alike", "meet_unlike")
    def test_both_come_to_a_meeting(self, name):
        for seen in self.each(name):
            self.assertGreater(seen.distance[0], APART)
            self.assertTrue(seen.touching[-1])
            self.assertGreater(seen.steps[:, 0].min(), 1)
            looks = [(actor.outline, actor.colours[0]) for actor in (seen.first, seen.second)]
            if name == "meet_alike":
                self.assertEqual(*looks)
            else:
                self.assertNotEqual(looks[0][1], looks[1][1])

    @parameterized.parameters("reappear_same", "reappear_other")
    def test_reappearing_goes_behind_and_comes_out(self, name):
        for seen in self.each(name):
            self.assertGreater(min(seen.distance[0], seen.distance[-1]), APART)
            self.assertGreater(seen.first.depth, seen.second.depth)
            self.assert_still(seen.steps[1])
            changes = seen.colour_changes
            self.assertLen(changes, name == "reappear_other")
            self.assertLess(seen.distance.min(), 1e-9)
            np.testing.assert_allclose(seen.distance[changes], 0, atol=1e-9)


if __name__ == "__main__":
    absltest.main()
