"""The server: its parts put together, started, and stopped without losing a request."""

import asyncio
import contextlib
import logging as python_logging
import signal
from concurrent.futures import ThreadPoolExecutor

import grpc
from absl import logging

from stgraph_tf.serving.local_server.admission import Admission
from stgraph_tf.serving.local_server.answering import Answering
from stgraph_tf.serving.local_server.grpc_services import GrpcServices
from stgraph_tf.serving.local_server.model_versions import ModelVersions
from stgraph_tf.serving.local_server.monitoring import Monitoring
from stgraph_tf.serving.local_server.rest import RestServer
from stgraph_tf.serving.local_server.scheduler import Scheduler
from stgraph_tf.serving.local_server.settings import Settings

# Threads that decode requests and encode answers.
_NUM_CODING_THREADS = 2
# After which a silent client is asked whether it is still there.
_KEEPALIVE_SECONDS = 60
# Reports, with a traceback, a client that left in the moment of its answer.
_GRPC_LOGGER = "grpc._cython.cygrpc"
# For clients to hear that the server is stopping.
_PARTING_SECONDS = 0.2


class LocalServer:
    """A server on a running event loop.

    Args:
        settings: checked, see `Settings.check`.

    Attributes:
        port: of gRPC, once started.
        rest_api_port: of REST, once started.
    """

    def __init__(self, settings: Settings):
        self.settings = settings
        self.port = 0
        self.rest_api_port = 0
        self._loading = ThreadPoolExecutor(1, "loading")
        self._coding = ThreadPoolExecutor(_NUM_CODING_THREADS, "coding")
        self._computing = ThreadPoolExecutor(settings.num_batch_threads, "computing")
        self._admission = Admission(settings.max_queue_length)
        monitoring = Monitoring(settings.model_name, self._admission)
        self._versions = ModelVersions(settings, self._loading, monitoring)
        self._scheduler = Scheduler(settings, self._computing, monitoring)
        answering = Answering(
            settings, self._versions, self._scheduler, self._admission, monitoring, self._coding
        )
        self._rest = RestServer(answering, settings)
        python_logging.getLogger(_GRPC_LOGGER).addFilter(_is_news)
        self._grpc = grpc.aio.server(options=_grpc_options(settings))
        self._grpc.add_generic_rpc_handlers((GrpcServices(answering, settings),))
        self._watching: asyncio.Task | None = None

    async def start(self) -> None:
        """Listens on both ports and begins to load.

        Raises:
            ValueError: a port is taken; its flag is named.
        """
        settings = self.settings
        try:
            self.rest_api_port = await self._rest.start()
        except OSError as error:
            raise _cannot_listen("rest_api_port", settings, settings.rest_api_port) from error
        try:
            self.port = self._grpc.add_insecure_port(_address(settings.host, settings.port))
        except RuntimeError as error:
            await self._rest.close()
            raise _cannot_listen("port", settings, settings.port) from error
        await self._grpc.start()
        self._watching = asyncio.get_running_loop().create_task(self._versions.watch())

    async def stop(self) -> int:
        """Accepts no more requests, answers all that were, and unloads the model.

        Returns:
            How many requests were not answered in time, and are cut off.
        """
        timeout = self.settings.stop_timeout_seconds
        # Both ports answer meanwhile that the server is stopping. Closed, they would cut off what
        # is on its way.
        await asyncio.gather(self._admission.close(timeout), asyncio.sleep(_PARTING_SECONDS))
        lost = self._admission.inside
        await asyncio.gather(self._grpc.stop(_PARTING_SECONDS), self._rest.close())
        await self._scheduler.finish()
        if self._watching:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
        await self._versions.close()
        for executor in (self._loading, self._coding, self._computing):
            executor.shutdown()
        logging.info(
            "stopped: answered %d of %d accepted requests, refused %d for want of a place",
            *(self._admission.accepted - lost, self._admission.accepted, self._admission.refused),
        )
        return lost


async def serve(settings: Settings) -> int:
    """Runs a server until the process gets SIGTERM or SIGINT; another SIGINT ends it at once.

    Returns:
        How many requests were cut off.

    Raises:
        ValueError: a port is taken.
    """
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()

    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            return
        # SIGTERM is not like that: some supervisors send it twice.
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        logging.info("%s: stopping when all accepted requests are answered", number.name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    server = LocalServer(settings)
    await server.start()
    print(
        f"listening: gRPC on {_address(settings.host, server.port)}, REST on http://"
        f"{_address(settings.host, server.rest_api_port)}/v1/models/{settings.model_name}",
        flush=True,
    )
    await stopping.wait()
    return await server.stop()


def _grpc_options(settings: Settings) -> list[tuple[str, int]]:
    client_milliseconds = int(1000 * settings.client_timeout_seconds)
    return [
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", settings.grpc_max_message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.server_handshake_timeout_ms", client_milliseconds),
        ("grpc.keepalive_time_ms", 1000 * _KEEPALIVE_SECONDS),
        ("grpc.keepalive_timeout_ms", client_milliseconds),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def _cannot_listen(flag: str, settings: Settings, port: int) -> ValueError:
    return ValueError(
        f"--{flag}: {_address(settings.host, port)} cannot be listened on; another server may have "
        "it"
    )


def _is_news(record: python_logging.LogRecord) -> bool:
    return "ExecuteBatchError" not in record.getMessage()


def _address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
