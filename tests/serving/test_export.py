"""Export: what is published, what is verified, and what is refused."""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from ml_collections import ConfigDict
from PIL import Image

from stgraph_tf import config as settings
from stgraph_tf.data import schema, shards, video
from stgraph_tf.data.dataset_info import DatasetInfo, SplitInfo
from stgraph_tf.modeling import build_model
from stgraph_tf.serving import assets, export, verification
from stgraph_tf.training.workdir import Workdir
from tests import untrained

LABELS = ("push", "pull", "lift")
NUM_VIDEOS = 2
OLDER_BIAS = 1.0
PROGRAM = os.path.join(os.path.dirname(__file__), "../../export/export_saved_model.py")


def config_for(data_dir, precision="float32"):
    config = settings.for_variant("tiny_i3d_joint", backbones=("tiny",))
    config.name = "test_joint"
    config.model.feature_dim = 8
    config.model.precision = precision
    config.data.dir = data_dir
    config.data.num_frames = 4
    config.data.num_boxes = 3
    config.evaluation.num_clips = 2
    config.evaluation.short_side = 24
    return config


def write_dataset(folder):
    """Real shards of small videos with two boxes a frame."""
    random = np.random.default_rng(1)
    records = []
    for name in range(NUM_VIDEOS):
        frames = [random.integers(0, 256, (32, 40, 3)).astype(np.uint8) for _ in range(6)]
        corners = np.sort(random.uniform(size=(6, 2, 2, 2)), axis=-2)
        record = schema.Video(
            id=str(name),
            frames=[video.encode_jpeg(Image.fromarray(frame)) for frame in frames],
            timestamps=[i * 100_000 for i in range(6)],
            height=32,
            width=40,
            frame_rate=10.0,
            labels=[name],
            label_names=[LABELS[name]],
            segments=[],
            boxes=list(corners.reshape(6, 2, 4)),
            scores=[np.ones(2)] * 6,
        )
        records.append(schema.encode(record))
    name = shards.shard_name("validation", 0, 1)
    shards.write(os.path.join(folder, name), records)
    split = SplitInfo(NUM_VIDEOS, 6 * NUM_VIDEOS, 12 * NUM_VIDEOS, [name])
    info = DatasetInfo(LABELS, True, 10.0, 32, {"validation": split})
    info.save(folder)
    return info


def trained_model(config):
    """A network in which the graph counts, though it never was trained."""
    keras.utils.set_random_seed(3)
    model = build_model(config.model, num_classes=len(LABELS))
    untrained.awaken(model)
    return model


def write_run(folder, config, info, model):
    """The folder of a run, with two checkpoints of which the newer one holds `model`."""
    workdir = Workdir(folder)
    workdir.start(config, info)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    optimizer.build(model.trainable_variables)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=optimizer)
    manager = tf.train.CheckpointManager(checkpoint, workdir.checkpoint_dir("joint"), max_to_keep=2)
    bias = model.classifier.bias.numpy()
    model.classifier.bias.assign(bias + OLDER_BIAS)
    manager.save(1)
    model.classifier.bias.assign(bias)
    manager.save(2)


class Trained(NamedTuple):
    """A run on a data set, both on disk."""

    config: ConfigDict
    workdir: str
    info: DatasetInfo
    model: keras.Model


@functools.cache
def trained():
    """The run that all tests export from; none of them changes it."""
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    data_dir, workdir = os.path.join(folder, "data"), os.path.join(folder, "run")
    config = config_for(data_dir)
    info = write_dataset(data_dir)
    model = trained_model(config)
    write_run(workdir, config, info, model)
    return Trained(config, workdir, info, model)


class ExportTestCase(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.config, self.workdir, self.info, self.model = trained()
        self.output = os.path.join(self.create_tempdir().full_path, "served")

    def export(self, config=None, workdir=None, **arguments):
        return export.export(
            config or self.config, workdir or self.workdir, self.output, **arguments
        )

    def published(self):
        return sorted(os.listdir(self.output)) if os.path.exists(self.output) else []


class ExportTest(ExportTestCase):
    def test_the_newest_checkpoint_becomes_the_first_version(self):
        done = self.export()
        self.assertEqual(done.path, os.path.join(self.output, "1"))
        self.assertEqual(self.published(), ["1"])
        self.assertEqual(done.tolerance, 1e-4)
        self.assertLessEqual(done.difference, 1e-4)
        self.assertEqual(done.clips, f"2 clips of {self.config.data.dir}, validation")
        labels, clip = assets.read(done.path)
        self.assertEqual(labels, LABELS)
        self.assertEqual(
            clip,
            assets.ClipSpec(
                model="test_joint",
                checkpoint="ckpt-2",
                loss="sigmoid",
                multi_label=True,
                frame_rate=10.0,
                stored_short_side=32,
                short_side=24,
                num_frames=4,
                box_stride=2,
                num_boxes=3,
                num_clips=2,
            ),
        )
        self._check_use_without_keras_and_this_package(done.path)

    def test_what_requests_may_hold_and_how_clips_are_pooled(self):
        config = config_for(self.config.data.dir)
        config.evaluation.pooling = "mean"
        clip = export.clip_spec(config, self.info, "ckpt-2", max_clips=3)
        self.assertEqual((clip.pooling, clip.max_clips), ("mean", 3))

    def _check_use_without_keras_and_this_package(self, path):
        frames = np.random.default_rng(0).integers(0, 256, (1, 4, 24, 24, 3))
        boxes = [[[[0.1, 0.2, 0.7, 0.9]]] * 2]
        program = (
            "import sys, json\n"
            "import tensorflow as tf\n"
            "sys.modules.update(dict.fromkeys(('keras', 'stgraph_tf', 'tf_keras')))\n"
            f"served = tf.saved_model.load({path!r})\n"
            "request = json.load(sys.stdin)\n"
            "frames = tf.constant(request['frames'], tf.uint8)\n"
            "boxes = tf.constant(request['boxes'], tf.float32)\n"
            "scores = served.signatures['serving_default'](frames=frames, boxes=boxes)\n"
            "print(scores['scores'].numpy().tolist())\n"
        )
        elsewhere = subprocess.run(
            [sys.executable, "-c", program],
            input=json.dumps({"frames": frames.tolist(), "boxes": boxes}),
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual(elsewhere.returncode, 0, elsewhere.stderr)
        inputs = {
            "frames": tf.constant(frames, tf.uint8),
            "boxes": tf.constant(boxes),
            "mask": tf.ones([1, 2, 1], bool),
        }
        expected = 1 / (1 + np.exp(-self.model(inputs).numpy().astype(np.float64)))
        np.testing.assert_allclose(json.loads(elsewhere.stdout), expected, atol=1e-5)

    def test_another_checkpoint_and_no_shards(self):
        os.makedirs(os.path.join(self.output, "7"))
        checkpoint = os.path.join(self.workdir, "checkpoints", "joint", "ckpt-1")
        done = self.export(config_for("/nowhere"), checkpoint=checkpoint)
        self.assertEqual(done.path, os.path.join(self.output, "8"))
        self.assertEqual(done.clips, "4 random clips: there are no validation shards in /nowhere")
        self.assertLessEqual(done.difference, 1e-4)
        _, spec = assets.read(done.path)
        self.assertEqual(spec.checkpoint, "ckpt-1")
        loaded = tf.saved_model.load(done.path)
        clip = next(verification.random_clips(spec, 1, seed=9))
        serve = loaded.signatures["serving_default"]
        scores = serve(frames=clip["frames"], boxes=clip["boxes"])["scores"].numpy()
        logits = self.model(clip, training=False).numpy().astype(np.float64) + OLDER_BIAS
        np.testing.assert_allclose(scores, 1 / (1 + np.exp(-logits)), atol=1e-5)

    def test_precision_is_that_of_the_export_not_of_the_training(self):
        config = config_for(self.config.data.dir, "mixed_bfloat16")
        workdir = self.create_tempdir().full_path
        write_run(workdir, config, self.info, trained_model(config))
        for version, precision, tolerance in ((12, "float32", 1e-4), (13, "bfloat16", 3e-2)):
            done = self.export(config, workdir, version=version, precision=precision)
            self.assertEqual(done.path, os.path.join(self.output, str(version)))
            self.assertEqual(done.tolerance, tolerance)
            self.assertLessEqual(done.difference, tolerance)


class RefusalTest(ExportTestCase):
    def publish(self, model, clips):
        clip = export.clip_spec(self.config, self.info, "ckpt-2")
        path = os.path.join(self.output, "1")
        return export.publish(path, model, LABELS, clip, clips=clips(clip), tolerance=1e-4)

    def test_scores_that_moved(self):
        model = trained_model(self.config)

        def clips(clip):
            # The weights change between saving and verifying, as if saving had lost something.
            model.classifier.bias.assign_add([0.0, 0.0, 0.05])
            yield from verification.random_clips(clip, 1)

        with self.assertRaisesRegex(ValueError, "1 is not published: its scores are up to .* away"):
            self.publish(model, clips)
        self.assertEqual(self.published(), [])

    def test_scores_that_are_not_finite(self):
        model = trained_model(self.config)
        model.classifier.bias.assign([0.0, np.nan, 0.0])
        with self.assertRaisesRegex(ValueError, "the trained model's scores are not finite"):
            self.publish(model, lambda clip: verification.random_clips(clip, 1))
        self.assertEqual(self.published(), [])

    def test_nothing_to_verify_on(self):
        with self.assertRaisesRegex(ValueError, "no clip to verify"):
            self.publish(self.model, lambda clip: iter(()))
        self.assertEqual(self.published(), [])

    def test_a_damaged_shard_is_named(self):
        folder = self.create_tempdir().full_path
        info = write_dataset(folder)
        (path,) = info.shard_paths(folder, "validation")
        with open(path, "r+b") as file:
            file.truncate(os.path.getsize(path) - 100)
        with self.assertRaisesRegex(ValueError, f"{path} is damaged: the record at byte"):
            self.export(config_for(folder))
        self.assertEqual(self.published(), [])

    def test_an_output_that_is_no_folder(self):
        with open(self.output, "w") as file:
            file.write("a file")
        with self.assertRaisesRegex(tf.errors.FailedPreconditionError, "served is not a directory"):
            self.export()

    def test_a_version_that_exists(self):
        os.makedirs(os.path.join(self.output, "3"))
        with self.assertRaisesRegex(ValueError, "served/3 exists"):
            self.export(version=3)

    def test_a_config_of_another_network(self):
        config = config_for(self.config.data.dir)
        config.model.graph = "similarity"
        with self.assertRaisesRegex(ValueError, "graph was 'joint' and is 'similarity'"):
            self.export(config)

    def test_boxes_that_would_not_fall_on_feature_frames(self):
        config = config_for(self.config.data.dir)
        config.data.box_stride = 4
        with self.assertRaisesRegex(ValueError, "--config.data.box_stride must be 2"):
            self.export(config)

    def test_a_folder_without_a_run(self):
        with self.assertRaisesRegex(ValueError, "holds no training run"):
            self.export(workdir=self.create_tempdir().full_path)

    def test_what_is_no_checkpoint(self):
        with self.assertRaisesRegex(ValueError, "ckpt-9 is not a checkpoint"):
            self.export(checkpoint=os.path.join(self.workdir, "checkpoints", "ckpt-9"))

    def test_labels_that_do_not_fit_on_a_line(self):
        clip = export.clip_spec(self.config, self.info, "ckpt-2")
        for label in ("two\nlines", ""):
            with self.assertRaisesRegex(ValueError, "does not fit on a line of labels.txt"):
                export.save(os.path.join(self.output, "1"), self.model, ("a", label), clip)
        self.assertEqual(self.published(), [])


class ProgramTest(ExportTestCase):
    def test_says_where_it_published_and_what_it_measured(self):
        config = os.path.join(self.create_tempdir().full_path, "config.py")
        with open(config, "w") as file:
            file.write(
                "from ml_collections import ConfigDict\n"
                f"def get_config():\n  return ConfigDict({self.config.to_dict()!r})\n"
            )
        flags = (f"--config={config}", f"--workdir={self.workdir}", f"--output={self.output}")
        done = subprocess.run(
            [sys.executable, PROGRAM, *flags], capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stderr)
        published, scores = done.stdout.splitlines()
        self.assertEqual(published, f"published {self.output}/1")
        self.assertRegex(
            scores,
            r"^its scores are within \d\.\de-\d\d of the trained model's \(1e-04 is allowed\), "
            f"on 2 clips of {self.config.data.dir}, validation$",
        )
        # A progress line, but none of TensorFlow's tales of saving.
        self.assertIn("2/2", done.stderr)
        self.assertNotIn("Assets written", done.stderr)
        self.assertEqual(self.published(), ["1"])


if __name__ == "__main__":
    absltest.main()
