"""The queue before TensorFlow: its bound, deadlines, batches, and clients who leave."""

import functools
import tempfile
from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
from absl.testing import absltest

from stgraph_tf.serving.local_server import background
from tests.serving.local_server import serving_case, small_model
from tests.serving.local_server.asking import Client
from tests.serving.local_server.serving_case import ServingCase

SECONDS = 20


class QueueCase(ServingCase):
    """One thread computes, which a test may keep busy."""

    def setUp(self):
        super().setUp()
        self.pool = self.enterContext(ThreadPoolExecutor(16))
        self.stub = self.client.prediction

    def later(self, *arguments, **inputs):
        """An answer that is waited for in a thread."""
        return self.pool.submit(self.client.predict, *arguments, **inputs)

    def busy(self):
        """Keeps the thread busy; returns what ends that and gives the answer."""
        path = self.pipe()
        waiting = self.later("wait", path=np.array([path.encode()], object))
        self.client.wait_until(lambda: self.client.inside() > 0)

        @functools.cache
        def let_go():
            serving_case.let_go(path)
            return waiting.result(SECONDS)

        self.addCleanup(let_go)
        return let_go

    def computed(self):
        """How often TensorFlow was run, and with how many rows in all."""
        name = ':stgraph_tf:local_server:batch_rows_%s{model_name="small"}'
        return self.client.metric(name % "count"), self.client.metric(name % "sum")


def rows(*numbers):
    return np.array(numbers, np.float32)[:, np.newaxis] * np.ones([1, 3], np.float32)


class QueueTest(QueueCase):
    CHANGES = {  # noqa: RUF012
        "num_batch_threads": 1,
        "max_queue_length": 3,
        "rest_api_timeout_in_ms": 300,
    }

    def test_what_finds_no_place_is_refused_and_the_rest_is_answered(self):
        let_go = self.busy()
        queued = [self.later(x=rows(n)) for n in (1, 2)]
        self.client.wait_until(lambda: self.client.inside() == 3)
        with self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy with 3 requests"):
            self.client.predict(x=rows(3))
        status, answer = self.client.http("/v1/models/small:predict", {"instances": [[1, 2, 3]]})
        self.assertEqual(status, 503)
        self.assertIn("busy with 3 requests", answer["error"])
        self.assertEqual(self.client.status(), {1: "AVAILABLE"})  # Questions are answered.
        let_go()
        for n, answer in zip((1, 2), queued, strict=True):
            np.testing.assert_array_equal(answer.result(SECONDS)["y"], rows(n))

    def test_what_is_late_is_answered_in_time_and_not_computed(self):
        let_go = self.busy()
        before, _ = self.computed()
        with self.refused(grpc.StatusCode.DEADLINE_EXCEEDED):
            self.client.send(self.client.request(x=rows(1)), timeout=0.2)
        status, answer = self.client.http("/v1/models/small:predict", {"instances": [[1, 2, 3]]})
        self.assertEqual(status, 504)
        self.assertEqual(answer["error"], "the request's time is over")
        let_go()
        self.client.predict(x=rows(2))
        after, _ = self.computed()
        self.assertEqual(after - before, 2)  # The one that was busy, and the last.

    def test_who_leaves_makes_place_and_is_not_computed(self):
        let_go = self.busy()
        before, _ = self.computed()
        call = self.stub.Predict.future(self.client.request(x=rows(1)), timeout=SECONDS)
        self.client.wait_until(lambda: self.client.inside() == 2)
        call.cancel()
        self.client.wait_until(lambda: self.client.inside() == 1)
        let_go()
        self.client.predict(x=rows(2))
        after, _ = self.computed()
        self.assertEqual(after - before, 2)


class CutOffTest(QueueCase):
    CHANGES = {"stop_timeout_seconds": 0.3}  # noqa: RUF012

    def test_what_takes_too_long_is_cut_off_when_the_server_stops(self):
        path = self.pipe()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        small_model.publish(folder, 1)
        settings = serving_case.settings(folder, **self.CHANGES)
        with self.assertLogs("absl", "INFO") as logged:
            with background.running(settings) as server:
                client = Client(server)
                client.wait_for_version(1)
                call = client.prediction.Predict.future(
                    client.request("wait", path=np.array([path.encode()], object)), timeout=SECONDS
                )
                client.wait_until(lambda: client.inside() == 1)

                def let_go():
                    # TensorFlow cannot be cut off: the server waits until it has done.
                    code = call.code()
                    serving_case.let_go(path)
                    return code

                code = self.pool.submit(let_go)
            self.assertIn(code.result(), (grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAVAILABLE))
            client.close()
        self.assertIn("answered 0 of 1 accepted requests", logged.output[-1])


class BatchingTest(QueueCase):
    CHANGES = {  # noqa: RUF012
        "num_batch_threads": 1,
        "enable_batching": True,
        "max_batch_size": 4,
        "batch_timeout_micros": 1000,
    }

    def queue(self, *requests):
        """Sends requests while the thread is busy; returns their answers, runs and rows."""
        let_go = self.busy()
        answers = []
        for number, (signature, x) in enumerate(requests):
            answers.append(self.later(signature, x=x))
            self.client.wait_until(lambda number=number: self.client.inside() == number + 2)
        runs, computed_rows = self.computed()
        let_go()
        self.client.wait_until(lambda: all(answer.done() for answer in answers))
        after, rows_after = self.computed()
        return answers, after - runs - 1, rows_after - computed_rows - 1

    def test_requests_of_a_kind_are_computed_together_up_to_the_bound(self):
        inputs = [rows(1), rows(2, 3), rows(4), rows(5, 6, 7, 8)]
        answers, runs, computed = self.queue(*[("", x) for x in inputs])
        self.assertEqual((runs, computed), (2, 8))
        for x, answer, together in zip(inputs, answers, (4, 4, 4, 4), strict=True):
            np.testing.assert_allclose(answer.result()["y"], x, atol=1e-6)
            np.testing.assert_array_equal(answer.result()["rows"], [together] * len(x))

    def test_a_request_larger_than_a_batch_is_refused(self):
        with self.refused(grpc.StatusCode.INVALID_ARGUMENT, "has 5 rows, and a batch has at most"):
            self.client.predict(x=rows(1, 2, 3, 4, 5))

    def test_requests_of_other_shapes_and_signatures_are_kept_apart(self):
        answers, runs, _ = self.queue(
            ("", rows(1)), ("total", rows(2)), ("", rows(3)[:, :2]), ("", rows(4))
        )
        self.assertEqual(runs, 3)
        first, total, narrow, last = [answer.result() for answer in answers]
        np.testing.assert_array_equal(first["rows"], [2])
        np.testing.assert_array_equal(last["rows"], [2])
        np.testing.assert_allclose(total["total"], 6)
        np.testing.assert_array_equal(narrow["y"], [[3, 3]])

    def test_a_mistake_is_only_its_own(self):
        good, bad, other = self.queue(("", rows(1)), ("", rows(np.nan)), ("", rows(2)))[0]
        np.testing.assert_array_equal(good.result()["y"], rows(1))
        np.testing.assert_array_equal(other.result()["y"], rows(2))
        with self.refused(grpc.StatusCode.INVALID_ARGUMENT, "x must be finite"):
            bad.result()

    def test_outputs_that_are_not_by_row_are_computed_one_by_one(self):
        for _ in range(2):  # Found out the first time, known the second.
            answers, _, _ = self.queue(("total", rows(1)), ("total", rows(2)))
            self.assertEqual([float(answer.result()["total"]) for answer in answers], [3, 6])

    def test_a_batch_waits_for_more_only_as_long_as_it_may(self):
        np.testing.assert_array_equal(self.client.predict(x=rows(1))["y"], rows(1))


class PatientBatchingTest(QueueCase):
    CHANGES = {  # noqa: RUF012
        "enable_batching": True,
        "max_batch_size": 4,
        "batch_timeout_micros": 1_000_000 * 2 * SECONDS,
    }

    def test_a_batch_waits_for_more_until_it_is_full(self):
        answers = [self.later(x=rows(1, 2)), self.later(x=rows(3, 4))]
        for answer in answers:
            np.testing.assert_array_equal(answer.result(SECONDS)["rows"], [4, 4])


if __name__ == "__main__":
    absltest.main()
