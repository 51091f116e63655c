"""The program, started as a user starts it."""

import json
import os
import pathlib
import subprocess
import sys
import time

import av
from absl.testing import absltest, parameterized

from stgraph_tf.data.shapes.actions import LABELS

PROGRAM = pathlib.Path(__file__).parents[3] / "tools" / "make_shapes.py"


def run(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, str(PROGRAM), *arguments], capture_output=True, text=True, check=False
    )


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in pathlib.Path(path).read_text().splitlines()]


class MakeShapesTest(parameterized.TestCase):
    def test_writes_films_annotations_and_labels(self):
        output = os.path.join(self.create_tempdir().full_path, "films")
        finished = run(f"--output={output}", "--train_videos=3", "--val_videos=2", "--seed=4")
        self.assertEqual(finished.returncode, 0, finished.stderr)
        self.assertEqual(
            sorted(os.listdir(output)),
            [
                "attributes_class.csv",
                "labels.txt",
                "train.jsonl",
                "train_objects.jsonl",
                "train_proposals.jsonl",
                "validation.jsonl",
                "validation_objects.jsonl",
                "validation_proposals.jsonl",
                "videos",
            ],
        )
        self.assertEqual(pathlib.Path(output, "labels.txt").read_text().splitlines(), list(LABELS))
        for split, count in (("train", 3), ("validation", 2)):
            manifest = lines(os.path.join(output, f"{split}.jsonl"))
            proposals = lines(os.path.join(output, f"{split}_proposals.jsonl"))
            objects = lines(os.path.join(output, f"{split}_objects.jsonl"))
            self.assertEqual([e["id"] for e in manifest], [e["id"] for e in proposals])
            self.assertEqual([e["id"] for e in manifest], [e["id"] for e in objects])
            self.assertLen(manifest, count)
            for entry, boxes in zip(manifest, proposals, strict=True):
                self.assertNotEmpty(entry["labels"])
                self.assertContainsSubset(entry["labels"], LABELS)
                with av.open(os.path.join(output, entry["video"])) as film:
                    self.assertLen(list(film.decode(video=0)), len(boxes["times"]))
        self.assertLen(os.listdir(os.path.join(output, "videos")), 5)

    @parameterized.parameters(
        (["--train_videos=-1"], "number of train videos must not be negative; received -1"),
        (["--val_videos=-3"], "number of validation videos must not be negative; received -3"),
        (["--train_videos=0", "--val_videos=0"], "no videos to make"),
        (["--seed=-2"], "seed must not be negative; received -2"),
        (["--size=65"], "size must be an even number from 32 to 1024; received 65"),
        (["--num_frames=5"], "num_frames must be at least 14.*received 5"),
        (["--fps=0"], "fps must be at least 1; received 0"),
        (["--num_workers=0"], "num_workers must be at least 1; received 0"),
        (["stray"], "unexpected argument 'stray'"),
    )
    def test_refuses_what_makes_no_sense(self, arguments, message):
        output = os.path.join(self.create_tempdir().full_path, "films")
        self.assert_refused([f"--output={output}", *arguments], message)
        self.assertFalse(os.path.exists(output))

    def test_refuses_a_folder_that_cannot_be_written(self):
        in_the_way = self.create_tempfile("file").full_path
        output = os.path.join(in_the_way, "films")
        self.assert_refused([f"--output={output}", "--train_videos=1"], "(?i)director")

    def assert_refused(self, arguments: list[str], message: str) -> None:
        finished = run(*arguments)
        self.assertEqual(finished.returncode, 1, finished.stderr)
        self.assertNotIn("Traceback", finished.stderr)
        last = finished.stderr.strip().splitlines()[-1]
        self.assertStartsWith(last, "error: ")
        self.assertRegex(last, message)

    def test_help_answers_quickly(self):
        start = time.monotonic()
        finished = run("--help")
        self.assertLess(time.monotonic() - start, 2)
        self.assertIn("--train_videos", finished.stdout)


if __name__ == "__main__":
    absltest.main()
