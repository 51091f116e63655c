"""On a phone, in the dark, and by a screen reader."""

from absl.testing import absltest, parameterized

from tests.viz.viewer import sample_clips
from tests.viz.viewer.viewer_case import ViewerTestCase

# The contrast of every text on the first opaque background behind it, as WCAG defines it.
_CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = colour => colour.slice(0, 3).map(value => value / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, place) => sum + v * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility() || element.closest("script, .hidden")) continue;
    const pair = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
    found.push([text, (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05)]);
  }
  return found;
}"""


class ReadersTest(ViewerTestCase):
    def overflow(self):
        return self.page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    def test_fits_a_phone(self):
        labels = ["a_very_long_label_without_any_space_that_goes_on_and_on_and_on"] * 6
        self.open(
            sample_clips.clip(title="some long name of a clip " * 5),
            sample_clips.clip(),
            labels=labels,
            title="a_film_whose_name_is_rather_long_and_has_no_space_in_it.mp4",
            width=390,
            height=844,
        )
        self.assertEqual(self.overflow(), 0)
        self.page.locator(".box").first.click()
        self.assertEqual(self.overflow(), 0)
        small = self.page.locator("button:visible:not(.box)").evaluate_all(
            """all => all.map(button => button.getBoundingClientRect())
                 .filter(box => box.width < 24 || box.height < 24)"""
        )
        self.assertEqual(small, [])

    @parameterized.parameters("light", "dark")
    def test_text_is_legible_in(self, scheme):
        page = self.open(color_scheme=scheme)
        page.locator(".box").first.click()
        contrasts = page.evaluate(_CONTRASTS)
        self.assertGreater(len(contrasts), 20)
        for text, contrast in contrasts:
            self.assertGreaterEqual(contrast, 4.5, text)
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        self.assertEqual(
            background, {"light": "rgb(245, 246, 248)", "dark": "rgb(20, 23, 28)"}[scheme]
        )

    def test_every_control_has_a_name(self):
        page = self.open(sample_clips.clip(), sample_clips.clip())
        page.locator(".box").first.click()
        nameless = page.locator("button:visible, input:visible, select:visible").evaluate_all(
            """all => all.filter(e => !(e.getAttribute("aria-label") || e.innerText.trim() ||
                 e.labels?.length)).map(e => e.outerHTML)"""
        )
        self.assertEqual(nameless, [])
        tree = page.locator("body").aria_snapshot()
        for line in (
            'heading "Predicted labels"',
            'combobox "Clip"',
            'group "Boxes of the frame"',
            'button "Box 1" [pressed]',
            'list "Neighbours, strongest first"',
            'slider "Hide weights below 0.0 %"',
            "status",
        ):
            self.assertIn(line, tree)


if __name__ == "__main__":
    absltest.main()
