"""The index in Chromium: all cards at first, then sorted and filtered."""

import os

import numpy as np
from absl.testing import absltest
from PIL import Image

from stgraph_tf.viz.gallery import index_page
from stgraph_tf.viz.gallery.entries import Entry
from stgraph_tf.viz.gallery.models import ShownModel
from tests.serving import exported
from tests.viz.browser_case import BrowserTestCase

LABELS = ("open a door", "sit", "<i>run</i>")
MODEL = ShownModel(LABELS, exported.CLIP, "runs/<b>/ckpt-7", "", iter)


def entry(video_id: str, labels: tuple[int, ...], *scores: float) -> Entry:
    return Entry(video_id, video_id.replace("&", "_"), labels, np.array(scores, np.float32))


ENTRIES = (
    entry("film-2", (0,), 0.9, 0.2, 0.1),  # right, margin 0.7
    entry("film-10", (1,), 0.6, 0.5, 0.1),  # wrong, -0.1
    entry("a&b", (0, 1), 0.1, 0.3, 0.8),  # wrong, -0.6
    entry("unknown", (), 0.1, 0.3, 0.2),
)


class IndexPageTest(BrowserTestCase):
    def open(self, entries=ENTRIES, *, script: bool = True, width: int = 1280):
        folder = self.create_tempdir().full_path
        path, videos = os.path.join(folder, "index.html"), os.path.join(folder, "videos")
        os.mkdir(videos)
        for shown in entries:
            Image.new("RGB", (4, 3)).save(os.path.join(videos, f"{shown.name}.webp"))
        with open(path, "w", encoding="utf-8") as file:
            file.write(index_page.as_html(entries, MODEL, "data/mine, validation"))
        return self.load(path, width=width, height=800, java_script_enabled=script)

    def ids(self, page) -> list[str]:
        return page.locator("#videos li:visible .id").all_inner_texts()

    def test_sorts_and_filters(self):
        page = self.open()
        self.assertEqual(self.ids(page), ["a&b", "film-10", "film-2", "unknown"])
        page.select_option("#order", "best")
        self.assertEqual(self.ids(page), ["film-2", "film-10", "a&b", "unknown"])
        page.select_option("#order", "id")
        self.assertEqual(self.ids(page), ["a&b", "film-2", "film-10", "unknown"])
        # True and predicted labels both count.
        page.select_option("#label", label="sit")
        self.assertEqual(self.ids(page), ["a&b", "film-10", "unknown"])
        page.select_option("#judgement", "wrong")
        self.assertEqual(self.ids(page), ["a&b", "film-10"])
        page.fill("#search", "FILM")
        self.assertEqual(self.ids(page), ["film-10"])
        self.assertEqual(page.locator("#count").inner_text(), "1 of 4 videos")
        page.select_option("#judgement", "right")
        self.assertEqual(self.ids(page), [])
        self.assertTrue(page.locator("#none").is_visible())

    def test_cards_tell_what_is_shown_and_predicted(self):
        page = self.open()
        cards = page.locator("#videos li")
        self.assertEqual(
            " ".join(cards.first.inner_text().split()),
            "a&b shows open a door, sit predicted <i>run</i> 0.800 wrong margin -0.600",
        )
        self.assertEqual(cards.first.locator("a").get_attribute("href"), "videos/a_b.html")
        self.assertEqual(cards.first.locator("img").get_attribute("src"), "videos/a_b.webp")
        self.assertEqual(
            " ".join(cards.last.inner_text().split()),
            "unknown shows labels not known predicted sit 0.300",
        )
        self.assertIn("right for 1 video of 3", page.locator("header p").inner_text())
        self.assertIn("runs/<b>/ckpt-7", page.locator("header p").inner_text())

    def test_all_is_there_without_a_script_and_fits_on_a_phone(self):
        page = self.open(script=False, width=360)
        self.assertEqual(self.ids(page), ["a&b", "film-10", "film-2", "unknown"])
        self.assertFalse(page.locator("#controls").is_visible())
        page = self.open(width=360)
        over = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        self.assertEqual(page.evaluate(over), 0)

    def test_every_control_has_a_name(self):
        page = self.open()
        for name in ("Order", "Label", "Prediction", "Id"):
            self.assertEqual(page.get_by_label(name, exact=True).count(), 1)

    def test_only_unlabelled_videos(self):
        page = self.open(ENTRIES[3:])
        self.assertEqual(page.locator("#judgement option").all_inner_texts(), ["any", "not known"])
        self.assertNotIn("margin", page.locator("header p").inner_text())


if __name__ == "__main__":
    absltest.main()
