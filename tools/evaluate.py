"""Measures a trained model on validation shards.

    python tools/evaluate.py --config configs/charades.py:r50_i3d_joint --workdir runs/charades \
        --output runs/charades/evaluation

Writes `metrics.json` (mAP with each class's AP, or top-1 and top-5), `scores.npz` (ids, scores and
labels of every video) and `report.html` (one page: curves, classes, the best and the worst films),
and prints a table. With `--compare i3d=runs/i3d/evaluation/scores.npz`, the page shows another
model's figures beside this one's.
"""

from absl import app, flags

from stgraph_tf import config as settings
from stgraph_tf import program, trained_flags

_TRAINED = trained_flags.define()
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for metrics.json, scores.npz and report.html."
)
_REPORT = flags.DEFINE_bool("report", True, "Write report.html.")
_ATTRIBUTES = flags.DEFINE_string(
    "attributes",
    None,
    "CSV of attributes of classes for the report, laid out as Charades_v1_attributes_class.csv; by "
    "default attributes_class.csv in the folder of the data, if it is there.",
)
_COMPARE = flags.DEFINE_multi_string(
    "compare", [], "NAME=scores.npz of another model on the same videos; may be given repeatedly."
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    settings.check(_TRAINED.config.value)
    compared = _by_name(_COMPARE.value)

    from stgraph_tf.evaluation import run

    measures = run.evaluate(
        _TRAINED.config.value,
        _TRAINED.workdir.value,
        _OUTPUT.value,
        _TRAINED.checkpoint.value,
        _TRAINED.stage.value,
        with_report=_REPORT.value,
        attributes_file=_ATTRIBUTES.value,
        compared=compared,
    )
    print(run.table(measures))


def _by_name(pairs):
    """`{"a": "b"}` of `["a=b"]`."""
    result = {}
    for pair in pairs:
        name, separator, path = pair.partition("=")
        if not (name and separator and path) or name in result:
            raise ValueError(
                f"expected --compare NAME=scores.npz, each name once, received {pair!r}"
            )
        result[name] = path
    return result


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "workdir", "output"])
    program.run(main)
