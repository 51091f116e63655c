"""Pages in Chromium."""

import contextlib

from absl.testing import parameterized

from stgraph_tf.viz.viewer import chromium


class BrowserTestCase(parameterized.TestCase):
    """A case with a browser; fails where a page complains, or asks for anything from a network."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        resources = contextlib.ExitStack()
        cls.addClassCleanup(resources.close)
        cls.browser = resources.enter_context(chromium.launched())

    def setUp(self):
        super().setUp()
        self.problems, self.requests = [], []

    def tearDown(self):
        super().tearDown()
        self.assertEqual(self.problems, [])
        outside = [url for url in self.requests if not url.startswith(("data:", "file:///"))]
        self.assertEqual(outside, [])

    def load(self, path: str, *, width: int, height: int, **context_options):
        """The page of a file, in a context of its own."""
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, **context_options
        )
        self.addCleanup(context.close)
        page = context.new_page()
        page.on("console", lambda message: self.problems.append(message.text))
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(f"file://{path}")
        return page
