"""Clients that say half of something, or nothing: they are given up, the others are answered."""

import socket

import numpy as np
from absl.testing import absltest

from benchmarks import http2_frames
from tests.serving.local_server.serving_case import ServingCase

BODY = b'{"instances": [[1, 2, 3]]}'
HEAD = b"POST /v1/models/small:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 26\r\n\r\n"
DEADLINE_EXCEEDED = b"grpc-status\x014"


class SlowClientsTest(ServingCase):
    CHANGES = {"client_timeout_seconds": 0.5, "max_queue_length": 2}  # noqa: RUF012

    def tearDown(self):
        found = self.client.predict(x=np.ones([1, 3], np.float32))
        np.testing.assert_array_equal(found["y"], [[1, 1, 1]])
        super().tearDown()

    def connect(self, port):
        connection = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.addCleanup(connection.close)
        return connection

    def rest(self, data):
        connection = self.connect(self.client.rest_port)
        connection.sendall(data)
        return connection

    def grpc(self, data):
        connection = self.connect(self.client.port)
        connection.sendall(data)
        return connection

    def test_half_a_body(self):
        answer = http2_frames.received(self.rest(HEAD + BODY[:5]), b"}")
        self.assertStartsWith(answer, b"HTTP/1.1 408 ")
        self.assertIn(b"did not arrive in 0.5 seconds", answer)

    def test_half_a_head(self):
        self.assertEqual(http2_frames.received(self.rest(HEAD[:40]), b"never"), b"")

    def test_nothing(self):
        self.assertEqual(http2_frames.received(self.rest(b""), b"never"), b"")

    def test_a_connection_that_is_not_used_any_more(self):
        connection = self.rest(HEAD + BODY)
        self.assertStartsWith(http2_frames.received(connection, b"}]}"), b"HTTP/1.1 200 ")
        self.assertEqual(http2_frames.received(connection, b"never"), b"")

    def test_half_a_body_and_gone(self):
        for _ in range(5):
            self.rest(HEAD + BODY[:5]).close()
        connection = self.rest(HEAD + BODY[:5])
        connection.shutdown(socket.SHUT_WR)
        http2_frames.received(connection, b"never")

    def test_what_is_no_http(self):
        answer = http2_frames.received(self.rest(b"\x16\x03\x01" + bytes(range(256))), b"never")
        self.assertStartsWith(answer, b"HTTP/1.0 400 ")

    def test_half_a_message(self):
        connection = self.grpc(
            http2_frames.opening() + http2_frames.message(b"abc", claimed=100, last=False)
        )
        self.assertIn(DEADLINE_EXCEEDED, http2_frames.received(connection, DEADLINE_EXCEEDED))

    def test_half_messages_take_no_place_for_ever(self):
        held = [self.grpc(http2_frames.opening()) for _ in range(2)]
        for connection in held:
            self.assertIn(DEADLINE_EXCEEDED, http2_frames.received(connection, DEADLINE_EXCEEDED))

    def test_no_message(self):
        connection = self.grpc(http2_frames.opening() + http2_frames.frame(0, 1, 1, b""))
        self.assertIn(b"grpc-status\x013", http2_frames.received(connection, b"grpc-status"))

    def test_half_a_handshake(self):
        http2_frames.received(self.grpc(http2_frames.PREFACE[:10]), b"never")

    def test_what_is_no_http2(self):
        http2_frames.received(self.grpc(b"GET / HTTP/1.1\r\n\r\n" + bytes(100)), b"never")


if __name__ == "__main__":
    absltest.main()
