"""The benchmark of training steps on the smallest network, and how it treats other software."""

import os
import sys

from absl.testing import absltest

from benchmarks import measure, training
from benchmarks.step_processes import StepProcess
from stgraph_tf import config

# A contestant whose answers are its arguments.
_CONTESTANT = """
import sys
from benchmarks import step_processes

class Fixed:
    def check(self):
        print("noise that a library makes")
        names = ("logits", "loss", "loss_after")
        return dict(zip(names, map(float, sys.argv[1:4])))

step_processes.serve(Fixed)
"""


def _sizes(**changes):
    settings = config.for_variant("tiny_joint", ("tiny",))
    settings.data.update(num_frames=8, num_boxes=3, crop_size=32, short_side=(32, 32))
    return training.Sizes(settings, num_classes=4, precisions=("float32",), **changes)


class TrainingTest(absltest.TestCase):
    def _contestant(self, *answers, precision="float32"):
        folder = self.create_tempdir()
        folder.create_file("fixed_contestant.py", _CONTESTANT)
        process = StepProcess(
            sys.executable,
            "fixed_contestant",
            [str(answer) for answer in answers],
            {"PYTHONPATH": os.pathsep.join([folder.full_path, *sys.path])},
        )
        self.addCleanup(process.close)
        return training.Contestant("somebody", precision, process)

    def test_measures_the_graph_stage_and_its_forward_pass(self):
        report = training.run(measure.Options(rounds=2, amount=1), _sizes(stages=("graph",)))
        forward, step = report.rows
        self.assertEqual(forward.name, "forward pass alone: stgraph_tf, float32")
        self.assertEqual(step.name, "graph: stgraph_tf, float32")
        for row in report.rows:
            self.assertLen(row.rates, 2)
            self.assertGreater(row.rate, 0)
        self.assertGreater(step.peak_bytes, 100e6)
        self.assertIsNone(forward.peak_bytes)
        ratio = forward.rate / step.rate
        self.assertIn(f"graph, float32: a step takes {ratio:.2f} forward passes", report.notes)
        self.assertStartsWith(report.notes[-1], "PyTorch was left out: --torch_python")
        table = measure.table(report)
        self.assertIn("s/step", table)
        self.assertIn("peak GiB", table)

    def test_accepts_the_same_numbers(self):
        training.check("joint", [self._contestant(2, 3, 4), self._contestant(2.0001, 3, 4)])

    def test_refuses_other_numbers(self):
        contestants = [self._contestant(2, 3, 4), self._contestant(2, 3, 4.001)]
        with self.assertRaisesRegex(ValueError, "stage 'joint', has another loss after than"):
            training.check("joint", contestants)

    def test_refuses_what_is_no_number(self):
        contestants = [self._contestant(2, 3, 4), self._contestant(2, "nan", 4)]
        with self.assertRaisesRegex(ValueError, "has another loss than .* difference is nan"):
            training.check("joint", contestants)

    def test_lets_bfloat16_differ_more(self):
        first, brain = (
            self._contestant(2, 3, 4),
            self._contestant(2.02, 3, 4, precision="mixed_bfloat16"),
        )
        self.assertEqual(training.check("joint", [first, brain]), ([first, brain], []))

    def test_leaves_out_other_software_that_gives_no_number_in_bfloat16(self):
        first, brain = (
            self._contestant(2, 3, 4),
            self._contestant(2, 3, "nan", precision="mixed_bfloat16"),
        )
        sound, (line,) = training.check("joint", [first, brain])
        self.assertEqual(sound, [first])
        self.assertEqual(
            line,
            "somebody in bfloat16, stage 'joint', is left out: its loss after a step is nan",
        )

    def test_says_why_a_process_ended(self):
        with self.assertRaisesRegex(ValueError, "asked for a 'check': .*no_such_module"):
            process = StepProcess(sys.executable, "no_such_module", [])
            self.addCleanup(process.close)
            process.ask("check")

    def test_names_an_interpreter_that_is_not_there(self):
        options = measure.Options(rounds=1, torch_python="/no/such/python")
        with self.assertRaisesRegex(ValueError, "--torch_python must be .*; /no/such/python says"):
            training.run(options, _sizes(stages=("graph",)))


if __name__ == "__main__":
    absltest.main()
