"""What a shape does by itself, without a partner."""

import numpy as np

from stgraph_tf.data.shapes.script import Cast, Script, action, moment, route, still, stretch

# How far shapes stretch, see `script.py`.
_STRETCHED, _LEANING = 0.55, 0.3


@action(num_actors=1)
def turn_back(cast: Cast, rng: np.random.Generator) -> Script:
    """It goes along, turns round, and comes back beside its way."""
    turn = moment(cast, rng, 0.4, 0.6)
    way_back = cast.speed * (cast.last - turn)
    angle = rng.uniform(-1, 1) * np.radians(40)
    end = (-way_back * np.cos(angle), way_back * np.sin(angle))
    path = route(cast, (0, (-cast.speed * turn, 0)), (turn, (0, 0)), (cast.last, end))
    return Script(path[np.newaxis])


@action(num_actors=1)
def circle(cast: Cast, rng: np.random.Generator) -> Script:
    """It goes once round a circle, drawn out as it runs."""
    angle = np.linspace(0, 2 * np.pi, cast.frames)
    radius = cast.speed * cast.last / (2 * np.pi)
    path = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    heading = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    body = stretch(heading, _LEANING * np.sin(angle / 2))
    return Script(path[np.newaxis], stretch=body[np.newaxis])


@action(num_actors=1)
def stretch_out(cast: Cast, rng: np.random.Generator) -> Script:
    """It grows long and thin where it stands, and takes its shape again."""
    amount = _STRETCHED * np.sin(np.linspace(0, np.pi, cast.frames))
    axis = np.tile([1.0, 0.0], (cast.frames, 1))
    return Script(still(cast)[np.newaxis], stretch=stretch(axis, amount)[np.newaxis])


@action(num_actors=1)
def change_colour(cast: Cast, rng: np.random.Generator) -> Script:
    """It goes along and changes colour on its way."""
    half = cast.speed * cast.last / 2
    path = route(cast, (0, (-half, 0)), (cast.last, (half, 0)))
    return Script(path[np.newaxis], change=(0, moment(cast, rng, 0.3, 0.7)))
