"""Mistakes in gRPC messages, see `malformed_requests`."""

import struct
from collections.abc import Callable

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from benchmarks.known_requests import CHANNEL_OPTIONS, PREDICT, predict_request
from benchmarks.malformed_requests import Mistake, Target

_SECONDS = 120
_CLASSIFY = "/tensorflow.serving.PredictionService/Classify"
_INVALID = frozenset({"INVALID_ARGUMENT"})
_TOO_LARGE = frozenset({"RESOURCE_EXHAUSTED"})
# Where bits are random, the message may still be one.
_ANY_BITS = frozenset({"OK", "INVALID_ARGUMENT", "NOT_FOUND"})

_Change = Callable[[np.random.Generator, predict_pb2.PredictRequest], None]


def mistakes(target: Target) -> list[Mistake]:
    """One of each kind, sent over a connection that they share."""
    channel = grpc.insecure_channel(f"127.0.0.1:{target.port}", CHANNEL_OPTIONS)
    clip = target.clip
    raw = predict_request("serving_default", {"frames": clip.frames, "boxes": clip.boxes})
    encoded = predict_request("encoded_frames", {"encoded_frames": clip.jpegs, "boxes": clip.boxes})

    def status(body: bytes, method: str = PREDICT, **options) -> str:
        try:
            channel.unary_unary(method)(body, **{"timeout": _SECONDS, **options})
        except grpc.RpcError as error:
            return error.code().name
        return "OK"

    def changed(name: str, message: predict_pb2.PredictRequest, change: _Change) -> Mistake:
        def send(random: np.random.Generator) -> str:
            request = predict_pb2.PredictRequest()
            request.CopyFrom(message)
            change(random, request)
            return status(request.SerializeToString())

        return Mistake(name, send, _INVALID)

    def cancelled(random: np.random.Generator) -> str:
        call = channel.unary_unary(PREDICT).future(raw.SerializeToString(), timeout=_SECONDS)
        call.cancel()
        return call.code().name

    def bomb(random: np.random.Generator) -> str:
        request = predict_request(
            "serving_default", {"frames": np.zeros(4 * target.max_bytes, "u1")}
        )
        return status(request.SerializeToString(), compression=grpc.Compression.Gzip)

    length = target.max_bytes + 1
    missing_version, missing_model = predict_pb2.PredictRequest(), predict_pb2.PredictRequest()
    missing_version.CopyFrom(raw)
    missing_version.model_spec.version.value = 10**9
    missing_model.CopyFrom(raw)
    missing_model.model_spec.name = "another"
    return [
        changed("frames of floats", raw, _float_frames),
        changed("frames of another T, rank or size", raw, _wrong_shape),
        changed("boxes that are not finite", raw, _not_finite),
        changed("a negative axis", raw, _negative_axis),
        changed("a giant shape of one value", raw, _giant_shape),
        changed("tensor_content of another length", raw, _wrong_content),
        changed("an input that is unknown or missing", raw, _wrong_inputs),
        changed("an unknown signature", raw, _unknown_signature),
        changed("a JPEG that breaks off", encoded, _truncated_jpeg),
        changed("what is no JPEG", encoded, _no_jpeg),
        changed("a JPEG of 65500 x 65500", encoded, _giant_jpeg),
        Mistake(
            "an unknown version or model",
            lambda random: status(
                (missing_version, missing_model)[random.integers(2)].SerializeToString()
            ),
            frozenset({"NOT_FOUND"}),
        ),
        Mistake("random bytes", lambda random: status(random.bytes(100)), _ANY_BITS - {"OK"}),
        Mistake(
            "flipped bits",
            lambda random: status(_flipped(random, encoded.SerializeToString())),
            _ANY_BITS,
        ),
        Mistake("a message that is too large", lambda random: status(bytes(length)), _TOO_LARGE),
        Mistake("a message that is too large unpacked", bomb, _TOO_LARGE),
        Mistake(
            "a deadline that cannot be kept",
            lambda random: status(raw.SerializeToString(), timeout=1e-4),
            frozenset({"DEADLINE_EXCEEDED"}),
        ),
        Mistake("who cancels", cancelled, frozenset({"CANCELLED", "OK"})),
        Mistake(
            "a method that is not offered",
            lambda random: status(b"", _CLASSIFY),
            frozenset({"UNIMPLEMENTED"}),
        ),
    ]


def _float_frames(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    shape = [1, 4, 8, 8, 3]
    frames = random.random(shape, np.float32)
    request.inputs["frames"].CopyFrom(tf.make_tensor_proto(frames))


def _wrong_shape(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    shapes: tuple[list[int], ...] = (
        [1, 3, 8, 8, 3],
        [8, 8, 3],
        [1, 1, 1, 1, 1, 1],
        [0, 4, 8, 8, 3],
        [1, 4, 0, 8, 3],
        [],
    )
    shape = shapes[random.integers(len(shapes))]
    request.inputs["frames"].CopyFrom(tf.make_tensor_proto(np.zeros(shape, np.uint8)))


def _not_finite(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    boxes = tf.make_ndarray(request.inputs["boxes"]).copy()
    boxes.flat[random.integers(boxes.size)] = random.choice([np.nan, np.inf, -np.inf])
    request.inputs["boxes"].CopyFrom(tf.make_tensor_proto(boxes))


def _negative_axis(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    axes = request.inputs["frames"].tensor_shape.dim
    axes[random.integers(len(axes))].size = -int(random.integers(1, 2**62))


def _giant_shape(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    boxes = request.inputs["boxes"]
    boxes.tensor_content = b""
    boxes.float_val[:] = [0.5]
    for axis in boxes.tensor_shape.dim:
        axis.size = int(random.integers(10**5, 2**62))


def _wrong_content(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    frames = request.inputs["frames"]
    frames.tensor_content = frames.tensor_content[: -int(random.integers(1, 100))]


def _wrong_inputs(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    if random.integers(2):
        del request.inputs["boxes"]
    if random.integers(2) or "boxes" in request.inputs:
        request.inputs["pictures"].CopyFrom(request.inputs["frames"])


def _unknown_signature(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    request.model_spec.signature_name = random.bytes(5).hex()


def _truncated_jpeg(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    jpegs = request.inputs["encoded_frames"].string_val
    number = random.integers(len(jpegs))
    jpegs[number] = jpegs[number][: random.integers(2, len(jpegs[number]) * 3 // 4)]


def _no_jpeg(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    jpegs = request.inputs["encoded_frames"].string_val
    jpegs[random.integers(len(jpegs))] = random.bytes(int(random.integers(0, 500)))


def _giant_jpeg(random: np.random.Generator, request: predict_pb2.PredictRequest) -> None:
    """Writes other sizes into the header of every image."""
    jpegs = request.inputs["encoded_frames"].string_val
    for number, data in enumerate(jpegs):
        place = data.index(b"\xff\xc0") + 5
        jpegs[number] = data[:place] + struct.pack(">HH", 65500, 65500) + data[place + 4 :]


def _flipped(random: np.random.Generator, message: bytes) -> bytes:
    flipped = bytearray(message)
    # Where the message has its structure, and not only its pixels.
    for place in random.integers(0, min(len(flipped), 400), random.integers(1, 6)):
        flipped[place] ^= 1 << random.integers(8)
    return bytes(flipped)
