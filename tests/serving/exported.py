"""A tiny exported model, made once a process, and what to send it."""

import atexit
import functools
import io
import shutil
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import parameterized
from PIL import Image

from stgraph_tf import config as settings
from stgraph_tf.data import schema
from stgraph_tf.modeling import build_model
from stgraph_tf.serving import assets, export
from tests import untrained

NUM_FRAMES = 4
BOX_STRIDE = 2
SHORT_SIDE = 24
LABELS = ("push", "pull it", "dépose", "lift", "turn")

CLIP = assets.ClipSpec(
    model="test",
    checkpoint="ckpt-1",
    loss="sigmoid",
    multi_label=True,
    frame_rate=6.0,
    stored_short_side=32,
    short_side=SHORT_SIDE,
    num_frames=NUM_FRAMES,
    box_stride=BOX_STRIDE,
    num_boxes=3,
    num_clips=2,
)


def small_model(graph="joint", backbone="tiny"):
    """A tiny network in which every weight, also those that begin as zeros, makes a difference."""
    keras.utils.set_random_seed(3)
    config = settings.default()
    config.model.backbone = backbone
    config.model.feature_dim = 8
    config.model.graph = graph
    model = build_model(config.model, num_classes=len(LABELS))
    untrained.awaken(model)
    return model


@functools.cache
def joint():
    """The trained model, its SavedModel's folder, and what was loaded from there."""
    model = small_model()
    query = model.similarity_graph.query.kernel
    query.assign(query / 30)  # Affinities of order one: every node has several neighbours.
    folder = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, folder)
    export.save(folder, model, LABELS, CLIP)
    return model, folder, tf.saved_model.load(folder)


class ExportedTestCase(parameterized.TestCase):
    """A case with the exported model."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.model, cls.folder, cls.loaded = joint()

    def outputs(self, name, **inputs):
        tensors = {key: tf.constant(value) for key, value in inputs.items()}
        found = self.loaded.signatures[name](**tensors)
        return {key: value.numpy() for key, value in found.items()}

    def call(self, name, **inputs):
        scores = self.outputs(name, **inputs)["scores"]
        self.assertTrue(np.isfinite(scores).all())
        return scores

    def assert_refused(self, sentence, name="serving_default", **inputs):
        with self.assertRaises(tf.errors.InvalidArgumentError) as refusal:
            self.call(name, **inputs)
        self.assertIn(sentence, refusal.exception.message)


def request(batch=2, height=24, width=32, num_boxes=3, seed=0):
    """Frames of noise, and boxes inside the frame."""
    random = np.random.default_rng(seed)
    frames = random.integers(0, 256, [batch, NUM_FRAMES, height, width, 3], np.uint8)
    shape = [batch, NUM_FRAMES // BOX_STRIDE, num_boxes]
    return frames, random_boxes(random, shape)


def random_boxes(random, shape):
    """Boxes inside the frame, float32 `[*shape, 4]`."""
    corners = np.sort(random.uniform(size=[*shape, 2, 2]), axis=-2)
    return corners.reshape([*shape, 4]).astype(np.float32)


def jpeg(pixels, **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


def image_file(pixels, kind):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def compressed(frames):
    """Frames `[B, T, H, W, 3]` as JPEG strings `[B, T]`, and what Pillow decodes them to."""
    jpegs = [[jpeg(frame) for frame in clip] for clip in frames]
    pixels = [[np.asarray(Image.open(io.BytesIO(data))) for data in clip] for clip in jpegs]
    return np.array(jpegs, object), np.array(pixels)


def record(name, num_frames, height=32, width=40, num_boxes=4, frames=None):
    """The record of a video of noise, with `num_boxes` boxes on every frame but each third."""
    random = np.random.default_rng(len(name) + num_frames)
    if frames is None:
        shape = [num_frames, height, width, 3]
        frames = [jpeg(frame) for frame in random.integers(0, 256, shape, np.uint8)]
    counts = [0 if index % 3 == 2 else num_boxes for index in range(num_frames)]
    video = schema.Video(
        id=name,
        frames=frames,
        timestamps=[index * 1_000_000 // 6 for index in range(num_frames)],
        height=height,
        width=width,
        frame_rate=6.0,
        labels=[0],
        label_names=[LABELS[0]],
        segments=[],
        boxes=[1.5 * random_boxes(random, [count]) - 0.2 for count in counts],
        scores=[np.linspace(0.9, 0.3, count) for count in counts],
    )
    return schema.encode(video)


def without_box_lists(serialized):
    """The same record as other writers of MediaSequence make it, without any key of boxes."""
    example = tf.train.SequenceExample.FromString(serialized)
    for key in (*schema.BOX_SIDES, schema.SCORES):
        del example.feature_lists.feature_list[key]
    return example.SerializeToString()
