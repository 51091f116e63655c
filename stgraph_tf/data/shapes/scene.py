"""The script of a film: which shapes there are, where each is on every frame, and who acts.

Conventions. The stage is 64 units wide and high, whatever size the film is rendered at. A point is
`(y, x)` in units from the top left corner of the stage; frame numbers count from 0.

A scene is built from *groups*: a pair playing an action, or a bystander who stands still or drifts
by. Groups keep clear of each other, so that no relation arises by accident.
"""

import dataclasses
import functools
from collections.abc import Callable

import numpy as np

from stgraph_tf.data.shapes.actions import ACTIONS, LABELS, Action, Cast

STAGE = 64.0
OUTLINES = ("disc", "square", "triangle", "diamond")
COLOURS = ("red", "yellow", "green", "cyan", "blue", "magenta", "white")

# How often one or two pairs act in a film, and how often there are 3, 4 or 5 shapes in all (two
# pairs are four at least).
_PAIR_ODDS = (0.6, 0.4)
_MIN_ACTORS = 3
_ACTOR_ODDS = (0.3, 0.35, 0.35)
# An action's length, frames, and an actor's speed, units a frame: the same for all actions.
MIN_ACTION_FRAMES, MAX_ACTION_FRAMES = 12, 14
_SPEEDS = (1.7, 2.3)
# Every pair is a small and a large shape (diameters in units): one must be able to hide the other.
_SMALL, _LARGE = (9.5, 10.7), (14.0, 16.5)
# Shapes of different groups are never closer than this, edge to edge: more than those who pass by.
CLEARANCE = 2.5
# How often a bystander stands still, and how fast it drifts by else, units a frame.
_STANDING = 0.5
_DRIFT_SPEEDS = (0.3, 1.0)
# No centre comes closer to the border than its radius and this: room for outlines and camera shake.
_MARGIN = 3.0
_SHAKE = 1.2

# How many places are tried for a group, how often a group is written anew before the scene is, and
# how often the scene: of 1,500 scenes, none needed more than 36.
_CANDIDATE_PLACES = 64
_REWRITES = 6
_ATTEMPTS = 1000


@dataclasses.dataclass
class Actor:
    """A shape.

    Attributes:
        path: `[F, 2]`, its centre on every frame, units.
        diameter: of the disc of about the same area, units.
        outline: index into `OUTLINES`.
        colours: `[F]`, its colour on every frame, indices into `COLOURS`.
        depth: those of greater depth are drawn first, behind the others.
    """

    path: np.ndarray
    diameter: float
    outline: int
    colours: np.ndarray
    depth: float

    @property
    def radius(self) -> float:
        return self.diameter / 2


@dataclasses.dataclass(frozen=True)
class Performance:
    """An action of `actors[cast[0]]` and `actors[cast[1]]`, on frames `start` to `stop - 1`."""

    action: Action
    cast: tuple[int, int]
    start: int
    stop: int


@dataclasses.dataclass
class Scene:
    """All that happens in a film.

    Attributes:
        actors: the shapes, pairs first, then bystanders.
        performances: the actions, one a pair.
        shake: `[F, 2]`, how far the camera's shaking moves everything, units.
        drift: `[2]`, the background's velocity, units a frame.
    """

    actors: list[Actor]
    performances: list[Performance]
    shake: np.ndarray
    drift: np.ndarray

    @property
    def num_frames(self) -> int:
        return len(self.shake)


def compose(rng: np.random.Generator, num_frames: int) -> Scene:
    """Writes a random scene.

    Args:
        rng: where all choices come from.
        num_frames: the film's length; at least `MAX_ACTION_FRAMES`.

    Raises:
        ValueError: when the film is too short for an action.
    """
    if num_frames < MAX_ACTION_FRAMES:
        raise ValueError(
            f"a film needs at least {MAX_ACTION_FRAMES} frames to hold an action; "
            f"received num_frames={num_frames}"
        )
    num_pairs = int(rng.choice(len(_PAIR_ODDS), p=_PAIR_ODDS)) + 1
    num_actors = _MIN_ACTORS + int(rng.choice(len(_ACTOR_ODDS), p=_ACTOR_ODDS))
    num_bystanders = max(num_actors - 2 * num_pairs, 0)
    names = [LABELS[i] for i in rng.choice(len(LABELS), num_pairs, replace=False)]
    # What was chosen stays so while places are sought: else actions that need room were rare.
    palette = _Palette(rng)
    writers = [functools.partial(_pair, rng, ACTIONS[name], palette, num_frames) for name in names]
    writers += [functools.partial(_bystander, rng, palette, num_frames)] * num_bystanders
    for _ in range(_ATTEMPTS):
        groups = _write_and_place(rng, writers)
        if groups:
            break
    else:
        raise RuntimeError(f"no room on the stage for {names} and {num_bystanders} bystanders")
    actors = [actor for group in groups for actor in group.actors]
    performances = [
        Performance(group.action, (2 * i, 2 * i + 1), group.start, group.stop)
        for i, group in enumerate(groups[:num_pairs])
    ]
    return Scene(actors, performances, _camera_shake(rng, num_frames), rng.uniform(-0.6, 0.6, 2))


class _Palette:
    """A film's few looks, so that there are look-alikes among its shapes."""

    def __init__(self, rng: np.random.Generator):
        self._rng = rng
        self._colours = rng.choice(len(COLOURS), 3, replace=False)
        self._outlines = rng.choice(len(OUTLINES), 2, replace=False)

    def look(self) -> tuple[int, int]:
        """An outline and a colour."""
        return int(self._rng.choice(self._outlines)), int(self._rng.choice(self._colours))

    def pair(self, alike: bool | None) -> list[tuple[int, int]]:
        """Two looks: the same, of different colour, or (None) either with even chances."""
        if alike is None:
            alike = bool(self._rng.integers(2))
        first = self.look()
        if alike:
            return [first, first]
        others = self._colours[self._colours != first[1]]
        return [first, (self.look()[0], int(self._rng.choice(others)))]


@dataclasses.dataclass
class _Group:
    """Actors who belong together, not yet placed: a pair, or a bystander."""

    action: Action | None
    actors: list[Actor]
    start: int
    stop: int


def _pair(rng: np.random.Generator, action: Action, palette: _Palette, num_frames: int) -> _Group:
    """Two actors who play an action at a random time; before and after it they stand still."""
    diameters = [rng.uniform(*_LARGE), rng.uniform(*_SMALL)]
    front = int(rng.integers(2)) if action.front is None else action.front
    if action.front is None:
        rng.shuffle(diameters)
    elif front == 1:
        diameters.reverse()
    depths = [0.0, 0.0]
    depths[1 - front] = 1.0

    frames = int(rng.integers(MIN_ACTION_FRAMES, MAX_ACTION_FRAMES + 1))
    start = int(rng.integers(num_frames - frames + 1))
    cast = Cast(frames, rng.uniform(*_SPEEDS), (diameters[0] / 2, diameters[1] / 2))
    script = action.script(cast, rng)
    paths = np.pad(script.paths, ((0, 0), (start, num_frames - start - frames), (0, 0)), "edge")

    actors = []
    looks = palette.pair(action.alike)
    for i, (outline, colour) in enumerate(looks):
        colours = np.full(num_frames, colour)
        if script.change and script.change[0] == i:
            colours[start + script.change[1] :] = _another_colour(rng, colour)
        actors.append(Actor(paths[i], diameters[i], outline, colours, depths[i]))
    return _Group(action, actors, start, start + frames)


def _bystander(rng: np.random.Generator, palette: _Palette, num_frames: int) -> _Group:
    """One actor without a partner, who stands still or drifts by."""
    diameter = rng.uniform(_SMALL[0], _LARGE[1])
    outline, colour = palette.look()
    speed = 0.0 if rng.random() < _STANDING else rng.uniform(*_DRIFT_SPEEDS)
    path = np.stack([speed * np.arange(num_frames), np.zeros(num_frames)], axis=1)
    actor = Actor(path, diameter, outline, np.full(num_frames, colour), depth=0.0)
    return _Group(None, [actor], 0, num_frames)


def _another_colour(rng: np.random.Generator, colour: int) -> int:
    return int((colour + rng.integers(1, len(COLOURS))) % len(COLOURS))


def _write_and_place(
    rng: np.random.Generator, writers: list[Callable[[], _Group]]
) -> list[_Group] | None:
    """Writes every group and moves it clear of those before it; None when one finds no place."""
    groups: list[_Group] = []
    for write in writers:
        others = [actor for group in groups for actor in group.actors]
        for _ in range(_REWRITES):
            group = write()
            if _place(rng, group, others):
                groups.append(group)
                break
        else:
            return None
    return groups


def _place(rng: np.random.Generator, group: _Group, others: list[Actor]) -> bool:
    """Moves a group to a random place clear of the others; False when none is found."""
    paths = np.stack([actor.path for actor in group.actors])
    radii = np.array([actor.radius for actor in group.actors])
    for candidate in _random_places(rng, paths, radii):
        if _is_clear(candidate, radii, others):
            for actor, path in zip(group.actors, candidate, strict=True):
                actor.path = path
            return True
    return False


def _random_places(rng: np.random.Generator, paths: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Turned, mirrored, moved copies `[N, A, F, 2]` of paths `[A, F, 2]` that stay on the stage."""
    angle = rng.uniform(0, 2 * np.pi, _CANDIDATE_PLACES)
    mirror = rng.choice([-1.0, 1.0], _CANDIDATE_PLACES)
    cos, sin = np.cos(angle), np.sin(angle)
    turns = np.stack([cos, sin, -mirror * sin, mirror * cos], axis=1).reshape(-1, 1, 2, 2)
    turned = paths @ turns
    reach = radii[:, np.newaxis, np.newaxis] + _MARGIN
    low = (reach - turned).max(axis=(1, 2))
    high = (STAGE - reach - turned).min(axis=(1, 2))
    move = low + rng.random(low.shape) * (high - low)
    fits = (low <= high).all(axis=1)
    return (turned + move[:, np.newaxis, np.newaxis])[fits]


def _is_clear(paths: np.ndarray, radii: np.ndarray, others: list[Actor]) -> bool:
    """Whether actors on `paths` `[A, F, 2]` keep their distance from all others on every frame."""
    for path, radius in zip(paths, radii, strict=True):
        for other in others:
            distance = np.hypot(*(path - other.path).T)
            if distance.min() < radius + other.radius + CLEARANCE:
                return False
    return True


def _camera_shake(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """A hand's tremble `[F, 2]`: noise that remembers where it was, within a fixed range, units."""
    shake = np.zeros((num_frames, 2))
    state = np.zeros(2)
    for frame in range(num_frames):
        state = 0.6 * state + rng.normal(0, 0.5, 2)
        shake[frame] = np.clip(state, -_SHAKE, _SHAKE)
    return shake
