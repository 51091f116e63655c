"""What a video's scores are: those of its clips alone, whatever it is evaluated along with.

From shards on the disk to pooled scores, on films of several shapes, against the network called
with one clip at a time, whose frames and boxes are taken from the films in NumPy.
"""

import io
import tempfile

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image

from stgraph_tf import config as settings
from stgraph_tf.data import schema, shards
from stgraph_tf.data.dataset_info import DatasetInfo, SplitInfo
from stgraph_tf.evaluation import protocol, views
from stgraph_tf.modeling import build_model
from tests import untrained

LABELS = ("open", "close", "throw")
NUM_FRAMES, BOX_STRIDE, NUM_BOXES, NUM_CLIPS = 4, 2, 5, 3
# What bfloat16 may change of a score: the gap between two of its numbers just below 1.
BFLOAT16_BOUND = 2**-8


def _film(name, height, width, num_frames, box_counts, plain=False) -> schema.Video:
    """A film of coarse noise, or of frames that are each of one colour, with random boxes.

    Args:
        name: the id.
        height: of the frames.
        width: of the frames.
        num_frames: how many.
        box_counts: boxes on the frames, over and over again.
        plain: whether every frame is of one colour, so that scaling it changes nothing.
    """
    random = np.random.default_rng(len(name) * height + width + num_frames)
    frames, boxes, scores = [], [], []
    for number in range(num_frames):
        cells = 1 if plain else 8
        image = Image.fromarray(random.integers(0, 256, [cells, cells, 3], np.uint8))
        buffer = io.BytesIO()
        image.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
        frames.append(buffer.getvalue())
        count = box_counts[number % len(box_counts)]
        corners = np.sort(random.random([count, 2, 2]), axis=-2)
        boxes.append(corners.reshape(count, 4).astype(np.float32))
        scores.append(np.linspace(1, 0.1, count))
    labels = [len(name) % len(LABELS)]
    return schema.Video(
        id=name,
        frames=frames,
        timestamps=[number * 1_000_000 // 6 for number in range(num_frames)],
        height=height,
        width=width,
        frame_rate=6.0,
        labels=labels,
        label_names=[LABELS[label] for label in labels],
        segments=[],
        boxes=boxes,
        scores=scores,
    )


def _films() -> list[schema.Video]:
    """Neighbours are of different shapes, so that batches mix what stands apart in the shards."""
    return [
        _film("wide", 256, 340, 9, [2, 0, 7, 5]),
        _film("tall", 340, 256, 6, [3]),
        _film("square", 256, 256, 7, [1, 6]),
        _film("wide, shorter than a clip", 256, 340, 3, [4, 1, 2]),
        _film("wide, scaled up from half the size", 128, 170, 5, [5, 2], plain=True),
        _film("tall, without any box", 340, 256, 8, [0]),
        _film("square, of one frame", 256, 256, 1, [3]),
    ]


def _model(precision="float32") -> keras.Model:
    config = settings.for_variant("tiny_i3d_joint", backbones=("tiny",))
    config.model.feature_dim = 8
    config.model.precision = precision
    keras.utils.set_random_seed(5)
    model = build_model(config.model, num_classes=len(LABELS))
    untrained.awaken(model)
    return model


def _scores_of_clips(model: keras.Model, film: schema.Video) -> np.ndarray:
    """`[NUM_CLIPS, C]`, each clip by itself, with no more boxes than it has."""
    last = max(len(film.frames) - NUM_FRAMES, 0)
    scores = []
    for start in np.floor(np.linspace(0, last, NUM_CLIPS) + 0.5).astype(int):
        shown = np.minimum(start + np.arange(NUM_FRAMES), len(film.frames) - 1)
        frames = np.stack([_decoded(film.frames[index]) for index in shown])
        kept = [film.boxes[index][:NUM_BOXES] for index in shown[::BOX_STRIDE]]
        most = max(1, *map(len, kept))
        clip = {
            "frames": frames,
            "boxes": np.stack([np.pad(rows, [[0, most - len(rows)], [0, 0]]) for rows in kept]),
            "mask": np.stack([np.arange(most) < len(rows) for rows in kept]),
        }
        logits = model({name: tf.constant(value[np.newaxis]) for name, value in clip.items()})
        scores.append(1 / (1 + np.exp(-logits.numpy()[0].astype(float))))
    return np.stack(scores)


def _decoded(jpeg: bytes) -> np.ndarray:
    """The frame with its short side at 256; what is scaled is of one colour."""
    pixels = np.asarray(Image.open(io.BytesIO(jpeg)))
    times = 256 // min(pixels.shape[:2])
    return np.repeat(np.repeat(pixels, times, axis=0), times, axis=1)


class WholeFramesTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = cls.enter_context(tempfile.TemporaryDirectory())
        films = _films()
        name = shards.shard_name("validation", 0, 1)
        shards.write(f"{folder}/{name}", map(schema.encode, films))
        cls.info = DatasetInfo(
            labels=LABELS,
            multi_label=True,
            frame_rate=6.0,
            short_side=256,
            splits={"validation": SplitInfo(len(films), 0, 0, [name])},
        )
        cls.paths = cls.info.shard_paths(folder, "validation")
        cls.config = settings.default()
        cls.config.data.update(num_frames=NUM_FRAMES, box_stride=BOX_STRIDE, num_boxes=NUM_BOXES)
        cls.config.evaluation.num_clips = NUM_CLIPS
        model = _model()
        cls.alone = {film.id: _scores_of_clips(model, film) for film in films}
        cls.evaluated = cls._evaluate(model, batch_size=4, pooling="max")

    @classmethod
    def _evaluate(cls, model, batch_size, pooling):
        cls.config.evaluation.batch_size = batch_size
        dataset = protocol.validation_dataset(cls.config, cls.info, cls.paths)
        return views.score_videos(model, dataset, tf.sigmoid, pooling=pooling)

    def _pooled(self, pool) -> np.ndarray:
        return np.stack([pool(self.alone[name], axis=0) for name in sorted(self.alone)])

    def test_films_have_scores_of_their_own(self):
        # Or the other tests could not tell a film's scores from another's, or clips apart.
        scores = self._pooled(np.max)
        gaps = np.abs(scores[:, np.newaxis] - scores).max(axis=-1)
        self.assertGreater(gaps[~np.eye(len(gaps), dtype=bool)].min(), 1e-3)
        self.assertGreater(np.ptp(self.alone["wide"], axis=0).max(), 1e-3)

    def test_batches_hold_clips_of_several_films_in_one_shape(self):
        self.config.evaluation.batch_size = 4
        dataset = protocol.validation_dataset(self.config, self.info, self.paths)
        found = [(batch["frames"].shape[2:4], batch["id"].numpy().tolist()) for batch in dataset]
        sizes = sorted(tuple(size) for size, ids in found for _ in ids)
        wide, tall, square = 9 * [(256, 340)], 6 * [(340, 256)], 6 * [(256, 256)]
        self.assertEqual(sizes, sorted(wide + tall + square))
        # 9 clips in batches of 4 are 4, 4, 1; 6 are 4, 2.
        self.assertEqual(sorted(len(ids) for _, ids in found), [1, 2, 2, 4, 4, 4, 4])
        self.assertTrue(all(len(set(ids)) > 1 for _, ids in found if len(ids) == 4))

    def test_scores_are_those_of_the_clips_alone(self):
        self.assertEqual(self.evaluated.ids.tolist(), sorted(self.alone))
        np.testing.assert_allclose(self.evaluated.scores, self._pooled(np.max), atol=1e-5)

    def test_mean_scores_too(self):
        found = self._evaluate(_model(), batch_size=3, pooling="mean")
        np.testing.assert_allclose(found.scores, self._pooled(np.mean), atol=1e-5)

    def test_bfloat16_gives_nearly_the_scores_of_float32(self):
        model = _model("mixed_bfloat16")
        found = self._evaluate(model, batch_size=4, pooling="max")
        self.assertEqual(model.compute_dtype, "bfloat16")
        np.testing.assert_allclose(found.scores, self.evaluated.scores, atol=BFLOAT16_BOUND)


if __name__ == "__main__":
    absltest.main()
