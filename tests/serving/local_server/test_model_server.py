"""export/model_server.py as a process: what it says, what it refuses, and how it stops."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types

import grpc
import numpy as np
from absl.testing import absltest

from stgraph_tf.serving.local_server import background
from tests.serving.local_server import serving_case, small_model
from tests.serving.local_server.asking import Client

PROGRAM = os.path.join(os.path.dirname(__file__), "../../../export/model_server.py")
X = np.ones([1, 3], np.float32)
SECONDS = 120


def run(*flags):
    return subprocess.run(
        [sys.executable, PROGRAM, *flags], capture_output=True, text=True, timeout=SECONDS
    )


class Server:
    """A process that serves.

    Attributes:
        lines: what it prints first.
        port, rest_api_port, settings: as those of a `LocalServer`.
    """

    def __init__(self, folder, *flags):
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [
                *(sys.executable, PROGRAM, "--model_name=small", f"--model_base_path={folder}"),
                *("--port=0", "--rest_api_port=0", "--file_system_poll_wait_seconds=0.1", *flags),
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.lines = [self.process.stdout.readline() for _ in range(2)]
        ports = re.findall(r"127\.0\.0\.1:(\d+)", self.lines[1])
        self.port, self.rest_api_port = map(int, ports)
        self.settings = types.SimpleNamespace(model_name="small")

    def log(self):
        self._log.seek(0)
        return self._log.read()

    def end(self):
        """Waits for the end; returns the exit status."""
        self.process.stdout.close()
        return self.process.wait(SECONDS)


class RefusalTest(absltest.TestCase):
    def assert_refused(self, sentence, *flags):
        done = run(*flags)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stderr.splitlines()[-1], f"error: {sentence}")

    def test_flags(self):
        folder = self.create_tempdir().full_path
        base = f"--model_base_path={folder}"
        for sentence, *flags in (
            ("--model_base_path: there is no folder /nowhere", "--model_base_path=/nowhere"),
            ("--port must be 0 to 65535, received 70000", base, "--port=70000"),
            ("--port and --rest_api_port must differ, both are 8501", base, "--port=8501"),
            ("--max_queue_length must be positive, received 0", base, "--max_queue_length=0"),
            (
                "--model_name must be a name without / and :, received 'a/b'",
                base,
                "--model_name=a/b",
            ),
        ):
            with self.subTest(sentence):
                self.assert_refused(sentence, *flags)

    def test_a_saved_model_in_place_of_the_folder_of_versions(self):
        folder = self.create_tempdir()
        folder.create_file("saved_model.pb")
        self.assert_refused(
            "--model_base_path must be the folder that holds the versions; "
            f"{folder.full_path} is a SavedModel itself",
            f"--model_base_path={folder.full_path}",
        )

    def test_a_batching_configuration(self):
        file = self.create_tempfile(content="max_batch_size { value: 4 }\nbatching: yes please\n")
        self.assert_refused(
            f"{file.full_path} is no configuration of batching: it has 'please'",
            f"--model_base_path={self.create_tempdir().full_path}",
            f"--batching_parameters_file={file.full_path}",
        )

    def test_ports_in_use(self):
        folder = self.create_tempdir().full_path
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
            port = taken.getsockname()[1]
            for flag in ("port", "rest_api_port"):
                sentence = f"--{flag}: 127.0.0.1:{port} cannot be listened on; another server may"
                settings = serving_case.settings(folder, **{flag: port})
                refused = self.assertRaisesRegex(ValueError, sentence)
                with self.subTest(flag), refused, background.running(settings):
                    self.fail("it runs")


class ProcessTest(absltest.TestCase):
    def test_an_interrupt_under_load_loses_no_accepted_request(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        server = Server(folder, "--enable_batching")
        self.addCleanup(server.process.kill)
        self.assertStartsWith(server.lines[0], "TF Serving (tensorflow_model_server) is the prod")
        self.assertStartsWith(server.lines[1], "listening: gRPC on 127.0.0.1:")
        client = Client(server)
        client.wait_until(lambda: "waiting for one" in server.log())
        small_model.publish(folder, 1)
        client.wait_for_version(1)
        answered, errors = [], []

        def ask_by_grpc():
            client = Client(server)
            while True:
                try:
                    answered.append(float(client.predict(x=X)["y"][0, 0]))
                except grpc.RpcError as error:
                    errors.append(error.code())
                    break
            client.close()

        def ask_by_rest():
            body = {"instances": [[1, 1, 1]]}
            while True:
                try:
                    status, answer = client.http("/v1/models/small:predict", body)
                except ConnectionRefusedError:
                    break
                except OSError as error:
                    errors.append(error)
                    break
                if status == 503 and "stopping" in answer["error"]:
                    break
                answered.append(answer["predictions"][0]["y"][0] if status == 200 else status)

        threads = [threading.Thread(target=ask) for ask in [ask_by_grpc, ask_by_rest] * 2]
        for thread in threads:
            thread.start()
        client.wait_until(lambda: len(answered) > 50)
        server.process.send_signal(signal.SIGINT)
        status = server.end()
        for thread in threads:
            thread.join()
        output = server.log()
        self.assertEqual(status, 0, output)
        self.assertEqual(set(answered), {1.0})
        self.assertIn(f"answered {len(answered)} of {len(answered)} accepted requests", output)
        # Who came after the end was told that nobody is there.
        self.assertLessEqual(set(errors), {grpc.StatusCode.UNAVAILABLE}, output)
        self.assertNotIn("Traceback", output)


if __name__ == "__main__":
    absltest.main()
