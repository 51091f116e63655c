"""The local server as a process of its own, watched from outside."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import IO, NamedTuple, cast

import psutil

MODEL_NAME = "benchmark"
_PROGRAM = os.path.join(os.path.dirname(__file__), "../export/model_server.py")
_SECONDS_TO_START = 300
_SAMPLES_A_SECOND = 4
_QUOTED_CHARACTERS = 2000


class End(NamedTuple):
    """How a server ended: its exit status, and the requests that it says it answered and took."""

    status: int
    answered: int
    accepted: int


class ServedProcess:
    """Starts a server on any free ports of 127.0.0.1, and waits until it serves.

    Args:
        model_base_path: the folder of the model's versions.
        flags: further ones of `export/model_server.py`.

    Attributes:
        port: of gRPC.
        rest_port: of REST.

    Raises:
        ValueError: it does not start; its log is quoted.
    """

    def __init__(self, model_base_path: str, *flags: str):
        self._log = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        self._process = subprocess.Popen(
            [
                *(sys.executable, _PROGRAM, f"--model_name={MODEL_NAME}"),
                *(f"--model_base_path={model_base_path}", "--port=0", "--rest_api_port=0", *flags),
            ],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self._watched = psutil.Process(self._process.pid)
        self._printed = cast(IO[str], self._process.stdout)
        lines = [self._printed.readline() for _ in range(2)]
        ports = re.findall(r"127\.0\.0\.1:(\d+)", lines[1])
        if len(ports) != 2:
            raise ValueError(f"the server did not start: {self.log()}")
        self.port, self.rest_port = map(int, ports)
        end = time.monotonic() + _SECONDS_TO_START
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > end:
                self.kill()
                raise ValueError(f"the server does not serve: {self.log()}")
            time.sleep(0.2)

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def memory(self) -> int:
        """Bytes that are resident."""
        return self._watched.memory_info().rss

    def cpu_seconds(self) -> float:
        """CPU time so far."""
        times = self._watched.cpu_times()
        return times.user + times.system

    def holdings(self) -> tuple[int, int]:
        """Open files (connections are some) and threads."""
        return self._watched.num_fds(), self._watched.num_threads()

    def metric(self, name: str) -> float:
        """A figure without labels, of the metrics page."""
        url = f"http://127.0.0.1:{self.rest_port}/monitoring/prometheus/metrics"
        with urllib.request.urlopen(url, timeout=60) as page:
            match = re.search(rf"^{name} (\S+)$", page.read().decode(), re.MULTILINE)
        if not match:
            raise ValueError(f"{url} has no figure {name}")
        return float(match[1])

    @contextlib.contextmanager
    def watched_memory(self) -> Iterator[list[int]]:
        """Yields a list that fills with the resident bytes, four times a second."""
        samples, stop = [self.memory()], threading.Event()

        def watch() -> None:
            while not stop.wait(1 / _SAMPLES_A_SECOND):
                with contextlib.suppress(psutil.Error):
                    samples.append(self.memory())

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield samples
        finally:
            stop.set()
            thread.join()

    def terminate(self) -> None:
        """Sends SIGTERM."""
        self._process.terminate()

    def end(self) -> End:
        """Waits until the process has ended.

        Raises:
            ValueError: it does not say what it has answered.
        """
        status = self._process.wait(_SECONDS_TO_START)
        log = self._whole_log()
        match = re.search(r"answered (\d+) of (\d+) accepted requests", log)
        if "Traceback" in log:
            raise ValueError(f"the server has logged a bug: {log[log.index('Traceback') :][:4000]}")
        if not match:
            raise ValueError(f"the server ended by exit status {status}: {self.log()}")
        return End(status, int(match[1]), int(match[2]))

    def kill(self) -> None:
        """Ends the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._printed.close()

    def log(self) -> str:
        """The last of what it wrote, on a line."""
        return " ".join(self._whole_log()[-_QUOTED_CHARACTERS:].split())

    def _whole_log(self) -> str:
        self._log.seek(0)
        return self._log.read()

    def _is_ready(self) -> bool:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{self.rest_port}/readyz", timeout=60).close()
        except (urllib.error.URLError, OSError):
            return False
        return True
