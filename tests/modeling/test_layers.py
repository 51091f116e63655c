"""Each layer alone in a functional Keras model: its symbolic shape, saved and loaded."""

import os

import keras
import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.modeling import batch_norm, clip_dropout, gcn, graphs, non_local, residual_blocks
from stgraph_tf.modeling.roi_align import RoIAlign
from tests import untrained

_VIDEO = (4, 8, 8, 6)
_BLOCK = {"width": 3, "temporal_kernel": 3, "expansion": 2, "freeze_batch_norm": False}


class LayersTest(parameterized.TestCase):
    @parameterized.named_parameters(
        ("frozen", lambda: batch_norm.FrozenBatchNormalization(epsilon=1e-3), _VIDEO),
        ("dropout", lambda: clip_dropout.ClipDropout(0.3, seed=4), (5,)),
        ("strided", lambda: residual_blocks.Bottleneck(spatial_stride=2, **_BLOCK), _VIDEO),
        ("block", lambda: residual_blocks.Bottleneck(spatial_stride=1, **_BLOCK), _VIDEO),
        ("non_local", lambda: non_local.NonLocalBlock(scaled=False), _VIDEO),
        ("roi_align", lambda: RoIAlign(bins=3), _VIDEO, (4, 2, 4)),
        ("similarity_graph", graphs.SimilarityGraph, (6, 8), (6,)),
        ("similarity_branch", lambda: gcn.SimilarityBranch(num_layers=2), (6, 8), (6, 6)),
        (
            "spatial_temporal_branch",
            lambda: gcn.SpatialTemporalBranch(num_layers=2),
            *((3, 2, 8), (2, 2, 2), (2, 2, 2)),
        ),
    )
    def test_saved_and_loaded(self, make, *shapes):
        keras.utils.set_random_seed(0)
        dtypes = ["bool" if len(shape) == 1 and len(shapes) > 1 else "float32" for shape in shapes]
        inputs = [
            keras.Input(shape, dtype=kind) for shape, kind in zip(shapes, dtypes, strict=True)
        ]
        layer = make()
        model = keras.Model(inputs, layer(*inputs))
        untrained.awaken(model)
        random = np.random.default_rng(2)
        values = [random.uniform(size=(2, *shape)) for shape in shapes]
        arrays = [
            value > 0.3 if kind == "bool" else value.astype(kind)
            for value, kind in zip(values, dtypes, strict=True)
        ]
        expected = model(arrays)
        self.assertEqual(model.output_shape, (None, *expected.shape[1:]))

        path = os.path.join(self.create_tempdir().full_path, "model.keras")
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assertEqual(loaded.get_layer(layer.name).get_config(), layer.get_config())
        np.testing.assert_array_equal(loaded(arrays), expected)


if __name__ == "__main__":
    absltest.main()
