"""What a cell of a notebook shows; docs/walkthrough.ipynb shows it in a real one."""

import html
import re
import subprocess
import sys
from unittest import mock

import numpy as np
from absl.testing import absltest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from stgraph_tf.viz import ExplainedClip, notebook, show, viewer


def clip(title: str = "film") -> ExplainedClip:
    return ExplainedClip(
        frames=np.zeros([2, 8, 8, 3], np.uint8),
        boxes=np.zeros([1, 1, 4], np.float32),
        scores=np.array([0.25, 0.75], np.float32),
        title=title,
    )


class ShowTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        InteractiveShell.instance()
        self.addCleanup(InteractiveShell.clear_instance)

    def shown(self, *arguments, **options) -> dict[str, str]:
        with capture_output() as captured:
            show(*arguments, **options)
        self.assertEqual((captured.stdout, captured.stderr), ("", ""))
        (output,) = captured.outputs
        return output.data

    def test_the_frame_holds_the_viewers_page_and_may_run_its_script_alone(self):
        labels = ('"open"', "close & go")
        data = self.shown([clip(), clip("other")], labels, title="<b>", height=500)
        page = viewer.page("<b>", [clip(), clip("other")], labels)
        frame = re.fullmatch(r'<iframe srcdoc="([^"]*)" ([^<>]*)></iframe>', data["text/html"])
        self.assertIsNotNone(frame)
        self.assertEqual(html.unescape(frame[1]), page)
        self.assertIn('sandbox="allow-scripts"', frame[2])
        self.assertIn("height: 500px", frame[2])
        self.assertEqual(data["text/plain"], "2 clips")

    def test_one_clip_a_generator_and_numbered_labels(self):
        alone = self.shown(clip())
        self.assertEqual(alone["text/plain"], "1 clip")
        self.assertIn("class 1", html.unescape(alone["text/html"]))
        self.assertIn("<title>film</title>", html.unescape(alone["text/html"]))
        self.assertEqual(self.shown(one for one in [clip()]), alone)

    def test_refuses_what_cannot_be_shown(self):
        with self.assertRaisesRegex(ValueError, "at least one clip"):
            show([])
        with self.assertRaisesRegex(ValueError, "expected 1 scores, one a label"):
            show(clip(), ["open"])
        with self.assertRaisesRegex(ValueError, "height of at least 1 pixel, received 0"):
            notebook.framed("", 0)

    def test_says_what_to_install_where_there_is_no_ipython(self):
        with (
            mock.patch.dict(sys.modules, {"IPython.display": None}),
            self.assertRaisesRegex(ImportError, "needs IPython: pip install ipython"),
        ):
            show(clip())


class ImportTest(absltest.TestCase):
    def test_the_package_loads_nothing_until_it_is_used(self):
        code = (
            "import sys; from stgraph_tf import viz; dir(viz); "
            "heavy = {'IPython', 'numpy', 'tensorflow', 'PIL'} & set(sys.modules); "
            "assert not heavy, heavy; assert viz.drawing.RANK_COLORS; "
            "assert not {'IPython', 'tensorflow'} & set(sys.modules)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    absltest.main()
