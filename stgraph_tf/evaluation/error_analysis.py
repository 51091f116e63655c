"""Where one model is better than another: average precision by attribute (Figure 5).

Attributes of classes: the mean of the average precisions of a group's classes, which are those of
the whole split. Its standard error is their standard deviation over the root of their number.

Attributes of videos: mean average precision over a group's videos alone. That depends on how many
videos there are and how often they show each class, so that the groups of one attribute lie above
or below the whole split together; the published plots move all of them by one number, so that
their mean is the mean average precision of the whole split, and so does this ("shift"). Its
standard error is the standard deviation over draws of the group's videos, with replacement.
"""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import logging

from stgraph_tf.evaluation import attributes, metrics
from stgraph_tf.evaluation.attributes import Bins
from stgraph_tf.evaluation.metrics import ClassSize
from stgraph_tf.evaluation.score_files import ScoredVideos

# The panels of Figure 5.
FIGURE_5 = ("Seq", "PoseVar", "Obj")

# Average precisions `[C]` from the rows of some videos.
_Measure = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class AttributeResult:
    """What each model reaches in the groups of one attribute.

    Attributes:
        attribute: the column's name ("Seq").
        title: for people ("Part of a sequence?").
        unit: what groups consist of, "classes" or "videos".
        groups: names of the `G` groups that have a member, in order.
        counts: members of each, `[G]`: classes that some video shows, or videos with a label.
        mean_ap: in [0, 1], by model, `[G]`.
        standard_error: of `mean_ap`, by model, `[G]`.
        empty_groups: names of groups without a member, which are left out.
        num_unknown: classes or videos left out because the attribute has no value for them.
    """

    attribute: str
    title: str
    unit: str
    groups: tuple[str, ...]
    counts: tuple[int, ...]
    mean_ap: dict[str, tuple[float, ...]]
    standard_error: dict[str, tuple[float, ...]]
    empty_groups: tuple[str, ...] = ()
    num_unknown: int = 0

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON: one object a group, with the models' figures by name."""
        groups = [
            {
                "group": name,
                self.unit: self.counts[place],
                "mAP": {model: values[place] for model, values in self.mean_ap.items()},
                "standard_error": {
                    model: values[place] for model, values in self.standard_error.items()
                },
            }
            for place, name in enumerate(self.groups)
        ]
        return {
            "attribute": self.attribute,
            "title": self.title,
            "groups": groups,
            "empty_groups": list(self.empty_groups),
            f"{self.unit}_without_value": self.num_unknown,
        }


def analyse(
    models: Mapping[str, ScoredVideos],
    class_attributes: Mapping[str, np.ndarray],
    video_attributes: Mapping[str, np.ndarray] | None = None,
    bins: Mapping[str, Bins] | None = None,
    *,
    class_size: ClassSize | None = None,
    shift: bool = True,
    draws: int = 100,
    seed: int = 0,
) -> list[AttributeResult]:
    """Compares models group by group.

    Args:
        models: what each says of the same videos, by its name, in order: the baseline first. Videos
            may be in any order; that of the first model is kept where scores are equal.
        class_attributes: each attribute's values `[C]`, see `attributes.read_class_attributes`.
        video_attributes: each attribute's values `[V]` in the order of the first model's videos,
            see `attributes.read_video_attributes`.
        bins: which attributes, in which order, and how their groups are told apart. By default
            those of Figure 5 that `class_attributes` has, and all that `video_attributes` has,
            with the published bins (`attributes.bins_for`).
        class_size: for normalized average precision, as the published plots have it, see
            `metrics.average_precision`. By default it is as in all other tables.
        shift: whether groups of videos are moved as the published plots do.
        draws: of videos, for the standard error of a group of videos; at least 2.
        seed: of these draws.

    Returns:
        One result an attribute; attributes without any value in the split are left out.

    Raises:
        ValueError: models differ in their videos, labels or classes; an attribute is not among
            those given, or has another number of values; there is nothing to compare.
    """
    if draws < 2:
        raise ValueError(f"expected at least 2 draws, received {draws}")
    models = aligned(models)
    videos = next(iter(models.values()))
    tables = (
        ("classes", class_attributes, len(videos.label_names)),
        ("videos", video_attributes or {}, len(videos.ids)),
    )
    _check_tables(tables)
    if bins is None:
        bins = choose_bins(class_attributes, video_attributes or {})

    def measure(labels: np.ndarray, scores: np.ndarray) -> np.ndarray:
        return metrics.mean_average_precision(labels, scores, class_size=class_size)[1]

    results = []
    for attribute, how in bins.items():
        unit = next((unit for unit, table, _ in tables if attribute in table), None)
        if unit == "classes":
            precisions = {name: measure(v.labels, v.scores) for name, v in models.items()}
            result = by_class(precisions, attribute, class_attributes[attribute], how)
        elif unit == "videos":
            values = (video_attributes or {})[attribute]
            rng = np.random.default_rng(seed)
            result = _by_video(models, attribute, values, how, measure, shift, draws, rng)
        else:
            known = ", ".join(name for _, table, _ in tables for name in table)
            raise ValueError(f"there is no attribute {attribute!r}; there are {known}")
        if result.groups:
            results.append(result)
        else:
            logging.warning("%s has no value for any of the %s, and is left out", attribute, unit)
    return results


def choose_bins(
    class_attributes: Mapping[str, np.ndarray],
    video_attributes: Mapping[str, np.ndarray],
    only: Sequence[str] | None = None,
) -> dict[str, Bins]:
    """Which attributes to compare by, with the published bins.

    Args:
        class_attributes: each attribute's values `[C]`.
        video_attributes: each attribute's values `[V]`.
        only: names of attributes, in order; by default those of Figure 5 that classes have, and
            all that videos have.

    Raises:
        ValueError: there is no such attribute, or none of Figure 5.
    """
    known = {**class_attributes, **video_attributes}
    if only is None:
        only = [*(name for name in FIGURE_5 if name in class_attributes), *video_attributes]
        if not only:
            raise ValueError(
                f"expected one of the attributes {', '.join(FIGURE_5)} of classes, received "
                f"{', '.join(class_attributes) or 'none'}"
            )
    unknown = [name for name in only if name not in known]
    if unknown:
        raise ValueError(f"there is no attribute {unknown[0]!r}; there are {', '.join(known)}")
    return {name: attributes.bins_for(name, known[name]) for name in only}


def aligned(models: Mapping[str, ScoredVideos]) -> dict[str, ScoredVideos]:
    """The models with their videos in the order of the first one's.

    Raises:
        ValueError: there is no model, or they differ in their videos, labels or classes.
    """
    if not models:
        raise ValueError("expected the scores of at least one model, received none")
    (first, reference), *others = models.items()
    if not len(reference.ids):
        raise ValueError(f"{first!r} has scores of no video")
    places = {str(name): place for place, name in enumerate(reference.ids)}
    result = {first: reference}
    for name, videos in others:
        if tuple(videos.label_names) != tuple(reference.label_names):
            raise ValueError(f"{name!r} has other classes than {first!r}")
        differing = places.keys() ^ set(map(str, videos.ids))
        if differing or len(videos.ids) != len(places):
            example = f", {min(differing)!r} for one" if differing else ""
            raise ValueError(f"{name!r} has scores of other videos than {first!r}{example}")
        order = np.argsort([places[str(video)] for video in videos.ids])
        labels = np.asarray(videos.labels)[order]
        unlike = np.flatnonzero((labels != reference.labels).any(axis=1))
        if unlike.size:
            video = str(reference.ids[unlike[0]])
            raise ValueError(f"{name!r} has other labels than {first!r}, of {video!r} for one")
        scores = np.asarray(videos.scores)[order]
        result[name] = ScoredVideos(reference.ids, scores, labels, reference.label_names)
    return result


def by_class(
    precisions: Mapping[str, np.ndarray],
    attribute: str,
    values: np.ndarray,
    bins: attributes.Bins,
) -> AttributeResult:
    """Mean average precision of the groups of classes that an attribute makes.

    Args:
        precisions: average precision of each class, float `[C]`, by the models' names; NaN for
            classes that no video shows, which are in no group.
        attribute: its name.
        values: of the classes, float `[C]`; a class with NaN is in no group.
        bins: how values make groups.
    """
    counted = ~np.isnan(next(iter(precisions.values())))  # Which classes some video shows.
    groups = attributes.group(np.where(counted, values, np.nan), bins)
    figures = {
        name: [_mean_and_error(of_classes[groups.members == g]) for g in _filled(groups)]
        for name, of_classes in precisions.items()
    }
    num_unknown = int(np.isnan(values[counted]).sum())
    return _result(attribute, bins, "classes", groups, figures, num_unknown)


def _by_video(models, attribute, values, bins, measure: _Measure, shift, draws, rng):
    labelled = np.any(next(iter(models.values())).labels, axis=1)
    groups = attributes.group(np.where(labelled, values, np.nan), bins)
    # Every model is measured with the same draws.
    samples = {g: _draw(np.flatnonzero(groups.members == g), draws, rng) for g in _filled(groups)}
    figures = {}
    for name, videos in models.items():
        labels, scores = np.asarray(videos.labels), np.asarray(videos.scores)

        def mean_ap(rows: np.ndarray, labels=labels, scores=scores) -> float:
            return float(np.nanmean(measure(labels[rows], scores[rows])))

        means = [mean_ap(groups.members == g) for g in samples]
        errors = [np.std([mean_ap(draw) for draw in drawn], ddof=1) for drawn in samples.values()]
        moved = mean_ap(labelled) - np.mean(means) if shift and means else 0.0
        figures[name] = [(m + moved, e) for m, e in zip(means, errors, strict=True)]
    num_unknown = int(np.isnan(values[labelled]).sum())
    return _result(attribute, bins, "videos", groups, figures, num_unknown)


def _draw(rows: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Draws of as many rows, with replacement, in their order: `[draws, len(rows)]`."""
    return np.sort(rng.choice(rows, size=(draws, len(rows))), axis=1)


def _mean_and_error(values: np.ndarray) -> tuple[float, float]:
    return float(np.mean(values)), float(np.std(values) / math.sqrt(len(values)))


def _filled(groups: attributes.Groups) -> list[int]:
    return [place for place in range(len(groups.names)) if (groups.members == place).any()]


def _result(attribute, bins, unit, groups, figures, num_unknown) -> AttributeResult:
    filled = _filled(groups)
    return AttributeResult(
        attribute,
        bins.title,
        unit,
        tuple(groups.names[place] for place in filled),
        tuple(int((groups.members == place).sum()) for place in filled),
        {name: tuple(float(mean) for mean, _ in pairs) for name, pairs in figures.items()},
        {name: tuple(float(error) for _, error in pairs) for name, pairs in figures.items()},
        tuple(name for place, name in enumerate(groups.names) if place not in filled),
        num_unknown,
    )


def _check_tables(tables: Sequence[tuple[str, Mapping[str, np.ndarray], int]]) -> None:
    for unit, table, count in tables:
        for name, values in table.items():
            if np.shape(values) != (count,):
                raise ValueError(
                    f"expected {count} values of {name!r}, one for each of the {unit}, received "
                    f"the shape {list(np.shape(values))}"
                )
    both = tables[0][1].keys() & tables[1][1].keys()
    if both:
        raise ValueError(f"{min(both)!r} is an attribute of classes and of videos")
