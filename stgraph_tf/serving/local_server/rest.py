"""TF Serving's REST interface, and what a supervisor of processes asks.

POST /v1/models/NAME[/versions/N]:predict       see `json_messages`
GET  /v1/models/NAME[/versions/N]               the state of the versions
GET  /v1/models/NAME[/versions/N]/metadata      the signatures
GET  /monitoring/prometheus/metrics
GET  /healthz                                   200 while the process is alive
GET  /readyz                                    200 while requests can be answered
"""

import asyncio
import re

import grpc
from absl import logging
from aiohttp import web
from google.protobuf import json_format, message

from stgraph_tf.serving.local_server import json_messages, monitoring
from stgraph_tf.serving.local_server.answering import Answering
from stgraph_tf.serving.local_server.settings import Settings
from stgraph_tf.serving.local_server.statuses import RequestError, invalid, let_go

_MODEL = r"(?i:/v1/models)/(?P<name>[^/:]+)(?:/versions/(?P<version>\d+))?"
_PREDICT = re.compile(_MODEL + r":(?P<method>classify|regress|predict)")
_STATUS = re.compile(_MODEL + r"(?P<metadata>/metadata)?")
_LARGEST_VERSION = 2**63 - 1
# For the rest of a body that was refused, so that the client reads why.
_LINGERING_SECONDS = 5.0
# For connections that are still open when all requests are answered.
_CLOSING_SECONDS = 2.0


class RestServer:
    """Listens, and answers by `answering`.

    Args:
        answering: does the work.
        settings: the address and the bounds.
    """

    def __init__(self, answering: Answering, settings: Settings):
        self._answering = answering
        self._settings = settings
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            auto_decompress=False,
            handler_cancellation=True,
            # Also the time for a request's headers.
            keepalive_timeout=settings.client_timeout_seconds,
            lingering_time=_LINGERING_SECONDS,
            shutdown_timeout=_CLOSING_SECONDS,
        )

    async def start(self) -> int:
        """Listens; returns the port.

        Raises:
            OSError: the address is taken, or is none of this machine's.
        """
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.rest_api_port)
        await site.start()
        return self._runner.addresses[0][1]

    async def close(self) -> None:
        """Stops listening, and closes all connections. What is being sent on them is lost."""
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        try:
            response = await self._answer(request)
        except RequestError as error:
            let_go(error)
            response = _json({"error": error.message}, error.http_status)
        except Exception as error:
            logging.exception("a request failed")
            let_go(error)
            response = _json({"error": "the server failed"}, 500)
        if self._answering.admission.is_closed:
            response.force_close()
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method == "POST" and (match := _PREDICT.fullmatch(request.path)):
            if match["method"] != "predict":
                raise RequestError(
                    grpc.StatusCode.UNIMPLEMENTED,
                    f"the local server has no {match['method']}; TF Serving does",
                )
            with self._answering.request("Predict", "REST"):
                return await self._predict(request, match)
        if request.method == "GET" and (match := _STATUS.fullmatch(request.path)):
            name, version = match["name"], _version(match)
            if match["metadata"]:
                return _json(_metadata(*self._answering.metadata(name, version)))
            return _json(_as_json(self._answering.versions.statuses(name, version)))
        if request.method == "GET" and request.path == monitoring.PATH:
            page = self._answering.monitoring.page()
            return web.Response(body=page, headers={"Content-Type": monitoring.CONTENT_TYPE})
        if request.method == "GET" and request.path == "/healthz":
            return _json({"status": "alive"})
        if request.method == "GET" and request.path == "/readyz":
            closed = self._answering.admission.is_closed
            ready = self._answering.versions.is_available and not closed
            return _json({"status": "ready" if ready else "not ready"}, 200 if ready else 503)
        status = 400 if request.path.lower().startswith("/v1/") else 404
        return _json({"error": f"Malformed request: {request.method} {request.path}"}, status)

    async def _predict(self, request: web.Request, match: re.Match[str]) -> web.Response:
        deadline = asyncio.get_running_loop().time() + self._settings.rest_api_timeout_in_ms / 1000
        seconds = self._settings.client_timeout_seconds
        try:
            body = await asyncio.wait_for(self._body(request), seconds)
        except asyncio.TimeoutError as error:
            raise RequestError(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                f"the body did not arrive in {seconds:g} seconds",
                http_status=408,
            ) from error
        answer = await self._answering.predict_by_json(
            match["name"], _version(match), body, deadline
        )
        return web.Response(body=answer, content_type="application/json")

    async def _body(self, request: web.Request) -> bytes:
        if request.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise RequestError(
                grpc.StatusCode.INVALID_ARGUMENT,
                "the body must not be compressed",
                http_status=415,
            )
        limit = self._settings.rest_api_max_message_bytes
        too_large = RequestError(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            f"the body must have at most {limit} bytes",
            http_status=413,
        )
        if (request.content_length or 0) > limit:
            raise too_large
        body = bytearray()
        try:
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > limit:
                    raise too_large
        except web.RequestPayloadError as error:
            raise invalid(f"the body is not as its headers say: {error}") from error
        except ConnectionError as error:
            raise RequestError(grpc.StatusCode.CANCELLED, "the client has gone") from error
        return bytes(body)


def _version(match: re.Match[str]) -> int | None:
    if match["version"] is None:
        return None
    version = int(match["version"]) if len(match["version"]) < 20 else _LARGEST_VERSION + 1
    if version > _LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {match['version']} to numeric.")
    return version


def _json(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=json_messages.dump(value), status=status, content_type="application/json"
    )


def _as_json(value: message.Message) -> dict:
    return json_format.MessageToDict(
        value, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )


def _metadata(spec: message.Message, signatures: message.Message) -> dict:
    return {
        "model_spec": _as_json(spec),
        "metadata": {"signature_def": _as_json(signatures)},
    }
