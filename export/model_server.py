"""Serves an exported model on this machine, by TF Serving's protocol and flags.

    python export/model_server.py --model_name stgraph --model_base_path runs/charades/saved_model

for a laptop without Docker, and for tests; in production, TF Serving (`tensorflow_model_server`)
answers the same requests. New versions in the folder are picked up; SIGTERM and SIGINT stop the
server when everything that it accepted is answered.
"""

import asyncio
import os
from collections.abc import Sequence

from absl import flags

from stgraph_tf import program

_FIRST_LINE = (
    "TF Serving (tensorflow_model_server) is the production server; this is the local one, for a "
    "laptop and for tests"
)

# Flags that are settings of the server by the same name.
_SETTINGS = (
    flags.DEFINE_string("model_name", "default", "What requests call the model."),
    flags.DEFINE_string("model_base_path", None, "Folder of the model's versions."),
    flags.DEFINE_string("host", "127.0.0.1", "Address to listen on; 0.0.0.0 for all."),
    flags.DEFINE_integer("port", 8500, "Port of gRPC; 0 for any free one."),
    flags.DEFINE_integer("rest_api_port", 8501, "Port of REST; 0 for any free one."),
    flags.DEFINE_integer(
        "num_versions", 1, "How many of the newest versions are served beside each other."
    ),
    flags.DEFINE_float(
        "file_system_poll_wait_seconds", 1.0, "Seconds between two looks for new versions."
    ),
    flags.DEFINE_bool(
        "enable_model_warmup", True, "Run a version's recorded requests before it is served."
    ),
    flags.DEFINE_bool("enable_batching", False, "Compute concurrent requests together."),
    flags.DEFINE_integer("max_batch_size", 8, "Most rows (clips) of a batch."),
    flags.DEFINE_integer(
        "batch_timeout_micros", 1000, "How long the first request of a batch waits for more."
    ),
    flags.DEFINE_integer(
        "num_batch_threads", 2, "Batches, or requests, that are computed at a time."
    ),
    flags.DEFINE_integer(
        "tensorflow_intra_op_parallelism", 0, "Threads of an operation; 0 for all cores."
    ),
    flags.DEFINE_integer(
        "tensorflow_inter_op_parallelism", 0, "Operations at a time; 0 for as many as cores."
    ),
    flags.DEFINE_integer(
        "max_queue_length", 64, "Requests in the server at a time; a further one is refused."
    ),
    flags.DEFINE_integer(
        "grpc_max_message_bytes", 64 * 2**20, "Largest request by gRPC, also when unpacked."
    ),
    flags.DEFINE_integer("rest_api_max_message_bytes", 32 * 2**20, "Largest body by REST."),
    flags.DEFINE_integer(
        "rest_api_timeout_in_ms", 30_000, "After which a request by REST is given up."
    ),
    flags.DEFINE_float(
        "client_timeout_seconds", 30.0, "That a client has to send a request, or its next one."
    ),
    flags.DEFINE_float(
        "stop_timeout_seconds", 60.0, "That a stopping server has for what it accepted."
    ),
)
_BATCHING_PARAMETERS_FILE = flags.DEFINE_string(
    "batching_parameters_file",
    None,
    "TF Serving's batching.config, which takes the place of the flags max_batch_size, "
    "batch_timeout_micros, num_batch_threads and max_queue_length.",
)


def main(argv: Sequence[str]) -> int:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    print(_FIRST_LINE, flush=True)

    from stgraph_tf.serving.local_server import batching_parameters
    from stgraph_tf.serving.local_server.settings import Settings

    values = {flag.name: flag.value for flag in _SETTINGS}
    if _BATCHING_PARAMETERS_FILE.value:
        values |= batching_parameters.read(_BATCHING_PARAMETERS_FILE.value)
    settings = Settings(**values)
    settings.check()

    # What gRPC's own log says, a sentence of ours says, too.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    import tensorflow as tf

    from stgraph_tf.serving.local_server import server

    tf.get_logger().setLevel("ERROR")  # It calls its own loader of SavedModels deprecated.
    lost = asyncio.run(server.serve(settings))
    return 1 if lost else 0


if __name__ == "__main__":
    flags.mark_flag_as_required("model_base_path")
    program.run(main)
