"""The server inside another program, in a thread with an event loop of its own."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from stgraph_tf.serving.local_server.server import LocalServer
from stgraph_tf.serving.local_server.settings import Settings


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[LocalServer]:
    """Runs a server for the block: `port` and `rest_api_port` tell where.

    It listens when the block begins, and loads the model meanwhile. When the block ends, what was
    accepted is answered.

    Raises:
        ValueError: the settings cannot be, or a port is taken.
    """
    settings.check()
    started, stopping = threading.Event(), threading.Event()
    found: list[LocalServer | BaseException] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        try:
            server = LocalServer(settings)
            await server.start()
            found.append(server)
        except BaseException as error:
            found.append(error)
            return
        finally:
            started.set()
        await loop.run_in_executor(None, stopping.wait)
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="local server")
    thread.start()
    started.wait()
    try:
        if isinstance(found[0], BaseException):
            raise found[0]
        yield found[0]
    finally:
        stopping.set()
        thread.join()
