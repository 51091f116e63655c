"""What two shapes can do to each other.

The label of such an action holds from its first to its last frame, so each is worded to exclude the
others: to approach is to come and stay, to bounce off is to come and turn back.
"""

import numpy as np

from stgraph_tf.data.shapes.script import Cast, Script, action, moment, route, still, stretch

# How far actors stretch in those actions that change their shape, see `script.py`.
_SQUASHED, _PUSHED, _LEANING, _CRAWLING = 0.5, 0.25, 0.35, 0.45


@action()
def approach(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, and stays in touch with it."""
    start = -cast.contact - cast.speed * cast.last
    arrival = (cast.last, (-cast.contact, 0))
    return Script(np.stack([route(cast, (0, (start, 0)), arrival), still(cast)]))


@action()
def leave(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes away from the second, which it touched."""
    return Script(approach(cast, rng).paths[:, ::-1])


@action()
def follow(cast: Cast, rng: np.random.Generator) -> Script:
    """The second crawls along a bent path, and the first comes after it on the same path."""
    lag = int(np.ceil(cast.apart / cast.speed))
    steps = cast.last + lag
    heading = np.linspace(0, rng.uniform(-1, 1) * np.radians(70), steps)
    strides = cast.speed * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    path = np.concatenate([np.zeros((1, 2)), np.cumsum(strides, axis=0)])
    headings = np.concatenate([strides[:1], strides]) / cast.speed
    beats = np.sin(rng.uniform(0, 2 * np.pi) + 2 * np.pi / 5 * np.arange(len(path)))
    bodies = stretch(headings, _CRAWLING * beats)
    return Script(
        np.stack([path[: cast.frames], path[lag:]]),
        stretch=np.stack([bodies[: cast.frames], bodies[lag:]]),
    )


@action()
def bounce_off(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, is squashed as it touches it, and turns back."""
    hit = moment(cast, rng, 0.4, 0.6)
    start = -cast.contact - cast.speed * hit
    angle = rng.uniform(-1, 1) * np.radians(40)
    way_back = cast.speed * (cast.last - hit)
    end = (-cast.contact - way_back * np.cos(angle), way_back * np.sin(angle))
    path = route(cast, (0, (start, 0)), (hit, (-cast.contact, 0)), (cast.last, end))
    squash = np.maximum(0, 1 - np.abs(np.arange(cast.frames) - hit) / 3)
    body = stretch(_along(cast), -_SQUASHED * squash)
    return Script(np.stack([path, still(cast)]), stretch=np.stack([body, still(cast)]))


@action()
def push(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, and moves on with the second, squashed, before it."""
    hit = moment(cast, rng, 0.4, 0.6)
    start = -cast.contact - cast.speed * hit
    way = cast.speed * (cast.last - hit)
    first = route(cast, (0, (start, 0)), (cast.last, (way - cast.contact, 0)))
    second = route(cast, (hit, (0, 0)), (cast.last, (way, 0)))
    squash = np.clip((np.arange(cast.frames) - hit) / 2, 0, 1)
    body = stretch(_along(cast), -_PUSHED * squash)
    return Script(np.stack([first, second]), stretch=np.stack([still(cast), body]))


@action()
def swap_places(cast: Cast, rng: np.random.Generator) -> Script:
    """Each goes round half a circle to where the other was, drawn out as it runs."""
    radius = max(cast.speed * cast.last / np.pi, cast.apart / 2)
    angle = np.linspace(0, np.pi, cast.frames)
    second = radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    heading = np.stack([-np.sin(angle), np.cos(angle)], axis=1)
    body = stretch(heading, _LEANING * np.sin(angle))
    return Script(np.stack([-second, second]), stretch=np.stack([body, body]))


@action()
def change_colour_before_contact(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second; one of them changes colour, *then* they touch."""
    paths, contact = _come_and_stay(cast, rng)
    return Script(paths, (int(rng.integers(2)), int(rng.integers(2, contact - 1))))


@action()
def change_colour_after_contact(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second; they touch, *then* one of them changes colour."""
    paths, contact = _come_and_stay(cast, rng)
    return Script(paths, (int(rng.integers(2)), int(rng.integers(contact + 2, cast.last))))


@action(alike=True)
def meet_alike(cast: Cast, rng: np.random.Generator) -> Script:
    """Two of the same look come to each other, and stay in touch."""
    return Script(_meet(cast, rng))


@action(alike=False)
def meet_unlike(cast: Cast, rng: np.random.Generator) -> Script:
    """Two of different colours come to each other, and stay in touch."""
    return Script(_meet(cast, rng))


@action(front=1)
def reappear_same(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes behind the second, and the same one comes out again."""
    paths, _ = _go_behind(cast, rng)
    return Script(paths)


@action(front=1)
def reappear_other(cast: Cast, rng: np.random.Generator) -> Script:
    """The first goes behind the second, and one of another colour comes out."""
    paths, hidden = _go_behind(cast, rng)
    return Script(paths, (0, hidden))


def _come_and_stay(cast: Cast, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """An approach that is over in mid-action, and the frame in which the two first touch."""
    contact = moment(cast, rng, 0.5, 0.65)
    start = -cast.contact - cast.speed * contact
    first = route(cast, (0, (start, 0)), (contact, (-cast.contact, 0)))
    return np.stack([first, still(cast)]), contact


def _meet(cast: Cast, rng: np.random.Generator) -> np.ndarray:
    """Both come, each its half of the way."""
    contact = moment(cast, rng, 0.5, 0.65)
    here, there = cast.contact / 2, cast.contact / 2 + cast.speed * contact
    first = route(cast, (0, (-there, 0)), (contact, (-here, 0)))
    return np.stack([first, -first])


def _go_behind(cast: Cast, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    """The first goes behind the second and comes out, on either side; a frame when it is hidden."""
    enters = (cast.last - 1) // 2
    start = -max(cast.speed * enters, cast.apart)
    end = start * rng.choice([-1, 1])
    stops = (0, (start, 0)), (enters, (0, 0)), (cast.last - enters, (0, 0)), (cast.last, (end, 0))
    return np.stack([route(cast, *stops), still(cast)]), enters


def _along(cast: Cast) -> np.ndarray:
    """The first axis, `[frames, 2]`."""
    return np.tile([1.0, 0.0], (cast.frames, 1))
