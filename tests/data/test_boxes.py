"""Boxes from files: read, mended, refused, and put on frames."""

import json

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.data import boxes, json_lines
from stgraph_tf.data.sources import Entry

BOX = [0.1, 0.2, 0.5, 0.6]


class SpecTest(parameterized.TestCase):
    def test_known(self):
        path = self.create_tempfile("boxes:1.jsonl").full_path
        self.assertEqual(boxes.parse_spec("none"), boxes.BoxSpec("none"))
        self.assertEqual(boxes.parse_spec("inline"), boxes.BoxSpec("inline"))
        self.assertEqual(boxes.parse_spec(f"proposals:{path}"), boxes.BoxSpec("proposals", path))

    @parameterized.parameters("", "proposals", "proposals:", "none:x", "boxes.jsonl")
    def test_unknown(self, spec):
        with self.assertRaisesRegex(ValueError, "none, inline or proposals:FILE"):
            boxes.parse_spec(spec)

    def test_missing_file(self):
        with self.assertRaisesRegex(ValueError, "box file no/such.jsonl does not exist"):
            boxes.parse_spec("proposals:no/such.jsonl")


class ProposalsFileTest(absltest.TestCase):
    def write(self, *lines: str) -> str:
        return self.create_tempfile("boxes.jsonl", "\n".join(lines)).full_path

    def test_lines_are_found_in_any_order_and_form(self):
        path = self.write(
            json.dumps({"id": "wörld", "times": [0], "boxes": [[BOX]]}, ensure_ascii=False),
            "",
            json.dumps({"times": [1], "boxes": [[BOX, BOX]], "id": "last key"}),
            json.dumps({"id": 'a "quoted" \u2028 id', "times": [2], "boxes": [[]]}),
        )
        index = boxes.index_proposals(path)
        self.assertEqual(list(index.lines), ["wörld", "last key", 'a "quoted" \u2028 id'])
        self.assertEqual([line.number for line in index.lines.values()], [1, 3, 4])
        for video, expected in (("last key", (1, 2)), ("wörld", (0, 1))):
            proposals = boxes.read_proposals(index.lines[video], video)
            self.assertEqual((proposals.times[0], len(proposals.boxes[0])), expected)

    def test_digest_follows_the_content(self):
        line = json.dumps({"id": "v", "times": [], "boxes": []})
        first, same = (
            boxes.index_proposals(self.write(line)),
            boxes.index_proposals(self.write(line)),
        )
        other = boxes.index_proposals(self.write(line, ""))
        self.assertEqual(first.sha256, same.sha256)
        self.assertNotEqual(first.sha256, other.sha256)

    def test_same_video_twice(self):
        line = json.dumps({"id": "v", "times": [], "boxes": []})
        path = self.write(line, line)
        with self.assertRaisesRegex(ValueError, f"{path}:2: video 'v' has boxes on line 1 too"):
            boxes.index_proposals(path)

    def test_no_id(self):
        path = self.write('{"times": [], "boxes": []}')
        with self.assertRaisesRegex(ValueError, f'{path}:1: expected "id"'):
            boxes.index_proposals(path)

    def test_no_json(self):
        path = self.write('{"id": "v", "times": [0.0], "boxes": [[[0.1')
        line = boxes.index_proposals(path).lines["v"]
        with self.assertRaisesRegex(ValueError, f"{path}:1 is not JSON"):
            boxes.read_proposals(line, "v")

    def test_not_a_number_names_file_line_and_video(self):
        path = self.write("", '{"id": "v", "times": [1.5], "boxes": [[[0, 0, NaN, 1]]]}')
        line = boxes.index_proposals(path).lines["v"]
        expected = f"{path}:2, video 'v', boxes at 1.5 s: expected finite numbers, received nan"
        with self.assertRaisesRegex(ValueError, expected):
            boxes.read_proposals(line, "v")


class FindTest(absltest.TestCase):
    ENTRIES = tuple(
        Entry(name, f"{name}.mp4", None, (), (), "manifest", boxes=line)
        for name, line in (("a", json_lines.Line("m", 1, 0)), ("b", None), ("c", None))
    )

    def test_none(self):
        with self.assertNoLogs(level="WARNING"):
            self.assertEmpty(boxes.find(boxes.BoxSpec("none"), self.ENTRIES).lines)

    def test_inline_counts_what_is_missing(self):
        with self.assertLogs(level="WARNING") as logs:
            found = boxes.find(boxes.BoxSpec("inline"), self.ENTRIES)
        self.assertEqual(found.lines, {"a": json_lines.Line("m", 1, 0)})
        self.assertIn("2 of 3 videos have no boxes, the first of them 'b'", logs.output[0])

    def test_proposals_counts_what_is_missing(self):
        path = self.create_tempfile("boxes.jsonl", '{"id": "c"}\n{"id": "other"}\n').full_path
        with self.assertLogs(level="WARNING") as logs:
            found = boxes.find(boxes.BoxSpec("proposals", path), self.ENTRIES)
        self.assertIn("c", found.lines)
        self.assertLen(logs.output, 1)
        self.assertIn(f"2 of 3 videos have no boxes in {path}, the first", logs.output[0])


class CheckTest(parameterized.TestCase):
    def check(self, frame_boxes, scores=None):
        value = {"times": [0.0], "boxes": [frame_boxes]}
        if scores is not None:
            value["scores"] = [scores]
        proposals = boxes.check_proposals(value, "here")
        return proposals.boxes[0], proposals.scores[0]

    def test_good_boxes_stay_as_they_are(self):
        with self.assertNoLogs(level="WARNING"):
            received, scores = self.check([BOX, [0, 0, 1, 1]])
        np.testing.assert_array_equal(received, np.array([BOX, [0, 0, 1, 1]], np.float32))
        np.testing.assert_array_equal(scores, [1, 1])
        self.assertEqual((received.dtype, scores.dtype), (np.float32, np.float32))

    def test_best_score_first_and_equal_ones_in_their_order(self):
        given = [[0, 0, 0.1 * k, 1] for k in range(1, 5)]
        received, scores = self.check(given, [0.5, 0.9, 0.5, 0.7])
        np.testing.assert_allclose(received[:, 2], [0.2, 0.4, 0.1, 0.3], rtol=1e-6)
        np.testing.assert_allclose(scores, [0.9, 0.7, 0.5, 0.5], rtol=1e-6)

    def test_mended_with_one_warning_that_counts(self):
        given = [
            [0.5, 0.6, 0.1, 0.2],  # both corners swapped
            [0.1, 0.6, 0.5, 0.2],  # xmin and xmax swapped
            [-0.2, 0.2, 0.5, 1.5],  # reaches outside
            [0.2, 1.1, 0.5, 1.5],  # all of it is outside
            [0.3, 0.3, 0.3, 0.8],  # has no height
            BOX,
        ]
        with self.assertLogs(level="WARNING") as logs:
            received, _ = self.check(given)
        np.testing.assert_allclose(received, [BOX, BOX, [0, 0.2, 0.5, 1], BOX], rtol=1e-6)
        self.assertLen(logs.output, 1)
        for part in (
            "here: of 6 boxes",
            "2 with swapped corners",
            "2 reaching outside",
            "2 without an area",
        ):
            self.assertIn(part, logs.output[0])

    def test_rounding_at_the_border_is_no_matter(self):
        with self.assertNoLogs(level="WARNING"):
            received, _ = self.check([[-1e-7, 0.0, 1.0 + 1e-7, 0.5]])
        np.testing.assert_array_equal(received, [[0, 0, 1, 0.5]])

    def test_scores_stay_with_their_boxes(self):
        with self.assertLogs(level="WARNING"):
            received, scores = self.check([[1, 1, 1, 1], BOX, [0, 0, 1, 1]], [0.9, 0.1, 0.2])
        np.testing.assert_allclose(received, [[0, 0, 1, 1], BOX], rtol=1e-6)
        np.testing.assert_allclose(scores, [0.2, 0.1], rtol=1e-6)

    def test_times_are_put_in_order(self):
        proposals = boxes.check_proposals({"times": [2, 1], "boxes": [[BOX], []]}, "here")
        self.assertEqual(proposals.times.tolist(), [1, 2])
        self.assertEqual([len(b) for b in proposals.boxes], [0, 1])

    def test_no_times(self):
        self.assertEmpty(boxes.check_proposals({"times": [], "boxes": []}, "here").boxes)

    @parameterized.named_parameters(
        ("pixels", {"times": [0], "boxes": [[[12, 30, 200, 310]]]}, "received 310.*pixels"),
        ("negative pixels", {"times": [0], "boxes": [[[-20, 0, 1, 1]]]}, "pixels"),
        ("three numbers", {"times": [0], "boxes": [[[0, 0, 1]]]}, r"shape \[k, 4\], received"),
        ("one box only", {"times": [0], "boxes": [[0, 0, 1, 1]]}, r"shape \[k, 4\], received"),
        ("uneven", {"times": [0], "boxes": [[BOX, [0, 1]]]}, "numbers of shape"),
        ("text", {"times": [0], "boxes": [[["a", 0, 1, 1]]]}, "numbers of shape"),
        ("null", {"times": [0], "boxes": [[[None, 0, 1, 1]]]}, "finite numbers"),
        ("no times", {"boxes": []}, '"times"'),
        ("endless time", {"times": [float("inf")], "boxes": [[]]}, "finite numbers, received inf"),
        ("time twice", {"times": [1, 2, 1], "boxes": [[], [], []]}, "time 1.0 s is there more"),
        ("too few lists", {"times": [0, 1], "boxes": [[BOX]]}, "2 lists of boxes.*Received: 1"),
        ("no boxes", {"times": [0]}, "1 lists of boxes.*Received: None"),
        ("score short", {"times": [0], "boxes": [[BOX, BOX]], "scores": [[1]]}, r"shape \[2\]"),
        ("no scores", {"times": [0], "boxes": [[BOX]], "scores": [[]]}, r"shape \[1\]"),
        ("bad score", {"times": [0], "boxes": [[BOX]], "scores": [[float("nan")]]}, "finite"),
        ("scores short", {"times": [0], "boxes": [[BOX]], "scores": []}, "1 lists of scores"),
    )
    def test_refused(self, value, message):
        with self.assertRaisesRegex(ValueError, f"^here.*{message}"):
            boxes.check_proposals(value, "here")


class AtFramesTest(parameterized.TestCase):
    def proposals(self, *times: float) -> boxes.Proposals:
        """One box at each time, which is the `index`-th tenth of the frame's width."""
        frame_boxes = [[[0, 0.1 * index, 1, 0.1 * index + 0.1]] for index in range(len(times))]
        return boxes.check_proposals({"times": list(times), "boxes": frame_boxes}, "here")

    def indices(self, proposals, timestamps, frame_rate) -> list[int | None]:
        received, scores = boxes.at_frames(proposals, timestamps, frame_rate)
        self.assertEqual([len(b) for b in received], [len(s) for s in scores])
        return [round(float(b[0, 1]) * 10) if len(b) else None for b in received]

    @parameterized.named_parameters(
        ("a box a frame", [0, 0.25, 0.5], [0, 1, 2]),
        ("half as often", [0, 0.5], [0, None, 1]),
        ("twice as often", [0, 0.125, 0.25, 0.375, 0.5], [0, 2, 4]),
        ("nearest in time", [0.1, 0.2, 0.3, 0.45], [0, 1, 3]),
        ("just half a frame away", [0.125], [0, 0, None]),
        ("more than half a frame away", [0.13], [None, 0, None]),
        ("before and after the film", [-3, 7], [None, None, None]),
        ("none at all", [], [None, None, None]),
    )
    def test_four_frames_a_second(self, times, expected):
        self.assertEqual(self.indices(self.proposals(*times), [0, 250_000, 500_000], 4), expected)

    def test_rates_whose_times_are_rounded(self):
        # At 12 frames a second, times end in thirds of microseconds.
        times = [frame / 12 for frame in range(10)]
        timestamps = [round(1e6 * frame / 12) for frame in range(10)]
        self.assertEqual(self.indices(self.proposals(*times), timestamps, 12), list(range(10)))

    def test_video_without_boxes(self):
        received, scores = boxes.at_frames(None, [0, 250_000], 4)
        self.assertEqual([b.shape for b in received], [(0, 4), (0, 4)])
        self.assertEqual([s.shape for s in scores], [(0,), (0,)])

    def test_the_best_are_kept(self):
        value = {"times": [0], "boxes": [[[0, 0, 0.1 * k, 1] for k in (1, 2, 3)]]}
        value["scores"] = [[0.2, 0.9, 0.5]]
        received, scores = boxes.at_frames(boxes.check_proposals(value, "here"), [0], 4, 2)
        np.testing.assert_allclose(received[0][:, 2], [0.2, 0.3], rtol=1e-6)
        np.testing.assert_allclose(scores[0], [0.9, 0.5], rtol=1e-6)


if __name__ == "__main__":
    absltest.main()
