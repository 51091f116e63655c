"""The program, started as a user starts it."""

import glob
import json
import os
import signal
import subprocess
import sys
import time

import av
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.data.dataset_info import DatasetInfo

PROGRAM = os.path.join(os.path.dirname(__file__), "..", "..", "tools", "prepare_dataset.py")


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments], capture_output=True, text=True, check=False
    )


def write_film(path: str, num_frames: int) -> None:
    with av.open(path, "w") as output:
        stream = output.add_stream("h264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for index in range(num_frames):
            grey = np.full((48, 64, 3), 10 * index % 250, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


class PrepareDatasetTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.videos = self.create_tempdir("videos").full_path
        self.output = os.path.join(self.create_tempdir("data").full_path, "set")

    def arguments(self, *lines: dict, **flags) -> list[str]:
        content = "\n".join(json.dumps(line) for line in lines)
        flags = {
            "videos": self.videos,
            "annotations": self.create_tempfile("videos.jsonl", content).full_path,
            "output": self.output,
            "num_shards": 2,
            **flags,
        }
        return [f"--{name}={value}" for name, value in flags.items()]

    def assert_refused(self, arguments: list[str], message: str) -> None:
        finished = run(*arguments)
        self.assertEqual(finished.returncode, 1, finished.stderr)
        self.assertNotIn("Traceback", finished.stderr)
        last = finished.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: ")
        self.assertRegex(last, message)
        self.assertFalse(os.path.exists(self.output))

    def test_films_become_shards(self):
        lines, boxes = [], []
        for index in range(5):
            write_film(os.path.join(self.videos, f"{index}.mp4"), 12)
            lines.append({"id": f"v{index}", "video": f"{index}.mp4", "labels": ["ab"[index % 2]]})
            frame_boxes = [[0.1, 0.1, 0.5, 0.5], [0.2, 0.2, 1.3, 0.9]]
            boxes.append({"id": f"v{index}", "times": [0, 0.5], "boxes": [frame_boxes, []]})
        proposals = self.create_tempfile("boxes.jsonl", "\n".join(map(json.dumps, boxes[:4])))
        arguments = self.arguments(
            *lines,
            boxes=f"proposals:{proposals.full_path}",
            split="validation",
            direct_num_workers=2,
        )
        finished = run(*arguments)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("validation: 5 videos, 30 frames, 8 boxes in 2 shards of", finished.stdout)
        self.assertIn("1 of 5 videos have no boxes", finished.stderr)
        # Workers' warnings come through: one of each video that has a box outside. Beam is silent.
        self.assertEqual(finished.stderr.count("1 reaching outside the frame cut to it"), 4)
        self.assertIn("5/5", finished.stderr)
        self.assertNotRegex(finished.stderr, "(?i)beam|grpc|apitools|filesystem")

        info = DatasetInfo.load(self.output)
        self.assertEqual((info.labels, info.multi_label), (("a", "b"), False))
        records = tf.data.TFRecordDataset(info.shard_paths(self.output, "validation"))
        self.assertLen(list(records), 5)

    def write_films(self, count: int, num_frames: int) -> list[dict]:
        for index in range(count):
            write_film(os.path.join(self.videos, f"{index}.mp4"), num_frames)
        return [{"id": f"v{index}", "video": f"{index}.mp4"} for index in range(count)]

    def test_zero_length_film(self):
        self.write_films(1, 3)
        open(os.path.join(self.videos, "empty.mp4"), "wb").close()
        lines = [{"id": name, "video": f"{name}.mp4"} for name in ("0", "empty")]
        finished = run(*self.arguments(*lines))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("set aside: 1; ", finished.stdout)
        with open(os.path.join(self.output, "failures.jsonl")) as file:
            self.assertRegex(
                file.read(), rf"videos.jsonl:2: {self.videos}/empty.mp4 is empty \(0 by"
            )

    def test_no_film_at_all(self):
        open(os.path.join(self.videos, "empty.mp4"), "wb").close()
        message = rf"not one video.*videos.jsonl:1: {self.videos}/empty.mp4 is empty \(0 bytes\)$"
        arguments = self.arguments({"id": "v", "video": "empty.mp4"}, num_shards=1)
        self.assert_refused(arguments, message)

    @parameterized.parameters(
        ({"bogus": 1}, "'--bogus=1' is neither a flag of this program nor one of Beam's"),
        ({"direct_num_workers": "many"}, "--direct_num_workers: invalid int value: 'many'"),
    )
    def test_wrong_beam_flags(self, flags, message):
        self.assert_refused(self.arguments(*self.write_films(1, 3), **flags), message)

    def start(self, arguments: list[str]) -> subprocess.Popen:
        # In a session of its own, as Ctrl-C at a terminal goes to all of a program's processes.
        return subprocess.Popen(
            [sys.executable, PROGRAM, *arguments],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            # A shell has its background jobs ignore Ctrl-C, which the tests may run in.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def wait_for(self, pattern: str, process: subprocess.Popen) -> list[str]:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline and process.poll() is None:
            if found := glob.glob(os.path.join(self.output, ".train.partial", pattern)):
                return found
            time.sleep(0.01)
        process.kill()
        raise AssertionError(f"{pattern} did not appear: {process.communicate()[1]}")

    def contents(self, folder: str) -> dict[str, bytes]:
        result = {}
        for path in glob.glob(os.path.join(folder, "*.tfrecord")):
            with open(path, "rb") as file:
                result[os.path.basename(path)] = file.read()
        return result

    def test_killed_at_any_moment(self):
        lines = self.write_films(40, 48)
        flags = {"num_shards": 3, "fps": 12}
        clean = os.path.join(self.create_tempdir("clean").full_path, "set")
        finished = run(*self.arguments(*lines, **flags, output=clean, direct_num_workers=1))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        random = np.random.default_rng()
        # The last one is killed when films are put together to shards, or near that.
        for pattern in ("tasks.jsonl", "films/*/*.begun", "films/*/*.record", "*.json"):
            process = self.start(self.arguments(*lines, **flags, direct_num_workers=2))
            self.wait_for(pattern, process)
            time.sleep(random.uniform(0, 0.3))
            process.kill()
            process.communicate()
        finished = run(*self.arguments(*lines, **flags))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(self.contents(self.output), self.contents(clean))
        self.assertLen(self.contents(clean), 3)
        self.assertCountEqual(os.listdir(self.output), os.listdir(clean))

    def test_ctrl_c_then_a_worker_that_dies_then_the_rest(self):
        arguments = self.arguments(*self.write_films(8, 400), direct_num_workers=2, fps=12)
        process = self.start(arguments)
        self.wait_for("films/*/*.begun", process)
        os.killpg(process.pid, signal.SIGINT)
        stderr = process.communicate(timeout=300)[1]
        self.assertEqual(process.returncode, 130, stderr)
        self.assertNotIn("Traceback", stderr)

        process = self.start(arguments)
        begun = self.wait_for("films/*/*.begun", process)[0]
        with open(begun) as file:
            film = json.load(file)
        os.kill(film["process"], signal.SIGKILL)
        stderr = process.communicate(timeout=300)[1]
        self.assertEqual(process.returncode, 1, stderr)
        self.assertIn(f"error: a worker process died on {film['where']}, which will", stderr)

        finished = run(*arguments)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("7 videos", finished.stdout)
        with open(os.path.join(self.output, "failures.jsonl")) as file:
            self.assertEqual(json.loads(file.read())["id"], film["id"])

    def test_folder_that_cannot_be_made(self):
        write_film(os.path.join(self.videos, "v.mp4"), 3)
        below = os.path.join(self.create_tempfile("file").full_path, "set")
        arguments = self.arguments({"id": "v", "video": "v.mp4"}, output=below, num_shards=1)
        self.assert_refused(arguments, "file")

    def test_help_is_quick(self):
        start = time.monotonic()
        finished = run("--helpfull")
        self.assertIn("--max_failures", finished.stdout)
        self.assertLess(time.monotonic() - start, 2)

    def test_mistyped_flag(self):
        finished = run("--annotation=x", "--output=y")
        self.assertNotEqual(finished.returncode, 0)
        self.assertIn("annotation", finished.stderr)
        self.assertNotIn("Traceback", finished.stderr)


if __name__ == "__main__":
    absltest.main()
