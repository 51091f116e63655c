"""One video of the gallery: its page, its picture, and what the index says of it."""

import dataclasses
import hashlib
import io
import os
import re
from typing import Any

import numpy as np
from PIL import Image

from stgraph_tf import __version__, files
from stgraph_tf.data import schema, shards
from stgraph_tf.data.inspection.places import Place
from stgraph_tf.evaluation.report.margins import margins
from stgraph_tf.serving import film_clips
from stgraph_tf.serving.film_clips import FilmRecord
from stgraph_tf.viz import drawing, viewer
from stgraph_tf.viz.explained_clip import ExplainedClip
from stgraph_tf.viz.gallery.models import ShownModel

FOLDER = "videos"
_PICTURE_SIDE = 300  # the longer one, in pixels
_MAX_BOXES = 5
_MAX_NAME = 80


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A video of the index.

    Attributes:
        id: the video's.
        name: of its files, without a suffix.
        labels: indices of the classes that it shows; empty where they are not known.
        scores: float `[C]`, pooled over its clips.
    """

    id: str
    name: str
    labels: tuple[int, ...]
    scores: np.ndarray

    @property
    def predicted(self) -> int:
        """The class of the highest score."""
        return int(np.argmax(self.scores))

    @property
    def is_right(self) -> bool | None:
        """Whether the video shows the predicted class; None where that is not known."""
        return self.predicted in self.labels if self.labels else None

    @property
    def margin(self) -> float:
        """How far its own classes stand above all others; NaN where they are not known."""
        shown = np.isin(np.arange(len(self.scores)), self.labels)
        return float(margins(shown[None], self.scores[None])[0])


def make(model: ShownModel, video_id: str, place: Place, output: str) -> Entry:
    """Writes the files of one video, unless they are there already.

    Args:
        model: what scores it.
        video_id: its id.
        place: of its record.
        output: the folder of the gallery.

    Raises:
        ValueError: the record is damaged, or does not fit the model; it is named.
    """
    name = file_name(video_id)
    stem = os.path.join(output, FOLDER, name)
    serialized = shards.read_at(place.path, place.offset)
    made_of = _made_of(model, serialized)
    written = _read(f"{stem}.json", made_of)
    if written:
        return Entry(video_id, name, tuple(written["labels"]), np.array(written["scores"]))

    video = schema.parse(serialized)
    labels = tuple(video["labels"].numpy().tolist())
    if labels and not 0 <= min(labels) <= max(labels) < len(model.labels):
        raise ValueError(f"{place}: the model has no class {max(labels)}, a label of {video_id!r}")
    record = FilmRecord(
        f"{place}, video {video_id!r}",
        serialized,
        num_stored=len(video["frames"]),
        num_boxes=len(video["boxes"].flat_values),
    )
    film = film_clips.cut(record, model.clip)
    clips = [
        dataclasses.replace(
            clip,
            title=f"clip {index + 1} of {len(film)}" if len(film) > 1 else "",
            true_labels=labels or None,
        )
        for index, clip in enumerate(model.explained(film))
    ]
    scores = film.pool([clip.scores for clip in clips], model.clip.pooling)
    viewer.write(
        f"{stem}.html",
        video_id,
        clips,
        model.labels,
        description=f"{model.clip.model}, {model.clip.checkpoint}",
        pooled_scores=scores if len(clips) > 1 else None,
        pooling=model.clip.pooling,
    )
    with files.atomic_writer(f"{stem}.webp", "wb") as file:
        file.write(picture(clips[len(clips) // 2]))
    # Last: it says that the others are whole.
    value = {"made_of": made_of, "labels": labels, "scores": scores.tolist()}
    files.write_json(f"{stem}.json", value)
    return Entry(video_id, name, labels, scores)


def file_name(video_id: str) -> str:
    """A name for a video's files, of letters that any file system and any address takes."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", video_id)[:_MAX_NAME]
    if plain and plain == video_id:
        return plain
    return f"{plain}-{hashlib.blake2b(video_id.encode(), digest_size=4).hexdigest()}"


def picture(clip: ExplainedClip) -> bytes:
    """A clip's middle feature frame with its best boxes, as WebP."""
    middle = clip.num_feature_frames // 2
    image = Image.fromarray(clip.frames[middle * clip.stride])
    zoom = _PICTURE_SIDE / max(image.size)
    size = [max(1, round(side * zoom)) for side in image.size]
    frame = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    boxes = clip.boxes[middle][clip.mask[middle]]
    buffer = io.BytesIO()
    drawn = drawing.draw_boxes(frame, boxes, max_boxes=_MAX_BOXES)
    Image.fromarray(drawn).save(buffer, "WEBP", quality=70)
    return buffer.getvalue()


def _made_of(model: ShownModel, serialized: bytes) -> dict[str, Any]:
    return {
        "version": __version__,
        "model": model.digest,
        "clip": dataclasses.asdict(model.clip),
        "record": hashlib.blake2b(serialized, digest_size=16).hexdigest(),
    }


def _read(path: str, made_of: dict[str, Any]) -> dict[str, Any] | None:
    """What an earlier run has written of the same video; None if it has not, or of another."""
    try:
        value = files.read_json(path)
    except ValueError:
        return None
    return value if isinstance(value, dict) and value.get("made_of") == made_of else None
