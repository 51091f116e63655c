"""Shapes: a synthetic video data set whose actions are relations between objects.

A film shows three to six coloured shapes over a grey background, seen by a shaky camera. Once or
twice, somewhere in the film and for a second and a half, something happens: one approaches, pushes
or follows another, takes it along and hands it over to a third, or turns back by itself. The rest
are bystanders, who stand or drift by. Shapes, colours, places and times are drawn alike for all
actions, so that no frame by itself tells the action: only what the shapes do to each other, and in
which order.

    script.py        what an action is: a function that writes its actors' paths
    pair_actions.py, solo_actions.py, sequences.py   the actions; actions.py lists them
    scene.py         the script of a film: which shapes there are, where, and who acts
    groups.py        those who play an action, or a bystander
    composition.py   who plays what, when and where
    render.py        a scene's frames, and the boxes of what can be seen
    proposals.py     what a detector would make of those boxes: jitter, misses, false ones
    film.py          one film from (seed, split, index): H.264 bytes, labels, proposals
    attributes.py    what kind of action each class is, for the error analysis
    dataset.py       all films of a data set, written to a folder

Everything but `dataset.py` is free of TensorFlow, so that worker processes start at once.
"""
