"""The benchmark of the local server under load and under fire, with the smallest network."""

import collections

import numpy as np
from absl.testing import absltest

from benchmarks import load, malformed_requests, measure
from benchmarks.malformed_requests import Mistake
from stgraph_tf import config


class LoadTest(absltest.TestCase):
    def test_right_answers_proper_answers_and_a_good_end(self):
        settings = config.for_variant("tiny_joint", ("tiny",))
        settings.data.update(num_frames=4, num_boxes=3, crop_size=32, short_side=(32, 32))
        options = measure.Options(rounds=2, amount=50, malformed=400)
        report = load.run(options, settings)
        (row,) = report.rows
        self.assertLen(row.rates, 2)
        self.assertGreater(row.rate, 0)
        self.assertBetween(row.peak_bytes, 1e8, 4e9)
        notes = "\n".join(report.notes)
        self.assertIn("100 right answers, none wrong, none missing", notes)
        for kind in ("serving_default", "encoded_frames"):
            for protocol in ("gRPC", "REST"):
                self.assertRegex(notes, rf"{kind}, {protocol}: \d\d requests, p50 \d+ ms, p99 \d+")
        self.assertIn("400 malformed requests in", notes)
        self.assertRegex(notes, r"a JPEG that breaks off: INVALID_ARGUMENT \d")
        self.assertRegex(notes, r"half a body, slowly: HTTP 408 \d")
        self.assertRegex(notes, r"SIGTERM under load: exit status 0, (\d+) of \1 accepted requests")

    def test_an_improper_answer_is_told(self):
        mistakes = [
            Mistake("good", lambda random: "refused", frozenset({"refused"})),
            Mistake("bad", lambda random: "accepted", frozenset({"refused"})),
        ]
        with self.assertRaisesRegex(
            ValueError, r"2 improper answers; bad \(number \d\) is answered by accepted"
        ):
            malformed_requests.send(mistakes, 4, 2)
        answers = malformed_requests.send(mistakes[:1], 4, 2)
        self.assertEqual(answers, {"good": collections.Counter(refused=4)})

    def test_a_wrong_answer_is_told(self):
        right = load.Reply("serving_default, gRPC", 0.1, 1e-7)
        for difference in (0.1, np.nan):
            wrong = load.Reply("encoded_frames, REST", 0.1, difference)
            with self.assertRaisesRegex(ValueError, "1 of 2 answers are wrong; the first, of enc"):
                load.check([right, wrong], [])
        with self.assertRaisesRegex(ValueError, "1 requests were not answered: gone"):
            load.check([right], [OSError("gone")])


if __name__ == "__main__":
    absltest.main()
