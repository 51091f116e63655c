"""Making a gallery, in the order of the steps."""

import os
from collections.abc import Sequence

from stgraph_tf import files, program
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.viz.gallery import entries, index_page, selection
from stgraph_tf.viz.gallery.entries import Entry
from stgraph_tf.viz.gallery.models import ShownModel
from stgraph_tf.viz.gallery.selection import Selection


def write(
    model: ShownModel, data: str, split: str, output: str, chosen: Selection
) -> Sequence[Entry]:
    """Writes the pages of a split's videos, and their index.

    Args:
        model: what scores the videos.
        data: the folder of the data set's shards.
        split: its name.
        output: the folder to write to; made when missing.
        chosen: which videos.

    Returns:
        The videos that the index shows.

    Raises:
        ValueError: model, data and selection do not fit each other, or a record is damaged.
    """
    info = DatasetInfo.load(data)
    if tuple(info.labels) != tuple(model.labels):
        raise ValueError(f"{data} has other labels than {model.path} was trained on")
    places = selection.find(info.shard_paths(data, split), chosen)
    made = [
        entries.make(model, video_id, place, output)
        for video_id, place in program.progress(places.items(), total=len(places), unit="video")
    ]
    with files.atomic_writer(os.path.join(output, "index.html")) as file:
        file.write(index_page.as_html(made, model, f"{data}, {split}"))
    return made
