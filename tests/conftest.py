"""What absltest's main does for a test that runs alone, done for pytest too."""

import os

from absl import flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
flags.FLAGS.mark_as_parsed()
