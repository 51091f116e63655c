"""Films through the client and the local server: the scores of `tools/predict.py`, on every way."""

import contextlib
import dataclasses
import importlib.util
import io
import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import tensorflow as tf
from absl import flags
from absl.testing import absltest, flagsaver, parameterized
from PIL import Image

from stgraph_tf.proposals.detector import Detections
from stgraph_tf.serving import client, export, film_clips
from stgraph_tf.serving.client import served_model
from stgraph_tf.serving.local_server import background
from stgraph_tf.serving.local_server.settings import Settings
from stgraph_tf.serving.predictor import Predictor
from tests.proposals import bright_detector
from tests.serving.test_predictor import BOXES, CLIP, LABELS, trained_model, write_film

PROGRAM = os.path.join(os.path.dirname(__file__), "../../../export/client.py")
NUM_BOXES = 5
WITH_DETECTOR = dataclasses.replace(CLIP, rpn="bright", num_boxes=NUM_BOXES)
# The second film ends before the times of its line in `BOXES`.
SHORT_BOXES = '{"id": "other", "times": [0.0], "boxes": [[[0.1, 0.1, 0.9, 0.6]]]}\n'
WITH_BOXES = ("encoded_frames", "serving_default", "sequence_example")
WITHOUT = ("encoded_frames_only", "frames_only", "sequence_example")


@contextlib.contextmanager
def loaded_program():
    """`export/client.py` as a module, whose flags go when the block ends."""
    spec = importlib.util.spec_from_file_location("client_program", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    before = set(flags.FLAGS)
    spec.loader.exec_module(module)
    try:
        yield module
    finally:
        for name in set(flags.FLAGS) - before:
            delattr(flags.FLAGS, name)


class BrightDetector(tf.Module):
    """A real detector that takes no time."""

    num_boxes = NUM_BOXES

    def detect(self, frames):
        found = bright_detector.detect(frames)
        boxes, scores = (found[f"detection_{name}"][:, :NUM_BOXES] for name in ("boxes", "scores"))
        return Detections(boxes, scores, scores > 0)


class FilmsTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.models = os.path.join(cls.folder, "models")
        saved = os.path.join(cls.models, "3")
        export.save(saved, trained_model(), LABELS, WITH_DETECTOR, BrightDetector())
        cls.films = []
        for name, seconds in (("film", 2.0), ("other", 0.5)):
            cls.films.append(client.Film(os.path.join(cls.folder, f"{name}.mp4")))
            write_film(cls.films[-1].path, seconds)
        cls.boxes = os.path.join(cls.folder, "boxes.jsonl")
        with open(cls.boxes, "w") as file:
            file.write(SHORT_BOXES + BOXES.splitlines()[1])
        cls.predictor = Predictor(cls.models)
        settings = Settings("stgraph", cls.models, port=0, rest_api_port=0)
        server = cls.enterClassContext(background.running(settings))
        cls.grpc_address = f"127.0.0.1:{server.port}"
        cls.rest_address = f"http://127.0.0.1:{server.rest_api_port}"
        cls.program = cls.enterClassContext(loaded_program())
        # Until the server has loaded the model.
        patient = client.Retries(400, 0.1, 0.5)
        with client.Client(cls.grpc_address, "stgraph", timeout=120.0, retries=patient):
            pass

    def connect(self, address, **settings):
        return self.enter_context(client.Client(address, "stgraph", **settings))

    def expected(self, film, spec):
        """Scores and number of boxes, as `tools/predict.py` comes to them."""
        line = film_clips.find_boxes(spec, film.path) if spec else None
        clips = film_clips.read(film.path, self.predictor.clip, line)
        if spec:
            scores, num_boxes = list(self.predictor.clip_scores(clips)), clips.num_boxes.sum()
        else:
            scores, boxes = zip(*self.predictor.detected(clips), strict=True)
            num_boxes = np.any(boxes, axis=-1).sum()
        return clips.pool(scores, self.predictor.clip.pooling), num_boxes

    def assert_predicted(self, prediction, film, spec):
        self.assertIsNone(prediction.error)
        scores, num_boxes = self.expected(film, spec)
        np.testing.assert_allclose(prediction.scores, scores, rtol=0, atol=1e-6)
        self.assertEqual((prediction.video, prediction.version), (film.path, 3))
        self.assertEqual(prediction.labels, LABELS)
        return num_boxes

    def test_the_server_tells_labels_and_clips(self):
        for address in (self.grpc_address, self.rest_address):
            model = self.connect(address).model
            self.assertEqual((model.labels, model.clip), (LABELS, WITH_DETECTOR))
            self.assertEqual(model.version, 3)
            self.assertTrue(model.finds_boxes)
            self.assertContainsSubset({*WITH_BOXES, *WITHOUT, "describe"}, model.signatures)

    @parameterized.parameters(*WITH_BOXES)
    def test_films_with_boxes(self, signature):
        for address in (self.grpc_address, self.rest_address):
            served = self.connect(address, signature_name=signature)
            predictions = served.predict(self.films, boxes=self.boxes, by_id=True)
            for film, prediction in zip(self.films, predictions, strict=True):
                num_boxes = self.assert_predicted(prediction, film, self.boxes)
                if signature != "sequence_example":  # It gets those between the clips, too.
                    self.assertEqual(prediction.num_boxes, num_boxes)

    @parameterized.parameters(*WITHOUT)
    def test_films_whose_boxes_the_model_finds(self, signature):
        for address in (self.grpc_address, self.rest_address):
            served = self.connect(address, signature_name=signature)
            for film, prediction in zip(self.films, served.predict(self.films), strict=True):
                if signature == "frames_only":  # As in `tools/predict.py`.
                    num_boxes = self.assert_predicted(prediction, film, None)
                    self.assertEqual(prediction.num_boxes, num_boxes)
                    continue
                # The detector sees the frames as they are stored, before they are scaled.
                self.assertIsNone(prediction.error)
                self.assertTrue(np.isfinite(prediction.scores).all())

    def test_films_without_boxes(self):
        (prediction,) = self.connect(self.grpc_address).predict(self.films[:1], boxes="none")
        self.assert_predicted(prediction, self.films[0], "none")
        self.assertEqual(prediction.num_boxes, 0)
        served = self.connect(self.grpc_address, signature_name="sequence_example")
        (prediction,) = served.predict(self.films[:1], boxes="none")
        self.assertIn("has no boxes, and sequence_example would have the model", prediction.error)

    def test_labels_from_a_copy_of_the_model(self):
        connection = self.connect(self.grpc_address).connection
        model = served_model.look_up(connection, None, self.models)
        self.assertEqual((model.labels, model.clip, model.version), (LABELS, WITH_DETECTOR, 3))

    def run_program(self, **values):
        """What `export/client.py` prints with these flags, in this process: it starts faster."""
        with flagsaver.flagsaver(**values), contextlib.redirect_stdout(io.StringIO()) as printed:
            try:
                self.program.main(["client.py"])
            except ValueError as error:
                return printed.getvalue(), str(error)
        return printed.getvalue(), None

    def test_the_program_on_one_film(self):
        film, written = self.films[0].path, os.path.join(self.folder, "scores.json")
        printed, error = self.run_program(
            server=self.grpc_address, video=[film], boxes=self.boxes, json=written, top=2
        )
        self.assertIsNone(error)
        scores, _ = self.expected(self.films[0], self.boxes)
        first, second, third = np.argsort(-scores)
        lines = printed.splitlines()
        self.assertRegex(lines[0], f"^{LABELS[first]} +{scores[first]:.3f}  █*$")
        self.assertRegex(lines[1], f"^{LABELS[second]} +{scores[second]:.3f}  █*$")
        self.assertEqual(
            lines[2:],
            [
                "",
                f"film    {film}, 12 frames at 6 a second",
                "clips   5 of 4 frames, pooled by max",
                "boxes   2",
                f"model   stgraph, version 3, on {self.grpc_address}",
                "",
            ],
        )
        with open(written) as file:
            content = json.load(file)
        (found,) = content.pop("films")
        self.assertEqual(content, {"server": self.grpc_address, "model": "stgraph"})
        predictions = found.pop("predictions")
        about = {"video": film, "version": 3, "num_frames": 12, "num_clips": 5, "num_boxes": 2}
        self.assertEqual(found, about)
        ranked = [LABELS[index] for index in (first, second, third)]
        self.assertEqual([row["label"] for row in predictions], ranked)
        found = [row["score"] for row in predictions]
        np.testing.assert_allclose(found, np.sort(scores)[::-1], rtol=0, atol=1e-6)

    def test_the_program_on_one_film_that_is_not_there(self):
        printed, error = self.run_program(server=self.grpc_address, video=["nothing.mp4"])
        self.assertEqual((printed, error), ("", "nothing.mp4 does not exist"))

    def test_the_program_on_a_folder_of_frames(self):
        folder = self.create_tempdir().full_path
        for index in range(5):
            frame = Image.new("RGB", (48, 36), (40 * index, 0, 0))
            frame.save(os.path.join(folder, f"{index}.png"))
        values = {"server": self.grpc_address, "video": [folder], "boxes": "none"}
        printed, error = self.run_program(**values)
        sentence = f"{folder} is a folder of frames: --fps must say how many a second"
        self.assertEqual((printed, error), ("", sentence))
        printed, error = self.run_program(fps=6.0, **values)
        self.assertIsNone(error)
        self.assertIn(f"film    {folder}, 5 frames at 6 a second\nclips   2 of 4 frames", printed)

    def test_the_program_on_a_list_of_films_of_which_one_is_not_there(self):
        listed = os.path.join(self.folder, "list.txt")
        written = os.path.join(self.folder, "films.json")
        first, second = (film.path for film in self.films)
        with open(listed, "w") as file:
            file.write(f"nothing.mp4\n\n{second}\n")
        printed, error = self.run_program(
            server=self.rest_address, video=[first], videos=listed, json=written
        )
        self.assertEqual(error, "1 of 3 films have no scores: nothing.mp4")
        self.assertIn("film    nothing.mp4\nerror   nothing.mp4 does not exist\n", printed)
        self.assertRegex(printed, r"boxes   \d+, found by the model\n")
        with open(written) as file:
            films = json.load(file)["films"]
        self.assertEqual([film["video"] for film in films], [first, "nothing.mp4", second])
        self.assertEqual([film["version"] for film in films if "version" in film], [3, 3])
        self.assertEqual(films[1]["error"], "nothing.mp4 does not exist")


class ProgramTest(absltest.TestCase):
    def run_program(self, *arguments):
        return subprocess.run(
            [sys.executable, "-X", "importtime", PROGRAM, *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    def test_help_needs_no_tensorflow(self):
        done = self.run_program("--help")
        self.assertIn("--in_flight", done.stdout)
        self.assertNotIn("tensorflow", done.stderr)

    def test_a_mistake_is_one_sentence(self):
        done = self.run_program("--server=127.0.0.1:1")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertEndsWith(done.stderr, "error: --video or --videos must name a film\n")
        self.assertNotIn("Traceback", done.stderr)


if __name__ == "__main__":
    absltest.main()
