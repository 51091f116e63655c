"""A page of the viewer in Chromium."""

import contextlib
import os

from absl.testing import parameterized

from stgraph_tf.viz import viewer
from stgraph_tf.viz.viewer import chromium
from tests.viz.viewer import sample_clips


class BrowserTestCase(parameterized.TestCase):
    """A case with a browser; fails where a page complains, or asks for anything outside itself."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        resources = contextlib.ExitStack()
        cls.addClassCleanup(resources.close)
        cls.browser = resources.enter_context(chromium.launched())

    def setUp(self):
        super().setUp()
        self.folder = self.create_tempdir().full_path
        self.problems, self.requests = [], []

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.problems, [])
        outside = [url for url in self.requests if not url.startswith(("data:", "file:///"))]
        self.assertEqual(outside, [])
        self.assertLessEqual(sum(url.startswith("file:") for url in self.requests), 1)

    def open(
        self, *clips, labels=sample_clips.LABELS, title="film", width=1280, height=900, **options
    ):
        """The page in the browser, its pictures decoded."""
        path = os.path.join(self.folder, "page.html")
        scheme = options.pop("color_scheme", "light")
        viewer.write(path, title, clips or [sample_clips.clip()], labels, **options)
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        self.addCleanup(context.close)
        self.page = page = context.new_page()
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(f"file://{path}")
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
