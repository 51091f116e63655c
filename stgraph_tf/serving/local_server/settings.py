"""How the local server is set up: the flags of `export/model_server.py`, checked."""

import dataclasses
import os

MEBIBYTE = 2**20


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a server serves, where, and within which bounds. Named as TF Serving's flags.

    Attributes:
        model_name: what requests call the model.
        model_base_path: the folder of its versions; may be in a bucket.
        host: the address to listen on.
        port: of gRPC; 0 for any free one.
        rest_api_port: of REST; 0 for any free one.
        num_versions: the newest versions that are served beside each other.
        file_system_poll_wait_seconds: between two looks into the folder.
        enable_model_warmup: whether a version's recorded requests are run before it is served.
        enable_batching: whether requests of a signature are computed together.
        max_batch_size: the most rows (axis 0) of a batch.
        batch_timeout_micros: how long the first request of a batch waits for more.
        num_batch_threads: batches, or requests, that TensorFlow computes at a time.
        tensorflow_intra_op_parallelism: threads of an operation; 0 for all cores.
        tensorflow_inter_op_parallelism: operations at a time; 0 for as many as cores.
        max_queue_length: requests that are in the server at a time, counting those being computed;
            a further one is refused.
        grpc_max_message_bytes: the largest request by gRPC; also bounds what its tensors unpack to.
        rest_api_max_message_bytes: the largest body by REST.
        rest_api_timeout_in_ms: after which a request by REST is answered with an error.
        client_timeout_seconds: that a client has for sending a request, or for its next one.
        stop_timeout_seconds: that a stopping server has for what it accepted.
    """

    model_name: str
    model_base_path: str
    host: str = "127.0.0.1"
    port: int = 8500
    rest_api_port: int = 8501
    num_versions: int = 1
    file_system_poll_wait_seconds: float = 1.0
    enable_model_warmup: bool = True
    enable_batching: bool = False
    max_batch_size: int = 8
    batch_timeout_micros: int = 1000
    num_batch_threads: int = 2
    tensorflow_intra_op_parallelism: int = 0
    tensorflow_inter_op_parallelism: int = 0
    max_queue_length: int = 64
    grpc_max_message_bytes: int = 64 * MEBIBYTE
    rest_api_max_message_bytes: int = 32 * MEBIBYTE
    rest_api_timeout_in_ms: int = 30_000
    client_timeout_seconds: float = 30.0
    stop_timeout_seconds: float = 60.0

    def check(self) -> None:
        """Looks at what can be wrong before anything is started.

        Raises:
            ValueError: a value cannot be; its flag is named.
        """
        if not self.model_name or not set("/:").isdisjoint(self.model_name):
            raise ValueError(
                f"--model_name must be a name without / and :, received {self.model_name!r}"
            )
        for name in ("port", "rest_api_port"):
            if not 0 <= getattr(self, name) < 2**16:
                raise ValueError(f"--{name} must be 0 to 65535, received {getattr(self, name)}")
        if self.port and self.port == self.rest_api_port:
            raise ValueError(f"--port and --rest_api_port must differ, both are {self.port}")
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            least = 0 if field.name in _MAY_BE_ZERO else 1e-6
            if isinstance(value, (int, float)) and value < least:
                expected = "positive" if least else "at least 0"
                raise ValueError(f"--{field.name} must be {expected}, received {value}")
        if "://" in self.model_base_path:
            return  # A bucket; whether it can be read, the server says when it looks for versions.
        if not os.path.isdir(self.model_base_path):
            raise ValueError(f"--model_base_path: there is no folder {self.model_base_path}")
        if os.path.exists(os.path.join(self.model_base_path, "saved_model.pb")):
            raise ValueError(
                f"--model_base_path must be the folder that holds the versions; "
                f"{self.model_base_path} is a SavedModel itself"
            )


_MAY_BE_ZERO = frozenset(
    {
        *("port", "rest_api_port", "enable_model_warmup", "enable_batching"),
        *("batch_timeout_micros", "tensorflow_intra_op_parallelism"),
        "tensorflow_inter_op_parallelism",
    }
)
