"""Mistakes in REST's bodies and paths, see `malformed_requests`."""

import base64
import contextlib
import gzip
import http.client
import json
from typing import Any

import numpy as np

from benchmarks.known_requests import PATH
from benchmarks.malformed_requests import Mistake, Target

_SECONDS = 120
_BAD = frozenset({"HTTP 400"})


def mistakes(target: Target) -> list[Mistake]:
    """One of each kind, each sent over a connection of its own."""
    clip = target.clip
    jpegs = [base64.b64encode(jpeg).decode() for jpeg in clip.jpegs[0]]

    def status(body: bytes, path: str = PATH, method: str = "POST", **headers: str) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", target.rest_port, timeout=_SECONDS)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            # Who refuses a body answers before it is sent, and does not wait for its end for ever.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(method, path, body, headers)
            response = connection.getresponse()
            answer = response.read()
            if response.status >= 400 and not json.loads(answer).get("error"):
                return "no sentence"
            return f"HTTP {response.status}"
        finally:
            connection.close()

    def columns(**inputs) -> bytes:
        signature = "encoded_frames" if "encoded_frames" in inputs else "serving_default"
        return json.dumps({"signature_name": signature, "inputs": inputs}).encode()

    whole = columns(encoded_frames=[[{"b64": text} for text in jpegs]], boxes=clip.boxes.tolist())

    def wrong_value(random: np.random.Generator) -> str:
        boxes = clip.boxes.tolist()
        values: tuple[Any, ...] = ("0.5", None, True, {}, [], 1e99, float("nan"), float("inf"))
        boxes[0][0][0][random.integers(4)] = values[random.integers(len(values))]
        return status(columns(encoded_frames=[[{"b64": text} for text in jpegs]], boxes=boxes))

    def wrong_pixels(random: np.random.Generator) -> str:
        frames = clip.frames[:, :, :2, :2].tolist()
        frames[0][0][0][0][0] = (256, -1, 0.5, "0")[random.integers(4)]
        return status(columns(frames=frames, boxes=clip.boxes.tolist()))

    def wrong_base64(random: np.random.Generator) -> str:
        texts = ["?" + jpegs[0][1:], jpegs[0][: random.integers(len(jpegs[0]) // 2)], "€", 5]
        frames = [{"b64": texts[random.integers(len(texts))]}] * len(jpegs)
        return status(columns(encoded_frames=[frames], boxes=clip.boxes.tolist()))

    def deep(random: np.random.Generator) -> str:
        depth = int(random.integers(40, 100_000))
        return status(b'{"inputs": ' + b"[" * depth + b"]" * depth + b"}")

    def unknown_path(random: np.random.Generator) -> str:
        paths = ("/", "/v1/models/another:predict", f"/v1/models/{random.bytes(9).hex()}/metadata")
        return status(b"", paths[random.integers(3)], ("GET", "POST")[random.integers(2)])

    return [
        Mistake(
            "JSON that breaks off",
            lambda random: status(whole[: random.integers(len(whole))]),
            _BAD,
        ),
        Mistake("what is no JSON", lambda random: status(random.bytes(300)), _BAD),
        Mistake("JSON of great depth", deep, _BAD),
        Mistake("a value of another type", wrong_value, _BAD),
        Mistake("pixels that are none", wrong_pixels, _BAD),
        Mistake("base64 that is none", wrong_base64, _BAD),
        Mistake(
            "lists that are not rectangular",
            lambda random: status(columns(frames=[[1], [1, 2]], boxes=[[[1, 2, 3, [4]]]])),
            _BAD,
        ),
        Mistake(
            "a body that is too large",
            lambda random: status(bytes(target.max_bytes + int(random.integers(1, 10**6)))),
            frozenset({"HTTP 413"}),
        ),
        Mistake(
            "a compressed body",
            lambda random: status(gzip.compress(whole), Content_Encoding="gzip"),
            frozenset({"HTTP 415"}),
        ),
        Mistake("an unknown path", unknown_path, frozenset({"HTTP 400", "HTTP 404"})),
        Mistake(
            "an unknown method",
            lambda random: status(b"", method="DELETE"),
            _BAD,
        ),
    ]
