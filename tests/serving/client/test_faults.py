"""The client over gRPC, when servers and films fail: a server that answers as it is told."""

import os
import socket
import tempfile
import threading
import time

import grpc
import numpy as np
from absl.testing import absltest

from stgraph_tf.serving import assets, client
from tests.serving.client.scripted_server import ScriptedServer, running
from tests.serving.test_predictor import CLIP, LABELS, write_film

SCORES = np.array([[0.1, 0.9, 0.5]], np.float32)
FAST = client.Retries(pause=0.02)


def right(request, context):
    return {"scores": SCORES}


def abort(code, details):
    return lambda request, context: context.abort(code, details)


class FaultsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.film = client.Film(os.path.join(cls.folder, "film.mp4"))
        write_film(cls.film.path, seconds=2)  # 5 clips
        cls.short = client.Film(os.path.join(cls.folder, "short.mp4"))
        write_film(cls.short.path, seconds=0.5)  # 1 clip
        cls.broken = client.Film(os.path.join(cls.folder, "broken.mp4"))
        with open(cls.broken.path, "w") as file:
            file.write("no film" * 99)

    def setUp(self):
        super().setUp()
        self.server = ScriptedServer(LABELS, CLIP, right)

    def serve(self, **options):
        return self.enter_context(running(self.server, **options))

    def connect(self, address, **settings):
        settings = {"timeout": 20.0, "retries": FAST, **settings}
        return self.enter_context(client.Client(address, "stgraph", **settings))

    def predict(self, served, *films):
        return list(served.predict(films, boxes="none"))

    def test_scores_come_with_labels(self):
        served = self.connect(self.serve())
        (prediction,) = self.predict(served, self.film)
        self.assertIsNone(prediction.error)
        self.assertEqual(prediction.video, self.film.path)
        self.assertEqual(prediction.version, 1)
        ranked = prediction.ranked()
        self.assertEqual([label for label, _ in ranked], ["pull", "lift", "push"])
        np.testing.assert_allclose([score for _, score in ranked], [0.9, 0.5, 0.1], rtol=1e-6)
        self.assertEqual((prediction.num_frames, prediction.num_clips), (12, 5))
        self.assertEqual(self.server.requests, ["describe"] * 2 + ["encoded_frames"] * 5)

    def test_waits_for_a_server_that_is_starting(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        started = threading.Timer(0.5, lambda: self.serve(port=port))
        started.start()
        self.addCleanup(started.join)
        retries = client.Retries(count=10, pause=0.1)
        (prediction,) = self.predict(self.connect(f"127.0.0.1:{port}", retries=retries), self.short)
        self.assertIsNone(prediction.error)

    def test_a_server_that_is_not_there(self):
        with self.assertRaisesRegex(
            client.RequestError, "the server 127.0.0.1:1 is not available: .*refused"
        ):
            self.connect("127.0.0.1:1")

    def test_tries_again_when_the_queue_is_full(self):
        refusals = [abort(grpc.StatusCode.UNAVAILABLE, "the queue is full")] * 2
        self.server.answer = lambda *call: refusals.pop()(*call) if refusals else right(*call)
        served = self.connect(self.serve(), in_flight=1)
        (prediction,) = self.predict(served, self.short)
        self.assertIsNone(prediction.error)
        self.assertEqual(self.server.requests.count("encoded_frames"), 3)

    def test_a_wrong_request_is_not_tried_again_and_told_in_the_servers_words(self):
        self.server.answer = abort(grpc.StatusCode.INVALID_ARGUMENT, "boxes must have\nshape [B]")
        (prediction,) = self.predict(self.connect(self.serve()), self.short)
        self.assertRegex(
            prediction.error, "^127.0.0.1:.* answered INVALID_ARGUMENT: boxes must have shape .B.$"
        )
        self.assertEqual(self.server.requests.count("encoded_frames"), 1)

    def test_a_server_that_does_not_answer_in_time(self):
        ended = threading.Event()
        self.addCleanup(ended.set)
        self.server.answer = lambda request, context: ended.wait(20) and {}
        served = self.connect(self.serve(), timeout=0.5)
        (prediction,) = self.predict(served, self.short)
        self.assertRegex(prediction.error, "^127.0.0.1:.* did not answer within 0.5 s")

    def test_a_model_or_version_that_is_not_there(self):
        address = self.serve()
        with self.assertRaisesRegex(client.RequestError, "NOT_FOUND: Servable not found.*other"):
            client.Client(address, "other")
        with self.assertRaisesRegex(client.RequestError, "NOT_FOUND: Servable not found.*7"):
            self.connect(address, model_version=7)

    def test_a_clip_larger_than_the_limit_is_not_sent(self):
        served = self.connect(self.serve(), max_message_bytes=2000)
        (prediction,) = self.predict(served, self.short)
        self.assertRegex(
            prediction.error, "the message would have .* MB, and 0.0 MB is the limit.*: send compr"
        )
        self.assertNotIn("encoded_frames", self.server.requests)

    def test_a_clip_larger_than_the_server_takes(self):
        address = self.serve(grpc__max_receive_message_length=5000)
        served = self.connect(address, signature_name="serving_default")
        (prediction,) = self.predict(served, self.short)
        self.assertRegex(
            prediction.error, "the message is larger than 127.0.0.1.* takes .*: send compressed"
        )

    def test_a_film_that_fails_does_not_lose_the_others(self):
        films = [self.short, self.broken, self.film, client.Film("nothing.mp4")]
        predictions = self.predict(self.connect(self.serve()), *films)
        self.assertEqual([p.video for p in predictions], [film.path for film in films])
        self.assertEqual([bool(p.error) for p in predictions], [False, True, False, True])
        self.assertIn("broken.mp4 cannot be read as a film", predictions[1].error)
        self.assertIn("nothing.mp4 does not exist", predictions[3].error)

    def test_boxes_are_found_by_the_films_names(self):
        boxes = os.path.join(self.folder, "boxes.jsonl")
        with open(boxes, "w") as file:
            file.write('{"id": "film", "times": [0], "boxes": [[[0, 0, 1, 1]]]}\n')
        served = self.connect(self.serve())
        films = [self.film, self.short]
        first, second = served.predict(films, boxes=boxes, by_id=True)
        self.assertEqual(first.num_boxes, 1)
        self.assertIn("has no line with id 'short'", second.error)

    def test_results_come_in_the_films_order_whatever_is_answered_first(self):
        answered = []

        def answer(request, context):
            frames = request.inputs["encoded_frames"].string_val
            clip = len(answered)
            answered.append(frames)
            time.sleep(0.05 * (4 - clip % 5))
            return {"scores": SCORES * (clip == 2)}

        self.server.answer = answer
        served = self.connect(self.serve(), in_flight=5)
        films = [self.film, self.short, self.film]
        predictions = self.predict(served, *films)
        self.assertEqual([p.video for p in predictions], [film.path for film in films])
        np.testing.assert_array_equal(predictions[0].scores, SCORES[0])

    def test_as_many_requests_in_flight_as_were_asked_for(self):
        lock, counts = threading.Lock(), {"now": 0, "most": 0}
        together = threading.Barrier(3)

        def answer(request, context):
            with lock:
                counts["now"] += 1
                counts["most"] = max(counts["most"], counts["now"])
            if request.inputs:
                together.wait(10)  # Three must be here at once, or this fails.
            time.sleep(0.05)
            with lock:
                counts["now"] -= 1
            return {"scores": SCORES}

        self.server.answer = answer
        served = self.connect(self.serve(), in_flight=3)
        predictions = self.predict(served, *[self.short] * 9)
        self.assertTrue(all(p.error is None for p in predictions))
        self.assertEqual(counts["most"], 3)

    def test_progress_ends_with_all_requests_done(self):
        seen = []
        served = self.connect(self.serve())
        films = [self.film, self.broken, self.short]
        list(served.predict(films, boxes="none", watch=lambda *counts: seen.append(counts)))
        self.assertEqual(seen[-1], (6, 6))
        self.assertEqual(seen, sorted(seen))

    def test_a_server_that_goes_away_in_the_middle(self):
        with running(self.server) as address:
            served = self.connect(address, retries=client.Retries(count=1, pause=0.02), in_flight=1)
            predictions = served.predict([self.short] * 9, boxes="none")
            found = [next(predictions)]
        found += predictions
        self.assertLen(found, 9)
        self.assertIsNone(found[0].error)
        self.assertRegex(found[-1].error, "^not sent: 127.0.0.1.* was not available for the 3")
        tried = [p for p in found if p.error and "is not available" in p.error]
        self.assertBetween(len(tried), 3, 5)

    def test_a_new_version_in_the_middle_scores_whole_films(self):
        """No film is scored by two versions, or gets labels of another one."""

        def answer(request, context):
            if len(self.server.requests) == 5:  # Two of the film's clips were scored.
                self.server.version, self.server.labels = 2, ("new", "names")
            return {"scores": SCORES[:, : len(self.server.labels)]}

        self.server.answer = answer
        served = self.connect(self.serve(), in_flight=1)
        first, second = self.predict(served, self.film, self.film)
        self.assertEqual((first.error, second.error), (None, None))
        self.assertEqual((first.version, second.version), (2, 2))
        self.assertEqual(first.labels, ("new", "names"))
        self.assertEqual(first.num_clips, 5)

    def test_a_version_that_was_asked_for_is_not_replaced(self):
        served = self.connect(self.serve(), model_version=1)
        self.server.version = 2
        (prediction,) = self.predict(served, self.short)
        self.assertIn("NOT_FOUND", prediction.error)

    def test_a_server_that_does_not_tell_the_labels(self):
        self.server.signatures.remove("describe")
        address = self.serve()
        with self.assertRaisesRegex(ValueError, "has no signature describe.*saved_model"):
            self.connect(address)
        saved = self.create_tempdir().full_path
        for version, labels in ((1, LABELS), (2, LABELS[:2])):
            folder = os.path.join(saved, str(version))
            assets.write(os.path.join(folder, assets.FOLDER), labels, CLIP)
            with open(os.path.join(folder, "saved_model.pb"), "w"):
                pass
        # Of a folder of versions, the one that is served counts.
        served = self.connect(address, saved_model=saved)
        self.assertEqual(served.model.labels, LABELS)
        (prediction,) = self.predict(served, self.short)
        self.assertIsNone(prediction.error)
        with self.assertRaisesRegex(ValueError, "gives 3 scores, but .*2 has 2 labels"):
            self.connect(address, saved_model=os.path.join(saved, "2"))

    def test_answers_that_make_no_sense(self):
        served = self.connect(self.serve())
        self.server.answer = lambda *_: {"logits": SCORES}
        (prediction,) = self.predict(served, self.short)
        self.assertIn("encoded_frames gave no scores", prediction.error)
        self.server.answer = lambda *_: {"scores": SCORES[:, :2]}
        (prediction,) = self.predict(served, self.short)
        self.assertIn("expected a score for each of 3 labels, received", prediction.error)

    def test_signatures_that_do_not_fit(self):
        address = self.serve()
        with self.assertRaisesRegex(
            ValueError, "must say where the films' boxes are .*no detector"
        ):
            self.connect(address).predict([self.film])
        with self.assertRaisesRegex(
            ValueError, "with boxes need one of the signatures encoded_frames, serving_default. "
        ):
            self.connect(address, signature_name="frames_only").predict([self.film], boxes="none")


if __name__ == "__main__":
    absltest.main()
