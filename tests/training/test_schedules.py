"""The learning rate at hand-worked steps."""

import keras
from absl.testing import absltest, parameterized

from stgraph_tf.training.schedules import StepDecay


class StepDecayTest(parameterized.TestCase):
    @parameterized.parameters(
        (0, 0.00125), (89_999, 0.00125), (90_000, 0.000125), (99_999, 0.000125)
    )
    def test_the_papers_schedule(self, step, rate):
        schedule = StepDecay(0.00125, decay_steps=(90_000,))
        self.assertAlmostEqual(float(schedule(step)), rate, places=9)

    @parameterized.parameters((0, 0.25), (1, 0.5), (3, 1.0), (9, 1.0), (10, 0.5), (20, 0.25))
    def test_warmup_and_two_decays(self, step, rate):
        schedule = StepDecay(1.0, decay_steps=(10, 20), decay_rate=0.5, warmup_steps=4)
        self.assertAlmostEqual(float(schedule(step)), rate, places=6)

    def test_config_restores_the_schedule(self):
        schedule = StepDecay(0.1, (5,), 0.5, 2)
        serialized = keras.optimizers.schedules.serialize(schedule)
        restored = keras.optimizers.schedules.deserialize(serialized)
        self.assertEqual(restored.get_config(), schedule.get_config())

    def test_refuses_senseless_numbers(self):
        with self.assertRaisesRegex(ValueError, "learning_rate"):
            StepDecay(0.0)
        with self.assertRaisesRegex(ValueError, "ascend"):
            StepDecay(0.1, (20, 10))


if __name__ == "__main__":
    absltest.main()
