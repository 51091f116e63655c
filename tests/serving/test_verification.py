"""Verification looks at every signature, and at the clips and the video that it is given."""

import dataclasses

import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized

from stgraph_tf.serving import verification
from tests.serving.exported import CLIP, ExportedTestCase, record, without_box_lists


def batch():
    return next(verification.random_clips(CLIP, 1))


class DifferencesTest(ExportedTestCase):
    def differences(self, served, clips):
        return np.array(list(verification.differences(served, self.model, CLIP, clips)))

    def test_there_is_none(self):
        for clips in verification.random_clips(CLIP, 2):
            self.assertLess(self.differences(self.loaded.signatures, clips).max(), 1e-5)

    def test_a_video_of_several_clips_and_one_without_boxes(self):
        for serialized in (record("a", 9), without_box_lists(record("b", 7))):
            clips = {**batch(), "record": tf.constant(serialized)}
            self.assertLess(self.differences(self.loaded.signatures, clips).max(), 1e-5)

    @parameterized.parameters("serving_default", "encoded_frames", "explain", "sequence_example")
    def test_one_signature_that_scores_otherwise(self, name):
        def moved(**inputs):
            return {"scores": self.loaded.signatures[name](**inputs)["scores"] + 0.01}

        found = self.differences({**self.loaded.signatures, name: moved}, batch())
        np.testing.assert_allclose(np.sort(found), [0, 0, 0, 0.01], atol=1e-5)

    def test_a_video_whose_scores_are_pooled_otherwise(self):
        clips = {**batch(), "record": tf.constant(record("a", 9))}
        mean = dataclasses.replace(CLIP, pooling="mean")
        found = list(verification.differences(self.loaded.signatures, self.model, mean, clips))
        self.assertGreater(max(found), 1e-4)


if __name__ == "__main__":
    absltest.main()
