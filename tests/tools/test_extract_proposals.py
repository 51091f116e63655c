"""The program, started as a user starts it."""

import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf.data import schema
from stgraph_tf.data.dataset_info import DatasetInfo
from tests.data.sources import grey_films
from tests.proposals import bright_detector

TOOLS = os.path.join(os.path.dirname(__file__), "..", "..", "tools")
PROGRAM = os.path.join(TOOLS, "extract_proposals.py")


def run(*arguments: str, program: str = PROGRAM) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, program, *arguments], capture_output=True, text=True, check=False
    )


class ExtractProposalsTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.detector = "saved_model:" + bright_detector.save(os.path.join(folder, "model"))

    def setUp(self):
        super().setUp()
        self.videos = self.create_tempdir("videos").full_path
        self.output = os.path.join(self.create_tempdir("out").full_path, "boxes.jsonl")

    def write_films(self, count, num_frames=24):
        for index in range(count):
            grey_films.write_film(os.path.join(self.videos, f"{index}.mp4"), num_frames, 12)

    def arguments(self, **flags) -> list[str]:
        flags = {
            "videos": self.videos,
            "detector": self.detector,
            "output": self.output,
            "num_boxes": 4,
            **flags,
        }
        return [f"--{name}={value}" for name, value in flags.items()]

    def lines(self) -> dict[str, dict]:
        with open(self.output) as file:
            return {line["id"]: line for line in map(json.loads, file)}

    def test_the_same_boxes_as_while_preparing(self):
        self.write_films(3)
        manifest = self.create_tempfile(
            "list.jsonl",
            "\n".join(json.dumps({"id": f"v{n}", "video": f"{n}.mp4"}) for n in range(3)),
        ).full_path
        finished = run(*self.arguments(annotations=manifest))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertIn("boxes.jsonl: 3 films; 36 frames looked at now, with ", finished.stdout)
        self.assertIn("3/3", finished.stderr)
        self.assertIn("frames/s", finished.stderr)
        lines = self.lines()
        self.assertEqual(list(lines), ["v0", "v1", "v2"])

        data = os.path.join(self.create_tempdir("data").full_path, "set")
        finished = run(
            *(f"--videos={self.videos}", f"--annotations={manifest}", f"--boxes={self.detector}"),
            *(f"--output={data}", "--num_shards=2", "--max_boxes=4", "--direct_num_workers=2"),
            program=os.path.join(TOOLS, "prepare_dataset.py"),
        )
        self.assertEqual(finished.returncode, 0, finished.stderr)
        info = DatasetInfo.load(data)
        self.assertEqual(info.made_by["train"]["detector"]["num_boxes"], 4)
        records = tf.data.TFRecordDataset(info.shard_paths(data, "train")).map(schema.parse)
        num_boxes = 0
        for record in records:
            line = lines[record["id"].numpy().decode()]
            for name in ("boxes", "scores"):
                pairs = zip(record[name].to_list(), line[name], strict=True)
                for received, expected in pairs:
                    np.testing.assert_allclose(received, expected, atol=1e-4)
            num_boxes += sum(map(len, line["boxes"]))
        self.assertGreater(num_boxes, 0)
        self.assertEqual(info.splits["train"].num_boxes, num_boxes)

    def test_killed_at_any_moment(self):
        self.write_films(30, 60)
        open(os.path.join(self.videos, "empty.mp4"), "w").close()
        flags = {"fps": 12, "batch_size": 1}
        clean = self.output.replace("boxes", "clean")
        finished = run(*self.arguments(output=clean, **flags))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertRegex(finished.stdout, r"set aside: 1; .*clean.failures.jsonl says why")
        process = subprocess.Popen(
            [sys.executable, PROGRAM, *self.arguments(**flags)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        partial = os.path.join(os.path.dirname(self.output), ".boxes.jsonl.partial/videos.jsonl")
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            if os.path.exists(partial) and os.path.getsize(partial):
                break
            time.sleep(0.01)
        time.sleep(np.random.default_rng().uniform(0, 0.2))
        process.kill()
        process.communicate()
        self.assertFalse(os.path.exists(self.output))
        finished = run(*self.arguments(**flags))
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertRegex(finished.stdout, r"\n\d+ of the films had been looked at before\n")
        with open(clean) as file:
            for expected, line in zip(map(json.loads, file), self.lines().values(), strict=True):
                self.assertEqual((expected["id"], expected["times"]), (line["id"], line["times"]))
                for received, boxes in zip(line["boxes"], expected["boxes"], strict=True):
                    np.testing.assert_allclose(received, boxes, atol=1e-4)
        self.assertEqual(
            sorted(name for name in os.listdir(os.path.dirname(self.output)) if "boxes" in name),
            ["boxes.failures.jsonl", "boxes.jsonl", "boxes.made_by.json"],
        )

    def test_a_mistake_is_one_sentence(self):
        self.write_films(1)
        finished = run(*self.arguments(detector="saved_model:/nowhere"))
        self.assertEqual(finished.returncode, 1)
        last = finished.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: /nowhere holds no SavedModel")
        self.assertNotIn("Traceback", finished.stderr)
        self.assertFalse(os.path.exists(self.output))

    def test_help_is_quick(self):
        start = time.monotonic()
        self.assertIn("--decoders", run("--help").stdout)
        self.assertLess(time.monotonic() - start, 2)


if __name__ == "__main__":
    absltest.main()
