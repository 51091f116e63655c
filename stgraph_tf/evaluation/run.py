"""Evaluating one trained model on the videos of a split, in the order of its steps."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from stgraph_tf import files, program
from stgraph_tf.data import failures
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.evaluation import (
    attributes,
    error_analysis,
    metrics,
    protocol,
    report,
    score_files,
    views,
)
from stgraph_tf.evaluation.pooling import VideoScores
from stgraph_tf.evaluation.score_files import ScoredVideos
from stgraph_tf.training import checkpoints
from stgraph_tf.training.workdir import Workdir


def evaluate(
    config: ConfigDict,
    workdir: str,
    output: str,
    checkpoint: str | None = None,
    stage: str | None = None,
    *,
    with_report: bool = True,
    attributes_file: str | None = None,
    compared: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Scores the validation videos and measures the scores.

    Videos whose labels are held back, such as a test split's, are scored alone.

    Args:
        config: checked settings, see `stgraph_tf.config`.
        workdir: the folder of the training run.
        output: the folder for `metrics.json`, `scores.npz` and `report.html`; made when missing.
        checkpoint: a checkpoint's prefix, or "best"; the newest in `workdir` by default.
        stage: whose; the last one that has a checkpoint by default.
        with_report: whether to write `report.html`.
        attributes_file: the attributes of classes that the report shows; by default those in the
            data set's folder, if there are any.
        compared: `scores.npz` of other models for the report, by the models' names.

    Returns:
        What `metrics.json` holds; without any label, what was scored.

    Raises:
        ValueError: when config, checkpoint, data and the files for the report do not fit each
            other, or a record is damaged.
    """
    folder = Workdir(workdir)
    folder.check_model(config)
    trained_on = folder.dataset_info()
    info = DatasetInfo.load(config.data.dir)
    if info.labels != trained_on.labels:
        raise ValueError(
            f"{config.data.dir} has other labels than the run in {workdir} was trained on"
        )
    split = config.data.validation_split
    shards = info.shard_paths(config.data.dir, split)
    # Before hours of scoring: what the report cannot be written with is refused now.
    class_attributes = _class_attributes(attributes_file, config.data.dir, info.labels)
    others = _compared(compared or {}, config.name, info.labels)

    model, checkpoint = checkpoints.load_trained(
        config, folder, checkpoint, stage, precision=config.evaluation.precision
    )
    total = info.splits[split].num_videos * config.evaluation.num_clips
    with failures.checked(shards), program.progress_bar(total, unit="clip") as progress:
        scores = views.score_videos(
            model,
            protocol.validation_dataset(config, info, shards),
            views.ACTIVATIONS[config.train.loss],
            pooling=config.evaluation.pooling,
            on_batch=progress.update,
        )

    measures = {
        "config": config.name,
        "checkpoint": checkpoint,
        "split": split,
        "num_videos": len(scores.ids),
        "clips_per_video": config.evaluation.num_clips,
        "pooling": config.evaluation.pooling,
        "precision": config.evaluation.precision or config.model.precision,
    }
    scored = ScoredVideos(*scores, info.labels)
    score_files.write(os.path.join(output, "scores.npz"), scored)
    if not scores.labels.any():
        return measures
    measures |= _measures(scores, info)
    files.write_json(os.path.join(output, "metrics.json"), measures)
    if with_report:
        films = report.Films(
            shards, config.data.num_frames, config.data.box_stride, config.data.num_boxes
        )
        report.write(
            os.path.join(output, "report.html"),
            report.Inputs(measures, scored, info.multi_label, films, class_attributes, others),
        )
    return measures


def table(measures: dict[str, Any]) -> str:
    """The measures as text for a terminal: the headline first, then the classes, best first."""
    lines = [
        f"{measures['config']}: {measures['num_videos']} videos of {measures['split']}, "
        f"{measures['clips_per_video']} clips each, {measures['checkpoint']}",
        "",
    ]
    if "classes" not in measures:
        return "\n".join([*lines, "no video has a label: scores.npz is all that was written"])
    if "top1" in measures:
        lines.append(f"top-1  {100 * measures['top1']:5.1f} %")
        lines.append(f"top-5  {100 * measures['top5']:5.1f} %")
    else:
        lines.append(f"mAP               {100 * measures['mAP']:5.1f} %")
        lines.append(f"of random scores  {100 * measures['mAP_of_random_scores']:5.1f} %")
    lines.append("")
    width = max(len(row["label"]) for row in measures["classes"])
    lines.append(f"{'class':{width}}  videos     AP")
    for row in sorted(measures["classes"], key=lambda row: -(row["AP"] or 0)):
        value = "    -" if row["AP"] is None else f"{100 * row['AP']:5.1f}"
        lines.append(f"{row['label']:{width}}  {row['videos']:6d}  {value}")
    return "\n".join(lines)


def _measures(scores: VideoScores, info: DatasetInfo) -> dict[str, Any]:
    """Headline numbers and the per-class table; a class without videos has no AP (null)."""
    _, per_class = metrics.mean_average_precision(scores.labels, scores.scores)
    classes = [
        {"label": label, "videos": int(videos), "AP": None if np.isnan(ap) else float(ap)}
        for label, videos, ap in zip(info.labels, scores.labels.sum(axis=0), per_class, strict=True)
    ]
    headline = protocol.measures(scores.labels, scores.scores, info.multi_label)
    if info.multi_label:
        headline["mAP_of_random_scores"] = metrics.random_mean_average_precision(scores.labels)
    return {**headline, "classes": classes}


def _class_attributes(
    path: str | None, data_dir: str, labels: Sequence[str]
) -> dict[str, np.ndarray] | None:
    """The attributes that were given, or those that the data set has; None without any."""
    values = attributes.of_data_set(data_dir, path, labels)
    if values is not None and not values.keys() & set(error_analysis.FIGURE_5):
        path = path or os.path.join(data_dir, attributes.CLASS_FILE)
        wanted = ", ".join(error_analysis.FIGURE_5)
        raise ValueError(
            f"{path}: expected a column of {wanted}, received {', '.join(values) or 'none'}"
        )
    return values


def _compared(
    paths: Mapping[str, str], name: str, labels: Sequence[str]
) -> dict[str, ScoredVideos]:
    """The scores of other models, whose classes must be those of this one."""
    if name in paths:
        raise ValueError(f"{name!r} is compared with itself: give the other model another name")
    models = {name: score_files.read(path) for name, path in paths.items()}
    for name, scored in models.items():
        if tuple(scored.label_names) != tuple(labels):
            raise ValueError(f"{paths[name]} has other classes than the data set")
    return models
