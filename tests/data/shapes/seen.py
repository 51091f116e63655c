"""What the truth of many scenes shows of each label, by geometry of the tests' own."""

import collections
import functools

import numpy as np

from stgraph_tf.data.shapes.composition import compose

NUM_FRAMES = 24
# Shapes that overlap by a tenth of their radii touch; those that keep a gap do not.
TOUCHING, APART = 0.9, 1.0


class Seen:
    """An action as its actors' truth shows it while it lasts: paths, colours, distances."""

    def __init__(self, scene, performance):
        self.scene = scene
        self.cast = performance.cast
        self.actors = [scene.actors[i] for i in performance.cast]
        self.span = slice(performance.start, performance.stop)
        self.paths = np.stack([actor.path[self.span] for actor in self.actors])
        self.steps = np.hypot(*np.moveaxis(np.diff(self.paths, axis=1), -1, 0))

    @property
    def first(self):
        return self.actors[0]

    @property
    def second(self):
        return self.actors[1]

    @property
    def distance(self) -> np.ndarray:
        """Of the two centres, as a multiple of the sum of their radii."""
        return distance(self.first, self.second)[self.span]

    @property
    def touching(self) -> np.ndarray:
        return self.distance < TOUCHING

    @property
    def contact(self) -> int:
        """The first frame of contact."""
        return int(np.flatnonzero(self.touching)[0])

    @property
    def colour_changes(self) -> list[int]:
        """The frames, of the action, in which one of the actors shows a new colour."""
        colours = np.stack([actor.colours[self.span] for actor in self.actors])
        return [int(frame) + 1 for frame in np.flatnonzero(np.diff(colours).any(axis=0))]


def distance(one, other) -> np.ndarray:
    """Of two actors' centres on every frame, as a multiple of the sum of their radii."""
    return np.hypot(*(one.path - other.path).T) / (one.radius + other.radius)


@functools.cache
def scenes() -> list:
    return [compose(np.random.default_rng([7, index]), NUM_FRAMES) for index in range(400)]


@functools.cache
def performances() -> dict[str, list[Seen]]:
    """Every label's performances."""
    found = collections.defaultdict(list)
    for scene in scenes():
        for performance in scene.performances:
            found[performance.label].append(Seen(scene, performance))
    return found
