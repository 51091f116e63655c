"""The program, started as a user starts it."""

import json
import os
import subprocess
import sys
import time

import av
import numpy as np
import tensorflow as tf
from absl.testing import absltest

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
            grey = np.full((48, 64, 3), 10 * index, np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


class PrepareDatasetTest(absltest.TestCase):
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
            *lines, boxes=f"proposals:{proposals.full_path}", split="validation", num_workers=2
        )
        finished = run(*arguments)
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("validation: 5 videos, 30 frames, 8 boxes in 2 shards of", finished.stdout)
        self.assertIn("1 of 5 videos have no boxes", finished.stderr)
        # Workers' warnings come through: one of each video that has a box outside.
        self.assertEqual(finished.stderr.count("1 reaching outside the frame cut to it"), 4)
        self.assertIn("5/5", finished.stderr)

        info = DatasetInfo.load(self.output)
        self.assertEqual((info.labels, info.multi_label), (("a", "b"), False))
        records = tf.data.TFRecordDataset(info.shard_paths(self.output, "validation"))
        self.assertLen(list(records), 5)

    def test_zero_length_film(self):
        write_film(os.path.join(self.videos, "good.mp4"), 3)
        open(os.path.join(self.videos, "empty.mp4"), "wb").close()
        lines = [{"id": name, "video": f"{name}.mp4"} for name in ("good", "empty")]
        message = rf"videos.jsonl:2: {self.videos}/empty.mp4 is empty \(0 bytes\)$"
        self.assert_refused(self.arguments(*lines), message)

    def test_folder_that_cannot_be_made(self):
        write_film(os.path.join(self.videos, "v.mp4"), 3)
        below = os.path.join(self.create_tempfile("file").full_path, "set")
        arguments = self.arguments({"id": "v", "video": "v.mp4"}, output=below)
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
