"""The signature `sequence_example`, against the evaluation of the same records."""

import dataclasses
import functools
import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf.data import pipeline, schema, shards
from stgraph_tf.evaluation import views
from stgraph_tf.serving.limits import Limits
from stgraph_tf.serving.whole_videos import VideoScorer
from tests.serving.exported import (
    CLIP,
    LABELS,
    ExportedTestCase,
    joint,
    jpeg,
    record,
    request,
    without_box_lists,
)

# Longer and shorter than a clip, with clips that are alike, without boxes, in portrait format.
RECORDS = (
    record("a", num_frames=11),
    record("b", num_frames=3, height=24, width=31),
    without_box_lists(record("c", num_frames=7)),
    record("d", num_frames=6, height=50, width=36, num_boxes=1),
)


@functools.cache
def compiled():
    """The trained model as an evaluation runs it."""
    model, _, _ = joint()
    specs = {
        "frames": tf.TensorSpec([None, CLIP.num_frames, None, None, 3], tf.uint8),
        "boxes": tf.TensorSpec([None, CLIP.num_frames // CLIP.box_stride, None, 4], tf.float32),
        "mask": tf.TensorSpec([None, CLIP.num_frames // CLIP.box_stride, None], tf.bool),
    }
    return views.compiled(model, views.ACTIVATIONS[CLIP.loss], specs)


def evaluated(records, clip):
    """The scores `[V, C]` that an evaluation gives the videos, in the order of their ids."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "validation-00000-of-00001.tfrecord")
        shards.write(path, records)
        clips = pipeline.evaluation_dataset(
            [path],
            num_labels=len(LABELS),
            num_frames=clip.num_frames,
            box_stride=clip.box_stride,
            num_boxes=clip.num_boxes,
            num_clips=clip.num_clips,
            short_side=clip.short_side,
            batch_size=2,
        )
        return views.pooled_scores(compiled(), clips, pooling=clip.pooling).scores


def without_feature(serialized, key):
    example = tf.train.SequenceExample.FromString(serialized)
    for features in (example.context.feature, example.feature_lists.feature_list):
        if key in features:
            del features[key]
    return example.SerializeToString()


def with_lists(serialized, change):
    """The record after `change(lists)` of its feature lists."""
    example = tf.train.SequenceExample.FromString(serialized)
    change(example.feature_lists.feature_list)
    return example.SerializeToString()


class WholeVideosTest(ExportedTestCase):
    def test_scores_are_those_of_an_evaluation(self):
        scores = self.call("sequence_example", sequence_example=list(RECORDS))
        np.testing.assert_allclose(scores, evaluated(RECORDS, CLIP), atol=1e-5)
        self.assertGreater(np.ptp(scores, axis=0).max(), 1e-3)

    def test_the_mean_of_clips_of_which_some_are_alike(self):
        clip = dataclasses.replace(CLIP, num_clips=5, pooling="mean")
        scorer = VideoScorer(self.score, len(LABELS), clip, Limits.of(clip, smallest_side=4))
        scores = scorer(tf.constant(RECORDS))
        np.testing.assert_allclose(scores, evaluated(RECORDS, clip), atol=1e-5)

    def score(self, frames, boxes):
        return self.loaded.signatures["serving_default"](frames=frames, boxes=boxes)["scores"]

    def assert_record_refused(self, sentence, serialized):
        """The record as the second of a request."""
        self.assert_refused(sentence, "sequence_example", sequence_example=[RECORDS[1], serialized])

    def test_as_many_records_as_a_request_may_have(self):
        for records in ([], [b""] * 9):
            self.assert_refused(
                f"sequence_example must have shape [B] with B of 1 to 8, received [{len(records)}]",
                "sequence_example",
                sequence_example=np.array(records, object),
            )

    def test_what_is_no_record(self):
        for data in (b"no record" * 9, RECORDS[0][:-9], jpeg(request()[0][0, 0])):
            with self.subTest(data[:9]):
                self.assert_record_refused(
                    "Invalid protocol message input, example id: sequence_example[1]", data
                )

    def test_keys_that_are_missing(self):
        self.assert_record_refused("sequence_example[1] ", b"")
        for key in (schema.HEIGHT, schema.FRAME_RATE):
            self.assert_record_refused(
                f"sequence_example[1] must have one {key}", without_feature(RECORDS[0], key)
            )
        self.assert_record_refused(
            "sequence_example[1] has 7 image/encoded and 0 image/timestamp",
            without_feature(RECORDS[2], schema.TIMESTAMPS),
        )
        for key in (schema.BOX_SIDES[2], schema.SCORES):
            self.assert_record_refused(
                "sequence_example[1] must have as many region/bbox/ymin, ",
                without_feature(RECORDS[0], key),
            )

    def test_lists_that_do_not_belong_together(self):
        self.assert_record_refused(
            "sequence_example[1] has 6 image/encoded and 7 image/timestamp",
            with_lists(RECORDS[2], lambda lists: lists[schema.FRAMES].feature.pop()),
        )
        self.assert_record_refused(
            "sequence_example[1] must have one image/encoded and one image/timestamp a frame",
            with_lists(RECORDS[2], lambda lists: lists[schema.FRAMES].feature[3].Clear()),
        )

        def one_less(lists):
            for key in (*schema.BOX_SIDES, schema.SCORES):
                lists[key].feature.pop()

        self.assert_record_refused(
            "sequence_example[1] must have boxes on all frames or none",
            with_lists(RECORDS[0], one_less),
        )

    def test_boxes_that_are_not_finite(self):
        def change(lists):
            lists[schema.BOX_SIDES[1]].feature[0].float_list.value[0] = np.nan

        self.assert_record_refused(
            "sequence_example[1] has a box with a number that is not finite",
            with_lists(RECORDS[0], change),
        )

    def test_more_boxes_than_a_frame_may_have(self):
        def change(lists):
            for key in (*schema.BOX_SIDES, schema.SCORES):
                lists[key].feature[0].float_list.value.extend([0.5] * 2000)

        self.assert_record_refused(
            "sequence_example[1] has a frame with more than 1024 boxes",
            with_lists(RECORDS[0], change),
        )

    def test_frames_that_cannot_be_decoded(self):
        good, narrow = jpeg(request()[0][0, 0]), jpeg(np.zeros([1, 5, 3], np.uint8))
        for images, sentence in (
            ([good, b"GIF89a"], "a frame of sequence_example[1] is no JPEG image"),
            ([good, good[:-50]], "Invalid JPEG data"),
            (
                [good, jpeg(request()[0][0, 0, :20])],
                "a frame of sequence_example[1] has [20, 32] pixels, and the first frame has "
                "[24, 32]",
            ),
            (
                [narrow] * 2,
                "a clip of sequence_example[1] has 4 frames of [24, 120] pixels once scaled",
            ),
        ):
            with self.subTest(sentence):
                self.assert_record_refused(sentence, record("e", len(images), frames=images))


if __name__ == "__main__":
    absltest.main()
