"""What all actions have in common, and how their actors change shape."""

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.data.shapes.actions import ACTIONS, LABELS
from tests.data.shapes.seen import Seen, performances, scenes

_COLOURS_CHANGE = {
    "change_colour",
    "change_colour_before_contact",
    "change_colour_after_contact",
    "reappear_other",
}
_SOFT = {"follow", "bounce_off", "push", "swap_places", "circle", "stretch_out"}
_IN_PARTS = {"pick_up", "put_down", "hand_over", "take_over"}


def amounts(seen: Seen) -> np.ndarray:
    """How far each actor is stretched on each frame, `[A, F]`."""
    return np.stack([np.hypot(*actor.stretch.T) for actor in seen.actors])


class ActionsTest(parameterized.TestCase):
    @parameterized.parameters(*(name for name in LABELS if name not in _IN_PARTS))
    def test_actors_rest_before_and_after(self, name):
        for seen in performances()[name]:
            for actor in seen.actors:
                steps = np.abs(np.diff(actor.path, axis=0)).sum(axis=1)
                np.testing.assert_allclose(steps[: seen.span.start], 0, atol=1e-9)
                np.testing.assert_allclose(steps[seen.span.stop - 1 :], 0, atol=1e-9)

    @parameterized.parameters(*(name for name in LABELS if name not in _COLOURS_CHANGE))
    def test_colours_stay(self, name):
        for seen in performances()[name]:
            self.assertEmpty(seen.colour_changes)

    @parameterized.parameters(*(name for name in LABELS if name not in _SOFT | _IN_PARTS))
    def test_rigid_actions_stretch_nobody(self, name):
        for seen in performances()[name]:
            np.testing.assert_array_equal(amounts(seen), 0)

    @parameterized.parameters(*sorted(_SOFT | {"pick_up"}))
    def test_soft_actions_stretch_somebody_during_the_action_alone(self, name):
        for seen in performances()[name]:
            amount = amounts(seen)
            self.assertBetween(amount[:, seen.span].max(), 0.15, 0.6)
            np.testing.assert_array_equal(amount[:, : seen.span.start], 0)

    def test_every_label_is_shown(self):
        self.assertEqual(set(performances()), set(LABELS))

    def test_no_two_actions_of_a_film_share_a_label(self):
        for scene in scenes():
            labels = [performance.label for performance in scene.performances]
            self.assertLen(set(labels), len(labels))

    def test_speeds_are_alike_for_all_actions(self):
        for name in LABELS:
            if name == "stretch_out":
                continue
            steps = np.concatenate([seen.steps[0] for seen in performances()[name]])
            self.assertBetween(np.mean(steps[steps > 0.1]), 1.5, 2.9, name)

    def test_registry_names_the_scripts(self):
        for name, action in ACTIONS.items():
            self.assertEqual((action.name, action.script.__name__), (name, name))
            self.assertContainsSubset(action.labels, LABELS)


if __name__ == "__main__":
    absltest.main()
