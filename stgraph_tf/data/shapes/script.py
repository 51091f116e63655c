"""What an action is: a short function that writes its actors' paths, and the registry of all.

Conventions. Lengths are in stage units: the stage is 64 units wide and high, so a unit is a pixel
of a 64x64 film. An action is written in coordinates of its own, mostly with the second actor (the
partner) at the origin and the first coming along the first axis; `scene.py` turns, mirrors and
moves the result to its place. Times are frames, counted from the action's first one. Two actors
*touch* when their centres are `Cast.contact` apart.

A *stretch* is a vector `s`: the actor is `exp(|s|)` times as long along `s`, and as much thinner
across it, so that its area stays. To be squashed along an axis is to be stretched across it.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

# The distance of two touching shapes over the sum of their radii: they overlap a little, so that
# shapes whose outline lies within the circle of their radius leave no gap, and their boxes overlap.
_TOUCH = 0.85


@dataclasses.dataclass(frozen=True)
class Cast:
    """The actors who are about to perform.

    Attributes:
        frames: how long the action takes, frames.
        speed: how far an actor moves in a frame, units.
        radii: the actors' radii, units.
    """

    frames: int
    speed: float
    radii: tuple[float, ...]

    @property
    def contact(self) -> float:
        """The distance of the first two centres when these actors touch, units."""
        return self.contact_of(0, 1)

    def contact_of(self, one: int, other: int) -> float:
        """The distance of two actors' centres when they touch, units."""
        return _TOUCH * (self.radii[one] + self.radii[other])

    @property
    def apart(self) -> float:
        """A distance of the first two centres at which the actors clearly do not touch, units."""
        return sum(self.radii[:2]) + 1.0

    @property
    def last(self) -> int:
        """The action's last frame."""
        return self.frames - 1


@dataclasses.dataclass(frozen=True)
class Part:
    """A label's share of an action that has several, one after the other.

    Attributes:
        label: what it shows.
        cast: the one who acts and the partner, among the action's actors.
        start: its first frame.
        stop: the frame after its last one.
    """

    label: str
    cast: tuple[int, int]
    start: int
    stop: int


@dataclasses.dataclass(frozen=True)
class Script:
    """What the actors do, frame by frame.

    Attributes:
        paths: `[A, frames, 2]`, the actors' centres, units.
        change: who changes colour and in which frame the new colour is first seen, or None.
        stretch: `[A, frames, 2]`, how the actors are stretched; None for not at all.
        parts: the labels of a sequence; none for an action that is its own label throughout.
    """

    paths: np.ndarray
    change: tuple[int, int] | None = None
    stretch: np.ndarray | None = None
    parts: tuple[Part, ...] = ()


Writer = Callable[[Cast, np.random.Generator], Script]


@dataclasses.dataclass(frozen=True)
class Action:
    """An entry of the registry.

    Attributes:
        name: of the action; where it is no sequence, the label.
        script: writes the action out for a cast; random choices come from the generator.
        num_actors: how many take part.
        labels: those that its scripts give, in order of time.
        alike: whether the first two must look alike (True) or must not (False); None leaves it to
            chance.
        front: which of two is drawn in front of the other, and is the larger one; None leaves both
            to chance.
    """

    name: str
    script: Writer
    num_actors: int
    labels: tuple[str, ...]
    alike: bool | None = None
    front: int | None = None


ACTIONS: dict[str, Action] = {}


def action(
    *,
    num_actors: int = 2,
    labels: Sequence[str] = (),
    alike: bool | None = None,
    front: int | None = None,
) -> Callable[[Writer], Writer]:
    """Registers a script under its function's name, which is its label if none is given."""

    def register(script: Writer) -> Writer:
        name = script.__name__
        ACTIONS[name] = Action(name, script, num_actors, tuple(labels) or (name,), alike, front)
        return script

    return register


def route(cast: Cast, *stops: tuple[int, Sequence[float] | np.ndarray]) -> np.ndarray:
    """A path `[frames, 2]` through `(frame, point)` stops: straight between, still at both ends."""
    times, points = zip(*stops, strict=True)
    along, across = np.transpose(points)
    frames = np.arange(cast.frames)
    return np.stack([np.interp(frames, times, along), np.interp(frames, times, across)], axis=1)


def still(cast: Cast) -> np.ndarray:
    """A path `[frames, 2]` that stays at the origin."""
    return np.zeros((cast.frames, 2))


def moment(cast: Cast, rng: np.random.Generator, low: float, high: float) -> int:
    """A frame at a random fraction of the action."""
    return round(rng.uniform(low, high) * cast.last)


def stretch(directions: np.ndarray, amounts: np.ndarray) -> np.ndarray:
    """Stretches `[frames, 2]` along unit vectors `[frames, 2]`, or across where `amounts` < 0."""
    across = np.stack([-directions[:, 1], directions[:, 0]], axis=1)
    vectors = np.where(amounts[:, np.newaxis] < 0, across, directions)
    return np.abs(amounts)[:, np.newaxis] * vectors
