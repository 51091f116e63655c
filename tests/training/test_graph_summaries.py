"""Pictures of graphs that a training writes, read back from its event file."""

import glob
import io
import os
import tempfile

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util import tensor_util

from stgraph_tf.modeling import build_model
from stgraph_tf.training.graph_summaries import GraphSummaries
from tests import small_dataset, two_devices

two_devices.split_cpu()


class GraphSummariesTest(parameterized.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.info = small_dataset.write(folder.name, num_videos=5)
        cls.config = small_dataset.config(folder.name)

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.writer = tf.summary.create_file_writer(self.folder)

    def model(self, **settings):
        return build_model({**self.config.model, **settings}, num_classes=len(self.info.labels))

    def write(self, summaries, model, step=1):
        with self.writer.as_default():
            summaries.write(model, step)

    def pictures(self):
        """`{step: pictures}`, RGB."""
        self.writer.close()
        self.assertLen(glob.glob(os.path.join(self.folder, "events*")), 1)
        events = EventAccumulator(self.folder).Reload()
        found = {}
        for event in events.Tensors("graphs"):
            width, height, *images = tensor_util.make_ndarray(event.tensor_proto)
            found[event.step] = [np.asarray(Image.open(io.BytesIO(image))) for image in images]
            self.assertEqual(found[event.step][0].shape, (int(height), int(width), 3))
        self.assertEqual(list(events.PluginTagToContent("images")), ["graphs"])
        return found

    @parameterized.parameters("float32", "mixed_bfloat16")
    def test_the_same_three_clips_are_drawn_at_every_validation(self, precision):
        summaries, model = GraphSummaries(self.config, self.info), self.model(precision=precision)
        self.write(summaries, model, step=100)
        self.write(summaries, model, step=200)
        pictures = self.pictures()
        self.assertEqual(list(pictures), [100, 200])
        self.assertLen(pictures[100], 3)
        for first, again in zip(pictures[100], pictures[200], strict=True):
            np.testing.assert_array_equal(first, again)
        self.assertTrue(np.any(pictures[100][0] != pictures[100][1]))

    def test_graphs_are_those_of_the_model_as_it_is(self):
        summaries, model = GraphSummaries(self.config, self.info), self.model(graph="similarity")
        self.write(summaries, model, step=1)
        query = model.similarity_graph.query.kernel
        query.assign(300 * query)
        self.write(summaries, model, step=2)
        pictures = self.pictures()
        strips = [pictures[step][0][110:] for step in (1, 2)]
        self.assertGreater(np.abs(strips[0].astype(int) - strips[1]).max(), 100)

    def test_under_a_mirrored_strategy(self):
        with two_devices.strategy().scope():
            model = self.model()
        self.write(GraphSummaries(self.config, self.info), model)
        self.assertLen(self.pictures()[1], 3)

    @parameterized.parameters("none", "avgpool")
    def test_a_model_without_a_graph_has_no_picture(self, graph):
        self.write(GraphSummaries(self.config, self.info), self.model(graph=graph))
        self.writer.close()
        self.assertNotIn("graphs", EventAccumulator(self.folder).Reload().Tags()["tensors"])

    def test_a_run_outlives_its_pictures(self):
        labels = [*self.info.labels, "one that the model does not have"]
        summaries = GraphSummaries(self.config, self.info)
        summaries._labels = labels
        model = self.model()
        with self.assertLogs("absl", "WARNING") as logged:
            self.write(summaries, model)
        self.assertLen(logged.output, 1)
        self.assertIn("goes on without pictures of its graphs: expected 3 labels", logged.output[0])
        with self.assertNoLogs("absl", "WARNING"):
            self.write(summaries, model)


if __name__ == "__main__":
    absltest.main()
