"""The rows that a study trains, and what the paper reports of them (section 6, tables 2 to 4)."""

from collections.abc import Sequence
from typing import NamedTuple


class Row(NamedTuple):
    """A network of the paper's tables.

    Attributes:
        name: of the row, as `--rows` takes it.
        title: in tables and charts.
        network: what the variants of the configs call it, behind the backbone.
        baseline: the row whose backbone it starts from; its own name for a row without regions.
        mean_ap: on Charades, in percent, with the ResNet-50 (Table 2).
        top1: on Something-Something, in percent (Table 4), where the paper has it.
        top5: the same.
    """

    name: str
    title: str
    network: str
    baseline: str
    mean_ap: float
    top1: float | None = None
    top5: float | None = None

    @property
    def has_regions(self) -> bool:
        """Whether it sees the proposals; then it is trained in two stages."""
        return self.name != self.baseline


ROWS = {
    row.name: row
    for row in (
        Row("i3d", "I3D", "i3d", "i3d", 31.8, 41.6, 72.2),
        Row("avgpool", "I3D + proposals, averaged", "i3d_avgpool", "i3d", 32.1),
        Row("st", "I3D + space-time graph", "i3d_st", "i3d", 34.2),
        Row("sim", "I3D + similarity graph", "i3d_sim", "i3d", 35.0),
        Row("joint", "I3D + both graphs", "i3d_joint", "i3d", 36.2, 43.3, 75.1),
        Row("nl", "non-local I3D", "nl", "nl", 33.5, 44.4, 76.0),
        Row("nl_joint", "non-local I3D + both graphs", "nl_joint", "nl", 37.5, 46.1, 76.8),
    )
}

# The row that the others' gains are counted from.
REFERENCE = "i3d"


def choose(names: Sequence[str]) -> list[Row]:
    """The rows of these names, in the order of the paper.

    Raises:
        ValueError: there are none, one is named twice, or there is no such row.
    """
    unknown = [name for name in names if name not in ROWS]
    if unknown or not names or len(set(names)) < len(names):
        raise ValueError(
            f"--rows takes some of {','.join(ROWS)}, each once; it is {','.join(names) or 'empty'}"
        )
    return [row for row in ROWS.values() if row.name in names]
