"""The pool with functions of the standard library, so that its processes need import nothing."""

import math
import os

from absl.testing import absltest, parameterized

from stgraph_tf.data import film_pool


class MapOrderedTest(parameterized.TestCase):
    @parameterized.parameters(1, 2)
    def test_results_come_in_order(self, num_workers):
        # The first takes far longest.
        items = [200_000, *range(30)]
        results = list(film_pool.map_ordered(math.factorial, items, num_workers))
        self.assertEqual(results, [math.factorial(item) for item in items])

    @parameterized.parameters(1, 2)
    def test_no_items(self, num_workers):
        self.assertEmpty(list(film_pool.map_ordered(math.factorial, [], num_workers)))

    def test_items_are_taken_as_they_are_needed(self):
        taken = []

        def items():
            for item in range(1000):
                taken.append(item)
                yield item

        results = film_pool.map_ordered(math.factorial, items(), 2)
        for _ in range(10):
            next(results)
        results.close()
        self.assertLess(len(taken), 20)

    @parameterized.parameters(1, 2)
    def test_errors_come_through(self, num_workers):
        results = film_pool.map_ordered(math.factorial, [3, -1, 4], num_workers)
        self.assertEqual(next(results), 6)
        with self.assertRaisesRegex(ValueError, "factorial"):
            next(results)

    def test_dead_worker(self):
        with self.assertRaisesRegex(ValueError, "a worker process died, .*: one of 3, 4"):
            list(film_pool.map_ordered(os._exit, [3, 4, 5], 2))


class WorthStartingTest(absltest.TestCase):
    def test_few_films_need_no_pool(self):
        self.assertEqual(film_pool.worth_starting(1), 1)
        self.assertEqual(film_pool.worth_starting(0), 1)

    def test_never_more_than_cores(self):
        self.assertBetween(film_pool.worth_starting(1_000_000), 1, os.cpu_count())


if __name__ == "__main__":
    absltest.main()
