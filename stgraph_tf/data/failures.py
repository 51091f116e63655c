"""What goes wrong while clips are read, told in one sentence that names the place.

An error inside a `tf.data` graph knows neither the file nor the record that it met. Where the
pipeline can fail on a record, it says so in an assertion that names the video; `checked` turns
these assertions, and damage in a file, into a `ValueError`.
"""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from stgraph_tf.data import shards

Tensors = dict[str, tf.Tensor]

_WRONG_COUNT = "the shards hold more or fewer videos than dataset.json says"


@contextlib.contextmanager
def checked(paths: Sequence[str]) -> Iterator[None]:
    """Turns what goes wrong while a dataset is read into one sentence that says where.

        with failures.checked(paths):
            for batch in dataset:
                ...

    Args:
        paths: the shards that the dataset reads.

    Raises:
        ValueError: a shard is damaged (it is named, with the place), a record does not hold what it
            should (the video is named), or there are more or fewer records than was said.
    """
    try:
        yield
    except tf.errors.DataLossError as error:
        damage = shards.describe_damage(paths)
        if damage is None:  # The damage is elsewhere, in a checkpoint say.
            raise
        raise ValueError(damage) from error
    except (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError) as error:
        problem = _problem(error.message)
        if problem is None:
            raise
        if problem == _WRONG_COUNT and (damage := shards.describe_damage(paths)):
            # A shard that ends inside a record's head looks to TensorFlow like one that ends.
            raise ValueError(damage) from error
        raise ValueError(f"{os.path.dirname(paths[0])}: {problem}") from error


def naming_video(transform: Callable[[Tensors], Tensors]) -> Callable[[Tensors], Tensors]:
    """Lets the failure of `transform`, which decodes a clip's frames, name the video.

    Inside a graph, nothing catches an operation's error but the `ignore_errors` of a dataset. So
    the clip becomes a dataset of one; where it comes out empty, what follows it says why.
    """

    def named(clip: Tensors) -> Tensors:
        alone = tf.data.Dataset.from_tensors(clip)
        done = alone.map(transform).ignore_errors(log_warning=True)

        def fail(clip: Tensors) -> Tensors:
            problem = [
                *["video ", clip["id"], " has a frame that is not a JPEG image, is damaged, "],
                "or is not as large as the first",
            ]
            with tf.control_dependencies([tf.debugging.Assert(False, [tf.strings.join(problem)])]):
                return tf.nest.map_structure(
                    lambda spec: tf.zeros([side or 0 for side in spec.shape], spec.dtype),
                    done.element_spec,
                )

        return done.concatenate(alone.map(fail)).take(1).get_single_element()

    return named


def _problem(message: str) -> str | None:
    """The sentence in an error of the pipeline; None for errors of other origin."""
    sentence = r"assertion failed: \[(video .*?)\](?: \[|\n|$)"
    if found := re.search(sentence, message, re.DOTALL):
        return re.sub(r"\\(['\"\\])", r"\1", found.group(1))
    if re.search(r"was expected to contain \d+ elements?", message):
        return _WRONG_COUNT
    if found := re.search(r"in user-defined function .*Iterator::\S+: (.*)", message):
        return f"a record does not hold a video with MediaSequence's keys: {found.group(1)}"
    return None
