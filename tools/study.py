"""Trains the rows of the paper's Table 2 with several seeds, and tells what each gains.

    python tools/study.py --config configs/shapes.py --data data/shapes --output runs/study

For each seed a backbone is trained first; every row then starts from its checkpoint and takes the
same number of steps. Each run is a process of tools/train.py, then one of tools/evaluate.py, with a
log in its folder, `OUTPUT/seed0/joint/train.log`; `--jobs` runs go side by side, each on its share
of the cores. Typed again, the same command goes on where the study stopped. More rows and seeds may
be asked for later.

Writes results.json, results.md (the table), rows.png (the chart), and error_analysis.png and .json
(Figure 5).
"""

import os
import shlex
import sys

from absl import app, flags

from stgraph_tf import program

_CONFIG = flags.DEFINE_string("config", None, "File of the config, such as configs/shapes.py.")
_BACKBONE = flags.DEFINE_string(
    "backbone", "tiny", "What the names of its variants begin with: tiny, r50, r101."
)
_DATA = flags.DEFINE_string("data", None, "Folder of the data set: what prepare_dataset.py wrote.")
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the study; made when missing.")
_ROWS = flags.DEFINE_list("rows", "i3d,avgpool,st,sim,joint,nl,nl_joint", "What to train.")
_SEEDS = flags.DEFINE_list("seeds", "0,1,2", "Seeds of weights and data.")
_JOBS = flags.DEFINE_integer("jobs", 2, "Runs side by side.", lower_bound=1)
_BACKBONE_STEPS = flags.DEFINE_integer("backbone_steps", 2000, "Steps of the backbone, alone.")
_GRAPH_STEPS = flags.DEFINE_integer("graph_steps", 50, "Steps of the graphs, backbone fixed.")
_JOINT_STEPS = flags.DEFINE_integer("joint_steps", 750, "Steps of both together.")
_OVERRIDE = flags.DEFINE_multi_string(
    "override", [], "A setting of all runs, such as config.train.batch_size=16; may be repeated."
)
_BACKBONE_OVERRIDE = flags.DEFINE_multi_string(
    "backbone_override", [], "The same, of the runs that train the backbones."
)
_ROW_OVERRIDE = flags.DEFINE_multi_string(
    "row_override", [], "The same, of the rows' runs, which start from the backbones."
)
_ATTRIBUTES = flags.DEFINE_string(
    "attributes",
    None,
    "CSV file of the classes' attributes, as Charades' authors publish it, for the error analysis; "
    "by default DATA/attributes_class.csv, where there is one.",
)


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if not all(seed.strip().isdecimal() for seed in _SEEDS.value) or not _SEEDS.value:
        raise ValueError(f"--seeds takes numbers, such as 0,1,2; it is {','.join(_SEEDS.value)}")
    seeds = [int(seed) for seed in dict.fromkeys(_SEEDS.value)]

    from stgraph_tf.study import folder, plan, rows, runner
    from stgraph_tf.training import stopping

    tools = os.path.dirname(os.path.abspath(__file__))
    budget = plan.Budget(_BACKBONE_STEPS.value, _GRAPH_STEPS.value, _JOINT_STEPS.value)
    planner = plan.Planner(
        _CONFIG.value,
        _BACKBONE.value,
        _DATA.value,
        _OUTPUT.value,
        budget,
        plan.Programs(
            train=(sys.executable, os.path.join(tools, "train.py")),
            evaluate=(sys.executable, os.path.join(tools, "evaluate.py"), "--noreport"),
        ),
        plan.Overrides(_OVERRIDE.value, _BACKBONE_OVERRIDE.value, _ROW_OVERRIDE.value),
    )
    runs = planner.runs(rows.choose(_ROWS.value), seeds)
    with runner.locked(_OUTPUT.value) as lock, stopping.on_signals() as stop:
        study = folder.StudyFolder(
            _OUTPUT.value,
            _DATA.value,
            runs,
            budget,
            shlex.join(["python", *sys.argv]),
            _JOBS.value,
            _ATTRIBUTES.value,
        )
        outcome = runner.run_all(
            runs, _JOBS.value, lock, stop, on_complete=lambda run: study.write_tables()
        )
        print(study.write_tables())
        if stop.made:
            print("stopped; the same command goes on from there", file=sys.stderr)
            return 128 + stop.signal_number
        study.write_charts()
    for failure in outcome.failures:
        print(f"error: {failure.run}: {failure.reason}; see {failure.log}", file=sys.stderr)
    if outcome.waiting:
        print(f"not started: {', '.join(outcome.waiting)}", file=sys.stderr)
    return 1 if outcome.failures else 0


if __name__ == "__main__":
    flags.mark_flags_as_required(["config", "data", "output"])
    program.run(main)
