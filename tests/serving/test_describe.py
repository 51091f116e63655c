"""The signature `describe`: the assets of a model, from the server alone."""

import os
import tempfile

import tensorflow as tf
from absl.testing import absltest

from stgraph_tf.serving import assets, describe
from tests.serving.exported import CLIP, LABELS


class DescribeTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        signatures = {describe.SIGNATURE: describe.concrete_function(LABELS, CLIP)}
        tf.saved_model.save(tf.Module(), cls.folder, signatures=signatures)
        assets.write(os.path.join(cls.folder, assets.FOLDER), LABELS, CLIP)
        # Kept, because a signature does not keep its model alive.
        cls.loaded = tf.saved_model.load(cls.folder)

    def contents(self, *names):
        signature = self.loaded.signatures["describe"]
        return [text.decode() for text in signature(asset=tf.constant(names))["content"].numpy()]

    def test_gives_each_file_as_it_is(self):
        names = ("clip.json", "labels.txt", "clip.json")
        for name, content in zip(names, self.contents(*names), strict=True):
            with open(os.path.join(self.folder, "assets", name), encoding="utf-8") as file:
                self.assertEqual(content, file.read())

    def test_is_understood_as_the_folder_is(self):
        (labels,), (clip,) = self.contents("labels.txt"), self.contents("clip.json")
        contents = {"labels.txt": labels, "clip.json": clip}
        self.assertEqual(assets.parse(contents, "a server"), (LABELS, CLIP))
        self.assertEqual(assets.parse(contents, "a server"), assets.read(self.folder))

    def test_other_names_are_refused(self):
        with self.assertRaisesRegex(
            tf.errors.InvalidArgumentError,
            "asset must be labels.txt or clip.json, received labels.txt, /etc/passwd",
        ):
            self.contents("labels.txt", "/etc/passwd")

    def test_no_row_gives_no_row(self):
        signature = self.loaded.signatures["describe"]
        self.assertEqual(signature(asset=tf.constant([], tf.string))["content"].shape, [0])

    def test_content_that_is_damaged_is_named(self):
        damaged = {"labels.txt": "a\n", "clip.json": "{"}
        with self.assertRaisesRegex(ValueError, "a server/clip.json is not JSON"):
            assets.parse(damaged, "a server")


if __name__ == "__main__":
    absltest.main()
