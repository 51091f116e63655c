"""Evaluating a trained model on real shards."""

import os
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest

from stgraph_tf import files
from stgraph_tf.data import schema, transforms
from stgraph_tf.evaluation import attributes, run, score_files
from stgraph_tf.modeling import build_model
from stgraph_tf.training.workdir import Workdir
from tests import small_dataset


def trained(folder: str, *, multi_label: bool = True):
    """A run folder with a checkpoint of random weights: `(config, model, info)`."""
    data = os.path.join(folder, "data")
    info = small_dataset.write(data, multi_label=multi_label)
    config = small_dataset.config(data)
    keras.utils.set_random_seed(0)
    model = build_model(config.model, num_classes=len(info.labels))
    run_folder = Workdir(os.path.join(folder, "run"))
    run_folder.start(config, info)
    manager = tf.train.CheckpointManager(
        tf.train.Checkpoint(model=model), run_folder.checkpoint_dir("joint"), max_to_keep=1
    )
    manager.save()
    return config, model, info


class RunTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enter_context(tempfile.TemporaryDirectory())
        cls.data = os.path.join(cls.folder, "data")
        cls.workdir = os.path.join(cls.folder, "run")
        cls.before = os.path.join(cls.folder, "before")
        cls.trained, cls.model, cls.info = trained(cls.folder)
        cls.measures = run.evaluate(cls.trained, cls.workdir, cls.before, with_report=False)

    def setUp(self):
        super().setUp()
        self.output = os.path.join(self.create_tempdir().full_path, "evaluation")
        self.config = self.trained.copy_and_resolve_references()

    def scores(self, folder: str) -> np.ndarray:
        return score_files.read(os.path.join(folder, "scores.npz")).scores

    def test_scores_are_those_of_the_models_clips_one_by_one(self):
        with np.load(os.path.join(self.before, "scores.npz")) as saved:
            ids, scores = saved["ids"].tolist(), saved["scores"]
        self.assertEqual(ids, [f"validation-{index}" for index in range(6)])

        # By hand: 12 frames, 2 clips of 4, so the clips are frames 0 to 3 and 8 to 11, whole.
        for path in self.info.shard_paths(self.data, "validation"):
            for record in tf.data.TFRecordDataset(path):
                video = schema.parse(record)
                frames = tf.stack([transforms.decode_jpeg(jpeg) for jpeg in video["frames"]])
                boxes = video["boxes"].to_tensor()[:, :3]
                clip_scores = [
                    tf.sigmoid(
                        self.model(
                            {
                                "frames": frames[None, start : start + 4],
                                "boxes": boxes[None, start : start + 4 : 2],
                                "mask": tf.ones([1, 2, 3], tf.bool),
                            }
                        )
                    )[0].numpy()
                    for start in (0, 8)
                ]
                row = scores[ids.index(video["id"].numpy().decode())]
                np.testing.assert_allclose(row, np.max(clip_scores, axis=0), atol=1e-5)
        written = files.read_json(os.path.join(self.before, "metrics.json"))
        self.assertEqual(written, self.measures)
        self.assertBetween(self.measures["mAP"], 0.3, 1.0)
        self.assertIn("mAP", run.table(self.measures))
        self.assertIn("throw", run.table(self.measures))

    def test_single_label_data_is_measured_by_accuracy(self):
        folder = self.create_tempdir().full_path
        config, _, _ = trained(folder, multi_label=False)
        measures = run.evaluate(config, os.path.join(folder, "run"), self.output)
        self.assertEqual(measures["top5"], 1.0)
        self.assertIn(measures["top1"], [n / 6 for n in range(7)])
        self.assertIn("top-1", run.table(measures))

    def test_report_tells_what_was_measured(self):
        path = os.path.join(self.data, attributes.CLASS_FILE)
        rows = [f"{label},{index % 2}" for index, label in enumerate(self.info.labels)]
        with open(path, "w") as file:
            file.write("\n".join(["class,Seq", *rows]))
        self.addCleanup(os.remove, path)
        compared = {"before": os.path.join(self.before, "scores.npz")}
        measures = run.evaluate(self.config, self.workdir, self.output, compared=compared)
        self.assertEqual(measures, self.measures)
        with open(os.path.join(self.output, "report.html"), encoding="utf-8") as file:
            text = file.read()
        self.assertIn(f"{100 * measures['mAP']:.1f}\xa0%", text)
        self.assertIn("mAP of before", text)
        self.assertIn("Part of a sequence?", text)
        self.assertEqual(text.count('<img src="data:image/webp'), 6)

    def test_videos_without_labels_are_scored_alone(self):
        folder = self.create_tempdir().full_path
        config = self.trained.copy_and_resolve_references()
        config.data.dir = os.path.join(folder, "data")
        small_dataset.write(config.data.dir, labelled=False)
        measures = run.evaluate(config, self.workdir, self.output)
        self.assertEqual(os.listdir(self.output), ["scores.npz"])
        np.testing.assert_allclose(self.scores(self.output), self.scores(self.before), atol=1e-6)
        self.assertIn("no video has a label", run.table(measures))

    def test_without_report(self):
        self.assertEqual(sorted(os.listdir(self.before)), ["metrics.json", "scores.npz"])

    def test_clips_are_pooled_as_the_config_says(self):
        self.config.evaluation.pooling = "mean"
        measures = run.evaluate(self.config, self.workdir, self.output, with_report=False)
        self.assertEqual((self.measures["pooling"], measures["pooling"]), ("max", "mean"))
        mean, largest = self.scores(self.output), self.scores(self.before)
        self.assertTrue((largest >= mean).all())
        self.assertTrue((largest > mean).any())

    def test_computes_in_the_precision_that_the_config_says(self):
        self.config.evaluation.precision = "mixed_bfloat16"
        measures = run.evaluate(self.config, self.workdir, self.output, with_report=False)
        self.assertEqual(self.measures["precision"], "float32")
        self.assertEqual(measures["precision"], "mixed_bfloat16")
        rough, exact = self.scores(self.output), self.scores(self.before)
        self.assertFalse(np.array_equal(rough, exact))
        np.testing.assert_allclose(rough, exact, atol=0.02)

    def test_refuses_attributes_without_any_that_it_shows(self):
        path = self.create_tempfile(content="class,Colour\nopen,1\nclose,2\nthrow,3\n").full_path
        with self.assertRaisesRegex(ValueError, "expected a column of Seq, .* received Colour"):
            run.evaluate(self.config, self.workdir, self.output, attributes_file=path)
        self.assertFalse(os.path.exists(self.output))

    def test_refuses_scores_of_other_classes(self):
        path = os.path.join(self.create_tempdir().full_path, "scores.npz")
        table = np.zeros([1, 1])
        score_files.write(path, score_files.ScoredVideos(np.array(["a"]), table, table, ("jump",)))
        with self.assertRaisesRegex(ValueError, "scores.npz has other classes than the data set"):
            run.evaluate(self.config, self.workdir, self.output, compared={"other": path})
        self.assertFalse(os.path.exists(self.output))

    def test_refuses_to_compare_a_model_with_its_own_name(self):
        compared = {self.config.name: os.path.join(self.before, "scores.npz")}
        with self.assertRaisesRegex(ValueError, "compared with itself"):
            run.evaluate(self.config, self.workdir, self.output, compared=compared)
        self.assertFalse(os.path.exists(self.output))

    def test_refuses_a_config_that_was_not_trained(self):
        self.config.model.graph = "similarity"
        with self.assertRaisesRegex(ValueError, "model.graph was 'joint' and is 'similarity'"):
            run.evaluate(self.config, self.workdir, self.output)
        self.assertFalse(os.path.exists(self.output))


if __name__ == "__main__":
    absltest.main()
