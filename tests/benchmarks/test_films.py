"""The benchmarks that read films, on one film a turn."""

import os

from absl.testing import absltest

from benchmarks import measure, proposals, synthetic_films
from stgraph_tf.data import video


class FilmsTest(absltest.TestCase):
    def test_synthetic_films_are_as_long_as_asked_for(self):
        folder = self.create_tempdir().full_path
        films = synthetic_films.write_films(folder, 2, 10, 48, 64, 5)
        self.assertLen(films, 2)
        for path in films:
            self.assertEqual(os.path.dirname(path), folder)
            frames = list(video.read_frames(path, 5, short_side=48))
            self.assertEqual([frame.image.shape for frame in frames], [(48, 64, 3)] * 10)

    def test_every_way_to_find_boxes_has_a_turn(self):
        report = proposals.run(measure.Options(rounds=1, amount=1))
        bound, single, ours = report.rows
        self.assertEqual(bound.name, "the detector alone, batches of 8")
        self.assertEqual(single.name, "one frame at a time")
        self.assertEqual(ours.name, "stgraph_tf, batches of 8")
        for row in report.rows:
            self.assertEqual(row.unit, "frames")
            self.assertLen(row.rates, 1)
            self.assertGreater(row.rate, 0)
        ratio = f"stgraph_tf to one frame at a time: {ours.rate / single.rate:.2f}"
        self.assertEqual(report.notes, [ratio])


if __name__ == "__main__":
    absltest.main()
