"""Real, small processes: their order, their cores, and what is left when one fails or is stopped.

Each writes a line to a file of events when it begins and when it ends.
"""

import os
import signal
import subprocess
import sys
import threading
import time
import unittest

from absl.testing import absltest

from stgraph_tf.study import runner
from stgraph_tf.study.plan import Run
from stgraph_tf.training import stopping

_PROGRAM = """
import os, pathlib, signal, sys, time
name, step, events, folder, mode = sys.argv[1:]

def tell(what):
    with open(events, "a") as file:
        cores = ",".join(map(str, sorted(os.sched_getaffinity(0))))
        print(what, name, step, cores, file=file)

def stop(number, frame):
    tell("saved")
    sys.exit(143)

signal.signal(signal.SIGTERM, stop)
tell("begin")
if mode == f"fail_{step}":
    print("Traceback", file=sys.stderr)
    print("error: no such thing", file=sys.stderr)
    sys.exit(1)
if mode == "killed":
    print("working", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "wait":
    time.sleep(60)
if mode == "together":
    while pathlib.Path(events).read_text().count("begin") < 2:
        time.sleep(0.01)
if step == "evaluate":
    pathlib.Path(folder, "metrics.json").write_text("{}")
tell("end")
"""
_HAS_AFFINITY = hasattr(os, "sched_setaffinity")


@unittest.skipUnless(_HAS_AFFINITY, "the processes of these tests tell their cores")
class RunAllTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.events_file = os.path.join(self.folder, "events")
        self.stop = stopping.StopRequest()

    def run_of(self, name, after=None, mode="", config=None):
        folder = os.path.join(self.folder, name)
        commands = tuple(
            (sys.executable, "-S", "-c", _PROGRAM, name, step, self.events_file, folder, mode)
            for step in ("train", "evaluate")
        )
        return Run(name, folder, 0, name, after, 1, config or {"seed": 0}, commands)

    def run_all(self, runs, jobs=1, **arguments):
        with runner.locked(self.folder) as lock:
            return runner.run_all(runs, jobs, lock, self.stop, **arguments)

    def events(self):
        if not os.path.exists(self.events_file):
            return []
        with open(self.events_file) as file:
            return [line.split() for line in file]

    def begun(self):
        return [f"{name} {step}" for what, name, step, _ in self.events() if what == "begin"]

    def test_trains_then_evaluates(self):
        self.run_all([self.run_of("a")])
        told = [f"{what} {step}" for what, _, step, _ in self.events()]
        self.assertEqual(told, ["begin train", "end train", "begin evaluate", "end evaluate"])

    def test_a_run_waits_for_the_one_it_needs(self):
        runs = [self.run_of("a"), self.run_of("b", after="a"), self.run_of("c", after="a")]
        outcome = self.run_all(runs, jobs=2)
        self.assertEqual(self.begun()[:2], ["a train", "a evaluate"])
        self.assertLen(self.begun(), 6)
        self.assertEqual(outcome, runner.Outcome([], []))

    def test_two_run_side_by_side_on_cores_of_their_own(self):
        runs = [self.run_of(name, mode="together") for name in ("a", "b")]
        self.run_all(runs, jobs=2)  # Each waits until the other has begun.
        cores = {name: set(map(int, cores.split(","))) for _, name, _, cores in self.events()}
        self.assertEqual([cores["a"], cores["b"]], runner.shares(2))

    def test_one_job_is_one_at_a_time(self):
        self.run_all([self.run_of(name) for name in ("a", "b")])
        told = [what for what, *_ in self.events()]
        self.assertEqual(told, ["begin", "end"] * 4)

    def test_this_process_keeps_its_cores(self):
        before = os.sched_getaffinity(0)
        self.run_all([self.run_of("a")], jobs=2)
        self.assertEqual(os.sched_getaffinity(0), before)

    def test_tells_of_each_complete_run(self):
        told = []
        self.run_all([self.run_of("a"), self.run_of("b")], on_complete=told.append)
        self.assertEqual([run.name for run in told], ["a", "b"])

    def test_what_is_complete_is_not_run_again(self):
        self.run_all([self.run_of("a")])
        self.run_all([self.run_of("a"), self.run_of("b", after="a")])
        self.assertEqual(self.begun(), ["a train", "a evaluate", "b train", "b evaluate"])

    def test_other_settings_are_run(self):
        self.run_all([self.run_of("a")])
        changed = self.run_of("a", config={"seed": 0, "more": 1})
        self.assertFalse(runner.is_complete(changed))
        self.run_all([changed])
        self.assertEqual(self.begun(), ["a train", "a evaluate"] * 2)

    def test_a_run_without_its_metrics_is_run(self):
        self.run_all([self.run_of("a")])
        os.remove(os.path.join(self.folder, "a", "metrics.json"))
        self.assertFalse(runner.is_complete(self.run_of("a")))

    def test_the_others_go_on_after_a_failure(self):
        runs = [
            self.run_of("a", mode="fail_train"),
            self.run_of("b", after="a"),
            self.run_of("c"),
            self.run_of("d", mode="fail_evaluate"),
        ]
        outcome = self.run_all(runs)
        reason = "no such thing (exit status 1)"
        log = os.path.join(self.folder, "{}", "train.log")
        self.assertEqual(
            outcome.failures,
            [
                runner.Failure("a", reason, log.format("a")),
                runner.Failure("d", reason, log.format("d")),
            ],
        )
        self.assertEqual(outcome.waiting, ["b"])
        self.assertTrue(runner.is_complete(runs[2]))

    def test_a_killed_process_is_no_error_of_the_time_before(self):
        self.run_all([self.run_of("a", mode="fail_train")])
        (failure,) = self.run_all([self.run_of("a", mode="killed")]).failures
        self.assertEqual(failure.reason, "working (killed by SIGKILL)")

    def test_a_failed_run_is_run_again(self):
        self.run_all([self.run_of("a", mode="fail_evaluate")])
        self.assertFalse(runner.is_complete(self.run_of("a")))
        self.assertEqual(self.run_all([self.run_of("a")]), runner.Outcome([], []))
        self.assertTrue(runner.is_complete(self.run_of("a")))

    def test_the_log_holds_commands_and_what_was_printed(self):
        self.run_all([self.run_of("a", mode="fail_train")])
        with open(os.path.join(self.folder, "a", "train.log")) as file:
            text = file.read()
        self.assertStartsWith(text, f"$ {sys.executable} -S -c")
        self.assertEndsWith(text, "Traceback\nerror: no such thing\n")

    def test_a_stop_lets_the_processes_save(self):
        runs = [self.run_of("a", mode="wait"), self.run_of("b", mode="wait"), self.run_of("c")]
        threading.Thread(target=self._stop_when_begun, args=[2]).start()
        outcome = self.run_all(runs, jobs=2)
        self.assertEqual([what for what, *_ in self.events()], ["begin"] * 2 + ["saved"] * 2)
        self.assertEqual(outcome, runner.Outcome([], ["c"]))
        self.assertFalse(runner.is_complete(runs[0]))

    def test_the_time_of_interrupted_runs_counts(self):
        threading.Thread(target=self._stop_when_begun, args=[1]).start()
        self.run_all([self.run_of("a", mode="wait")])
        before = runner.seconds_spent(self.run_of("a"))
        self.assertGreater(before, 0)
        self.stop = stopping.StopRequest()
        self.run_all([self.run_of("a")])
        self.assertGreater(runner.seconds_spent(self.run_of("a")), before)

    def _stop_when_begun(self, count):
        deadline = time.monotonic() + 300
        while len(self.events()) < count and time.monotonic() < deadline:
            time.sleep(0.01)
        self.stop(signal.SIGTERM, None)


class SharesTest(absltest.TestCase):
    @unittest.skipUnless(_HAS_AFFINITY, "this system cannot tell cores apart")
    def test_all_cores_in_equal_shares(self):
        cores = sorted(os.sched_getaffinity(0))
        for jobs in range(1, len(cores) + 1):
            shares = runner.shares(jobs)
            self.assertEqual(sorted(core for share in shares for core in share), cores)
            sizes = {len(share) for share in shares}
            self.assertLessEqual(max(sizes) - min(sizes), 1)

    @unittest.skipUnless(_HAS_AFFINITY, "this system cannot tell cores apart")
    def test_more_jobs_than_cores_share_them(self):
        cores = sorted(os.sched_getaffinity(0))
        shares = runner.shares(len(cores) + 1)
        self.assertEqual(shares, [*({core} for core in cores), {cores[0]}])


class LockedTest(absltest.TestCase):
    def test_a_folder_has_one_study(self):
        folder = self.create_tempdir().full_path
        with (
            runner.locked(folder),
            self.assertRaisesRegex(ValueError, f"{folder} is in use by another study"),
            runner.locked(folder),
        ):
            pass

    def test_a_process_that_is_left_behind_keeps_the_lock(self):
        folder = self.create_tempdir().full_path
        with runner.locked(folder) as lock:
            left = subprocess.Popen(["sleep", "60"], pass_fds=(lock,))
        try:
            with self.assertRaisesRegex(ValueError, "left behind"), runner.locked(folder):
                pass
        finally:
            left.kill()
            left.wait()
        with runner.locked(folder):
            pass


if __name__ == "__main__":
    absltest.main()
