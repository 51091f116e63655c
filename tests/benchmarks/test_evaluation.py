"""The benchmark of evaluation on the smallest network and small frames."""

from absl.testing import absltest

from benchmarks import evaluation, measure
from stgraph_tf import config


def _sizes(*batch_sizes: int) -> evaluation.Sizes:
    settings = config.for_variant("tiny_joint", ("tiny",))
    settings.data.update(num_frames=8, num_boxes=3)
    settings.evaluation.short_side = 32
    return evaluation.Sizes(
        settings,
        num_classes=4,
        height=32,
        width=40,
        batch_sizes=batch_sizes,
        precisions=("float32",),
    )


class EvaluationTest(absltest.TestCase):
    def test_measures_the_bare_network_and_ours_in_each_batch_size(self):
        report = evaluation.run(measure.Options(rounds=2), _sizes(1, 4))
        self.assertEqual(
            [row.name for row in report.rows],
            [
                "bare network, float32, batch 4",
                "stgraph_tf, float32, batch 1",
                "stgraph_tf, float32, batch 4",
                "stgraph_tf, reading alone",
            ],
        )
        for row in report.rows:
            self.assertEqual(row.unit, "clips")
            self.assertLen(row.rates, 2)
            self.assertGreater(row.rate, 0)
        self.assertIn("videos of 4 clips of 8 x 32 x 40,", report.title)
        bare, _, ours, _ = report.rows
        self.assertLen(report.notes, 2)
        self.assertStartsWith(report.notes[1], f"float32, batch 4: {ours.rate / bare.rate:.2f} of")
        self.assertIn(f"videos/s: {ours.rate / 10:.3f} of 10 clips", report.notes[1])
        self.assertIn("s/clip", measure.table(report))

    def test_has_videos_of_ten_clips_at_most(self):
        report = evaluation.run(measure.Options(rounds=1, amount=11), _sizes(4))
        self.assertIn("videos of 10 clips", report.title)
        self.assertEndsWith(report.title, "; 2 in a turn")


if __name__ == "__main__":
    absltest.main()
