"""Writes scores in the form that a data set's publishers evaluate, and checks such files.

    python tools/write_submission.py --scores runs/charades/scores.npz --format charades \\
        --labels Charades_v1_classes.txt --annotations Charades_v1_test.csv --output charades.txt
    python tools/write_submission.py --check charades.txt --format charades

`charades`: `ID SCORE_1 ... SCORE_157` a line. `something_v1`: `ID;LABEL`. `something_v2`: `ID;` and
the ids of the five most likely labels. Scores are those that tools/evaluate.py wrote, of the test
split or of any other. `--labels` has the publisher's order of the classes; without it, they must be
in that order already, as they are in data sets that were prepared from the publisher's lists.
"""

from absl import flags

from stgraph_tf import program

_FORMATS = ("charades", "something_v1", "something_v2")

_SCORES = flags.DEFINE_string("scores", None, "The scores.npz to submit.")
_OUTPUT = flags.DEFINE_string("output", None, "The file to write.")
_CHECK = flags.DEFINE_string("check", None, "A file to check, in place of --scores and --output.")
_FORMAT = flags.DEFINE_enum("format", None, _FORMATS, "The form of the file.", required=True)
_LABELS = flags.DEFINE_string(
    "labels",
    None,
    "The publisher's list of classes: Charades_v1_classes.txt, something-something-v1-labels.csv, "
    "or labels.json.",
)
_ANNOTATIONS = flags.DEFINE_string(
    "annotations",
    None,
    "The publisher's list of the split (Charades_v1_test.csv, something-something-v1-test.csv, "
    "test.json): every video of it must be there, and no other.",
)


def main(argv):
    if len(argv) > 1:
        raise ValueError(f"unexpected argument {argv[1]!r}: every argument is a --flag")
    writing = (_SCORES.value is not None, _OUTPUT.value is not None)
    if writing not in ((True, True), (False, False)) or writing[0] == (_CHECK.value is not None):
        raise ValueError("expected either --scores and --output, or --check")

    from stgraph_tf.evaluation import score_files, submission

    labels = submission.read_labels(_LABELS.value, _FORMAT.value) if _LABELS.value else None
    ids = submission.read_ids(_ANNOTATIONS.value, _FORMAT.value) if _ANNOTATIONS.value else None
    if _CHECK.value is not None:
        path = _CHECK.value
        num_videos = submission.check(path, _FORMAT.value, labels, ids)
    else:
        path = _OUTPUT.value
        videos = score_files.read(_SCORES.value)
        num_videos = submission.write(path, _FORMAT.value, videos, labels, ids)
    print(f"{path}: {num_videos} videos in the form of {_FORMAT.value}")


if __name__ == "__main__":
    program.run(main)
