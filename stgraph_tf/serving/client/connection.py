"""What the client needs of a server, over gRPC or REST."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np

from stgraph_tf.serving.client import errors
from stgraph_tf.serving.client.retries import Retries

# A protocol buffer ends here.
LARGEST_MESSAGE = 2**31 - 1

_DEFAULT_RETRIES = Retries()


@dataclasses.dataclass(frozen=True)
class Metadata:
    """A served model as its server tells it.

    Attributes:
        version: its number.
        signatures: by name, the last axis of each of its outputs (None where that is free).
    """

    version: int
    signatures: Mapping[str, Mapping[str, int | None]]


class Connection(Protocol):
    """A model on a server. Its methods may be called from several threads at once."""

    server: str
    model_name: str

    def metadata(self, version: int | None) -> Metadata:
        """Asks for a version's signatures, or the newest one's.

        Raises:
            RequestError: the server did not answer, or has no such model.
        """

    def predict(
        self,
        signature: str,
        inputs: Mapping[str, np.ndarray],
        outputs: Sequence[str],
        version: int | None,
    ) -> dict[str, np.ndarray]:
        """Runs a signature.

        Args:
            signature: its name.
            inputs: its inputs, by name; strings are arrays of `bytes`.
            outputs: names of outputs that it must have.
            version: of the model; None for the newest.

        Returns:
            The outputs, by name.

        Raises:
            RequestError: the server did not answer with these, or the request is too large.
        """

    def close(self) -> None:
        """Ends the requests that are under way, and the connection."""


def connect(
    server: str,
    model_name: str,
    *,
    timeout: float = 60.0,
    retries: Retries = _DEFAULT_RETRIES,
    max_message_bytes: int = LARGEST_MESSAGE,
) -> Connection:
    """A connection to a model on a server. Nothing is sent yet.

    Args:
        server: `HOST:PORT` for gRPC, `grpcs://HOST:PORT` for gRPC with TLS, `http://HOST:PORT` or
            `https://HOST:PORT` for REST.
        model_name: as the server was told it.
        timeout: seconds that a request may take, its retries included.
        retries: of requests, when the server is not available.
        max_message_bytes: of a request; a larger one is not sent.

    Raises:
        ValueError: `server` is not of that form.
    """
    if not re.fullmatch(r"(grpcs://)?[^/\s]+:\d+|https?://[^/\s]\S*", server):
        raise ValueError(
            f"expected a server HOST:PORT or grpcs://HOST:PORT (gRPC), http://HOST:PORT or "
            f"https://HOST:PORT (REST). Received: {server!r}"
        )
    limit = min(max_message_bytes, LARGEST_MESSAGE)
    if server.startswith(("http://", "https://")):
        from stgraph_tf.serving.client.rest import RestConnection

        return RestConnection(server, model_name, timeout, retries, limit)
    from stgraph_tf.serving.client.grpc_connection import GrpcConnection

    return GrpcConnection(server, model_name, timeout, retries, limit)


def check_size(inputs: Mapping[str, np.ndarray], limit: int) -> None:
    """Raises a `RequestError` if the inputs alone are larger than a message may be."""
    size = sum(
        sum(map(len, array.flat)) if array.dtype == object else array.nbytes
        for array in inputs.values()
    )
    if size > limit:
        raise errors.too_large(size, limit)
