"""The page, read again: it is whole, needs nothing else, and says what was measured."""

import os
import re

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import metrics, protocol, report
from stgraph_tf.evaluation.report import page
from stgraph_tf.evaluation.score_files import ScoredVideos
from tests import small_dataset
from tests.evaluation.report.page_reader import PageReader

_SECTIONS = ["Precision and recall", "Calibration", "Classes"]


def scored(labels, scores, names=None, ids=None) -> ScoredVideos:
    labels, scores = np.asarray(labels, np.float32), np.asarray(scores, np.float32)
    names = names or [f"class {index}" for index in range(labels.shape[1])]
    ids = ids or [f"video {index}" for index in range(len(labels))]
    return ScoredVideos(np.array(ids), scores, labels, tuple(names))


def random_scores(num_videos: int, num_classes: int, *, multi_label: bool, seed: int = 0):
    random = np.random.default_rng(seed)
    labels = np.eye(num_classes)[random.integers(num_classes, size=num_videos)]
    if multi_label:
        labels = np.maximum(labels, random.random(labels.shape) < 0.2)
    return scored(labels, random.random(labels.shape))


def measured(videos: ScoredVideos, multi_label: bool) -> dict:
    """As `run.evaluate` measures."""
    _, per_class = metrics.mean_average_precision(videos.labels, videos.scores)
    classes = [
        {"label": name, "videos": int(count), "AP": None if np.isnan(ap) else float(ap)}
        for name, count, ap in zip(
            videos.label_names, videos.labels.sum(axis=0), per_class, strict=True
        )
    ]
    measures = protocol.measures(videos.labels, videos.scores, multi_label)
    if multi_label:
        measures["mAP_of_random_scores"] = 0.0625
    return {
        "config": "tiny",
        "checkpoint": "runs/ckpt-7",
        "split": "validation",
        "num_videos": len(videos.ids),
        "clips_per_video": 10,
        "pooling": "max",
        **measures,
        "classes": classes,
    }


def inputs(videos: ScoredVideos, *, multi_label: bool = True, **others) -> report.Inputs:
    return report.Inputs(measured(videos, multi_label), videos, multi_label, **others)


class PageTest(parameterized.TestCase):
    def read(self, given: report.Inputs) -> PageReader:
        reader = PageReader(page.as_html(given))
        self.assertEqual(reader.problems, [])
        return reader

    @parameterized.product(multi_label=(True, False), num_classes=(4, 60))
    def test_needs_nothing_else(self, multi_label, num_classes):
        text = page.as_html(inputs(random_scores(30, num_classes, multi_label=multi_label)))
        reader = PageReader(text)
        self.assertEqual(reader.problems, [])
        for _, attributes in reader.tags:
            for key in ("src", "srcset", "href"):
                self.assertStartsWith(attributes.get(key, "data:"), "data:")
        self.assertNotRegex(text, r"https?:|@import|url\(|<link|<iframe")

    @parameterized.parameters(True, False)
    def test_every_picture_is_told_in_words(self, multi_label):
        reader = self.read(inputs(random_scores(30, 50, multi_label=multi_label)))
        pictures = [attributes for name, attributes in reader.tags if name in ("svg", "img")]
        self.assertNotEmpty(pictures)
        for attributes in pictures:
            self.assertNotEmpty(attributes.get("alt") or attributes.get("aria-label"))

    def test_headline_of_several_labels(self):
        given = inputs(random_scores(30, 4, multi_label=True))
        text = self.read(given).text
        self.assertIn(f"{100 * given.measures['mAP']:.1f}\xa0%", text)
        self.assertIn("mAP of random scores6.2\xa0%", text)
        self.assertIn("videos of validation30", text)
        self.assertIn("clips a video, max-pooled10", text)
        self.assertIn("runs/ckpt-7", text)

    def test_headline_of_one_label(self):
        given = inputs(random_scores(30, 8, multi_label=False), multi_label=False)
        text = self.read(given).text
        for name, key in (("top-1", "top1"), ("top-5", "top5")):
            self.assertIn(f"{name} accuracy{100 * given.measures[key]:.1f}\xa0%", text)

    def test_classes_are_those_of_the_measures_best_first(self):
        given = inputs(random_scores(30, 4, multi_label=True))
        rows = [row for row in self.read(given).rows if len(row) == 4 and row[0] != "class"]
        expected = sorted(given.measures["classes"], key=lambda row: -row["AP"])
        self.assertEqual(
            rows[:4],
            [
                [row["label"], "", f"{100 * row['AP']:.1f}\xa0%", str(row["videos"])]
                for row in expected
            ],
        )

    def test_all_of_many_classes_are_there(self):
        given = inputs(random_scores(200, 60, multi_label=True))
        rows = [tuple(row) for row in self.read(given).rows if len(row) == 4]
        for row in given.measures["classes"]:
            ap = f"{100 * row['AP']:.1f}\xa0%"
            self.assertIn((row["label"], "", ap, str(row["videos"])), rows)

    def test_confusion_matrix_holds_per_cent_of_rows(self):
        labels = np.eye(3)[[0, 0, 0, 1, 2]]
        scores = np.eye(3)[[0, 0, 1, 1, 1]] * 0.8 + 0.1
        reader = self.read(inputs(scored(labels, scores), multi_label=False))
        matrix = [row for row in reader.rows if len(row) == 4 and row[0].startswith("class ")]
        self.assertEqual(
            matrix[3:6],
            [["class 0", "67", "33", ""], ["class 1", "", "100", ""], ["class 2", "", "100", ""]],
        )
        self.assertIn(["class 0", "class 1", "1 of 3", "33.3\xa0%"], reader.rows)
        self.assertIn(["class 2", "class 1", "1 of 1", "100.0\xa0%"], reader.rows)

    def test_false_alarms_in_videos_that_show_another_class(self):
        labels = np.eye(3)[[0, 0, 1, 2]]
        scores = labels.copy()
        # Two videos show class 0; the third, of class 1, is among the two that score highest.
        scores[:, 0] = [0.9, 0.1, 0.8, 0.2]
        reader = self.read(inputs(scored(labels, scores)))
        pairs = [row for row in reader.rows if len(row) == 5]
        self.assertEqual(pairs[1:], [["class 1", "class 0", "1 of 1", "100.0\xa0%", "50.0\xa0%"]])
        self.assertIn(["class 1", "100", "", ""], reader.rows)

    def test_labels_cannot_become_markup(self):
        names = ["<script>alert(1)</script>", 'a" onload="x', "rock & roll"]
        videos = scored(np.eye(3), np.eye(3) * 0.5, names, ["<b>1</b>", "2", "3"])
        directory = self.create_tempdir().full_path
        info = small_dataset.write(directory)
        films = report.Films(info.shard_paths(directory, "validation"), 4, 2, 3)
        for multi_label in (True, False):
            reader = self.read(inputs(videos, multi_label=multi_label, films=films))
            tags = [name for name, _ in reader.tags]
            self.assertEqual(tags.count("script"), 1)
            self.assertNotIn("b", tags)
            self.assertFalse(any("onload" in attributes for _, attributes in reader.tags))
            for name in names:
                self.assertIn(name, reader.text)

    def test_class_without_videos(self):
        videos = scored([[1, 0], [1, 0]], [[0.5, 0.4], [0.3, 0.2]])
        for multi_label in (True, False):
            reader = self.read(inputs(videos, multi_label=multi_label))
            self.assertIn(["class 1", "", "\N{EN DASH}", "0"], reader.rows)
            self.assertNotIn("nan", reader.text)

    @parameterized.product(multi_label=(True, False), num_classes=(1, 2))
    def test_single_video(self, multi_label, num_classes):
        videos = scored(np.eye(1, num_classes), np.full([1, num_classes], 0.5))
        text = page.as_html(inputs(videos, multi_label=multi_label))
        self.assertEqual(PageReader(text).problems, [])
        self.assertNotRegex(text, r"\bnan\b|\binf\b")

    def test_videos_without_labels_are_nowhere(self):
        labels, scores = np.eye(2), np.array([[0.9, 0.1], [0.2, 0.8]])
        alone = inputs(scored(labels, scores))
        more = scored([*labels, [0, 0]], [*scores, [1, 1]])
        given = report.Inputs(alone.measures, more, True)
        self.assertEqual(page.as_html(given), page.as_html(alone))

    def test_scores_that_are_no_probabilities_have_no_calibration(self):
        reader = self.read(inputs(scored(np.eye(2), [[-3.0, 2.0], [0.5, 7.0]])))
        self.assertNotIn("Calibration", reader.text)

    def test_sections(self):
        text = self.read(inputs(random_scores(9, 3, multi_label=True))).text
        for title in (*_SECTIONS, "False alarms by what else is shown"):
            self.assertIn(title, text)
        for title in ("Confusion", "By attributes", "Best and worst videos"):
            self.assertNotIn(title, text)

    def test_attributes_of_two_models(self):
        videos = scored(np.eye(4), np.eye(4) * 0.5)
        worse = scored(np.eye(4), 0.5 - np.eye(4) * 0.5)
        given = inputs(
            videos,
            class_attributes={"Seq": np.array([0.0, 0, 1, 1]), "Obj": np.array([0.0, 1, 1, 1])},
            compared={"plain & simple": worse},
        )
        reader = self.read(given)
        self.assertIn("mAP of plain & simple", reader.text)
        described = [text for text in reader.attributes("svg", "aria-label") if "?" in text]
        # Every video of the worse model ranks last of four, so all its classes have AP 1/4.
        bad, good = "no 25.0\xa0%, yes 25.0\xa0%", "no 100.0\xa0%, yes 100.0\xa0%"
        expected = f"plain & simple: {bad}; tiny: {good}"
        self.assertEqual(
            described, [f"Part of a sequence? {expected}", f"Involves objects? {expected}"]
        )

    def test_one_model_has_attributes_too(self):
        videos = scored(np.eye(2), np.eye(2) * 0.5)
        reader = self.read(inputs(videos, class_attributes={"PoseVar": np.array([0.7, 0.8])}))
        self.assertIn("Pose variance", reader.text)

    def test_refuses_models_that_do_not_compare(self):
        videos = scored(np.eye(2), np.eye(2))
        with self.assertRaisesRegex(ValueError, "other classes"):
            inputs(videos, compared={"other": scored(np.eye(2), np.eye(2), ["a", "b"])})
        with self.assertRaisesRegex(ValueError, "other videos"):
            inputs(videos, compared={"other": scored(np.eye(2), np.eye(2), ids=["a", "b"])})
        with self.assertRaisesRegex(ValueError, "expected another name than 'tiny'"):
            inputs(videos, compared={"tiny": videos})


class FilmsTest(absltest.TestCase):
    def test_draws_the_best_and_the_worst_with_their_scores(self):
        directory = self.create_tempdir().full_path
        info = small_dataset.write(directory)
        ids = [f"validation-{index}" for index in range(6)]
        labels = np.eye(3)[[0, 1, 2, 0, 1, 2]]
        scores = labels * np.linspace(0.9, 0.4, 6)[:, None] + 0.05
        films = report.Films(info.shard_paths(directory, "validation"), 4, 2, 3)
        path = os.path.join(directory, "report.html")
        report.write(path, inputs(scored(labels, scores, info.labels, ids), films=films))
        with open(path, encoding="utf-8") as file:
            text = file.read()
        reader = PageReader(text)
        self.assertEqual(reader.problems, [])
        self.assertLess(len(text), 3_000_000)
        sources = reader.attributes("img", "src") + reader.attributes("source", "srcset")
        self.assertLen(sources, 12)
        self.assertTrue(all(source.startswith("data:image/webp;") for source in sources))
        told = [
            f"Film {name}, which shows {info.labels[index % 3]}, with boxes"
            for index, name in enumerate(ids)
        ]
        self.assertEqual(reader.attributes("img", "alt"), [*told[:3], *told[:2:-1]])
        films_text = reader.text[reader.text.index("Best and worst videos") :]
        self.assertEqual(
            re.findall(r"margin ([+-]\d\.\d{3})", films_text),
            ["+0.900", "+0.800", "+0.700", "+0.400", "+0.500", "+0.600"],
        )
        self.assertIn("\N{CHECK MARK}open0.950", films_text)

    def test_says_where_a_film_is_missing(self):
        directory = self.create_tempdir().full_path
        info = small_dataset.write(directory)
        films = report.Films(info.shard_paths(directory, "validation"), 4, 2, 3)
        videos = scored(np.eye(3), np.eye(3), info.labels, ["a", "b", "validation-0"])
        reader = PageReader(page.as_html(inputs(videos, films=films)))
        self.assertLen(reader.attributes("img", "src"), 1)
        self.assertEqual(reader.text.count("no film of this id is in the shards"), 2)


if __name__ == "__main__":
    absltest.main()
