"""Warm-up requests: what a server runs before a new version takes its first request.

The first run of a signature prepares its graph and takes its memory, which lasts several times as
long as the next ones. TensorFlow Serving therefore replays `assets.extra/
tf_serving_warmup_requests`, a TFRecord of `PredictionLog` protos, while it loads a version; if one
fails, it refuses the version. There is one request here for every signature, of one clip or video
of the model's size. All pixels are of one grey, so that the file is small.
"""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from stgraph_tf.data import schema, shards, transforms
from stgraph_tf.serving import assets, describe
from stgraph_tf.serving.assets import ClipSpec

FILE = os.path.join("assets.extra", "tf_serving_warmup_requests")

# TF Serving's own bound.
_MOST_RECORDS = 1000
_GREY = 128
_BOX = (0.25, 0.25, 0.75, 0.75)


def write(saved_model: str, clip: ClipSpec, names: Iterable[str]) -> str:
    """Writes the file of a SavedModel.

    Args:
        saved_model: its folder.
        clip: how the model wants its clips.
        names: of its signatures.

    Returns:
        The file's path.

    Raises:
        ValueError: it is not known what to send to a signature.
    """
    inputs = _inputs(clip)
    unknown = sorted(set(names) - inputs.keys())
    if unknown:
        raise ValueError(f"there is no warm-up request for the signature {unknown[0]}")
    path = os.path.join(saved_model, FILE)
    tf.io.gfile.makedirs(os.path.dirname(path))
    with tf.io.TFRecordWriter(path) as writer:
        for name in names:
            writer.write(_log(clip.model, name, inputs[name]).SerializeToString(deterministic=True))
    return path


def read(saved_model: str) -> Iterator[predict_pb2.PredictRequest]:
    """Yields the requests of a SavedModel, none if it has no such file.

    Raises:
        ValueError: the records are not what they should be, as TF Serving refuses them.
    """
    path = os.path.join(saved_model, FILE)
    if not tf.io.gfile.exists(path):
        return
    for number, record in enumerate(shards.scan(path), 1):
        if number > _MOST_RECORDS:
            raise ValueError(f"{path} has more than {_MOST_RECORDS} records")
        log = prediction_log_pb2.PredictionLog.FromString(record.data)
        if not log.HasField("predict_log"):
            raise ValueError(f"{path}: record {number} is no Predict request")
        yield log.predict_log.request


def replay(saved_model: str, signatures: Mapping) -> None:
    """Runs the requests, as a server does.

    Args:
        saved_model: the folder that they are read from.
        signatures: of the loaded model.

    Raises:
        ValueError: one fails; its signature is named.
    """
    for request in read(saved_model):
        name = request.model_spec.signature_name
        inputs = {key: tf.constant(tf.make_ndarray(value)) for key, value in request.inputs.items()}
        try:
            signatures[name](**inputs)
        except tf.errors.OpError as error:
            raise ValueError(f"the warm-up request of {name} fails: {error.message}") from error


def record_of_clip(
    name: str, clip: ClipSpec, jpegs: Sequence[bytes], boxes: Sequence[np.ndarray]
) -> bytes:
    """The record of a video that is as long as a clip.

    Args:
        name: its id.
        clip: how the model wants its clips.
        jpegs: T frames, of one size.
        boxes: of each frame, `[k, 4]`.
    """
    height, width = map(int, transforms.jpeg_size(jpegs[0]))
    return schema.encode(
        schema.Video(
            id=name,
            frames=list(jpegs),
            timestamps=[round(index * 1e6 / clip.frame_rate) for index in range(len(jpegs))],
            height=height,
            width=width,
            frame_rate=clip.frame_rate,
            labels=[],
            label_names=[],
            segments=[],
            boxes=list(boxes),
            scores=[np.ones(len(of_frame), np.float32) for of_frame in boxes],
        )
    )


def _inputs(clip: ClipSpec) -> dict[str, dict[str, tensor_pb2.TensorProto]]:
    """What to send to each signature that a model may have."""
    height, width = clip.short_side, clip.short_side * 4 // 3
    jpeg = _grey_jpeg(clip)
    boxes_of_frame = np.array([_BOX] * clip.num_boxes, np.float32)
    video = record_of_clip(
        "warm-up", clip, [jpeg] * clip.num_frames, [boxes_of_frame] * clip.num_frames
    )
    frames = {"frames": _filled(_GREY, tf.uint8, [1, clip.num_frames, height, width, 3])}
    jpegs = {"encoded_frames": _filled(jpeg, tf.string, [1, clip.num_frames])}
    shape = [1, clip.num_frames // clip.box_stride, clip.num_boxes, 4]
    boxes = {"boxes": tf.make_tensor_proto(np.broadcast_to(np.array(_BOX, np.float32), shape))}
    record = {"sequence_example": tf.make_tensor_proto([video])}
    return {
        "serving_default": frames | boxes,
        "explain": frames | boxes,
        "encoded_frames": jpegs | boxes,
        "sequence_example": record,
        "frames_only": frames,
        "encoded_frames_only": jpegs,
        describe.SIGNATURE: {describe.INPUT: tf.make_tensor_proto([assets.CLIP_FILE])},
    }


def _filled(value: int | bytes, dtype: tf.DType, shape: list[int]) -> tensor_pb2.TensorProto:
    """A tensor of one value, which is in the proto once."""
    proto = tensor_pb2.TensorProto(
        dtype=dtype.as_datatype_enum, tensor_shape=tf.TensorShape(shape).as_proto()
    )
    (proto.string_val if dtype == tf.string else proto.int_val).append(value)
    return proto


def _grey_jpeg(clip: ClipSpec) -> bytes:
    """A frame as it is stored."""
    size = [clip.stored_short_side, clip.stored_short_side * 4 // 3]
    return tf.io.encode_jpeg(tf.fill([*size, 3], tf.constant(_GREY, tf.uint8))).numpy()


def _log(
    model: str, name: str, inputs: Mapping[str, tensor_pb2.TensorProto]
) -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest(
        model_spec=model_pb2.ModelSpec(name=model, signature_name=name), inputs=inputs
    )
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )
