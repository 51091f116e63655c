"""When a request is tried again, and when it is not."""

from absl.testing import absltest

from stgraph_tf.serving.client import errors
from stgraph_tf.serving.client.errors import RequestError
from stgraph_tf.serving.client.retries import Retries


class World:
    """A clock that only sleeping and trying moves, and a server that fails some times first."""

    def __init__(self, failures, passing=True, seconds=0.0):
        self.now = 100.0
        self.pauses = []
        self.remaining = []
        self._failures = failures
        self._passing = passing
        self._seconds = seconds

    def attempt(self, remaining):
        self.remaining.append(remaining)
        self.now += self._seconds
        if len(self.remaining) <= self._failures:
            number = len(self.remaining)
            raise RequestError("A_STATUS", f"failure {number}", passing=self._passing)
        return "answer"

    def sleep(self, pause):
        self.pauses.append(pause)
        self.now += pause

    def run(self, retries, timeout, uniform=lambda low, high: high):
        return retries.run(
            self.attempt, timeout, clock=lambda: self.now, sleep=self.sleep, uniform=uniform
        )


class RetriesTest(absltest.TestCase):
    def test_pauses_double_up_to_the_longest(self):
        world = World(failures=5)
        retries = Retries(count=5, pause=0.5, longest_pause=3.0)
        self.assertEqual(world.run(retries, timeout=60), "answer")
        self.assertEqual(world.pauses, [0.5, 1.0, 2.0, 3.0, 3.0])

    def test_pauses_are_random_from_half_their_length(self):
        world = World(failures=2)
        drawn = []

        def uniform(low, high):
            drawn.append((low, high))
            return low

        world.run(Retries(pause=0.5), 60, uniform)
        self.assertEqual(drawn, [(0.25, 0.5), (0.5, 1.0)])
        self.assertEqual(world.pauses, [0.25, 0.5])

    def test_gives_up_with_the_last_error(self):
        world = World(failures=9)
        with self.assertRaisesRegex(RequestError, "failure 3"):
            world.run(Retries(count=2), timeout=60)
        self.assertLen(world.pauses, 2)

    def test_failures_that_do_not_pass_are_final(self):
        world = World(failures=1, passing=False)
        with self.assertRaisesRegex(RequestError, "failure 1"):
            world.run(Retries(), timeout=60)
        self.assertEmpty(world.pauses)

    def test_which_failures_pass(self):
        passing = {
            code: errors.answered("a server", code, "why").passing
            for code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "INVALID_ARGUMENT", "NOT_FOUND")
        }
        self.assertEqual(list(passing.values()), [True, True, False, False])
        too_large = errors.answered("a server", "RESOURCE_EXHAUSTED", "9 larger than max 4")
        self.assertFalse(too_large.passing)
        self.assertFalse(errors.too_late("a server", 1.0).passing)

    def test_all_tries_share_one_deadline(self):
        world = World(failures=9, seconds=4.0)
        with self.assertRaisesRegex(RequestError, "failure 3"):
            world.run(Retries(count=8, pause=1.0), timeout=15)
        # 4 s, pause 1, 4 s, pause 2, 4 s: another pause of 4 s would end after the deadline.
        self.assertEqual(world.remaining, [15.0, 10.0, 4.0])


if __name__ == "__main__":
    absltest.main()
