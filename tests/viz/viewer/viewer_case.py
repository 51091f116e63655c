"""A page of the viewer in Chromium."""

import os

from stgraph_tf.viz import viewer
from tests.viz.browser_case import BrowserTestCase
from tests.viz.viewer import sample_clips


class ViewerTestCase(BrowserTestCase):
    """A case with a page, which is all in one file."""

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path

    def tearDown(self):
        super().tearDown()
        self.assertLessEqual(sum(url.startswith("file:") for url in self.requests), 1)

    def open(
        self, *clips, labels=sample_clips.LABELS, title="film", width=1280, height=900, **options
    ):
        """The page in the browser, its pictures decoded."""
        path = os.path.join(self.folder, "page.html")
        scheme = options.pop("color_scheme", "light")
        viewer.write(path, title, clips or [sample_clips.clip()], labels, **options)
        self.page = page = self.load(path, width=width, height=height, color_scheme=scheme)
        page.wait_for_selector("body[data-ready]")
        return page

    def texts(self, selector):
        """What is read of every element, without space around it."""
        return [" ".join(text.split()) for text in self.page.locator(selector).all_inner_texts()]

    def visible(self, selector):
        return self.page.locator(f"{selector}:visible").count()

    def slide(self, name, value):
        self.page.locator(f"#{name}").fill(str(value))

    def position(self):
        return self.page.locator("#position").inner_text()
