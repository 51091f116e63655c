"""A scene, the script of a film: which shapes there are, where each is on every frame, who acts.

Conventions. The stage is 64 units wide and high, whatever size the film is rendered at. A point is
`(y, x)` in units from the top left corner of the stage; frame numbers count from 0.
"""

import dataclasses

import numpy as np

STAGE = 64.0
OUTLINES = ("disc", "square", "triangle", "diamond")
COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta", "white")


@dataclasses.dataclass
class Actor:
    """A shape.

    Attributes:
        path: `[F, 2]`, its centre on every frame, units.
        stretch: `[F, 2]`, how it is stretched, see `script.py`.
        diameter: of the disc of about the same area, units.
        outline: index into `OUTLINES`.
        colours: `[F]`, its colour on every frame, indices into `COLOURS`.
        depth: those of greater depth are drawn first, behind the others.
    """

    path: np.ndarray
    stretch: np.ndarray
    diameter: float
    outline: int
    colours: np.ndarray
    depth: float

    @property
    def radius(self) -> float:
        """Of the actor as it is when nothing stretches it, units."""
        return self.diameter / 2

    @property
    def reach(self) -> float:
        """How far it extends from its centre when it is stretched most, units."""
        return self.radius * float(np.exp(np.hypot(*self.stretch.T).max()))


@dataclasses.dataclass(frozen=True)
class Performance:
    """What is labelled `label` of some actors, on frames `start` to `stop - 1`.

    `cast` holds the numbers of those who take part: who acts, and the partner if there is one.
    """

    label: str
    cast: tuple[int, ...]
    start: int
    stop: int


@dataclasses.dataclass
class Scene:
    """All that happens in a film.

    Attributes:
        actors: the shapes, those who act first, then bystanders.
        performances: what they do.
        shake: `[F, 2]`, how far the camera's shaking moves everything, units.
    """

    actors: list[Actor]
    performances: list[Performance]
    shake: np.ndarray

    @property
    def num_frames(self) -> int:
        return len(self.shake)
