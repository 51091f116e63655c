"""TF Serving's batching.config, as this server reads it."""

import re

from absl.testing import absltest

from stgraph_tf.serving.local_server import batching_parameters


class BatchingParametersTest(absltest.TestCase):
    def read(self, text):
        return batching_parameters.read(self.create_tempfile(content=text).full_path)

    def test_the_fields_that_both_servers_know(self):
        found = self.read(
            """
            # Two clips at a time.
            max_batch_size { value: 2 }  # clips
            batch_timeout_micros: { value: 500 },
            num_batch_threads {
              value: 3
            }
            max_enqueued_batches { value: 10 }
            """
        )
        self.assertEqual(
            found,
            {
                "max_batch_size": 2,
                "batch_timeout_micros": 500,
                "num_batch_threads": 3,
                "max_queue_length": 20,
            },
        )

    def test_fields_of_tf_serving_alone_are_passed_over(self):
        with self.assertLogs("absl", "WARNING") as logged:
            found = self.read(
                "allowed_batch_sizes: 1 allowed_batch_sizes: 2\nmax_batch_size { value: 2 }\n"
                'thread_pool_name { value: "batches" }'
            )
        self.assertEqual(found, {"max_batch_size": 2})
        self.assertLen(logged.output, 3)

    def test_what_is_none(self):
        for text, sentence in (
            ("max_batch_size = 2", "it has 'max_batch_size = 2'"),
            ("max_batch_size: 2", "max_batch_size must be { value: a whole number }"),
            ("max_batch_size { value: many }", "max_batch_size must be"),
        ):
            with self.subTest(text), self.assertRaisesRegex(ValueError, re.escape(sentence)):
                self.read(text)


if __name__ == "__main__":
    absltest.main()
