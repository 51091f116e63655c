"""The signature `describe`: what travels with the model, for clients that have only the server.

    describe    asset string [B] -> content string [B]

`asset` names a file of the model's assets, `labels.txt` or `clip.json`; `content` is its text. With
it a client knows what the scores stand for and how clips are cut, of the very version that answers.
One row in, one row out, as a server that batches requests demands of every signature.
"""

from collections.abc import Sequence

import tensorflow as tf

from stgraph_tf.serving import assets
from stgraph_tf.serving.assets import ClipSpec

SIGNATURE = "describe"
INPUT = "asset"
OUTPUT = "content"


def concrete_function(
    labels: Sequence[str], clip: ClipSpec
) -> tf.types.experimental.ConcreteFunction:
    """Traces the signature for a model's labels and clips.

    Raises:
        ValueError: as `assets.texts`.
    """
    contents = assets.texts(labels, clip)
    names, texts = list(contents), list(contents.values())

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name=INPUT)])
    def describe(asset: tf.Tensor) -> dict[str, tf.Tensor]:
        matches = tf.equal(asset[:, tf.newaxis], names)
        known = tf.reduce_all(tf.reduce_any(matches, axis=-1))
        problem = f"{INPUT} must be {' or '.join(names)}, received "
        received = tf.strings.reduce_join(asset, separator=", ")
        with tf.control_dependencies([tf.debugging.Assert(known, [problem + received])]):
            return {OUTPUT: tf.gather(texts, tf.argmax(matches, axis=-1))}

    return describe.get_concrete_function()
