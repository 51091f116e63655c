"""A film as requests: which signature, and what is sent to it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from stgraph_tf.serving import film_clips
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.client.served_model import ServedModel
from stgraph_tf.serving.film_clips import FilmBoxes, FilmRecord


@dataclasses.dataclass(frozen=True)
class Film:
    """A film to predict.

    Attributes:
        path: a film, or a folder of JPEG or PNG frames.
        fps: frames a second of a folder; a film knows its own.
    """

    path: str
    fps: float | None = None


@dataclasses.dataclass(frozen=True)
class _Signature:
    """What a signature takes.

    Attributes:
        frames: the name of its input of frames; None for one that takes whole records.
        encoded: whether its frames are JPEG images.
        boxes: whether it takes boxes; the model's detector finds them otherwise. None for one that
            looks whether there are any.
    """

    frames: str | None
    encoded: bool
    boxes: bool | None


# Those that a film can be sent to. Of the ones that a model has, the first that fits is taken:
# compressed frames are a tenth of raw ones, and clips keep several requests in flight.
SIGNATURES: Mapping[str, _Signature] = {
    "encoded_frames": _Signature("encoded_frames", encoded=True, boxes=True),
    "encoded_frames_only": _Signature("encoded_frames", encoded=True, boxes=False),
    "serving_default": _Signature("frames", encoded=False, boxes=True),
    "frames_only": _Signature("frames", encoded=False, boxes=False),
    "sequence_example": _Signature(None, encoded=True, boxes=None),
}


class FilmRequests:
    """What is sent for one film, clip by clip, and what the replies come to.

    Args:
        signature: that the clips are sent to; one of `SIGNATURES`.
        film: the film.
        clip: how the model wants its clips.
        has_boxes: whether its boxes are known; the model finds them otherwise.

    Attributes:
        num_stored: frames that the film has at the model's rate.
        num_clips: clips that are scored.

    Raises:
        ValueError: a frame cannot be decoded; the film is named.
    """

    def __init__(self, signature: str, film: FilmRecord, clip: ClipSpec, has_boxes: bool):
        self._takes = SIGNATURES[signature]
        self._film = film
        self._has_boxes = has_boxes
        self._pooling = clip.pooling
        self._clips = None
        self.num_stored = film.num_stored
        self.num_clips = clip.num_clips
        if self._takes.frames is not None:
            self._clips = film_clips.cut(film, clip, decode=not self._takes.encoded)
            self.num_clips = len(self._clips)

    def __len__(self) -> int:
        return 1 if self._clips is None else len(self._clips)

    def inputs(self, number: int) -> dict[str, np.ndarray]:
        """The inputs of one request, made when they are wanted: raw clips are large."""
        if self._clips is None:
            return {"sequence_example": np.array([self._film.serialized], object)}
        frames = self._clips.frames[self._clips.frame_indices[number]]
        inputs = {cast(str, self._takes.frames): frames[np.newaxis]}
        if self._takes.boxes:
            inputs["boxes"] = self._clips.boxes[number][np.newaxis]
        return inputs

    def scores(self, replies: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
        """The film's scores, float32 `[C]`, from the replies in the order of the requests."""
        scores = [np.asarray(reply["scores"], np.float32)[0] for reply in replies]
        return scores[0] if self._clips is None else self._clips.pool(scores, self._pooling)

    def num_boxes(self, replies: Sequence[Mapping[str, np.ndarray]]) -> int | None:
        """The boxes that were sent, or that the model found; None if it does not tell."""
        if self._clips is None:
            return self._film.num_boxes if self._has_boxes else None
        if self._has_boxes:
            return int(self._clips.num_boxes.sum())
        # Padding is all zeros.
        return sum(int(np.any(np.asarray(reply["boxes"]), axis=-1).sum()) for reply in replies)


class FilmReader:
    """Reads films for one signature of a model.

    Args:
        boxes: where the films' boxes are, as in `tools/predict.py`: `none`, files of boxes, or a
            detector that runs here; None for a model that finds them itself.
        by_id: whether the only line of a file of boxes must have the film's id, too.

    Raises:
        ValueError: there are no such boxes.
    """

    def __init__(self, boxes: str | None, *, by_id: bool):
        self._spec = boxes
        self._by_id = by_id
        self._detects = boxes is not None and film_clips.find_detector(boxes, 1) is not None
        self._boxes = FilmBoxes("none" if boxes is None or self._detects else boxes)

    def signature(self, model: ServedModel, wanted: str | None = None) -> str:
        """The signature to send films to: `wanted`, or the first that the model has and fits.

        Raises:
            ValueError: there is none, or `wanted` does not go with the boxes.
        """
        with_boxes = self._spec is not None
        if not with_boxes and not model.finds_boxes:
            raise ValueError(
                f"boxes must say where the films' boxes are (or none): version {model.version} of "
                f"the model has no detector inside"
            )
        fitting = [
            name
            for name, takes in SIGNATURES.items()
            if takes.boxes in (with_boxes, None) and name in model.signatures
        ]
        if wanted is None and fitting:
            return fitting[0]
        if wanted in fitting:
            return wanted
        raise ValueError(
            f"films {'with' if with_boxes else 'without'} boxes need one of the signatures "
            f"{', '.join(fitting) or 'that no version here has'}. Received: {wanted!r}"
        )

    def read(self, film: Film, model: ServedModel, signature: str) -> FilmRequests:
        """Decodes a film and cuts it, as far as the signature leaves that to the client.

        Raises:
            ValueError: the film or its boxes cannot be read; it is named.
        """
        line = self._boxes.line(film.path, by_id=self._by_id)
        detector = None
        if self._detects:
            detector = film_clips.find_detector(cast(str, self._spec), model.clip.num_boxes)
        record = film_clips.record(film.path, model.clip, line, film.fps, detector)
        detects_anyway = SIGNATURES[signature].boxes is None and model.finds_boxes
        has_boxes = self._spec is not None
        if has_boxes and not record.num_boxes and detects_anyway:
            raise ValueError(
                f"{film.path} has no boxes, and {signature} would have the model find some: send "
                f"it to another signature"
            )
        return FilmRequests(signature, record, model.clip, has_boxes)
