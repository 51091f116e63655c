"""Sequences: actions of which the later ones depend on the earlier, with a label for each.

All begin with `pick_up`: the first comes to the second and takes it along. What comes then tells
them apart: the first leaves the second somewhere (`put_down`), leaves it with a third
(`hand_over`), or the third goes away with it (`take_over`).
"""

import numpy as np

from stgraph_tf.data.shapes.script import Cast, Part, Script, action, moment, route, still, stretch

# The carrier comes, carries and goes faster than other actors move: it has less time for each.
_HASTE = 1.25
# How far the second is drawn out while it is carried, see `script.py`.
_DRAWN_OUT = 0.35


@action()
def pick_up(cast: Cast, rng: np.random.Generator) -> Script:
    """The first comes to the second, and they go on together."""
    trip = _Trip(cast, rng, moment(cast, rng, 0.35, 0.5), cast.last)
    carrier = trip.carrier((cast.last, trip.goal))
    paths = np.stack([carrier, trip.load((cast.last, trip.goal))])
    return Script(paths, stretch=trip.stretches(2))


@action(labels=("pick_up", "put_down"))
def pick_up_and_put_down(cast: Cast, rng: np.random.Generator) -> Script:
    """The first brings the second somewhere, and goes away without it."""
    trip = _Trip(cast, rng, moment(cast, rng, 0.25, 0.35), moment(cast, rng, 0.6, 0.7))
    carrier = trip.carrier((trip.arrival, trip.goal), (cast.last, trip.leave(rng)))
    load = trip.load((trip.arrival, trip.goal))
    paths = np.stack([carrier, load])
    return Script(paths, stretch=trip.stretches(2), parts=trip.parts("put_down", (0, 1)))


@action(num_actors=3, labels=("pick_up", "hand_over"))
def pick_up_and_hand_over(cast: Cast, rng: np.random.Generator) -> Script:
    """The first brings the second to a third, and goes away without it."""
    trip = _Trip(cast, rng, moment(cast, rng, 0.25, 0.35), moment(cast, rng, 0.6, 0.7))
    carrier = trip.carrier((trip.arrival, trip.goal), (cast.last, trip.leave(rng)))
    load = trip.load((trip.arrival, trip.goal))
    third = route(cast, (0, trip.third), (cast.last, trip.third))
    paths = np.stack([carrier, load, third])
    return Script(paths, stretch=trip.stretches(3), parts=trip.parts("hand_over", (0, 2)))


@action(num_actors=3, labels=("pick_up", "take_over"))
def pick_up_and_take_over(cast: Cast, rng: np.random.Generator) -> Script:
    """The first brings the second to a third, who goes away with it."""
    trip = _Trip(cast, rng, moment(cast, rng, 0.25, 0.35), moment(cast, rng, 0.6, 0.7))
    carrier = trip.carrier((trip.arrival, trip.goal))
    away = trip.leave(rng, forth=True)
    load = trip.load((trip.arrival, trip.goal), (cast.last, away))
    third = route(
        cast, (trip.arrival, trip.third), (cast.last, trip.third + np.subtract(away, trip.goal))
    )
    paths = np.stack([carrier, load, third])
    return Script(paths, stretch=trip.stretches(3), parts=trip.parts("take_over", (2, 0)))


class _Trip:
    """The first's way to the second, which lies at the origin, and with it to `goal`.

    Points are those of the second's centre; the first is in touch with it, on the side from which
    it came.

    Args:
        cast: who acts.
        rng: where the direction of the way comes from.
        meeting: the frame in which the two touch.
        arrival: the frame in which they are at the goal.
    """

    def __init__(self, cast: Cast, rng: np.random.Generator, meeting: int, arrival: int):
        self._cast = cast
        self._meeting = meeting
        self._speed = _HASTE * cast.speed
        self.arrival = arrival
        # Well to the side: who pushes goes straight on.
        angle = rng.choice([-1, 1]) * np.radians(rng.uniform(35, 80))
        self._heading = np.array([np.cos(angle), np.sin(angle)])
        self.goal = self._speed * (arrival - meeting) * self._heading

    @property
    def third(self) -> np.ndarray:
        """Where the third stands: the second touches it at the goal."""
        return self.goal + self._cast.contact_of(1, 2) * self._heading

    def carrier(self, *stops: tuple[int, np.ndarray]) -> np.ndarray:
        """The first's path, where `stops` are the second's points if the first had stayed by it."""
        start = np.array([-self._speed * self._meeting, 0.0])
        side = np.array([-self._cast.contact, 0.0])
        ways = (0, start), (self._meeting, np.zeros(2)), *stops
        return route(self._cast, *((frame, side + point) for frame, point in ways))

    def load(self, *stops: tuple[int, np.ndarray]) -> np.ndarray:
        """The second's path."""
        return route(self._cast, (self._meeting, np.zeros(2)), *stops)

    def stretches(self, num_actors: int) -> np.ndarray:
        """How all actors are stretched: the second, while the first carries it."""
        frames = np.arange(self._cast.frames)
        carried = np.clip(np.minimum(frames - self._meeting, self.arrival - frames) / 2, 0, 1)
        load = stretch(np.tile(self._heading, (len(frames), 1)), _DRAWN_OUT * carried)
        return np.stack([load if i == 1 else still(self._cast) for i in range(num_actors)])

    def leave(self, rng: np.random.Generator, *, forth: bool = False) -> np.ndarray:
        """Where who leaves the goal is at the end: away from the third, or (`forth`) beyond it."""
        way = self._speed * (self._cast.last - self.arrival)
        angle = rng.uniform(-1, 1) * np.radians(30)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        direction = self._heading if forth else np.array([-1.0, 0.0])
        return self.goal + way * (turn @ direction)

    def parts(self, label: str, cast: tuple[int, int]) -> tuple[Part, ...]:
        """`pick_up`, and what comes from the arrival on."""
        return (
            Part("pick_up", (0, 1), 0, self.arrival),
            Part(label, cast, self.arrival, self._cast.frames),
        )
