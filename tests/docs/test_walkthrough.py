"""docs/walkthrough.ipynb, run as a reader runs it: in a fresh kernel, in a folder of its own."""

import os

import nbclient
import nbformat
from absl.testing import absltest

_NOTEBOOK = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "walkthrough.ipynb")
# Beyond this, a pull request's changes cannot be read anymore.
_MOST_BYTES = 60_000


class WalkthroughTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.notebook = nbformat.read(_NOTEBOOK, as_version=4)

    def test_runs_from_top_to_bottom_and_shows_what_it_promises(self):
        folder = self.create_tempdir().full_path
        client = nbclient.NotebookClient(
            self.notebook,
            timeout=600,
            kernel_name="python3",
            resources={"metadata": {"path": folder}},
        )
        client.execute()
        outputs = {cell.id: cell.get("outputs", []) for cell in self.notebook.cells}
        for name in ("draw-proposals", "draw-matrices", "draw-graphs"):
            self.assertTrue(any("image/png" in _data(output) for output in outputs[name]), name)
        (viewer,) = outputs["show"]
        self.assertStartsWith(_data(viewer)["text/html"], "<iframe srcdoc=")
        text = "".join(output.get("text", "") for output in outputs["train"])
        losses = [float(word) for word in text.removeprefix("loss:").split()]
        self.assertLess(losses[-1], losses[0])
        self.assertEqual(os.listdir(folder), [])

    def test_is_committed_without_outputs(self):
        self.assertLess(os.path.getsize(_NOTEBOOK), _MOST_BYTES)
        for cell in self.notebook.cells:
            self.assertFalse(cell.get("outputs"), cell.id)
            self.assertIsNone(cell.get("execution_count"), cell.id)


def _data(output: nbformat.NotebookNode) -> dict[str, str]:
    return output.get("data", {})


if __name__ == "__main__":
    absltest.main()
