"""What two shapes can do to each other: one short function an action, in a registry of all.

Conventions. Lengths are in stage units: the stage is 64 units wide and high, so a unit is a pixel
of a 64x64 film. An action is written in coordinates of its own, mostly with the second actor (the
partner) at the origin and the first coming along the first axis; `scene.py` turns, mirrors and
moves the result to its place. Times are frames, counted from the action's first one. Two actors
*touch* when their centres are `Cast.contact` apart.

An action tells the label of a film, so each is worded to exclude the others: to approach is to come
and stay, to bounce off is to come and turn back.
"""

import dataclasses
from collections.abc import Callable

import numpy as np

# The distance of two touching shapes over the sum of their radii: they overlap a little, so that
# shapes whose outline lies within the circle of their radius leave no gap, and their boxes overlap.
_TOUCH = 0.85


@dataclasses.dataclass(frozen=True)
class Cast:
    """Two actors who are about to perform.

    Attributes:
        frames: how long the action takes, frames.
        speed: how far an actor moves in a frame, units.
        radii: the two actors' radii, units.
    """

    frames: int
    speed: float
    radii: tuple[float, float]

    @property
    def contact(self) -> float:
        """The distance of the two centres when the actors touch, units."""
        return _TOUCH * sum(self.radii)

    @property
    def apart(self) -> float:
        """A distance of the two centres at which the actors clearly do not touch, units."""
        return sum(self.radii) + 1.0

    @property
    def last(self) -> int:
        """The action's last frame."""
        return self.frames - 1


@dataclasses.dataclass(frozen=True)
class Script:
    """What the two actors do, frame by frame.

    Attributes:
        paths: `[2, frames, 2]`, the actors' centres, units.
        change: who changes colour and in which frame the new colour is first seen, or None.
    """

    paths: np.ndarray
    change: tuple[int, int] | None = None


@dataclasses.dataclass(frozen=True)
class Action:
    """An entry of the registry.

    Attributes:
        name: the label.
        script: writes the action out for a cast; random choices come from the generator.
        alike: whether the two must look alike (True) or must not (False); None leaves it to chance.
        front: which of the two is drawn in front of the other, and is the larger one; None leaves
            both to chance.
    """

    name: str
    script: Callable[[Cast, np.random.Generator], Script]
    alike: bool | None = None
    front: int | None = None


ACTIONS: dict[str, Action] = {}


def _action(**traits):
    def register(script):
        ACTIONS[script.__name__] = Action(script.__name__, script, **traits)
        return script

    return register


def _route(cast: Cast, *stops: tuple[int, tuple[float, float]]) -> np.ndarray:
    """A path `[frames, 2]` through `(frame, point)` stops: straight between, still at both ends."""
    times, points = zip(*stops, strict=True)
    along, across = np.transpose(points)
    frames = np.arange(cast.frames)
    return np.stack([np.interp(frames, times, along), np.interp(frames, times, across)], axis=1)


def _still(cast: Cast) -> np.ndarray:
    return np.zeros((cast.frames, 2))


def _moment(cast: Cast, rng: np.random.Generator, low: float, high: float) -> int:
    """A frame at a random fraction of the action."""
    return round(rng.uniform(low, high) * cast.last)


@_action()
def approach(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, and stays in touch with it."""
    start = -cast.contact - cast.speed * cast.last
    arrival = (cast.last, (-cast.contact, 0))
    return Script(np.stack([_route(cast, (0, (start, 0)), arrival), _still(cast)]))


@_action()
def leave(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes away from the second, which it touched."""
    return Script(approach(cast, rng).paths[:, ::-1])


@_action()
def follow(cast: Cast, rng: np.random.Generator) -> Script:
    """The second goes along a bent path, and the first comes after it on the same path."""
    lag = int(np.ceil(cast.apart / cast.speed))
    steps = cast.last + lag
    heading = np.linspace(0, rng.uniform(-1, 1) * np.radians(70), steps)
    strides = cast.speed * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(strides, axis=0)])
    return Script(np.stack([path[: cast.frames], path[lag:]]))


@_action()
def pass_by(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes past the second, close by, without touching it."""
    half = cast.speed * cast.last / 2
    side = cast.apart + rng.uniform(-0.5, 0.5)
    path = _route(cast, (0, (-half, side)), (cast.last, (half, side)))
    return Script(np.stack([path, _still(cast)]))


@_action()
def bounce_off(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, touches it, and turns back."""
    hit = _moment(cast, rng, 0.4, 0.6)
    start = -cast.contact - cast.speed * hit
    angle = rng.uniform(-1, 1) * np.radians(40)
    way_back = cast.speed * (cast.last - hit)
    end = (-cast.contact - way_back * np.cos(angle), way_back * np.sin(angle))
    path = _route(cast, (0, (start, 0)), (hit, (-cast.contact, 0)), (cast.last, end))
    return Script(np.stack([path, _still(cast)]))


@_action()
def push(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, and moves on with the second before it."""
    hit = _moment(cast, rng, 0.4, 0.6)
    start = -cast.contact - cast.speed * hit
    way = cast.speed * (cast.last - hit)
    first = _route(cast, (0, (start, 0)), (cast.last, (way - cast.contact, 0)))
    second = _route(cast, (hit, (0, 0)), (cast.last, (way, 0)))
    return Script(np.stack([first, second]))


@_action()
def swap_places(cast: Cast, rng: np.random.Generator) -> Script:
    """Each goes round half a circle to where the other was."""
    radius = max(cast.speed * cast.last / np.pi, cast.apart / 2)
    angle = np.linspace(0, np.pi, cast.frames)
    second = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Script(np.stack([-second, second]))


@_action(front=0)
def cover(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes on top of the second, and stays there."""
    arrival = _moment(cast, rng, 0.6, 0.8)
    start = -max(cast.speed * arrival, cast.apart)
    return Script(np.stack([_route(cast, (0, (start, 0)), (arrival, (0, 0))), _still(cast)]))


@_action()
def change_colour_before_contact(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second; one of them changes colour, *then* they touch."""
    paths, contact = _come_and_stay(cast, rng)
    return Script(paths, (int(rng.integers(2)), int(rng.integers(2, contact - 1))))


@_action()
def change_colour_after_contact(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second; they touch, *then* one of them changes colour."""
    paths, contact = _come_and_stay(cast, rng)
    return Script(paths, (int(rng.integers(2)), int(rng.integers(contact + 2, cast.last))))


@_action(alike=True)
def meet_alike(cast: Cast, rng: np.random.Generator) -> Script:
    """Two of the same look come to each other, and stay in touch."""
    return Script(_meet(cast, rng))


@_action(alike=False)
def meet_unlike(cast: Cast, rng: np.random.Generator) -> Script:
    """Two of different colours come to each other, and stay in touch."""
    return Script(_meet(cast, rng))


@_action(front=1)
def reappear_same(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes behind the second, and the same one comes out again."""
    paths, _ = _go_behind(cast, rng)
    return Script(paths)


@_action(front=1)
def reappear_other(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes behind the second, and one of another colour comes out."""
    paths, hidden = _go_behind(cast, rng)
    return Script(paths, (0, hidden))


def _come_and_stay(cast: Cast, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """An approach that is over in mid-action, and the frame in which the two first touch."""
    contact = _moment(cast, rng, 0.5, 0.65)
    start = -cast.contact - cast.speed * contact
    first = _route(cast, (0, (start, 0)), (contact, (-cast.contact, 0)))
    return np.stack([first, _still(cast)]), contact


def _meet(cast: Cast, rng: np.random.Generator) -> np.ndarray:
    """Both come, each its half of the way."""
    contact = _moment(cast, rng, 0.5, 0.65)
    here, there = cast.contact / 2, cast.contact / 2 + cast.speed * contact
    first = _route(cast, (0, (-there, 0)), (contact, (-here, 0)))
    return np.stack([first, -first])


def _go_behind(cast: Cast, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """The first goes behind the second and comes out, on either side; a frame when it is hidden."""
    enters = (cast.last - 1) // 2
    start = -max(cast.speed * enters, cast.apart)
    end = start * rng.choice([-1, 1])
    stops = (0, (start, 0)), (enters, (0, 0)), (cast.last - enters, (0, 0)), (cast.last, (end, 0))
    return np.stack([_route(cast, *stops), _still(cast)]), enters


LABELS: tuple[str, ...] = tuple(ACTIONS)
