"""Every action's definition, checked on composed scenes' truth by geometry of the test's own."""

import collections
import functools

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.data.shapes.actions import ACTIONS, LABELS
from stgraph_tf.data.shapes.scene import compose

NUM_FRAMES = 24
# Shapes that overlap by a tenth of their radii touch; those that keep a gap do not.
TOUCHING, APART = 0.9, 1.0


class Seen:
    """An action as its two actors' truth shows it: paths, distances and colours while it lasts."""

    def __init__(self, scene, performance):
        self.first, self.second = (scene.actors[i] for i in performance.cast)
        self.span = slice(performance.start, performance.stop)
        self.paths = np.stack([self.first.path[self.span], self.second.path[self.span]])
        distance = np.hypot(*(self.paths[0] - self.paths[1]).T)
        self.distance = distance / (self.first.radius + self.second.radius)
        self.steps = np.hypot(*np.moveaxis(np.diff(self.paths, axis=1), -1, 0))
        self.touching = self.distance < TOUCHING

    @property
    def contact(self) -> int:
        """The first frame of contact."""
        return int(np.flatnonzero(self.touching)[0])

    @property
    def colour_changes(self) -> list[int]:
        """The frames, of the action, in which one of the two shows a new colour."""
        colours = np.stack([self.first.colours[self.span], self.second.colours[self.span]])
        return [int(frame) + 1 for frame in np.flatnonzero(np.diff(colours).any(axis=0))]


@functools.cache
def performances() -> dict[str, list[Seen]]:
    found = collections.defaultdict(list)
    for index in range(300):
        scene = compose(np.random.default_rng([7, index]), NUM_FRAMES)
        for performance in scene.performances:
            found[performance.action.name].append(Seen(scene, performance))
    return found


class ActionsTest(parameterized.TestCase):
    def each(self, name: str) -> list[Seen]:
        seen = performances()[name]
        self.assertGreater(len(seen), 10)
        return seen

    def assert_still(self, steps: np.ndarray) -> None:
        np.testing.assert_allclose(steps, 0, atol=1e-9)

    @parameterized.parameters(*LABELS)
    def test_actors_rest_before_and_after(self, name):
        for seen in self.each(name):
            for actor in (seen.first, seen.second):
                steps = np.abs(np.diff(actor.path, axis=0)).sum(axis=1)
                self.assert_still(steps[: seen.span.start])
                self.assert_still(steps[seen.span.stop - 1 :])

    @parameterized.parameters(
        *(name for name in LABELS if not name.startswith("change") and name != "reappear_other")
    )
    def test_colours_stay(self, name):
        for seen in self.each(name):
            self.assertEmpty(seen.colour_changes)

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

    def test_pass_by_comes_near_without_contact_and_goes_on_straight(self):
        for seen in self.each("pass_by"):
            self.assert_still(seen.steps[1])
            self.assertFalse(seen.touching.any())
            nearest = int(seen.distance.argmin())
            self.assertBetween(nearest, 2, len(seen.distance) - 3)
            gap = seen.distance.min() * (seen.first.radius + seen.second.radius)
            self.assertLess(gap - seen.first.radius - seen.second.radius, 2.5)
            directions = np.diff(seen.paths[0], axis=0)
            np.testing.assert_allclose(directions, np.broadcast_to(directions[0], directions.shape))

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

    def test_cover_ends_on_top(self):
        for seen in self.each("cover"):
            self.assertGreater(seen.distance[0], APART)
            np.testing.assert_allclose(seen.distance[-2:], 0, atol=1e-9)
            self.assert_still(seen.steps[1])
            self.assertLess(seen.first.depth, seen.second.depth)
            self.assertGreater(seen.first.radius, 1.3 * seen.second.radius)

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

    def test_speeds_are_alike_for_all_actions(self):
        for name in LABELS:
            steps = np.concatenate([seen.steps[0] for seen in self.each(name)])
            self.assertBetween(np.mean(steps[steps > 0.1]), 1.5, 2.7, name)

    def test_registry_names_the_scripts(self):
        self.assertGreaterEqual(len(LABELS), 8)
        for name, action in ACTIONS.items():
            self.assertEqual((action.name, action.script.__name__), (name, name))


if __name__ == "__main__":
    absltest.main()
