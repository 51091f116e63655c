"""A model on a server, over REST: TensorFlow Serving's `/v1/models/NAME`."""

import base64
import contextlib
import http.client
import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from stgraph_tf.serving.client import connection, errors
from stgraph_tf.serving.client.connection import Metadata
from stgraph_tf.serving.client.errors import RequestError
from stgraph_tf.serving.client.retries import Retries

# What HTTP's statuses are in gRPC, as TensorFlow Serving translates them; proxies have some more.
_CODES = {
    400: errors.INVALID_ARGUMENT,
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: errors.NOT_FOUND,
    408: errors.DEADLINE_EXCEEDED,
    429: errors.UNAVAILABLE,
    501: "UNIMPLEMENTED",
    502: errors.UNAVAILABLE,
    503: errors.UNAVAILABLE,
    504: errors.DEADLINE_EXCEEDED,
}
# Of a reply. Scores, boxes and labels are far smaller.
_LARGEST_REPLY = 64 * 2**20


class RestConnection:
    """See `connection.connect` and `connection.Connection`. Every request has its own socket."""

    def __init__(
        self, server: str, model_name: str, timeout: float, retries: Retries, max_message_bytes: int
    ):
        url = urllib.parse.urlsplit(server)
        self.server = server
        self.model_name = model_name
        self._timeout = timeout
        self._retries = retries
        self._max_message_bytes = max_message_bytes
        secure = url.scheme == "https"
        self._open = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        self._address = url.netloc
        self._path = f"{url.path.rstrip('/')}/v1/models/{urllib.parse.quote(model_name)}"
        self._lock = threading.Lock()
        self._sockets: set[http.client.HTTPConnection] = set()
        self._closed = False

    def metadata(self, version: int | None) -> Metadata:
        answer = self._request("GET", f"{self._versioned(version)}/metadata")
        try:
            signatures = answer["metadata"]["signature_def"]["signature_def"]
            return Metadata(
                int(answer["model_spec"]["version"]),
                {
                    name: {key: _last_axis(info) for key, info in found["outputs"].items()}
                    for name, found in signatures.items()
                },
            )
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange(f"metadata without {error}") from error

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        connection.check_size(inputs, self._max_message_bytes)
        columns = {name: _as_json(array) for name, array in inputs.items()}
        body = json.dumps({"signature_name": signature, "inputs": columns}).encode()
        if len(body) > self._max_message_bytes:
            raise errors.too_large(len(body), self._max_message_bytes)
        answer = self._request("POST", f"{self._versioned(version)}:predict", body)
        found = answer.get("outputs")
        # A signature's only output comes without its name.
        found = found if isinstance(found, dict) else {outputs[0]: found}
        missing = [name for name in outputs if found.get(name) is None]
        if missing:
            raise self._strange(f"{signature} without {', '.join(missing)}")
        return {name: np.asarray(value) for name, value in found.items()}

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for opened in self._sockets:
                if opened.sock:
                    with contextlib.suppress(OSError):
                        opened.sock.shutdown(socket.SHUT_RDWR)

    def _versioned(self, version: int | None) -> str:
        return self._path if version is None else f"{self._path}/versions/{version}"

    def _request(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        return self._retries.run(
            lambda seconds: self._attempt(method, path, body, seconds), self._timeout
        )

    def _attempt(
        self, method: str, path: str, body: bytes | None, seconds: float
    ) -> dict[str, Any]:
        end = time.monotonic() + seconds
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            with self._socket(max(seconds, 1e-3)) as opened:
                opened.request(method, path, body, headers)
                opened.sock.settimeout(max(end - time.monotonic(), 1e-3))
                reply = opened.getresponse()
                content = reply.read(_LARGEST_REPLY + 1)
        except TimeoutError as error:
            raise errors.too_late(self.server, self._timeout) from error
        except (OSError, http.client.HTTPException) as error:
            if self._closed:
                raise errors.answered(self.server, errors.CANCELLED, "closed here") from error
            reason = str(error) or type(error).__name__
            raise errors.answered(self.server, errors.UNAVAILABLE, reason) from error
        if len(content) > _LARGEST_REPLY:
            raise self._strange("a reply without end")
        return self._understood(reply.status, content)

    def _understood(self, status: int, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        if status != 200:
            told = answer.get("error") if isinstance(answer, dict) else None
            details = f"HTTP status {status}" if told is None else str(told)
            if status == 413:
                raise errors.refused_size(self.server, details)
            raise errors.answered(self.server, _CODES.get(status, errors.INTERNAL), details)
        if not isinstance(answer, dict):
            raise self._strange("something that is no JSON object")
        return answer

    @contextlib.contextmanager
    def _socket(self, timeout: float) -> Iterator[http.client.HTTPConnection]:
        opened = self._open(self._address, timeout=timeout)
        with self._lock:
            if self._closed:
                raise OSError
            self._sockets.add(opened)
        try:
            yield opened
        finally:
            with self._lock:
                self._sockets.discard(opened)
            opened.close()

    def _strange(self, answer: str) -> RequestError:
        return RequestError(
            errors.INTERNAL,
            f"{self.server} answered with {answer}; it does not seem to be a model server",
        )


def _as_json(value: np.ndarray | bytes) -> Any:
    """An array as nested lists; `bytes` as TensorFlow Serving wants them."""
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()}
    if value.dtype != object:
        return value.tolist()
    return [_as_json(row) for row in value]


def _last_axis(info: Mapping[str, Any]) -> int | None:
    """The size of the last axis of a tensor's JSON; None where it is free or there is none."""
    dims = info.get("tensor_shape", {}).get("dim", [])
    size = int(dims[-1]["size"]) if dims else -1
    return size if size >= 0 else None
