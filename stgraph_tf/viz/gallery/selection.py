"""Which videos of a split are shown."""

import dataclasses
from collections.abc import Sequence
from typing import cast

import numpy as np

from stgraph_tf import program
from stgraph_tf.data import shards
from stgraph_tf.data.inspection import contents
from stgraph_tf.data.inspection.places import Draw, Place
from stgraph_tf.evaluation.report.margins import margins
from stgraph_tf.evaluation.score_files import ScoredVideos

CHOICES = ("random", "worst", "best")
# Ids that a message lists before it breaks off.
_LISTED_IDS = 5


@dataclasses.dataclass(frozen=True, eq=False)
class Selection:
    """What is asked for.

    Attributes:
        ids: of videos; where there are any, these are shown and no others.
        number: of videos at most; 0 for all.
        choice: which, one of `CHOICES`. The worst are those of the smallest margin, see
            `stgraph_tf.evaluation.report.margins`.
        scored: the scores of the split, by which the worst and the best are found.
        seed: another one draws other videos at random.

    Raises:
        ValueError: the number is negative, there is no such choice, or it needs scores.
    """

    ids: Sequence[str] = ()
    number: int = 0
    choice: str = "random"
    scored: ScoredVideos | None = None
    seed: int = 0

    def __post_init__(self):
        if self.choice not in CHOICES:
            raise ValueError(f"expected a choice of {', '.join(CHOICES)}, received {self.choice!r}")
        if self.number < 0:
            raise ValueError(f"expected at least 0 videos, received {self.number}")
        if self.choice != "random" and self.scored is None:
            raise ValueError(
                f"the {self.choice} videos are found by their scores: --scores must name the "
                "scores.npz that tools/evaluate.py wrote"
            )


def find(paths: Sequence[str], selection: Selection) -> dict[str, Place]:
    """Reads through the shards, and tells where the records of the chosen videos stand.

    Args:
        paths: the shards of a split.
        selection: which videos.

    Returns:
        The places by the videos' ids; in the order of the shards, or the worst or best first.

    Raises:
        ValueError: a record is damaged, an id or a scored video is not there, or there is none.
    """
    places: dict[str, Place] = {}
    for path in program.progress(paths, unit="shard"):
        for record in shards.scan(path):
            place = Place(path, record.offset, record.index)
            try:
                places[contents.read_id(record.data)] = place
            except ValueError as error:
                raise ValueError(f"{place}: {error}") from error
    if not places:
        raise ValueError(f"{', '.join(paths)}: there is no video to show")
    chosen = _chosen(places, selection)
    unknown = [name for name in chosen if name not in places]
    if unknown:
        listed = ", ".join(map(repr, unknown[:_LISTED_IDS]))
        raise ValueError(f"the {len(places)} videos of the split have none of the id {listed}")
    return {name: places[name] for name in chosen}


def _chosen(places: dict[str, Place], selection: Selection) -> Sequence[str]:
    if selection.ids:
        return list(dict.fromkeys(selection.ids))
    number = selection.number or len(places)
    if selection.choice == "random":
        draw = Draw(str(selection.seed), number)
        for name, place in places.items():
            draw.offer(name, place)
        drawn = set(draw.places())
        return [name for name, place in places.items() if place in drawn]
    scored = cast(ScoredVideos, selection.scored)
    values = margins(scored.labels, scored.scores)
    values = -values if selection.choice == "best" else values
    # Videos without labels have no margin, and come last.
    return [str(scored.ids[row]) for row in np.argsort(values, kind="stable")[:number]]
