"""Tells what is in a data set's shards and what is wrong with them, and draws some of the videos.

    python tools/inspect_dataset.py data/mine --split train

reads every byte of the shards (checksums, records, headers of frames), prints a report, and writes
a contact sheet with the boxes drawn to `data/mine/contact_sheet.png`.

Exit status: 0 if all is well; 1 if something is damaged, missing or not as dataset.json says.
"""

import io
import json
import os
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from absl import flags

from stgraph_tf import program

if TYPE_CHECKING:
    from stgraph_tf.data.inspection import survey

_SPLIT = flags.DEFINE_string("split", None, "Which split; all if not given.")
_CONTACT_SHEET = flags.DEFINE_string(
    "contact_sheet", None, "PNG file to draw; DIR/contact_sheet.png if not given, none if empty."
)
_NUM_VIDEOS = flags.DEFINE_integer("num_videos", 12, "Videos on the contact sheet.", lower_bound=1)
_SEED = flags.DEFINE_integer("seed", 0, "Another seed draws other videos.")
_JSON = flags.DEFINE_bool("json", False, "Print the report as JSON.")

_MAX_BOXES = 10


def main(argv: Sequence[str]) -> int:
    if len(argv) != 2:
        raise ValueError(f"expected one argument, the data set's folder. Received: {argv[1:]}")
    directory = argv[1]
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"  # nothing here runs on a GPU, so take none's memory

    from stgraph_tf.data.inspection import report, survey

    wanted = _CONTACT_SHEET.value != ""
    found = survey.inspect(
        directory,
        _SPLIT.value,
        num_samples=_NUM_VIDEOS.value if wanted else 0,
        seed=_SEED.value,
    )
    value = report.as_json(found)
    sheet = None
    if any(split.sample for split in found.splits):
        sheet = _CONTACT_SHEET.value or os.path.join(directory, "contact_sheet.png")
    try:
        if sheet:
            _draw(found, sheet)
    finally:  # the report is worth having where the sheet cannot be written
        _print(value, sheet)
    return 0 if value["ok"] else 1


def _print(value: Mapping[str, Any], sheet: str | None) -> None:
    from stgraph_tf.data.inspection import report

    if _JSON.value:
        print(json.dumps({**value, "contact_sheet": sheet}, indent=2))
        return
    # Labels may have any letters.
    cast(io.TextIOWrapper, sys.stdout).reconfigure(errors="backslashreplace")
    if sheet:
        print(f"contact sheet: {sheet}\n")
    print(report.as_text(value))


def _draw(found: "survey.Survey", path: str) -> None:
    from stgraph_tf.viz import contact_sheet

    rows = [
        contact_sheet.read_row(place, found.info.labels, split.name)
        for split in found.splits
        for place in split.sample
    ]
    videos = "1 video" if len(rows) == 1 else f"{len(rows)} videos"
    title = f"{found.directory}: {videos}, drawn by lot"
    sheet = contact_sheet.draw(title, rows, max_boxes=_MAX_BOXES)
    contact_sheet.save(sheet, path)


if __name__ == "__main__":
    program.run(main)
