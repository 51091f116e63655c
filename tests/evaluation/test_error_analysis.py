"""Groups of classes and of videos, worked by hand and in plain Python."""

import json
import math
import statistics

import numpy as np
from absl.testing import absltest, parameterized

from stgraph_tf.evaluation import error_analysis, metrics
from stgraph_tf.evaluation.attributes import Bins
from stgraph_tf.evaluation.score_files import ScoredVideos


def scored(labels, scores, ids=None) -> ScoredVideos:
    labels, scores = np.array(labels, np.float32), np.array(scores, np.float32)
    ids = np.array(ids if ids is not None else [f"v{row}" for row in range(len(labels))])
    return ScoredVideos(ids, scores, labels, tuple(f"c{c}" for c in range(labels.shape[1])))


def random_videos(seed: int, num_videos: int = 60, num_classes: int = 12) -> ScoredVideos:
    labels = np.random.default_rng(0).random((num_videos, num_classes)) < 0.2
    labels[:, 3] = False  # A class that no video shows.
    labels[:, 5] |= ~labels.any(axis=1)
    labels[7] = False  # The one video without a label.
    scores = np.random.default_rng(seed).random((num_videos, num_classes)) + 0.3 * labels
    return scored(labels, scores)


def average_precision(labels, scores, class_size=None) -> float | None:
    """From the definition, one video at a time. Videos are those with a label."""
    ranked = sorted(zip(scores, map(int, labels), strict=True), key=lambda pair: -pair[0])
    positives = sum(label for _, label in ranked)
    negatives = len(ranked) - positives
    if not positives:
        return None
    total = hits = 0.0
    for rank, (_, label) in enumerate(ranked, start=1):
        hits += label
        if label and class_size:
            true = hits * class_size.positives / positives
            total += true / (true + (rank - hits) * class_size.negatives / negatives)
        elif label:
            total += hits / rank
    return total / positives


class ClassAttributesTest(parameterized.TestCase):
    # Four videos; precisions of the baseline's classes: 1, 1/2, 1/3, 1.
    LABELS = ((1, 0, 0, 1), (0, 1, 0, 1), (0, 0, 1, 1), (0, 0, 0, 1))
    BASELINE = ((4, 4, 4, 4), (3, 3, 3, 3), (2, 2, 2, 2), (1, 1, 1, 1))
    # The second class is right here.
    BETTER = ((4, 3, 4, 4), (3, 4, 3, 3), (2, 2, 2, 2), (1, 1, 1, 1))

    def analyse(self, seq, **models):
        models = models or {"base": self.BASELINE, "better": self.BETTER}
        return error_analysis.analyse(
            {name: scored(self.LABELS, scores) for name, scores in models.items()},
            {"Seq": np.array(seq, np.float64)},
        )

    def test_a_group_is_the_mean_of_its_classes(self):
        (result,) = self.analyse([0, 1, 1, 0])
        self.assertEqual((result.attribute, result.unit), ("Seq", "classes"))
        self.assertEqual(result.title, "Part of a sequence?")
        self.assertEqual(result.groups, ("no", "yes"))
        self.assertEqual(result.counts, (2, 2))
        np.testing.assert_allclose(result.mean_ap["base"], [1, 5 / 12])
        np.testing.assert_allclose(result.mean_ap["better"], [1, 2 / 3])

    def test_the_error_is_the_deviation_over_the_root_of_the_number(self):
        # 1/2 and 1/3 lie 1/12 from their mean.
        (result,) = self.analyse([0, 1, 1, 0])
        np.testing.assert_allclose(result.standard_error["base"], [0, 1 / 12 / math.sqrt(2)])

    def test_a_group_without_classes_is_left_out_and_told(self):
        (result,) = self.analyse([1, 1, 1, 1])
        self.assertEqual((result.groups, result.empty_groups), (("yes",), ("no",)))

    def test_a_class_without_a_value_is_left_out_and_told(self):
        (result,) = self.analyse([np.nan, 1, 1, 0])
        self.assertEqual((result.counts, result.num_unknown), ((1, 2), 1))

    def test_a_class_that_no_video_shows_is_left_out(self):
        videos = scored([[1, 0], [1, 0]], [[1, 1], [2, 2]])
        (result,) = error_analysis.analyse({"m": videos}, {"Seq": np.array([0.0, 1.0])})
        self.assertEqual((result.groups, result.num_unknown), (("no",), 0))

    def test_an_attribute_without_any_value_is_left_out(self):
        with self.assertLogs(level="WARNING") as logs:
            self.assertEmpty(self.analyse([np.nan] * 4))
        self.assertIn("Seq has no value for any of the classes", logs.output[0])

    def test_quantiles_are_those_of_the_classes_that_count(self):
        # The class of value 9 is shown by no video; without it one value a third is left.
        labels = [[1, 1, 1, 0]]
        (result,) = error_analysis.analyse(
            {"m": scored(labels, labels)}, {"PoseVar": np.array([1.0, 2.0, 3.0, 9.0])}
        )
        self.assertEqual(result.groups, ("1", "2", "3"))

    @parameterized.parameters((None,), (metrics.CHARADES_CLASS_SIZE,))
    def test_equals_plain_python_on_random_videos(self, class_size):
        videos = random_videos(seed=1)
        pose = np.random.default_rng(2).uniform(0.66, 0.84, 12)
        (result,) = error_analysis.analyse({"m": videos}, {"PoseVar": pose}, class_size=class_size)

        # Scores of negative infinity put videos without labels behind all others.
        scores = np.where(videos.labels.any(axis=1, keepdims=True), videos.scores, -np.inf)
        groups: dict[float, list[float]] = {}
        for place, value in enumerate(pose):
            centre = min((0.675, 0.725, 0.775, 0.825), key=lambda c: abs(c - value))
            precision = average_precision(videos.labels[:, place], scores[:, place], class_size)
            if precision is not None:
                groups.setdefault(centre, []).append(precision)
        centres = sorted(groups)
        self.assertEqual(result.groups, tuple(str(centre) for centre in centres))
        for place, centre in enumerate(centres):
            members = groups[centre]
            self.assertEqual(result.counts[place], len(members))
            self.assertAlmostEqual(result.mean_ap["m"][place], statistics.mean(members))
            error = statistics.pstdev(members) / math.sqrt(len(members))
            self.assertAlmostEqual(result.standard_error["m"][place], error)


class VideoAttributesTest(absltest.TestCase):
    def analyse(self, people, **options):
        self.videos = random_videos(seed=3)
        (result,) = error_analysis.analyse(
            {"m": self.videos}, {}, {"People": people}, draws=20, **options
        )
        return result

    def mean_ap(self, rows) -> float:
        """Over some videos, in plain Python."""
        labels, scores = self.videos.labels[rows], self.videos.scores[rows]
        precisions = [average_precision(labels[:, c], scores[:, c]) for c in range(12)]
        return statistics.mean(p for p in precisions if p is not None)

    def setUp(self):
        super().setUp()
        self.people = np.array([1.0, 1.0, 2.0] * 20)

    def groups(self):
        known = self.videos.labels.any(axis=1)
        return known & (self.people == 1), known & (self.people == 2)

    def test_a_group_is_measured_on_its_videos_alone(self):
        result = self.analyse(self.people, shift=False)
        expected = [self.mean_ap(rows) for rows in self.groups()]
        self.assertEqual((result.unit, result.groups), ("videos", ("1", "2")))
        # The video without a label is one of one person.
        self.assertEqual(result.counts, (39, 20))
        np.testing.assert_allclose(result.mean_ap["m"], expected)

    def test_shifted_groups_have_the_mean_of_all_videos(self):
        result = self.analyse(self.people)
        one, two = (self.mean_ap(rows) for rows in self.groups())
        overall = self.mean_ap(self.videos.labels.any(axis=1))
        drift = (one + two) / 2 - overall
        self.assertGreater(abs(drift), 0.01)
        np.testing.assert_allclose(result.mean_ap["m"], [one - drift, two - drift])

    def test_videos_without_a_value_count_in_no_group(self):
        people = np.where(np.arange(60) < 30, self.people, np.nan)
        result = self.analyse(people)
        self.assertEqual((result.counts, result.num_unknown), ((19, 10), 30))

    def test_a_group_of_the_same_video_over_and_over_has_no_error(self):
        labels = [[1, 0], [1, 0], [0, 1]]
        videos = scored(labels, labels)
        (result,) = error_analysis.analyse(
            {"m": videos}, {}, {"People": np.array([1.0, 1, 2])}, shift=False
        )
        self.assertEqual(result.standard_error["m"], (0, 0))

    def test_the_error_is_the_deviation_over_draws_of_videos(self):
        # A draw of both videos has precisions of 1/2 and 1, as the second video is ahead in both
        # classes. A draw of either video twice, as likely, has the precision 1 of its own class.
        videos = scored([[1, 0], [0, 1]], [[1, 0], [2, 1]])
        (result,) = error_analysis.analyse(
            {"m": videos}, {}, {"A": np.ones(2)}, {"A": Bins("A", (1,))}, shift=False, draws=4000
        )
        self.assertEqual(result.mean_ap["m"], (0.75,))
        self.assertAlmostEqual(result.standard_error["m"][0], 0.125, delta=0.002)

    def test_models_are_measured_with_the_same_draws(self):
        videos = random_videos(seed=3)
        (result,) = error_analysis.analyse(
            {"a": videos, "b": videos}, {}, {"People": self.people}, draws=3
        )
        self.assertEqual(result.standard_error["a"], result.standard_error["b"])


class ModelsTest(parameterized.TestCase):
    def test_videos_may_be_in_any_order(self):
        first, other = random_videos(seed=1), random_videos(seed=2)
        order = np.random.default_rng(0).permutation(60)
        mixed = scored(other.labels[order], other.scores[order], other.ids[order])
        aligned = error_analysis.aligned({"a": first, "b": mixed})["b"]
        np.testing.assert_array_equal(aligned.ids, other.ids)
        np.testing.assert_array_equal(aligned.scores, other.scores)
        np.testing.assert_array_equal(aligned.labels, other.labels)

    @parameterized.named_parameters(
        ("videos", {"ids": ["v0", "w"]}, "'b' has scores of other videos than 'a', 'v1' for one"),
        ("labels", {"labels": [[1, 0], [1, 1]]}, "'b' has other labels than 'a', of 'v1' for one"),
        (
            "classes",
            {"labels": [[1], [0]], "scores": [[1], [0]]},
            "'b' has other classes than 'a'",
        ),
    )
    def test_models_of_other(self, change, message):
        same = {"labels": [[1, 0], [0, 1]], "scores": [[1, 0], [0, 1]]}
        models = {"a": scored(**same), "b": scored(**{**same, **change})}
        with self.assertRaises(ValueError) as caught:
            error_analysis.analyse(models, {"Seq": np.zeros(2)})
        self.assertEqual(str(caught.exception), message)

    def test_no_model(self):
        with self.assertRaisesRegex(ValueError, "at least one model, received none"):
            error_analysis.analyse({}, {})

    def test_values_of_another_number_of_classes(self):
        with self.assertRaisesRegex(ValueError, "expected 12 values of 'Seq', one for each of the"):
            error_analysis.analyse({"m": random_videos(1)}, {"Seq": np.zeros(5)})


class BinsTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.classes = {name: np.array([0.0, 1.0]) for name in ("Obj", "Tool", "Seq")}

    def test_figure_5_and_all_of_videos_by_default(self):
        bins = error_analysis.choose_bins(self.classes, {"People": np.array([1.0])})
        self.assertEqual(list(bins), ["Seq", "Obj", "People"])

    def test_only_what_is_asked_for(self):
        bins = error_analysis.choose_bins(self.classes, {}, ["Tool", "Seq"])
        self.assertEqual(list(bins), ["Tool", "Seq"])

    def test_an_attribute_that_is_not_there(self):
        with self.assertRaisesRegex(ValueError, "no attribute 'Pose'; there are Obj, Tool, Seq"):
            error_analysis.choose_bins(self.classes, {}, ["Pose"])

    def test_nothing_of_figure_5(self):
        with self.assertRaisesRegex(ValueError, "one of the attributes Seq, PoseVar, Obj"):
            error_analysis.choose_bins({"Tool": np.zeros(2)}, {})


class JsonTest(absltest.TestCase):
    def test_holds_everything_by_group(self):
        labels = [[1, 0], [0, 1]]
        (result,) = error_analysis.analyse(
            {"m": scored(labels, labels)}, {"Seq": np.array([1.0, np.nan])}
        )
        self.assertEqual(
            json.loads(json.dumps(result.to_json())),
            {
                "attribute": "Seq",
                "title": "Part of a sequence?",
                "groups": [
                    {"group": "yes", "classes": 1, "mAP": {"m": 1.0}, "standard_error": {"m": 0.0}}
                ],
                "empty_groups": ["no"],
                "classes_without_value": 1,
            },
        )


if __name__ == "__main__":
    absltest.main()
