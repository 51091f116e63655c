"""Shapes: a synthetic video data set whose actions are relations between objects.

A film shows three to five coloured shapes over a moving, textured background, seen by a shaky
camera. One or two pairs of them act (`actions.py`): one approaches, pushes, covers, follows the
other, and so on, for a second and a half somewhere in the film. The rest are bystanders, who stand
or drift by. Shapes, colours, places and times are drawn alike for all actions, so that no frame by
itself tells the action: only what the two do to each other, and in which order.

    actions.py    what two shapes can do to each other, one function an action
    scene.py      who plays what, when and where: the script of a film
    render.py     a scene's frames, and the boxes of what can be seen
    proposals.py  what a detector would make of those boxes: jitter, misses, false ones
    film.py       one film from (seed, split, index): H.264 bytes, labels, proposals
    dataset.py    all films of a data set, written to a folder

Everything but `dataset.py` is free of TensorFlow, so that worker processes start at once.
"""
