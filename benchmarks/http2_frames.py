"""Frames of HTTP/2 by hand, for what no gRPC client can be made to do."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _SETTINGS = 0, 1, 4
_END_STREAM, _END_HEADERS = 1, 4
PREDICT = b"/tensorflow.serving.PredictionService/Predict"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return (
        struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream)
    ) + payload


def opening(path: bytes = PREDICT, stream: int = 1) -> bytes:
    """A connection's first bytes, and a request's headers."""
    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": path,
        b":authority": b"localhost",
        b"te": b"trailers",
        b"content-type": b"application/grpc",
    }
    block = b"".join(
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value
        for name, value in headers.items()
    )
    return PREFACE + frame(_SETTINGS, 0, 0, b"") + frame(_HEADERS, _END_HEADERS, stream, block)


def message(
    data: bytes, *, claimed: int | None = None, last: bool = True, stream: int = 1
) -> bytes:
    """A gRPC message that claims to be as long as it is, or longer."""
    length = struct.pack(">I", len(data) if claimed is None else claimed)
    return frame(_DATA, _END_STREAM if last else 0, stream, b"\0" + length + data)


def received(connection: socket.socket, until: bytes) -> bytes:
    """What arrives until some bytes do, or until the other side closes."""
    found = b""
    while until not in found:
        data = connection.recv(65536)
        if not data:
            break
        found += data
    return found
