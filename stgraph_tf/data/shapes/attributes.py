"""What kind of action each class is, as the error analysis of the paper groups them (Figure 5).

    Seq      1 where the action is part of a sequence of dependent ones
    PoseVar  how much its actors' shape differs from moment to moment and from film to film
    Obj      1 where it takes a partner

in the layout of the attribute file that is published for Charades (Sigurdsson et al., "What Actions
are Needed for Understanding Human Actions in Videos?", ICCV 2017), with labels as class names.
"""

import csv
import functools
import io
import itertools
from collections.abc import Mapping

import numpy as np
from scipy.spatial import procrustes

from stgraph_tf.data.shapes.actions import ACTIONS, LABELS
from stgraph_tf.data.shapes.composition import compose
from stgraph_tf.data.shapes.groups import MAX_ACTION_FRAMES
from stgraph_tf.data.shapes.render import outline_points
from stgraph_tf.data.shapes.scene import Actor

# Labels that films show in a sequence, one after the other, but for `pick_up` now and then.
_IN_SEQUENCE = frozenset(
    label for action in ACTIONS.values() if len(action.labels) > 1 for label in action.labels
) | {"change_colour_before_contact", "change_colour_after_contact"}
_WITHOUT_PARTNER = frozenset(
    label for action in ACTIONS.values() if action.num_actors == 1 for label in action.labels
)

# Scenes that poses are taken from, and poses of a class that are compared, all with all.
_SCENES, _POSES = 700, 30


def class_attributes(num_samples: Mapping[str, int]) -> str:
    """The attributes of all classes, as CSV.

    Args:
        num_samples: how often each label is shown in the training films.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("class", "#Samples", "Seq", "PoseVar", "Obj"))
    for label in LABELS:
        writer.writerow(
            (
                label,
                num_samples.get(label, 0),
                int(label in _IN_SEQUENCE),
                f"{pose_variances()[label]:.5f}",
                int(label not in _WITHOUT_PARTNER),
            )
        )
    return text.getvalue()


@functools.cache
def pose_variances() -> dict[str, float]:
    """The mean Procrustes distance between two poses of those who play each action.

    A pose is an actor's outline on some frame of the action, as points. Poses come from scenes of
    their own, so a class has the same value in every data set.
    """
    poses: dict[str, list[np.ndarray]] = {label: [] for label in LABELS}
    for index in range(_SCENES):
        rng = np.random.default_rng([index])
        scene = compose(rng, MAX_ACTION_FRAMES)
        for performance in scene.performances:
            actor = scene.actors[rng.choice(performance.cast)]
            frame = int(rng.integers(performance.start, performance.stop))
            poses[performance.label].append(_pose(actor, frame))
    return {
        label: float(
            np.mean([pose_distance(*pair) for pair in itertools.combinations(some[:_POSES], 2)])
        )
        for label, some in poses.items()
    }


def pose_distance(one: np.ndarray, other: np.ndarray) -> float:
    """What is left of the squared distance of points `[N, 2]`, both of length 1, at their best fit.

    In [0, 1]; 0 for poses that shift, scaling, rotation and mirroring make equal.
    """
    return float(procrustes(one, other)[2])


def _pose(actor: Actor, frame: int) -> np.ndarray:
    return outline_points(actor.outline, actor.stretch[frame])
