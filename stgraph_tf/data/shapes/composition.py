"""How a scene is written: who plays what, when and where.

A scene is built from *groups* (`groups.py`): those who play an action, or a bystander. Groups keep
clear of each other, so that no relation arises by accident.
"""

import functools
from collections.abc import Callable

import numpy as np

from stgraph_tf.data.shapes.actions import ACTIONS
from stgraph_tf.data.shapes.groups import MAX_ACTION_FRAMES, Group, Palette, acting, bystander
from stgraph_tf.data.shapes.scene import STAGE, Actor, Performance, Scene
from stgraph_tf.data.shapes.script import Action

# How often one or two actions are played in a film, and how many shapes there are at least.
_ACTION_ODDS = (0.6, 0.4)
_MIN_ACTORS = (3, 4, 5)
_MIN_ACTOR_ODDS = (0.3, 0.35, 0.35)
# Films of a single action, with little around it, as Something-Something has them.
_FEW_ACTORS, _FEW_ACTOR_ODDS = (2, 3), (0.5, 0.5)
# Shapes of different groups are never closer than this, edge to edge.
CLEARANCE = 2.5
# No centre comes closer to the border than its reach and this: room for outlines and camera shake.
_MARGIN = 3.0
_SHAKE = 0.4

# How many places are tried for a group, how often a group is written anew before the scene is, and
# how often the scene.
_CANDIDATE_PLACES = 64
_REWRITES = 6
_ATTEMPTS = 1000


def compose(rng: np.random.Generator, num_frames: int, *, single: bool = False) -> Scene:
    """Writes a random scene.

    Args:
        rng: where all choices come from.
        num_frames: the film's length; at least `MAX_ACTION_FRAMES`.
        single: one action in each film, with at most one bystander.

    Raises:
        ValueError: when the film is too short for an action.
    """
    if num_frames < MAX_ACTION_FRAMES:
        raise ValueError(
            f"a film needs at least {MAX_ACTION_FRAMES} frames to hold an action; "
            f"received num_frames={num_frames}"
        )
    actions = _choose(rng, 1 if single else 1 + int(rng.choice(2, p=_ACTION_ODDS)))
    sizes, odds = (_FEW_ACTORS, _FEW_ACTOR_ODDS) if single else (_MIN_ACTORS, _MIN_ACTOR_ODDS)
    num_acting = sum(action.num_actors for action in actions)
    num_bystanders = max(int(rng.choice(sizes, p=odds)) - num_acting, 0)
    # What was chosen stays so while places are sought: else actions that need room were rare.
    palette = Palette(rng)
    writers: list[Callable[[], Group]]
    writers = [functools.partial(acting, rng, action, palette, num_frames) for action in actions]
    writers += [functools.partial(bystander, rng, palette, num_frames)] * num_bystanders
    for _ in range(_ATTEMPTS):
        groups = _write_and_place(rng, writers)
        if groups:
            break
    else:
        names = [action.name for action in actions]
        raise RuntimeError(f"no room on the stage for {names} and {num_bystanders} bystanders")
    actors: list[Actor] = []
    performances = []
    for group in groups:
        for performance in group.performances:
            cast = tuple(len(actors) + i for i in performance.cast)
            performances.append(
                Performance(performance.label, cast, performance.start, performance.stop)
            )
        actors += group.actors
    return Scene(actors, performances, _camera_shake(rng, num_frames))


def _choose(rng: np.random.Generator, count: int) -> list[Action]:
    """Actions at random, no two of which give the same label."""
    actions = list(ACTIONS.values())
    chosen: list[Action] = []
    while len(chosen) < count:
        action = actions[rng.integers(len(actions))]
        if not any(set(action.labels) & set(other.labels) for other in chosen):
            chosen.append(action)
    return chosen


def _write_and_place(
    rng: np.random.Generator, writers: list[Callable[[], Group]]
) -> list[Group] | None:
    """Writes every group and moves it clear of those before it; None when one finds no place."""
    groups: list[Group] = []
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


def _place(rng: np.random.Generator, group: Group, others: list[Actor]) -> bool:
    """Moves a group to a random place clear of the others; False when none is found."""
    paths = np.stack([actor.path for actor in group.actors])
    reach = np.array([actor.reach for actor in group.actors])
    turns = _random_turns(rng)
    places, fits = _random_places(rng, paths @ turns, reach)
    for index in np.flatnonzero(fits):
        if _is_clear(places[index], reach, others):
            for actor, path in zip(group.actors, places[index], strict=True):
                actor.path = path
                actor.stretch = actor.stretch @ turns[index, 0]
            return True
    return False


def _random_turns(rng: np.random.Generator) -> np.ndarray:
    """Matrices `[N, 1, 2, 2]` that turn, and mirror some, the points that they stand behind."""
    angle = rng.uniform(0, 2 * np.pi, _CANDIDATE_PLACES)
    mirror = rng.choice([-1.0, 1.0], _CANDIDATE_PLACES)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos, sin, -mirror * sin, mirror * cos], axis=1).reshape(-1, 1, 2, 2)


def _random_places(
    rng: np.random.Generator, paths: np.ndarray, reach: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Moves paths `[N, A, F, 2]` onto the stage; and `[N]`, which of them have room there."""
    reach = reach[:, np.newaxis, np.newaxis] + _MARGIN
    low = (reach - paths).max(axis=(1, 2))
    high = (STAGE - reach - paths).min(axis=(1, 2))
    move = low + rng.random(low.shape) * (high - low)
    return paths + move[:, np.newaxis, np.newaxis], (low <= high).all(axis=1)


def _is_clear(paths: np.ndarray, reach: np.ndarray, others: list[Actor]) -> bool:
    """Whether actors on `paths` `[A, F, 2]` keep their distance from all others on every frame."""
    for path, length in zip(paths, reach, strict=True):
        for other in others:
            distance = np.hypot(*(path - other.path).T)
            if distance.min() < length + other.reach + CLEARANCE:
                return False
    return True


def _camera_shake(rng: np.random.Generator, num_frames: int) -> np.ndarray:
    """A hand's tremble `[F, 2]`: noise that remembers where it was, within a fixed range, units."""
    shake = np.zeros((num_frames, 2))
    state = np.zeros(2)
    for frame in range(num_frames):
        state = 0.6 * state + rng.normal(0, 0.15, 2)
        shake[frame] = np.clip(state, -_SHAKE, _SHAKE)
    return shake
