"""Tests of a server that runs in this process and serves the small model."""

import contextlib
import dataclasses
import gc
import os
import tempfile
import time

import grpc
from absl.testing import parameterized

from stgraph_tf.serving.local_server import background
from stgraph_tf.serving.local_server.calls import Call
from stgraph_tf.serving.local_server.settings import Settings
from tests.serving.local_server import small_model
from tests.serving.local_server.asking import Client


class ServingCase(parameterized.TestCase):
    """Starts a server for the class, with version 1.

    Attributes:
        CHANGES: of the settings.
    """

    CHANGES: dict = {}  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        small_model.publish(cls.folder, 1)
        cls.server = cls.enterClassContext(background.running(settings(cls.folder, **cls.CHANGES)))
        cls.client = Client(cls.server)
        cls.addClassCleanup(cls.client.close)
        cls.client.wait_for_version(1)

    @contextlib.contextmanager
    def refused(self, code: grpc.StatusCode, sentence: str = ""):
        """A block that ends with a status."""
        with self.assertRaises(grpc.RpcError) as refusal:
            yield
        error = refusal.exception
        self.assertEqual(error.code(), code, error.details())
        self.assertIn(sentence, error.details())

    @contextlib.contextmanager
    def nothing_is_kept(self):
        """A block after which no call is in memory, though nobody has looked for garbage."""
        gc.collect()
        gc.disable()
        try:
            yield
            kept = _calls()
            end = time.monotonic() + 10
            while kept and time.monotonic() < end:
                # The client has its answer a moment before the server is done.
                time.sleep(0.02)
                kept = _calls()
        finally:
            gc.enable()
        self.assertEmpty(kept)

    def pipe(self) -> str:
        """A pipe that the signature `wait` waits at."""
        path = os.path.join(self.create_tempdir().full_path, "pipe")
        os.mkfifo(path)
        return path


def _calls() -> list[str]:
    return [repr(found.inputs) for found in gc.get_objects() if type(found) is Call]


def settings(folder: str, **changes) -> Settings:
    """Settings for tests: any free ports, and new versions are noticed at once."""
    found = Settings(small_model.NAME, folder, port=0, rest_api_port=0)
    return dataclasses.replace(found, **{"file_system_poll_wait_seconds": 0.05, **changes})


def let_go(path: str) -> None:
    """Lets go who waits at a pipe, or will do so next."""
    with open(path, "rb") as pipe:
        pipe.read()
