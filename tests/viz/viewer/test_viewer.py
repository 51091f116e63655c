"""The page as a reader uses it: by mouse and by keys."""

import numpy as np
from absl.testing import absltest

from tests.viz.viewer import sample_clips
from tests.viz.viewer.viewer_case import ViewerTestCase

_HOSTILE = '<img src=x onerror="document.title=1"></script><b>'


class ViewerTest(ViewerTestCase):
    def test_opens_with_frames_boxes_and_labels(self):
        page = self.open(description="joint, ckpt-3")
        self.assertEqual(page.title(), "film")
        self.assertEqual(self.texts("h1, h1 + p"), ["film", "joint, ckpt-3"])
        self.assertEqual(self.position(), "Frame 1 of 3 · 0.0 s")
        self.assertLen(self.texts("#timeline li"), 3)
        self.assertEqual(self.visible(".box"), 2)
        self.assertEqual(
            self.texts("#labels li"),
            ["drop 90 %", "pull 70 %", "push 10 %", "lift 5.0 %", "turn 2.0 %"],
        )
        widths = page.locator("#labels .bar").evaluate_all(
            "bars => bars.map(bar => parseFloat(getComputedStyle(bar).backgroundSize))"
        )
        np.testing.assert_allclose(widths, [90, 70, 10, 5, 2], atol=0.01)
        self.assertEqual(self.visible("#relations"), 0)
        self.assertEqual(self.visible("#clips"), 0)

    def test_boxes_lie_where_they_are_on_the_frame(self):
        page = self.open()
        frame = page.locator("#picture").bounding_box()
        box = page.locator(".box").nth(1).bounding_box()
        ymin, xmin, ymax, xmax = sample_clips.RIGHT
        self.assertAlmostEqual(box["x"], frame["x"] + xmin * frame["width"], delta=1)
        self.assertAlmostEqual(box["y"], frame["y"] + ymin * frame["height"], delta=1)
        self.assertAlmostEqual(box["width"], (xmax - xmin) * frame["width"], delta=1)
        self.assertAlmostEqual(box["height"], (ymax - ymin) * frame["height"], delta=1)
        self.assertAlmostEqual(frame["width"] / frame["height"], 80 / 60, delta=0.01)

    def test_click_on_a_box_shows_its_edges(self):
        page = self.open()
        page.locator(".box").first.click()
        self.assertEqual(page.locator(".box").first.get_attribute("aria-pressed"), "true")
        self.assertEqual(self.texts("#chosen-name"), ["Box 1 of frame 1"])
        self.assertEqual(
            self.texts("#neighbours li"),
            [
                "60 % box 1 of frame 2",
                "20 % box 1 of frame 3",
                "10 % the box itself",
            ],
        )
        self.assertIn(
            "3 strongest of 7 edges; 10 % of its weight", self.texts("#similarity-about")[0]
        )
        self.assertEqual(
            self.texts("#trajectory li"),
            [
                "chosen box 1 of frame 1 →",
                "90 % forward edge, box 1 of frame 2 →",
                "100 % forward edge, box 1 of frame 3",
            ],
        )
        self.assertEqual(
            self.texts("#forward li"), ["box 1 of frame 2 90 %", "box 2 of frame 2 10 %"]
        )
        self.assertEqual(self.texts("#backward li"), [])
        self.assertEqual(
            self.texts("#status"),
            [
                "Box 1 of frame 1 chosen. Strongest neighbour: box 1 of frame 2, 60 %. Strongest "
                "forward edge: box 1 of frame 2, 90 %. Strongest backward edge: none."
            ],
        )
        self.assertEqual(page.locator(".step.future").count(), 2)
        page.locator(".box").first.click()
        self.assertEqual(self.visible("#relations"), 0)
        self.assertEqual(page.locator(".step").count(), 0)

    def test_neighbours_and_the_past_are_marked_on_other_frames(self):
        page = self.open()
        page.locator("#timeline button").nth(2).click()
        page.locator(".box").first.click()
        self.assertEqual(
            self.texts("#trajectory li"),
            [
                "90 % backward edge, box 1 of frame 1 →",
                "100 % backward edge, box 1 of frame 2 →",
                "chosen box 1 of frame 3",
            ],
        )
        self.assertEqual(page.locator(".step.past").count(), 2)
        page.locator("#back").click()
        self.assertEqual(self.position(), "Frame 2 of 3 · 0.3 s")
        self.assertEqual(
            page.locator(".box").first.get_attribute("aria-label"),
            "Box 1, neighbour with 60\u00a0%, on the trajectory",
        )
        self.assertEqual(self.visible(".ghost"), 1)
        shares = page.locator("#timeline button").evaluate_all(
            "buttons => buttons.map(button => button.style.getPropertyValue('--share'))"
        )
        # The chosen box itself is on the third frame, with 10 % beside the 60 of the second.
        self.assertEqual(shares, ["33", "100", "17"])

    def test_a_neighbour_leads_to_its_frame(self):
        page = self.open()
        page.locator(".box").nth(1).click()
        page.locator("#neighbours button").first.click()
        self.assertEqual(self.texts("#chosen-name"), ["Box 1 of frame 2"])
        self.assertEqual(self.position(), "Frame 2 of 3 · 0.3 s")
        self.assertEqual(self.visible(".box"), 3)

    def test_thresholds_hide_edges(self):
        page = self.open()
        page.locator(".box").first.click()
        # The slider's square is the share of the clip's strongest edge: 0.6 * 0.25 = 15 %.
        self.slide("similarity-threshold", 50)
        self.assertEqual(self.texts("#similarity-least"), ["15 %"])
        said = page.locator("#similarity-threshold").get_attribute("aria-valuetext")
        self.assertEqual(said, "15\u00a0%")
        self.assertLen(self.texts("#neighbours li"), 2)
        self.assertLen(self.texts("#trajectory li"), 3)
        self.slide("edge-threshold", 50)
        self.assertEqual(self.texts("#forward li"), ["box 1 of frame 2 90 %"])
        self.assertEqual(self.texts("#forward-more"), ["1 below the threshold."])
        self.slide("edge-threshold", 96)
        self.assertLen(self.texts("#trajectory li"), 1)
        self.assertEqual(page.locator(".step").count(), 0)
        self.slide("edge-threshold", 0)
        self.slide("similarity-threshold", 100)
        self.assertEqual(self.texts("#neighbours li"), ["60 % box 1 of frame 2"])
        self.assertEqual(page.locator(".step").count(), 2)

    def test_keys_step_choose_and_clear(self):
        page = self.open()
        page.keyboard.press("ArrowRight")
        self.assertEqual(self.position(), "Frame 2 of 3 · 0.3 s")
        self.assertEqual(self.texts("#status"), ["Frame 2 of 3, 3 boxes."])
        page.keyboard.press("End")
        page.keyboard.press("ArrowRight")
        self.assertEqual(self.position(), "Frame 3 of 3 · 0.7 s")
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("Home")
        self.assertEqual(self.position(), "Frame 1 of 3 · 0.0 s")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        self.assertEqual(
            page.evaluate("document.activeElement.getAttribute('aria-label')"), "Box 2"
        )
        page.keyboard.press("Enter")
        self.assertEqual(self.texts("#chosen-name"), ["Box 2 of frame 1"])
        page.keyboard.press("ArrowRight")
        self.assertEqual(self.position(), "Frame 2 of 3 · 0.3 s")
        page.keyboard.press("Escape")
        self.assertEqual(self.visible("#relations"), 0)
        self.assertEqual(self.texts("#status"), ["No box chosen."])

    def test_keys_go_on_from_the_box_that_a_neighbour_leads_to(self):
        page = self.open()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.locator("#neighbours button").first.focus()
        page.keyboard.press("Enter")
        self.assertEqual(
            page.evaluate("document.activeElement === document.querySelector('.box')"), True
        )
        self.assertEqual(self.texts("#chosen-name"), ["Box 1 of frame 2"])

    def test_space_plays_and_pauses_also_after_a_click_on_a_box(self):
        page = self.open()
        page.locator(".box").first.click()
        page.keyboard.press(" ")
        self.assertEqual(self.texts("#play"), ["Pause"])
        for number in (2, 3, 1):
            page.locator("#position", has_text=f"Frame {number} ").wait_for()
        page.keyboard.press(" ")
        self.assertEqual(self.texts("#play"), ["Play"])
        self.assertEqual(self.texts("#chosen-name"), ["Box 1 of frame 1"])

    def test_arrows_of_a_slider_are_its_own(self):
        page = self.open()
        page.locator(".box").first.click()
        page.locator("#edge-threshold").focus()
        page.keyboard.press("ArrowRight")
        self.assertEqual(page.locator("#edge-threshold").input_value(), "1")
        self.assertEqual(self.position(), "Frame 1 of 3 · 0.0 s")

    def test_chooses_among_clips(self):
        late = np.arange(6) / 6 + 2
        clips = [
            sample_clips.clip(),
            sample_clips.clip(times=late, scores=sample_clips.SCORES[::-1], true_labels=(0,)),
            sample_clips.clip(title="by name"),
        ]
        page = self.open(*clips, pooled_scores=np.full(6, 0.5), pooling="mean")
        self.assertEqual(
            self.texts("#clip option"), ["1 of 3, 0.0 to 0.7 s", "2 of 3, 2.0 to 2.7 s", "by name"]
        )
        page.locator(".box").first.click()
        page.locator("#clip").select_option("1")
        page.locator("#position", has_text="2.0 s").wait_for()
        self.assertEqual(self.visible("#relations"), 0)
        self.assertEqual(
            self.texts("#labels li"),
            [
                *("pull 90 %", "drop 70 %", "throw 10 %", "turn 5.0 %", "lift 2.0 %"),
                "push ✓ true label 1.0 %",
            ],
        )
        self.assertIn("a mark is the mean over the film's clips", self.texts("#labels-about")[0])

    def test_names_stay_texts(self):
        labels = [_HOSTILE] * 6
        clips = [sample_clips.clip(title=_HOSTILE), sample_clips.clip(title=_HOSTILE)]
        page = self.open(*clips, labels=labels, title=_HOSTILE, description=_HOSTILE)
        self.assertEqual(page.title(), _HOSTILE)
        self.assertEqual(self.texts("h1"), [_HOSTILE])
        self.assertEqual(self.texts("#labels .label"), [_HOSTILE] * 5)
        self.assertEqual(self.texts("#clip option"), [_HOSTILE] * 2)
        self.assertEqual(page.locator("img, b").count(), 0)

    def test_policy_stops_what_would_leave_the_page(self):
        page = self.open()
        stopped = page.evaluate(
            """async () => {
              const stopped = [];
              addEventListener("securitypolicyviolation", e => stopped.push(e.effectiveDirective));
              await fetch("https://example.com/").catch(() => {});
              const image = new Image();
              const failed = new Promise(done => { image.onerror = done; });
              image.src = "https://example.com/a.png";
              await failed;
              return stopped;
            }"""
        )
        self.assertEqual(stopped, ["connect-src", "img-src"])
        self.problems.clear()  # Chromium tells of both.
        self.requests.clear()


if __name__ == "__main__":
    absltest.main()
