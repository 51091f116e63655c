"""What absltest's main does for a test that runs alone, done for pytest too; the order of files."""

import os
import pathlib
import sys

from absl import flags

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the programs do
flags.FLAGS.mark_as_parsed()

# Files with few tests that take minutes. One of them at the end, and a core has nothing to do.
_LONGEST = (
    "tools/test_train_processes_workers.py",
    "tools/test_train_processes.py",
    "tools/test_train_processes_killed.py",
    "docs/test_run_pages.py",
    "docs/test_walkthrough.py",
    "tools/test_study.py",
    "tools/test_train_rpn.py",
    "tools/test_benchmark.py",
    "tools/test_predict.py",
    "tools/test_predict_report.py",
    "tools/test_visualize.py",
    "benchmarks/test_serving.py",
    "benchmarks/test_training.py",
    "benchmarks/test_load.py",
    "benchmarks/test_evaluation.py",
    "serving/test_export.py",
    "serving/test_without_python.py",
    "serving/test_detector_inside.py",
    "training/test_validation.py",
    "training/test_steps.py",
    "tools/test_prepare_dataset.py",
    "tools/test_extract_proposals.py",
    "proposals/test_rpn_training.py",
)


def pytest_collection_modifyitems(items):
    """The longest files first, for `--dist loadfile --no-loadscope-reorder`."""
    root = pathlib.Path(__file__).parent
    places = {root / name: place for place, name in enumerate(_LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_sessionfinish():
    """Writes what was measured: pytest-xdist may end its processes before they do it themselves."""
    measurement = sys.modules.get("coverage") and sys.modules["coverage"].Coverage.current()
    if measurement:
        measurement.save()
