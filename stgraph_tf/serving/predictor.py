"""An exported model in Python: films in, scores out. Needs nothing but the SavedModel."""

from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from stgraph_tf.serving import assets, versions
from stgraph_tf.serving.film_clips import FilmClips
from stgraph_tf.viz.explained_clip import ExplainedClip


class Predictor:
    """A loaded model.

    Args:
        path: a SavedModel of `export/export_saved_model.py`, or the folder of its versions, of
            which the newest is taken.

    Attributes:
        path: the version that was loaded.
        labels: C names, in the order of the scores.
        clip: how films are to be cut, see `film_clips.read`.
        finds_boxes: whether a detector is inside.

    Raises:
        ValueError: there is no SavedModel, it lacks what travels with it, or cannot be loaded.
    """

    def __init__(self, path: str):
        self.path = versions.find(path)
        self.labels, self.clip = assets.read(self.path)
        # Kept, because the signature does not keep the variables alive.
        self._loaded = _load(self.path)
        self._signature = _serving_default(self._loaded, self.path)
        self._frames_only = self._loaded.signatures.get("frames_only")
        self.finds_boxes = self._frames_only is not None
        self._explain = self._loaded.signatures.get("explain")
        num_scores = self._signature.structured_outputs["scores"].shape[-1]
        if num_scores != len(self.labels):
            raise ValueError(
                f"{self.path} gives {num_scores} scores, but its {assets.LABELS_FILE} has "
                f"{len(self.labels)} labels"
            )

    def clip_scores(self, film: FilmClips) -> Iterator[np.ndarray]:
        """Yields the scores of each clip, float32 `[C]`; one clip is in memory at a time."""
        for indices, boxes in zip(film.frame_indices, film.boxes, strict=True):
            scores = self._signature(
                frames=tf.constant(film.frames[indices][np.newaxis]),
                boxes=tf.constant(boxes[np.newaxis]),
            )["scores"]
            yield scores.numpy()[0]

    def detected(self, film: FilmClips) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `clip_scores`, with the boxes that the detector inside finds.

        Yields:
            The scores of each clip `[C]`, and its boxes, float32 `[T', K, 4]`, padded with zeros.

        Raises:
            ValueError: there is no detector inside.
        """
        if self._frames_only is None:
            raise ValueError(
                f"{self.path} has no detector inside: give it boxes, or export it with --rpn"
            )
        for indices in film.frame_indices:
            found = self._frames_only(frames=tf.constant(film.frames[indices][np.newaxis]))
            yield found["scores"].numpy()[0], found["boxes"].numpy()[0]

    def explained(
        self, film: FilmClips, boxes: Iterable[np.ndarray] | None = None
    ) -> Iterator[ExplainedClip]:
        """Yields each clip with its scores and the edges that they come from.

        Args:
            film: the film.
            boxes: float32 `[T', K, 4]` of each clip, those that the detector inside found, for
                example; the film's own if None.

        Yields:
            The clips, those of a model without a graph without edges.
        """
        signature = self._explain or self._signature
        for number, clip_boxes in enumerate(film.boxes if boxes is None else boxes):
            frames = film.frames[film.frame_indices[number]]
            found = signature(
                frames=tf.constant(frames[np.newaxis]), boxes=tf.constant(clip_boxes[np.newaxis])
            )
            outputs = {name: value.numpy()[0] for name, value in found.items()}
            times = film.stored_indices[number] / self.clip.frame_rate
            yield ExplainedClip(frames=frames, boxes=clip_boxes, times=times, **outputs)


def _load(path: str) -> tf.Module:
    try:
        return tf.saved_model.load(path)
    except (OSError, ValueError, RuntimeError, KeyError, tf.errors.OpError) as error:
        raise ValueError(f"{path} cannot be loaded as a SavedModel: {error}") from error


def _serving_default(loaded: tf.Module, path: str) -> tf.types.experimental.ConcreteFunction:
    signature = getattr(loaded, "signatures", {}).get("serving_default")
    if signature is None or "scores" not in signature.structured_outputs:
        raise ValueError(f"{path} has no signature serving_default that gives scores")
    return signature
