"""Requests whose right answers are known, and who sends them."""

import base64
import contextlib
import dataclasses
import http.client
import io
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import grpc
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow_serving.apis import predict_pb2

from benchmarks.served_process import MODEL_NAME
from stgraph_tf.serving.assets import ClipSpec

PREDICT = "/tensorflow.serving.PredictionService/Predict"
PATH = f"/v1/models/{MODEL_NAME}:predict"
CHANNEL_OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    ("grpc.use_local_subchannel_pool", 1),
)
_SECONDS = 120
_NUM_CLIPS = 3


@dataclasses.dataclass(frozen=True, eq=False)
class Clip:
    """A clip of noise, raw and compressed.

    Attributes:
        frames: uint8 `[1, T, H, W, 3]`.
        jpegs: bytes `[1, T]`.
        boxes: float32 `[1, T', K, 4]`.
    """

    frames: np.ndarray
    jpegs: np.ndarray
    boxes: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Request:
    """A request and its right answer.

    Attributes:
        kind: the signature, and how it is sent.
        body: a `PredictRequest`, or JSON.
        by_rest: which of them.
        scores: `[1, C]`.
    """

    kind: str
    body: bytes
    by_rest: bool
    scores: np.ndarray


@dataclasses.dataclass(frozen=True)
class Reply:
    """What became of a request: seconds, and how far the scores are from the right ones."""

    kind: str
    seconds: float
    difference: float


def make_clips(spec: ClipSpec, seed: int = 0) -> list[Clip]:
    """A few clips of the model's size."""
    random = np.random.default_rng(seed)
    side, num_frames = spec.short_side, spec.num_frames
    clips = []
    for _ in range(_NUM_CLIPS):
        # Large squares, so that JPEG frames are like films and not like noise.
        coarse = random.integers(0, 256, [1, num_frames, 4, 5, 3], np.uint8)
        step = -(-side // 4)
        frames = coarse.repeat(step, axis=2).repeat(step, axis=3)[:, :, :side]
        corners = np.sort(
            random.uniform(size=[1, num_frames // spec.box_stride, spec.num_boxes, 2, 2]), axis=-2
        )
        boxes = corners.reshape(*corners.shape[:3], 4).astype(np.float32)
        jpegs = np.array([[jpeg(frame) for frame in frames[0]]], object)
        clips.append(Clip(frames, jpegs, boxes))
    return clips


def make_requests(saved_model: str, clips: Sequence[Clip]) -> list[Request]:
    """Every clip to two signatures in two ways, with what the SavedModel gives in Python.

    Raises:
        ValueError: two clips have scores so much alike that one's could pass for the other's.
    """
    loaded = tf.saved_model.load(saved_model)
    requests = []
    for clip in clips:
        for signature, inputs in (
            ("serving_default", {"frames": clip.frames, "boxes": clip.boxes}),
            ("encoded_frames", {"encoded_frames": clip.jpegs, "boxes": clip.boxes}),
        ):
            tensors = {name: tf.constant(array) for name, array in inputs.items()}
            scores = loaded.signatures[signature](**tensors)["scores"].numpy()
            message = predict_request(signature, inputs).SerializeToString()
            requests.append(Request(f"{signature}, gRPC", message, False, scores))
            requests.append(Request(f"{signature}, REST", _json(signature, inputs), True, scores))
    by_kind = {kind: [r for r in requests if r.kind == kind] for kind in {r.kind for r in requests}}
    for same in by_kind.values():
        for one, other in itertools.combinations(same, 2):
            if np.max(np.abs(one.scores - other.scores)) < 0.01:
                raise ValueError("the model gives the same scores to different clips")
    return requests


def predict_request(
    signature: str, inputs: dict[str, np.ndarray], name: str = MODEL_NAME
) -> predict_pb2.PredictRequest:
    """A message."""
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    for key, array in inputs.items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(array))
    return request


def jpeg(frame: np.ndarray) -> bytes:
    """A frame `[H, W, 3]`, compressed."""
    file = io.BytesIO()
    Image.fromarray(frame).save(file, "JPEG", quality=90)
    return file.getvalue()


class Sender:
    """Sends requests one at a time: by gRPC over a connection of its own, by REST over a new one.

    Args:
        port: of gRPC.
        rest_port: of REST.
    """

    def __init__(self, port: int, rest_port: int):
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", CHANNEL_OPTIONS)
        self._predict = self._channel.unary_unary(PREDICT)
        self._rest_port = rest_port

    def send(self, request: Request) -> Reply:
        """Sends a request and looks at the answer.

        Raises:
            grpc.RpcError: it is answered by an error.
            OSError, http.client.HTTPException: likewise, or nobody is there.
        """
        start = time.perf_counter()
        if request.by_rest:
            body = self._post(request.body)
            seconds = time.perf_counter() - start
            scores = np.array(json.loads(body)["outputs"], np.float32)
        else:
            body = self._predict(request.body, timeout=_SECONDS)
            seconds = time.perf_counter() - start
            response = predict_pb2.PredictResponse.FromString(body)
            scores = tf.make_ndarray(response.outputs["scores"])
        difference = np.max(np.abs(scores - request.scores))
        return Reply(request.kind, seconds, float(difference))

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def _post(self, body: bytes) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self._rest_port, timeout=_SECONDS)
        with contextlib.closing(connection):
            connection.request("POST", PATH, body)
            response = connection.getresponse()
            answer = response.read()
        if response.status != 200:
            raise http.client.HTTPException(f"{response.status}: {answer.decode()}")
        return answer


def send_at_once(
    requests: Iterable[Request],
    num_clients: int,
    connect: Callable[[], Sender],
    until: Callable[[Exception], bool] = lambda error: False,
) -> tuple[list[Reply], list[Exception]]:
    """Sends requests from several clients, each of which sends the next when it has its answer.

    Args:
        requests: in their order.
        num_clients: how many wait for an answer at a time.
        connect: makes a client's connections.
        until: tells of an error whether it is the client's last.

    Returns:
        The answers, and the errors.
    """
    following, lock = iter(requests), threading.Lock()
    replies: list[Reply] = []
    errors: list[Exception] = []

    def work() -> None:
        sender = connect()
        while True:
            with lock:
                request = next(following, None)
            if request is None:
                break
            try:
                replies.append(sender.send(request))
            except (grpc.RpcError, OSError, http.client.HTTPException) as error:
                errors.append(error)
                if until(error):
                    break
        sender.close()

    threads = [threading.Thread(target=work) for _ in range(num_clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return replies, errors


def _json(signature: str, inputs: dict[str, np.ndarray]) -> bytes:
    values = {
        name: [[{"b64": base64.b64encode(value).decode()} for value in row] for row in array]
        if array.dtype == object
        else array.tolist()
        for name, array in inputs.items()
    }
    return json.dumps({"signature_name": signature, "inputs": values}).encode()
