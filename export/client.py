"""Recognizes the actions in films by a model server: TensorFlow Serving or export/model_server.py.

    python export/client.py --server localhost:8500 --model_name stgraph --video film.mp4 \
        --boxes boxes.jsonl

Films are cut into clips here, as tools/predict.py does, and scored there. Labels and the way to cut
clips come from the server.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from absl import flags

from stgraph_tf import program

if TYPE_CHECKING:
    from stgraph_tf.serving.client import Client, Prediction

_SERVER = flags.DEFINE_string(
    "server",
    None,
    "HOST:PORT of gRPC (grpcs://HOST:PORT with TLS), or http://HOST:PORT or https://HOST:PORT of "
    "REST.",
)
_MODEL_NAME = flags.DEFINE_string("model_name", "stgraph", "The model, as its server calls it.")
_MODEL_VERSION = flags.DEFINE_integer(
    "model_version", None, "Number of a version; the newest by default.", lower_bound=0
)
_SIGNATURE_NAME = flags.DEFINE_string(
    "signature_name",
    None,
    "What is sent: encoded_frames (clips of JPEG frames), serving_default (clips of raw frames), "
    "sequence_example (the whole film at once), or, without boxes, encoded_frames_only or "
    "frames_only; the first of them that the model has by default.",
)
_VIDEO = flags.DEFINE_multi_string(
    "video", [], "A film, or a folder of JPEG or PNG frames. May be given several times."
)
_VIDEOS = flags.DEFINE_string("videos", None, "A file that lists films, one a line.")
_FPS = flags.DEFINE_float("fps", None, "Frames a second of folders of frames.", lower_bound=0.001)
_BOXES = flags.DEFINE_string(
    "boxes",
    None,
    "Object boxes, as in tools/predict.py: none, or a proposals file with a line for each film, "
    "something_else:PATH or coco:RESULTS,IMAGES@FPS; or a detector that finds them here: "
    "rpn:CHECKPOINT or saved_model:DIR. If not given, the served model's own does.",
)
_SAVED_MODEL = flags.DEFINE_string(
    "saved_model",
    None,
    "A copy of the served model, to read the labels from, if the server does not tell them.",
)
_TIMEOUT = flags.DEFINE_float(
    "timeout", 60.0, "Seconds that a request may take, its retries included.", lower_bound=0.001
)
_RETRIES = flags.DEFINE_integer(
    "retries", 5, "Times that a request is sent again if the server is not available.", 0
)
_IN_FLIGHT = flags.DEFINE_integer(
    "in_flight", 4, "Requests that are under way at once.", lower_bound=1
)
_MAX_MESSAGE_MB = flags.DEFINE_integer(
    "max_message_mb", 256, "Megabytes that a request may have; a larger one is not sent.", 1, 2048
)
_TOP = flags.DEFINE_integer("top", 5, "Labels to print.", lower_bound=1)
_JSON = flags.DEFINE_string("json", None, "File to write all scores to.")

_NAMED_FILMS = 3


def main(argv: Sequence[str]) -> None:
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")

    paths = _paths()

    from stgraph_tf.serving import client

    films = [client.Film(path, _fps(path)) for path in paths]
    predictions: list[Prediction] = []
    with client.Client(
        _SERVER.value,
        _MODEL_NAME.value,
        model_version=_MODEL_VERSION.value,
        signature_name=_SIGNATURE_NAME.value,
        saved_model=_SAVED_MODEL.value,
        in_flight=_IN_FLIGHT.value,
        timeout=_TIMEOUT.value,
        retries=client.Retries(_RETRIES.value),
        max_message_bytes=_MAX_MESSAGE_MB.value * 2**20,
    ) as served:
        try:
            _predict(served, films, predictions)
        finally:
            # Also what was done when the user broke off.
            if _JSON.value and predictions:
                _write_json(served, predictions)
    failed = [prediction.video for prediction in predictions if prediction.error]
    if failed:
        names = ", ".join(failed[:_NAMED_FILMS]) + (", ..." if len(failed) > _NAMED_FILMS else "")
        raise ValueError(f"{len(failed)} of {len(films)} films have no scores: {names}")


def _paths() -> list[str]:
    """The films that the flags name, in their order."""
    if not _VIDEO.value and not _VIDEOS.value:
        raise ValueError("--video or --videos must name a film")

    import tensorflow as tf

    paths = list(_VIDEO.value)
    if _VIDEOS.value:
        if not tf.io.gfile.exists(_VIDEOS.value) or tf.io.gfile.isdir(_VIDEOS.value):
            raise ValueError(f"--videos: the list {_VIDEOS.value} does not exist, or is no file")
        with tf.io.gfile.GFile(_VIDEOS.value) as file:
            paths += [line.strip() for line in file if line.strip()]
    if not paths:
        raise ValueError(f"--videos: the list {_VIDEOS.value} is empty")
    return paths


def _fps(path: str) -> float | None:
    import tensorflow as tf

    if not tf.io.gfile.isdir(path):
        return None
    if _FPS.value is None:
        raise ValueError(f"{path} is a folder of frames: --fps must say how many a second")
    return _FPS.value


def _predict(served: "Client", films: Sequence[Any], predictions: "list[Prediction]") -> None:
    """Scores the films, and prints what comes of each as soon as it is known."""
    one = len(films) == 1
    with program.progress_bar(len(films), unit="request" if one else "film") as bar:

        def watch(done: int, known: int) -> None:
            bar.total = known
            bar.update(done - bar.n)

        found = served.predict(
            films,
            boxes=_BOXES.value,
            by_id=not one,
            **({"watch": watch} if one else {}),
        )
        for prediction in found:
            predictions.append(prediction)
            if not one:
                bar.update()
            if not (one and prediction.error):
                bar.write(_text(served, prediction))
    if one and prediction.error:
        raise ValueError(prediction.error)


def _text(served: "Client", prediction: "Prediction") -> str:
    if prediction.error:
        return f"film    {prediction.video}\nerror   {prediction.error}\n"

    from stgraph_tf.serving import score_table

    table = score_table.text(prediction.ranked()[: _TOP.value])
    clip, num_boxes = served.model.clip, prediction.num_boxes
    found = [] if num_boxes is None else [str(num_boxes)]
    found += [] if _BOXES.value else ["found by the model"]
    return (
        f"{table}\n\n"
        f"film    {prediction.video}, {prediction.num_frames} frames at {clip.frame_rate:g} a "
        f"second\n"
        f"clips   {prediction.num_clips} of {clip.num_frames} frames, pooled by {clip.pooling}\n"
        f"boxes   {', '.join(found)}\n"
        f"model   {_MODEL_NAME.value}, version {prediction.version}, on {_SERVER.value}\n"
    )


def _write_json(served: "Client", predictions: "Sequence[Prediction]") -> None:
    from stgraph_tf import files

    films = []
    for prediction in predictions:
        if prediction.error:
            films.append({"video": prediction.video, "error": prediction.error})
            continue
        films.append(
            {
                "video": prediction.video,
                "version": prediction.version,
                "num_frames": prediction.num_frames,
                "num_clips": prediction.num_clips,
                "num_boxes": prediction.num_boxes,
                "predictions": [
                    {"label": label, "score": score} for label, score in prediction.ranked()
                ],
            }
        )
    files.write_json(
        _JSON.value,
        {"server": served.connection.server, "model": served.connection.model_name, "films": films},
    )


if __name__ == "__main__":
    flags.mark_flags_as_required(["server"])
    program.run(main)
