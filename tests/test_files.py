"""A file appears whole or not at all."""

import os
import tempfile

from absl.testing import absltest

from stgraph_tf import files


class AtomicTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = self.enter_context(tempfile.TemporaryDirectory())
        self.path = os.path.join(self.folder, "new", "file.txt")

    def test_writes_into_a_new_folder(self):
        with files.atomic_writer(self.path) as file:
            file.write("whole")
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["file.txt"])
        with open(self.path) as file:
            self.assertEqual(file.read(), "whole")

    def test_a_failure_leaves_the_old_file_and_nothing_else(self):
        files.write_json(self.path, {"old": 1})
        with (
            self.assertRaisesRegex(RuntimeError, "halfway"),
            files.atomic_writer(self.path) as file,
        ):
            file.write("half")
            raise RuntimeError("halfway")
        self.assertEqual(files.read_json(self.path), {"old": 1})
        self.assertEqual(os.listdir(os.path.dirname(self.path)), ["file.txt"])

    def test_nothing_is_visible_before_the_end(self):
        with files.atomic_writer(self.path, "wb") as file:
            file.write(b"bytes")
            self.assertFalse(os.path.exists(self.path))
        self.assertTrue(os.path.exists(self.path))

    def test_publishes_a_folder(self):
        target = os.path.join(self.folder, "saved", "1")
        with files.published(target) as temporary:
            os.makedirs(temporary)
            with open(os.path.join(temporary, "part"), "w") as file:
                file.write("x")
        self.assertEqual(os.listdir(target), ["part"])

    def test_a_failure_leaves_no_folder(self):
        target = os.path.join(self.folder, "saved", "1")
        with self.assertRaises(RuntimeError), files.published(target) as temporary:
            os.makedirs(temporary)
            raise RuntimeError
        self.assertEqual(os.listdir(os.path.dirname(target)), [])

    def test_a_full_disk_is_an_error_that_leaves_nothing(self):
        # /dev/full takes a file's place: every write to it fails as on a full disk.
        with self.assertRaises(Exception) as caught, files.published(self.path) as temporary:
            os.symlink("/dev/full", temporary)
            with open(temporary, "w") as file:
                file.write("x" * 100_000)
        self.assertIn("No space left", str(caught.exception))
        self.assertEqual(os.listdir(os.path.dirname(self.path)), [])


class JsonTest(absltest.TestCase):
    def test_unicode_goes_there_and_back(self):
        path = os.path.join(self.create_tempdir(), "a.json")
        files.write_json(path, {"label": "Schließen und 開く"})
        self.assertEqual(files.read_json(path), {"label": "Schließen und 開く"})

    def test_names_what_is_missing_or_broken(self):
        folder = self.create_tempdir().full_path
        with self.assertRaisesRegex(ValueError, "nothing.json does not exist"):
            files.read_json(os.path.join(folder, "nothing.json"))
        path = os.path.join(folder, "broken.json")
        with open(path, "w") as file:
            file.write('{\n"a": }')
        with self.assertRaisesRegex(ValueError, r"broken.json is not JSON: .*line 2"):
            files.read_json(path)


if __name__ == "__main__":
    absltest.main()
