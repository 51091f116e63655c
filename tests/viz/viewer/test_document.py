"""The page as text: whole, one file, and nothing from data is markup."""

import base64
import hashlib
import html
import os
import re

from absl.testing import absltest

from stgraph_tf.viz import viewer
from stgraph_tf.viz.viewer import document
from tests.evaluation.report.page_reader import PageReader
from tests.viz.viewer import sample_clips

HOSTILE = '</script><img src=x onerror="alert(1)"><!-- & \u2028'


class PageTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        labels = [HOSTILE, *sample_clips.LABELS[1:]]
        clip = sample_clips.clip(title=HOSTILE)
        self.text = viewer.page(HOSTILE, [clip], labels, description=HOSTILE)
        self.read = PageReader(self.text)

    def test_is_whole_and_names_no_other_file(self):
        self.assertEqual(self.read.problems, [])
        self.assertNotIn("$", re.sub("<(script|style).*?</\\1>", "", self.text, flags=re.DOTALL))
        self.assertEqual(self.read.attributes("link", "href"), ["data:,"])
        for tag in ("script", "img", "iframe", "source"):
            self.assertEqual(self.read.attributes(tag, "src"), [])
        self.assertNotIn("url(", self.text)
        self.assertNotIn("@import", self.text)

    def test_policy_allows_what_is_inside_and_nothing_else(self):
        policy = next(
            values["content"]
            for tag, values in self.read.tags
            if tag == "meta" and values.get("http-equiv") == "Content-Security-Policy"
        )
        (style,) = re.findall("<style>(.*?)</style>", self.text, re.DOTALL)
        (script,) = re.findall("<script>(.*?)</script>", self.text, re.DOTALL)
        hashes = [
            f"'sha256-{base64.b64encode(hashlib.sha256(part.encode()).digest()).decode()}'"
            for part in (style, script)
        ]
        self.assertEqual(
            policy,
            f"default-src 'none'; img-src data:; style-src {hashes[0]}; script-src {hashes[1]}; "
            f"base-uri 'none'; form-action 'none'",
        )

    def test_hostile_names_are_texts(self):
        self.assertNotIn("<img", self.text)
        self.assertEqual(self.text.count("</script>"), 2)
        (title,) = re.findall("<title>(.*?)</title>", self.text)
        self.assertEqual(html.unescape(title), HOSTILE)
        content = document.content(self.text)
        self.assertEqual(content["labels"][0], HOSTILE)
        self.assertEqual(content["clips"][0]["title"], HOSTILE)

    def test_content_makes_the_page_again(self):
        self.assertEqual(document.from_content(document.content(self.text)), self.text)
        with self.assertRaisesRegex(ValueError, "page of the viewer, received one without"):
            document.content("<html></html>")

    def test_is_written_at_once(self):
        path = os.path.join(self.create_tempdir().full_path, "folder", "page.html")
        clips = (sample_clips.clip() for _ in range(2))
        viewer.write(path, "film", clips, sample_clips.LABELS)
        with open(path, encoding="utf-8") as file:
            self.assertEqual(
                file.read(), viewer.page("film", 2 * [sample_clips.clip()], sample_clips.LABELS)
            )
        with self.assertRaisesRegex(ValueError, "at least one clip"):
            viewer.write(path, "film", [], sample_clips.LABELS)
        self.assertEqual(os.listdir(os.path.dirname(path)), ["page.html"])


if __name__ == "__main__":
    absltest.main()
