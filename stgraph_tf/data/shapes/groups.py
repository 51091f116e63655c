"""Who belongs together in a film: those who play an action, or a bystander by itself."""

import dataclasses

import numpy as np

from stgraph_tf.data.shapes.scene import COLOURS, OUTLINES, Actor, Performance
from stgraph_tf.data.shapes.script import Action, Cast

# An action's length, frames, and an actor's speed, units a frame: the same for all actions.
MIN_ACTION_FRAMES, MAX_ACTION_FRAMES = 12, 14
_SPEEDS = (1.7, 2.3)
# Every pair is a small and a large shape (diameters in units): one must be able to hide the other.
_SMALL, _LARGE = (9.5, 10.7), (14.0, 16.5)
# How often a bystander stands still, and how fast it drifts by else, units a frame.
_STANDING = 0.5
_DRIFT_SPEEDS = (0.3, 1.0)


@dataclasses.dataclass
class Group:
    """Actors who belong together, not yet placed.

    Attributes:
        actors: they; their paths start anywhere.
        performances: what they do, with their numbers in the group.
    """

    actors: list[Actor]
    performances: list[Performance]


class Palette:
    """A film's few looks, so that there are look-alikes among its shapes."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._colours = rng.choice(len(COLOURS), 3, replace=False)
        self._outlines = rng.choice(len(OUTLINES), 2, replace=False)

    def look(self) -> tuple[int, int]:
        """An outline and a colour."""
        return int(self._rng.choice(self._outlines)), int(self._rng.choice(self._colours))

    def looks(self, count: int, alike: bool | None) -> list[tuple[int, int]]:
        """Looks, the first two the same, of different colour, or (None) either."""
        if alike is None:
            alike = bool(self._rng.integers(2))
        first = self.look()
        if alike:
            second = first
        else:
            others = self._colours[self._colours != first[1]]
            second = (self.look()[0], int(self._rng.choice(others)))
        return [first, second, *(self.look() for _ in range(count - 2))][:count]


def acting(rng: np.random.Generator, action: Action, palette: Palette, num_frames: int) -> Group:
    """Those who play an action at a random time; before and after it they stand still."""
    diameters, depths = _sizes(rng, action)
    frames = int(rng.integers(MIN_ACTION_FRAMES, MAX_ACTION_FRAMES + 1))
    start = int(rng.integers(num_frames - frames + 1))
    cast = Cast(frames, rng.uniform(*_SPEEDS), tuple(diameter / 2 for diameter in diameters))
    script = action.script(cast, rng)
    bodies = np.zeros_like(script.paths) if script.stretch is None else script.stretch
    around = ((0, 0), (start, num_frames - start - frames), (0, 0))
    paths, bodies = np.pad(script.paths, around, "edge"), np.pad(bodies, around)

    actors = []
    looks = palette.looks(action.num_actors, action.alike)
    for i, (outline, colour) in enumerate(looks):
        colours = np.full(num_frames, colour)
        if script.change and script.change[0] == i:
            colours[start + script.change[1] :] = _another_colour(rng, colour)
        actors.append(Actor(paths[i], bodies[i], diameters[i], outline, colours, depths[i]))
    performances = [
        Performance(part.label, part.cast, start + part.start, start + part.stop)
        for part in script.parts
    ]
    whole = Performance(
        action.labels[0], tuple(range(min(action.num_actors, 2))), start, start + frames
    )
    return Group(actors, performances or [whole])


def bystander(rng: np.random.Generator, palette: Palette, num_frames: int) -> Group:
    """One who has no part in anything, and stands still or drifts by."""
    diameter = rng.uniform(_SMALL[0], _LARGE[1])
    outline, colour = palette.look()
    speed = 0.0 if rng.random() < _STANDING else rng.uniform(*_DRIFT_SPEEDS)
    path = np.stack([speed * np.arange(num_frames), np.zeros(num_frames)], axis=1)
    colours = np.full(num_frames, colour)
    return Group([Actor(path, np.zeros_like(path), diameter, outline, colours, depth=0.0)], [])


def _sizes(rng: np.random.Generator, action: Action) -> tuple[list[float], list[float]]:
    """The actors' diameters and depths; of the first two, one is small and one is large."""
    diameters = [rng.uniform(*_LARGE), rng.uniform(*_SMALL)]
    front = int(rng.integers(2)) if action.front is None else action.front
    if action.front is None:
        rng.shuffle(diameters)
    elif front == 1:
        diameters.reverse()
    depths = [0.0, 0.0]
    depths[1 - front] = 1.0
    if action.num_actors > 2:
        diameters.append(rng.uniform(_SMALL[0], _LARGE[1]))
        depths.append(2.0)
    return diameters[: action.num_actors], depths[: action.num_actors]


def _another_colour(rng: np.random.Generator, colour: int) -> int:
    return int((colour + rng.integers(1, len(COLOURS))) % len(COLOURS))
