import collections

import numpy as np
from absl.testing import absltest

from stgraph_tf.data.shapes.actions import LABELS
from stgraph_tf.data.shapes.composition import CLEARANCE, compose
from stgraph_tf.data.shapes.scene import STAGE

NUM_FRAMES = 24


def scenes(count: int, num_frames: int = NUM_FRAMES):
    return [compose(np.random.default_rng([3, index]), num_frames) for index in range(count)]


def _groups(scene) -> list[int | None]:
    """The number of each actor's first performance that it shares with others; None for none."""
    groups: list[int | None] = [None] * len(scene.actors)
    for number, performance in enumerate(scene.performances):
        known = [groups[i] for i in performance.cast if groups[i] is not None]
        for i in performance.cast:
            groups[i] = known[0] if known else number
    return groups


class CompositionTest(absltest.TestCase):
    def test_shapes_stay_on_stage_and_are_three_to_six(self):
        sizes = set()
        for scene in scenes(100):
            sizes.add(len(scene.actors))
            for actor in scene.actors:
                self.assertBetween(actor.diameter, 9.5, 16.5)
                self.assertGreaterEqual((actor.path + scene.shake).min(), actor.reach)
                self.assertLessEqual((actor.path + scene.shake).max(), STAGE - actor.reach)
        self.assertContainsSubset({3, 4, 5}, sizes)
        self.assertLessEqual(max(sizes), 6)

    def test_no_two_shapes_come_near_but_those_who_act_together(self):
        for scene in scenes(100):
            groups = _groups(scene)
            for i, one in enumerate(scene.actors):
                for j, other in enumerate(scene.actors[:i]):
                    if groups[i] != groups[j]:
                        gap = np.hypot(*(one.path - other.path).T).min() - one.reach - other.reach
                        self.assertGreaterEqual(gap, CLEARANCE - 1e-9)

    def test_actions_lie_within_the_film(self):
        for scene in [*scenes(50), *scenes(20, 14), *scenes(20, 60)]:
            for performance in scene.performances:
                self.assertGreaterEqual(performance.start, 0)
                self.assertLessEqual(performance.stop, scene.num_frames)
                self.assertBetween(performance.stop - performance.start, 4, 14)

    def test_actions_are_about_even(self):
        found = collections.Counter(p.label for scene in scenes(400) for p in scene.performances)
        # Four actions pick something up; each other label has one.
        self.assertBetween(found["pick_up"], 60, 160)
        for label in set(LABELS) - {"pick_up"}:
            # About 28 each: four standard deviations.
            self.assertBetween(found[label], 8, 50, label)

    def test_several_actions_in_a_film(self):
        counts = collections.Counter(len(set(_groups(s)) - {None}) for s in scenes(200))
        self.assertGreater(counts[1], 80)
        self.assertGreater(counts[2], 50)
        self.assertEqual(counts[1] + counts[2], 200)

    def test_single_has_one_action_and_little_around_it(self):
        for index in range(100):
            scene = compose(np.random.default_rng([5, index]), NUM_FRAMES, single=True)
            groups = _groups(scene)
            self.assertLen(set(groups) - {None}, 1)
            self.assertLessEqual(len(scene.actors), 3)

    def test_no_place_or_time_tells_the_action(self):
        places, times = collections.defaultdict(list), collections.defaultdict(list)
        for scene in scenes(1000):
            for performance in scene.performances:
                paths = np.stack([scene.actors[i].path for i in performance.cast])
                name = performance.label
                places[name].append((paths.max(axis=(0, 1)) + paths.min(axis=(0, 1))) / 2)
                times[name].append((performance.start + performance.stop) / 2)
        for label in LABELS:
            np.testing.assert_allclose(np.mean(places[label], axis=0), STAGE / 2, atol=5)
            # The first part of a sequence comes before the others.
            if label not in ("pick_up", "put_down", "hand_over", "take_over"):
                self.assertAlmostEqual(np.mean(times[label]), NUM_FRAMES / 2, delta=1.6)

    def test_bystanders_stand_or_drift_and_never_change(self):
        speeds = []
        for scene in scenes(200):
            groups = _groups(scene)
            for i, actor in enumerate(scene.actors):
                if groups[i] is None:
                    np.testing.assert_array_equal(actor.stretch, 0)
                    steps = np.diff(actor.path, axis=0)
                    np.testing.assert_allclose(steps, steps[:1].repeat(len(steps), 0), atol=1e-9)
                    self.assertLen(set(actor.colours), 1)
                    speeds.append(np.hypot(*steps[0]))
        self.assertBetween(np.mean(np.array(speeds) < 1e-9), 0.4, 0.6)
        self.assertLess(max(speeds), 1.0)

    def test_is_determined_by_the_generator(self):
        one, same, other = (compose(np.random.default_rng(seed), 24) for seed in (1, 1, 2))
        for a, b in zip(one.actors, same.actors, strict=True):
            np.testing.assert_array_equal(a.path, b.path)
            np.testing.assert_array_equal(a.colours, b.colours)
        self.assertFalse(np.array_equal(one.shake, other.shake))

    def test_refuses_a_film_too_short_for_an_action(self):
        with self.assertRaisesRegex(ValueError, "at least 14 frames.*num_frames=13"):
            compose(np.random.default_rng(0), 13)


if __name__ == "__main__":
    absltest.main()
