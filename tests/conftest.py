"""What absltest's main does for a test that runs alone, done for pytest too."""

import os

from absl import flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
flags.FLAGS.mark_as_parsed()
