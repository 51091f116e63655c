"""The benchmark of the exported model on the smallest network, and how it treats other scores."""

from absl.testing import absltest

from benchmarks import measure, rival_programs, serving
from stgraph_tf import config


def _sizes():
    settings = config.for_variant("tiny_joint", ("tiny",))
    settings.data.update(num_frames=4, num_boxes=3, crop_size=32, short_side=(32, 32))
    return serving.Sizes(settings, num_classes=4, precisions=("float32",))


class _Fixed:
    """A process whose scores are given."""

    def __init__(self, score):
        self._score = score

    def ask(self, command):
        assert command == "check"
        if isinstance(self._score, Exception):
            raise self._score
        return {"scores": [[self._score, 0.5]]}


def _contestants(exported, trained, rival):
    return {
        serving.EXPORTED: _Fixed(exported),
        serving.TRAINED: _Fixed(trained),
        "ONNX Runtime": _Fixed(rival),
    }


class ServingTest(absltest.TestCase):
    def test_measures_the_exported_and_the_trained_model(self):
        report = serving.run(measure.Options(rounds=1, amount=1), _sizes())
        self.assertEqual(
            [row.name.removesuffix(", float32") for row in report.rows],
            [
                "exported",
                "Keras, as trained",
                "exported, no graph (i3d)",
                "exported, batches of 2",
                "exported, batches of 4",
                "exported, 2 clients at a time",
                "exported, 4 clients at a time",
            ],
        )
        for row in report.rows:
            self.assertGreater(row.rate, 0)
        exported, trained = report.rows[:2]
        self.assertGreater(exported.peak_bytes, 100e6)
        ratio = exported.rate / trained.rate
        line = f"float32: Keras, as trained takes {ratio:.2f} times as long as exported"
        self.assertIn(line, report.notes)
        self.assertRegex(
            "\n".join(report.notes), r"exported, float32: loads in .* s, scores its first clip in"
        )
        self.assertEndsWith(
            report.notes[-2], "left out: --torch_python, an interpreter, is not given"
        )
        self.assertIn("s/clip", measure.table(report))

    def test_accepts_the_same_scores(self):
        answers, left_out = serving.check(_contestants(0.3, 0.30005, 0.3), "float32")
        self.assertEqual(list(answers), ["exported", "Keras, as trained", "ONNX Runtime"])
        self.assertEqual(left_out, [])

    def test_leaves_out_a_rival_with_other_scores(self):
        answers, (line,) = serving.check(_contestants(0.3, 0.3, 0.301), "float32")
        self.assertEqual(list(answers), ["exported", "Keras, as trained"])
        self.assertStartsWith(line, "left out: ONNX Runtime, float32: its scores differ")
        self.assertEqual(serving.check(_contestants(0.3, 0.3, 0.301), "bfloat16")[1], [])

    def test_leaves_out_a_rival_that_fails(self):
        _, (line,) = serving.check(_contestants(0.3, 0.3, ValueError("it ended")), "float32")
        self.assertEqual(line, "left out: ONNX Runtime, float32: it ended")

    def test_refuses_other_scores_of_ours(self):
        with self.assertRaisesRegex(
            ValueError, "exported, float32: .* by 1.0e-03, more than 1e-04"
        ):
            serving.check(_contestants(0.301, 0.3, 0.3), "float32")

    def test_refuses_what_is_no_number(self):
        with self.assertRaisesRegex(ValueError, "exported, float32: .* by nan"):
            serving.check(_contestants(float("nan"), 0.3, 0.3), "float32")

    def test_names_an_interpreter_that_is_not_there(self):
        with self.assertRaisesRegex(ValueError, "--rivals_python must have .* says"):
            rival_programs.versions(None, "/no/such/python")


if __name__ == "__main__":
    absltest.main()
