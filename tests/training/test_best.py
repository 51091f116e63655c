"""The best checkpoint: which one it is, and what a kill at any moment leaves of it."""

import os
import shutil
import signal
import subprocess
import sys
import time

import keras
import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf import files
from stgraph_tf.training import checkpoints
from stgraph_tf.training.best import BestCheckpoint
from stgraph_tf.training.validation import Measured

_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def _model(value: float) -> keras.Model:
    """A model whose every weight is `value`."""
    model = keras.Sequential([keras.Input([3]), keras.layers.Dense(2)])
    model.set_weights([np.full(weight.shape, value) for weight in model.weights])
    return model


def _measured(value: float, headline: str = "mAP") -> Measured:
    return Measured(headline, value, {headline: value}, np.zeros([1, 1]), np.zeros([1, 1]))


def _kept(path: str) -> np.ndarray:
    model = _model(np.nan)
    checkpoints.restore_model(model, path)
    return np.unique(np.concatenate([weight.ravel() for weight in model.get_weights()]))


class BestCheckpointTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = os.path.join(self.create_tempdir().full_path, "best", "joint")

    def _assert_keeps(self, step: int, value: float) -> None:
        """The folder holds the checkpoint of `step`, whose weights are `step`, and nothing else."""
        self.assertEqual(
            sorted(os.listdir(self.folder)),
            ["best.json", f"ckpt-{step}.data-00000-of-00001", f"ckpt-{step}.index"],
        )
        self.assertEqual(
            files.read_json(os.path.join(self.folder, "best.json")),
            {"step": step, "measure": "mAP", "value": value},
        )
        np.testing.assert_array_equal(_kept(os.path.join(self.folder, f"ckpt-{step}")), [step])

    @parameterized.parameters(
        # (values at steps 1, 2, ...; which are kept; the step that is kept at last)
        ([0.1, 0.3, 0.2], [True, True, False], 2),
        ([0.3, 0.3], [True, False], 1),
        ([np.nan, 0.0, np.nan], [False, True, False], 2),
        ([-1.0, -np.inf], [True, False], 1),
    )
    def test_keeps_the_best(self, values, kept, last):
        best = BestCheckpoint(self.folder)
        self.assertIsNone(best.path)
        offers = enumerate(values, start=1)
        results = [best.offer(_model(step), step, _measured(value)) for step, value in offers]
        self.assertEqual(results, kept)
        self._assert_keeps(last, values[last - 1])
        self.assertEqual(best.path, os.path.join(self.folder, f"ckpt-{last}"))

    def test_nan_alone_leaves_nothing(self):
        BestCheckpoint(self.folder).offer(_model(1), 1, _measured(np.nan))
        self.assertFalse(os.path.exists(self.folder))

    def test_goes_on_where_it_stood(self):
        BestCheckpoint(self.folder).offer(_model(1), 1, _measured(0.4))
        best = BestCheckpoint(self.folder)
        self.assertEqual(best.path, os.path.join(self.folder, "ckpt-1"))
        self.assertFalse(best.offer(_model(2), 2, _measured(0.3)))
        self._assert_keeps(1, 0.4)

    def test_steps_offered_again_change_nothing(self):
        # The run was killed behind step 30, and its last checkpoint is of step 5.
        values = {10: 0.2, 20: 0.5, 30: 0.5}
        for _ in range(2):
            best = BestCheckpoint(self.folder)
            for step, value in values.items():
                result = best.offer(_model(step), step, _measured(value))
                self.assertEqual(result, best.path.endswith(f"-{step}"))
            self._assert_keeps(20, 0.5)

    def test_another_measure_begins_anew(self):
        BestCheckpoint(self.folder).offer(_model(1), 1, _measured(0.9, "top1"))
        self.assertTrue(BestCheckpoint(self.folder).offer(_model(2), 2, _measured(0.1)))
        self._assert_keeps(2, 0.1)

    def test_a_description_that_is_damaged_or_alone_begins_anew(self):
        for spoil in (
            lambda: open(os.path.join(self.folder, "best.json"), "w").close(),
            lambda: os.remove(os.path.join(self.folder, "ckpt-1.index")),
        ):
            BestCheckpoint(self.folder).offer(_model(1), 1, _measured(0.9))
            spoil()
            with self.assertLogs("absl", "WARNING"):
                best = BestCheckpoint(self.folder)
            self.assertTrue(best.offer(_model(2), 2, _measured(0.1)))
            self._assert_keeps(2, 0.1)
            shutil.rmtree(self.folder)

    def test_leaves_the_files_of_others_alone(self):
        os.makedirs(self.folder)
        names = ["notes.txt", "ckpt-final", "ckpt-1.md"]
        for name in names:
            open(os.path.join(self.folder, name), "w").close()
        BestCheckpoint(self.folder).offer(_model(1), 1, _measured(0.9))
        self.assertContainsSubset(names, os.listdir(self.folder))


class KilledTest(parameterized.TestCase):
    """Folders as a kill leaves them between step 1, kept, and step 2, better."""

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        after = os.path.join(self.folder, "after")
        self.best = os.path.join(self.folder, "best")
        BestCheckpoint(self.best).offer(_model(1), 1, _measured(0.1))
        BestCheckpoint(after).offer(_model(2), 2, _measured(0.2))
        for name in os.listdir(after):
            shutil.copy(os.path.join(after, name), os.path.join(self.folder, name))

    def _left(self, *names: str) -> None:
        for name in names:
            source = os.path.join(self.folder, name.removeprefix(".").split(".0a1b")[0])
            os.makedirs(os.path.dirname(os.path.join(self.best, name)), exist_ok=True)
            shutil.copy(source, os.path.join(self.best, name))

    @parameterized.parameters(
        (("ckpt-2_temp/",), 1),
        (("ckpt-2.data-00000-of-00001",), 1),
        (("ckpt-2.data-00000-of-00001", "ckpt-2.index"), 1),
        (("ckpt-2.data-00000-of-00001", "ckpt-2.index", ".best.json.0a1b2c3d.tmp"), 1),
        (("ckpt-2.data-00000-of-00001", "ckpt-2.index", "best.json"), 2),
    )
    def test_the_next_start_cleans_up_and_the_run_comes_to_the_same(self, names, step):
        if names == ("ckpt-2_temp/",):
            os.makedirs(os.path.join(self.best, "ckpt-2_temp"))
            shutil.copy(
                os.path.join(self.folder, "ckpt-2.data-00000-of-00001"),
                os.path.join(self.best, "ckpt-2_temp", "part-00000-of-00001.data"),
            )
        else:
            self._left(*names)
        best = BestCheckpoint(self.best)
        self.assertEqual(best.path, os.path.join(self.best, f"ckpt-{step}"))
        np.testing.assert_array_equal(_kept(best.path), [step])
        self.assertLen(os.listdir(self.best), 3)
        self.assertTrue(best.offer(_model(2), 2, _measured(0.2)))
        np.testing.assert_array_equal(_kept(best.path), [2])
        self.assertLen(os.listdir(self.best), 3)

    def test_a_real_kill(self):
        folder = os.path.join(self.folder, "killed")
        command = [sys.executable, "-m", "tests.training.test_best", "offer", folder]
        with subprocess.Popen(command, cwd=_ROOT, stderr=subprocess.DEVNULL) as process:
            try:
                deadline = time.monotonic() + 300
                while not os.path.exists(os.path.join(folder, "best.json")):
                    self.assertLess(time.monotonic(), deadline)
                    self.assertIsNone(process.poll())
                    time.sleep(0.05)
                time.sleep(np.random.default_rng().uniform(0.1, 0.4))
            finally:
                process.send_signal(signal.SIGKILL)
        best = BestCheckpoint(folder)
        step = files.read_json(os.path.join(folder, "best.json"))["step"]
        self.assertEqual(best.path, os.path.join(folder, f"ckpt-{step}"))
        np.testing.assert_array_equal(_kept(best.path), [step])
        self.assertLen(os.listdir(folder), 3)


def _offer_for_ever(folder: str) -> None:
    best = BestCheckpoint(folder)
    model = _model(0)
    for step in range(1, 100_000):
        model.set_weights([np.full(weight.shape, step) for weight in model.weights])
        best.offer(model, step, _measured(float(step)))


if __name__ == "__main__":
    if sys.argv[1:2] == ["offer"]:
        _offer_for_ever(sys.argv[2])
    else:
        absltest.main()
