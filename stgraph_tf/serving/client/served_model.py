"""The model behind a server: which version answers, its signatures, its labels, how clips are cut.

A film's clips must all be scored by one version, and its scores named by that version's labels. So
a version is looked up once, and then asked for by its number.
"""

import dataclasses

import numpy as np

from stgraph_tf.serving import assets, describe, versions
from stgraph_tf.serving.assets import ClipSpec
from stgraph_tf.serving.client import errors
from stgraph_tf.serving.client.connection import Connection, Metadata
from stgraph_tf.serving.client.errors import RequestError

# Times that a server may put a new version in place of the one that was just looked up.
_LOOKUPS = 3


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """One version of a model.

    Attributes:
        version: its number.
        signatures: their names.
        labels: C names, in the order of the scores.
        clip: how films are to be cut.
    """

    version: int
    signatures: frozenset[str]
    labels: tuple[str, ...]
    clip: ClipSpec

    @property
    def finds_boxes(self) -> bool:
        """Whether a detector is inside."""
        return not self.signatures.isdisjoint(("encoded_frames_only", "frames_only"))


def look_up(
    connection: Connection, version: int | None = None, saved_model: str | None = None
) -> ServedModel:
    """Asks a server what it serves.

    Args:
        connection: to the model.
        version: its number; None for the newest.
        saved_model: a copy of the model, or of the folder of its versions, to read labels and clips
            from; None to have them from the server.

    Raises:
        ValueError: the model does not tell its labels, or those of `saved_model` are not its own.
        RequestError: the server did not answer, or has no such model or version.
    """
    for number in range(_LOOKUPS):
        metadata = connection.metadata(version)
        try:
            if saved_model is None:
                labels, clip = _described(connection, metadata)
            else:
                labels, clip = _stored(connection, metadata, saved_model)
        except RequestError as error:
            # Gone between the two requests: a newer version has taken its place.
            replaced = error.code == errors.NOT_FOUND and version is None
            if not replaced or number == _LOOKUPS - 1:
                raise
        else:
            return ServedModel(metadata.version, frozenset(metadata.signatures), labels, clip)
    raise AssertionError("the last look-up returns or raises")


def _described(connection: Connection, metadata: Metadata) -> tuple[tuple[str, ...], ClipSpec]:
    if describe.SIGNATURE not in metadata.signatures:
        raise ValueError(
            f"version {metadata.version} of {connection.model_name} on {connection.server} has no "
            f"signature {describe.SIGNATURE}, which tells the labels: name a copy of it by "
            f"saved_model, or export it again"
        )
    contents = {}
    for name in (assets.LABELS_FILE, assets.CLIP_FILE):
        # One by one: a server's batches may be no larger than that.
        output = connection.predict(
            describe.SIGNATURE,
            {describe.INPUT: np.array([name.encode()], object)},
            [describe.OUTPUT],
            metadata.version,
        )[describe.OUTPUT]
        (text,) = output.tolist()
        contents[name] = text.decode() if isinstance(text, bytes) else text
    return assets.parse(contents, f"{connection.server}/{connection.model_name}")


def _stored(
    connection: Connection, metadata: Metadata, saved_model: str
) -> tuple[tuple[str, ...], ClipSpec]:
    path = versions.path_of(saved_model, metadata.version)
    if metadata.version not in versions.numbers(saved_model):
        path = versions.find(saved_model)
    labels, clip = assets.read(path)
    num_scores = metadata.signatures.get("serving_default", {}).get("scores")
    if num_scores not in (None, len(labels)):
        raise ValueError(
            f"version {metadata.version} of {connection.model_name} on {connection.server} gives "
            f"{num_scores} scores, but {path} has {len(labels)} labels"
        )
    return labels, clip
