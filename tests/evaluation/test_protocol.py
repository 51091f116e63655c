"""Which clips are scored, and which measures fit the labels."""

import os

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf import config as settings
from stgraph_tf.data import schema, shards
from stgraph_tf.data.dataset_info import DatasetInfo, SplitInfo
from stgraph_tf.evaluation import protocol
from tests import small_dataset
from tests.data import pictures


def _film_of_greys(num_frames: int) -> schema.Video:
    """A film in which a frame's grey is its number."""
    greys = [np.full([16, 24, 3], number, np.uint8) for number in range(num_frames)]
    return schema.Video(
        id="film",
        frames=[pictures.jpeg(grey) for grey in greys],
        timestamps=[number * 1_000_000 // 6 for number in range(num_frames)],
        height=16,
        width=24,
        frame_rate=6.0,
        labels=[0],
        label_names=["open"],
        segments=[],
        boxes=[np.zeros([0, 4])] * num_frames,
        scores=[np.zeros(0)] * num_frames,
    )


class ProtocolTest(parameterized.TestCase):
    @parameterized.named_parameters(
        # The last clip of 32 begins at frame 68; a ninth of that is 7.56.
        ("ten", 10, 100, [0, 8, 15, 23, 30, 38, 45, 53, 60, 68]),
        ("two", 2, 100, [0, 68]),
        # Where the film is as long as the clip or shorter, all begin with it.
        ("ten of a short film", 10, 20, [0] * 10),
        # Clips that overlap: a ninth of 4 is 0.44.
        ("ten within five frames", 10, 36, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]),
    )
    def test_clips_are_spaced_evenly_from_the_first_frame_to_the_last(self, count, length, starts):
        folder = self.create_tempdir().full_path
        name = shards.shard_name("validation", 0, 1)
        shards.write(os.path.join(folder, name), [schema.encode(_film_of_greys(length))])
        splits = {"validation": SplitInfo(1, length, 0, [name])}
        info = DatasetInfo(("open",), True, 6.0, 16, splits)
        config = settings.default()
        config.evaluation.update(num_clips=count, short_side=16)
        paths = info.shard_paths(folder, "validation")
        shown = {
            int(index): frames[:, 8, 12, 0].tolist()
            for batch in protocol.validation_dataset(config, info, paths).as_numpy_iterator()
            for index, frames in zip(batch["clip_index"], batch["frames"], strict=True)
        }
        for index, start in enumerate(starts):
            expected = [min(start + number, length - 1) for number in range(32)]
            self.assertEqual(shown[index], expected, f"clip {index}")
        self.assertLen(shown, count)

    def test_gives_the_clips_that_the_config_asks_for_or_fewer(self):
        folder = self.create_tempdir().full_path
        info = small_dataset.write(folder, num_videos=3)
        config = small_dataset.config(folder)
        config.evaluation.num_clips = 2
        config.evaluation.batch_size = 5
        shards = info.shard_paths(folder, "validation")

        def clips(**kwargs):
            batches = protocol.validation_dataset(config, info, shards, **kwargs)
            self.assertEqual(batches.element_spec["frames"].shape[1], config.data.num_frames)
            ids = [batch["id"].numpy().tolist() for batch in batches]
            self.assertTrue(all(len(batch) <= 5 for batch in ids))
            return sorted(name.decode() for batch in ids for name in batch)

        names = [f"validation-{video}" for video in range(3)]
        self.assertEqual(clips(), sorted(2 * names))
        self.assertEqual(clips(num_clips=1), names)
        shares = [clips(num_clips=1, shard=(index, 2)) for index in range(2)]
        self.assertEqual(sorted(map(len, shares)), [1, 2])
        self.assertEqual(sorted(shares[0] + shares[1]), names)

    def test_several_labels_are_measured_by_map_and_one_by_accuracy(self):
        # By hand: class 0 ranks its video second, class 1 first.
        labels = np.array([[1, 0], [0, 1]])
        scores = np.array([[0.3, 0.2], [0.4, 0.6]])
        self.assertEqual(protocol.measures(labels, scores, multi_label=True), {"mAP": 0.75})
        measures = protocol.measures(labels, scores, multi_label=False)
        self.assertEqual(list(measures.items()), [("top1", 1.0), ("top5", 1.0)])


if __name__ == "__main__":
    absltest.main()
