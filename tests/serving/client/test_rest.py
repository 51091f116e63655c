"""The client's REST connection against servers and proxies that answer in all kinds of ways."""

import base64
import contextlib
import http.server
import json
import threading

import numpy as np
from absl.testing import absltest

from stgraph_tf.serving.client import RequestError, Retries, connect

PATH = "/v1/models/stgraph"
FRAMES = np.arange(24, dtype=np.uint8).reshape([1, 2, 2, 2, 3])


class _Handler(http.server.BaseHTTPRequestHandler):
    """Gives the next answer of its server: a status and a body, or a function of the handler."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        answers = self.server.answers
        self.server.requests.append((self.command, self.path, body))
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer(self)
            return
        status, reply = answer
        reply = reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    do_GET = do_POST  # noqa: N815

    def log_message(self, *_):
        pass


class RestTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.server.requests = []
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)

    def connect(self, *answers, address=None, **settings):
        self.server.answers = list(answers)
        settings = {"timeout": 10.0, "retries": Retries(pause=0.01), **settings}
        opened = connect(address or self.address, "stgraph", **settings)
        self.enter_context(contextlib.closing(opened))
        return opened

    def predict(self, *answers, inputs=None, version=None, **settings):
        inputs = {"frames": FRAMES} if inputs is None else inputs
        connection = self.connect(*answers, **settings)
        return connection.predict("serving_default", inputs, ["scores"], version)

    def assert_fails(self, code, sentence, *answers, **settings):
        with self.assertRaisesRegex(RequestError, sentence) as failure:
            self.predict(*answers, **settings)
        self.assertEqual(failure.exception.code, code)

    def test_what_is_sent(self):
        jpegs = np.array([[b"\xff\xd8", b"\x00"]], object)
        boxes = np.array([[[[0.1, 0.2, 0.3, 1 / 3]]]], np.float32)
        inputs = {"frames": FRAMES, "encoded_frames": jpegs, "boxes": boxes}
        self.predict((200, {"outputs": [[0.5]]}), inputs=inputs, version=3)
        ((method, path, body),) = self.server.requests
        self.assertEqual((method, path), ("POST", f"{PATH}/versions/3:predict"))
        request = json.loads(body)
        self.assertEqual(request["signature_name"], "serving_default")
        columns = request["inputs"]
        np.testing.assert_array_equal(columns["frames"], FRAMES)
        np.testing.assert_array_equal(np.float32(columns["boxes"]), boxes)
        decoded = [
            [base64.b64decode(jpeg["b64"]) for jpeg in row] for row in columns.pop("encoded_frames")
        ]
        self.assertEqual(decoded, jpegs.tolist())

    def test_one_output_comes_without_its_name_and_several_with_theirs(self):
        found = self.predict((200, {"outputs": [[0.25, 0.5]]}))
        np.testing.assert_array_equal(found["scores"], [[0.25, 0.5]])
        found = self.predict((200, {"outputs": {"scores": [[1]], "boxes": [[[[0, 0, 1, 1]]]]}}))
        self.assertEqual(found["boxes"].shape, (1, 1, 1, 4))
        self.assertEqual(self.server.requests[0][1], f"{PATH}:predict")

    def test_metadata(self):
        dims = {"dim": [{"size": "-1", "name": ""}, {"size": "5", "name": ""}]}
        outputs = {"scores": {"tensor_shape": dims}, "anything": {"tensor_shape": {"dim": []}}}
        answer = {
            "model_spec": {"name": "stgraph", "version": "12"},
            "metadata": {"signature_def": {"signature_def": {"explain": {"outputs": outputs}}}},
        }
        metadata = self.connect((200, answer)).metadata(None)
        self.assertEqual(metadata.version, 12)
        self.assertEqual(metadata.signatures, {"explain": {"scores": 5, "anything": None}})
        self.assertEqual(self.server.requests[0][:2], ("GET", f"{PATH}/metadata"))

    def test_a_folder_of_a_proxy_comes_before_the_path(self):
        self.predict((200, {"outputs": [[1]]}), address=f"{self.address}/videos/")
        self.assertEqual(self.server.requests[0][1], f"/videos{PATH}:predict")

    def test_errors_are_told_in_the_servers_words(self):
        for status, code in ((400, "INVALID_ARGUMENT"), (404, "NOT_FOUND"), (500, "INTERNAL")):
            self.assert_fails(code, f"answered {code}: so it is", (status, {"error": "so it is"}))
            self.assertLen(self.server.requests, 1)
            self.server.requests.clear()

    def test_tries_again_while_the_server_is_not_available(self):
        found = self.predict((503, {"error": "full"}), (429, b""), (200, {"outputs": [[1]]}))
        np.testing.assert_array_equal(found["scores"], [[1]])
        self.assertLen(self.server.requests, 3)

    def test_tries_again_when_the_connection_breaks(self):
        def hang_up(handler):
            handler.connection.close()
            handler.close_connection = True

        self.predict(hang_up, (200, {"outputs": [[1]]}))
        self.assertLen(self.server.requests, 2)

    def test_gives_up_on_a_server_that_is_not_there(self):
        self.assert_fails(
            "UNAVAILABLE",
            "the server http://127.0.0.1:1 is not available: .*refused",
            (200, {}),
            address="http://127.0.0.1:1",
        )

    def test_gives_up_when_the_time_is_over(self):
        ended = threading.Event()
        self.addCleanup(ended.set)
        self.assert_fails(
            "DEADLINE_EXCEEDED",
            "http://127.0.0.1:.* did not answer within 0.3 s",
            lambda handler: ended.wait(10),
            timeout=0.3,
        )

    def test_messages_that_are_too_large(self):
        self.assert_fails(
            "RESOURCE_EXHAUSTED", "takes .*HTTP status 413.*: send compressed", (413, b"<html>")
        )
        self.server.requests.clear()
        for limit in (10, 80):  # Smaller than the frames, and than what they are in JSON.
            self.assert_fails(
                "RESOURCE_EXHAUSTED",
                "the message would have .*: send compressed",
                (200, {}),
                max_message_bytes=limit,
            )
        self.assertEmpty(self.server.requests)

    def test_what_is_no_model_server(self):
        for answer in ((200, b"<html>"), (200, [1]), (200, {"predictions": [1]})):
            self.assert_fails("INTERNAL", "does not seem to be a model server", answer)
        with self.assertRaisesRegex(RequestError, "metadata without 'metadata'"):
            self.connect((200, {})).metadata(None)
        self.assert_fails("NOT_FOUND", "answered NOT_FOUND: HTTP status 404", (404, b"<html>"))

    def test_closing_ends_what_is_under_way_and_is_not_tried_again(self):
        arrived, ended = threading.Event(), threading.Event()
        self.addCleanup(ended.set)

        def wait(handler):
            arrived.set()
            ended.wait(10)

        connection = self.connect(wait)
        failures = []

        def request():
            try:
                connection.predict("serving_default", {"frames": FRAMES}, ["scores"], None)
            except RequestError as error:
                failures.append(error.code)

        thread = threading.Thread(target=request)
        thread.start()
        self.assertTrue(arrived.wait(10))
        connection.close()
        thread.join(5)
        self.assertEqual(failures, ["CANCELLED"])
        self.assertLen(self.server.requests, 1)

    def test_addresses(self):
        for server in ("localhost", "localhost:", "http://", "ftp://a:1", "a b:1", ""):
            with self.assertRaisesRegex(ValueError, "expected a server HOST:PORT.*Received"):
                connect(server, "stgraph")


if __name__ == "__main__":
    absltest.main()
