"""Scoring videos by several clips."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf.evaluation import views
from stgraph_tf.evaluation.pooling import VideoScores


def _clips(*clips) -> tf.data.Dataset:
    """Batches of single clips: (id, the logits that the model shall give, labels)."""
    ids, logits, labels = zip(*clips, strict=True)
    return tf.data.Dataset.from_tensor_slices(
        {
            "frames": tf.constant(logits, tf.float32),
            "boxes": tf.zeros([len(ids), 1, 1, 4]),
            "mask": tf.zeros([len(ids), 1, 1], tf.bool),
            "labels": tf.constant(labels, tf.float32),
            "id": tf.constant(ids),
        }
    ).batch(1)


def _score(clips, activation="sigmoid", **kwargs) -> VideoScores:
    return views.score_videos(
        lambda inputs: inputs["frames"], clips, views.ACTIVATIONS[activation], **kwargs
    )


class ScoreVideosTest(absltest.TestCase):
    def test_pools_the_maximum_of_each_class_over_scattered_clips(self):
        result = _score(
            _clips(
                ("b", [2.0, -1.0], [1, 0]),
                ("a", [0.0, 0.0], [0, 1]),
                ("b", [-3.0, 1.0], [1, 0]),
            )
        )
        self.assertEqual(result.ids.tolist(), ["a", "b"])
        sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
        np.testing.assert_allclose(result.scores, [[0.5, 0.5], [sigmoid(2), sigmoid(1)]], rtol=1e-6)
        np.testing.assert_array_equal(result.labels, [[0, 1], [1, 0]])

    def test_pools_the_mean_of_scores_not_of_logits(self):
        clips = _clips(("a", [0.0, 9.0], [1, 0]), ("a", [np.log(3.0), 9.0], [1, 0]))
        result = _score(clips, pooling="mean")
        np.testing.assert_allclose(result.scores[0, 0], (0.5 + 0.75) / 2, rtol=1e-6)

    def test_traces_the_model_once_for_clips_of_all_sizes(self):
        traced = []

        def model(inputs):
            traced.append(inputs["frames"].shape)
            return tf.reduce_mean(tf.cast(inputs["frames"], tf.float32), axis=[1, 2, 3])

        def clips():
            for batch, height, width in ((2, 4, 6), (2, 6, 4), (1, 4, 6)):
                yield {
                    "frames": tf.ones([batch, 2, height, width, 3], tf.uint8),
                    "boxes": tf.zeros([batch, 1, 1, 4]),
                    "mask": tf.zeros([batch, 1, 1], tf.bool),
                    "labels": tf.ones([batch, 3]),
                    "id": tf.constant([f"{height} {clip}" for clip in range(batch)]),
                }

        sizes = {"frames": [None, 2, None, None, 3], "boxes": [None, 1, 1, 4], "mask": [None, 1, 1]}
        sizes |= {"labels": [None, 3], "id": [None]}
        types = {"frames": tf.uint8, "mask": tf.bool, "id": tf.string}
        spec = {name: tf.TensorSpec(sizes[name], types.get(name, tf.float32)) for name in sizes}
        dataset = tf.data.Dataset.from_generator(clips, output_signature=spec)
        result = views.score_videos(model, dataset, views.ACTIVATIONS["sigmoid"])
        self.assertLen(traced, 1)
        self.assertLen(result.ids, 4)

    def test_softmax_comes_before_pooling(self):
        result = _score(_clips(("a", [0.0, 0.0], [1, 0]), ("a", [9.0, 9.0], [1, 0])), "softmax")
        np.testing.assert_allclose(result.scores, [[0.5, 0.5]])

    def test_tells_how_many_clips_are_done(self):
        told = []
        _score(_clips(("a", [0.0], [1]), ("b", [0.0], [1])), on_batch=told.append)
        self.assertEqual(told, [1, 1])

    def test_names_the_video_whose_score_is_nan(self):
        with self.assertRaisesRegex(ValueError, "video bad"):
            _score(_clips(("good", [0.0], [1]), ("bad", [np.nan], [1])))

    def test_refuses_nothing(self):
        with self.assertRaisesRegex(ValueError, "no clip"):
            _score(_clips(("a", [0.0], [1])).take(0))


if __name__ == "__main__":
    absltest.main()
