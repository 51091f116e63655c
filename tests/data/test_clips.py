"""Tests of the choice of frames, boxes and labels, against NumPy and values computed by hand."""

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.data import clips, schema

FPS = 10.0
FRAME_TIME = 100_000  # Microseconds, at 10 frames a second.


def parsed_video(num_frames, *, boxes=None, labels=(), segments=()):
    """A record whose frame `i` is the string `i`, not an image: nothing is decoded here."""
    boxes = boxes or [np.zeros([0, 4])] * num_frames
    video = schema.Video(
        id="kitchen",
        frames=[str(frame).encode() for frame in range(num_frames)],
        timestamps=[frame * FRAME_TIME for frame in range(num_frames)],
        height=8,
        width=8,
        frame_rate=FPS,
        labels=list(labels),
        label_names=[str(label) for label in labels],
        segments=[schema.Segment(*segment) for segment in segments],
        boxes=boxes,
        scores=[np.ones(len(frame_boxes)) for frame_boxes in boxes],
    )
    return schema.parse(schema.encode(video))


def seed(number):
    return tf.constant([7, number], tf.int64)


def box(number):
    """A box that tells which it is."""
    return [0.0, 0.0, 0.5, number / 100]


def training_clip(video, number=0, num_frames=4, box_stride=2, labels="clip"):
    return clips.training_clip(
        video, num_frames=num_frames, box_stride=box_stride, labels=labels, seed=seed(number)
    )


def shown(clip):
    return [int(jpeg) for jpeg in clip["jpegs"].numpy()]


class FramesTest(parameterized.TestCase):
    @parameterized.product(
        num_stored=(1, 5, 8, 9, 10, 31, 180), num_frames=(8,), num_clips=(2, 3, 10)
    )
    def test_spaced_starts_are_an_even_division(self, num_stored, num_frames, num_clips):
        last = max(num_stored - num_frames, 0)
        expected = np.floor(np.linspace(0, last, num_clips) + 0.5)
        starts = clips.spaced_starts(tf.constant(num_stored, tf.int64), num_frames, num_clips)
        np.testing.assert_array_equal(starts, expected)

    @parameterized.parameters((1, 0), (8, 0), (9, 0), (10, 1), (28, 10))
    def test_single_clip_is_the_middle(self, num_stored, expected):
        starts = clips.spaced_starts(tf.constant(num_stored, tf.int64), 8, 1)
        np.testing.assert_array_equal(starts, [expected])

    def test_random_starts_take_every_place_about_equally_often(self):
        video = parsed_video(8)
        starts = [shown(training_clip(video, number))[0] for number in range(300)]
        counts = np.bincount(starts)
        self.assertLen(counts, 5)  # 0 to 4: a clip of 4 fits at 5 places of 8 frames.
        self.assertGreater(counts.min(), 35)

    def test_frames_follow_each_other(self):
        for number in range(20):
            frames = shown(training_clip(parsed_video(30), number))
            self.assertEqual(frames, list(range(frames[0], frames[0] + 4)))

    def test_equal_seeds_give_equal_clips(self):
        video = parsed_video(50)
        self.assertEqual(shown(training_clip(video, 3)), shown(training_clip(video, 3)))

    @parameterized.parameters((1, [0, 0, 0, 0]), (3, [0, 1, 2, 2]), (4, [0, 1, 2, 3]))
    def test_short_video_repeats_its_last_frame(self, num_stored, expected):
        video = parsed_video(num_stored)
        self.assertEqual(shown(training_clip(video)), expected)
        chosen = clips.evaluation_clips(video, num_frames=4, box_stride=2, num_clips=2)
        self.assertEqual(
            np.array(shown(chosen))[chosen["frame_indices"]].tolist(), [expected, expected]
        )

    @parameterized.parameters((30, 3), (12, 5), (5, 2))
    def test_evaluation_clips_share_frames(self, num_stored, num_clips):
        video = parsed_video(num_stored)
        chosen = clips.evaluation_clips(video, num_frames=4, box_stride=2, num_clips=num_clips)
        frames = np.array(shown(chosen))
        starts = np.floor(np.linspace(0, num_stored - 4, num_clips) + 0.5).astype(int)
        expected = starts[:, np.newaxis] + np.arange(4)
        np.testing.assert_array_equal(frames[chosen["frame_indices"]], expected)
        self.assertCountEqual(frames, np.unique(expected))

    def test_refuses_video_without_frames(self):
        video = parsed_video(2)
        video["frames"] = video["frames"][:0]
        with self.assertRaisesRegex(tf.errors.InvalidArgumentError, "kitchen has no frames"):
            training_clip(video)


class BoxesTest(absltest.TestCase):
    def test_feature_frames_take_boxes_of_every_second_clip_frame(self):
        # Stored frame i has i boxes, the j-th of which carries the number 10 * i + j.
        boxes = [np.array([box(10 * i + j) for j in range(i)]).reshape(-1, 4) for i in range(7)]
        video = parsed_video(7, boxes=boxes)
        for number in range(10):
            clip = training_clip(video, number)
            first = shown(clip)[0]
            for feature_frame in range(2):
                expected = boxes[first + 2 * feature_frame]
                valid = clip["mask"][feature_frame].numpy()
                self.assertEqual(valid.tolist(), sorted(valid, reverse=True))
                np.testing.assert_allclose(clip["boxes"][feature_frame][valid], expected)

    def test_evaluation_takes_the_same_boxes(self):
        boxes = [np.array([box(i)] * (i % 3)).reshape(-1, 4) for i in range(9)]
        video = parsed_video(9, boxes=boxes)
        chosen = clips.evaluation_clips(video, num_frames=4, box_stride=2, num_clips=2)
        self.assertEqual(chosen["boxes"].shape, [2, 2, 2, 4])
        # Clips start at stored frames 0 and 5.
        for clip, feature_frame, stored in [(0, 0, 0), (0, 1, 2), (1, 0, 5), (1, 1, 7)]:
            valid = chosen["mask"][clip, feature_frame]
            np.testing.assert_allclose(chosen["boxes"][clip, feature_frame][valid], boxes[stored])

    def test_frames_without_boxes(self):
        clip = training_clip(parsed_video(6))
        self.assertEqual(clip["boxes"].shape, [2, 0, 4])
        self.assertEqual(clip["mask"].shape, [2, 0])

    def test_shorter_video_repeats_its_last_boxes(self):
        clip = training_clip(parsed_video(1, boxes=[np.array([box(3)])]))
        np.testing.assert_allclose(clip["boxes"], [[box(3)], [box(3)]])
        self.assertTrue(clip["mask"].numpy().all())


class LabelsTest(parameterized.TestCase):
    # The video has just the clip's four frames, which are shown from 0 to 400 ms.
    @parameterized.named_parameters(
        ("inside", 100_000, 200_000, True),
        ("around", -100_000, 900_000, True),
        ("last_frame_is_shown_until_the_next", 399_999, 900_000, True),
        ("begins_at_the_end", 400_000, 900_000, False),
        ("ends_at_the_start", -100_000, 0, False),
        ("ends_just_after_the_start", -100_000, 1, True),
        ("without_duration", 200_000, 200_000, False),
    )
    def test_segment(self, start, end, overlaps):
        video = parsed_video(4, labels=[2, 5], segments=[(5, start, end)])
        self.assertEqual(training_clip(video)["labels"].numpy().tolist(), [5] if overlaps else [])
        every = training_clip(video, labels="video")["labels"]
        self.assertEqual(every.numpy().tolist(), [2, 5])

    def test_clip_in_the_middle_of_a_video(self):
        # Label i is shown during frame i alone.
        segments = [(i, i * FRAME_TIME, (i + 1) * FRAME_TIME) for i in range(20)]
        video = parsed_video(20, labels=range(20), segments=segments)
        for number in range(10):
            clip = training_clip(video, number)
            self.assertEqual(clip["labels"].numpy().tolist(), shown(clip))

    def test_video_without_segments_keeps_its_labels(self):
        clip = training_clip(parsed_video(9, labels=[1, 3]))
        self.assertEqual(clip["labels"].numpy().tolist(), [1, 3])

    def test_evaluation_takes_the_labels_of_the_video(self):
        video = parsed_video(50, labels=[1, 3], segments=[(3, 0, 1)])
        chosen = clips.evaluation_clips(video, num_frames=4, box_stride=1, num_clips=2)
        self.assertEqual(chosen["labels"].numpy().tolist(), [1, 3])

    @parameterized.parameters(
        ([], [0, 0, 0]), ([1], [0, 1, 0]), ([2, 0, 2], [1, 0, 1]), ([0, 1, 2], [1, 1, 1])
    )
    def test_multi_hot(self, labels, expected):
        result = clips.multi_hot(tf.constant(labels, tf.int64), 3, tf.constant("kitchen"))
        np.testing.assert_array_equal(result, np.array(expected, np.float32), strict=True)

    @parameterized.parameters(3, -1)
    def test_refuses_label_outside(self, label):
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            f"video kitchen has a label outside the 3 of the data set, index {label}",
        ):
            clips.multi_hot(tf.constant([0, label], tf.int64), 3, tf.constant("kitchen"))


if __name__ == "__main__":
    absltest.main()
