"""Trains an RPN on a user's boxes, through Model Garden's own task, losses and trainer.

The checkpoints have the layout of Model Garden's, so its programs can read them, and
`rpn_checkpoints` reads both.
"""

import dataclasses
import math
import os
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf
import tf_keras
from official.core import base_trainer
from official.vision.configs import maskrcnn as maskrcnn_configs
from official.vision.losses import maskrcnn_losses
from official.vision.tasks import maskrcnn

import stgraph_tf
from stgraph_tf import files, program
from stgraph_tf.data import failures
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.proposals import rpn_checkpoints, rpn_frames
from stgraph_tf.proposals.rpn import RpnNetwork, RpnSettings
from stgraph_tf.proposals.rpn_recipes import Recipe, experiment_config

_KEPT_CHECKPOINTS = 3
# Training that goes on may go on for longer, and say more or less of it.
_FREE = ("data", "steps", "checkpoint_interval", "log_interval", "stgraph_tf")


class RpnTask(maskrcnn.MaskRCNNTask):
    """Model Garden's task of a Faster R-CNN, of which only the RPN is there and learns.

    Args:
        settings: what the RPN is made of.
        config: the task's, with a model as `model_config` gives it.
    """

    def __init__(self, settings: RpnSettings, config: maskrcnn_configs.MaskRCNNTask):
        super().__init__(config)
        self._settings = settings

    def build_model(self) -> RpnNetwork:
        """The RPN alone, with random weights."""
        return RpnNetwork(
            self._settings,
            l2_weight_decay=self.task_config.losses.l2_weight_decay,
            synchronized=self.task_config.model.norm_activation.use_sync_bn,
        )

    def build_losses(
        self,
        outputs: Mapping[str, Any],
        labels: Mapping[str, Any],
        aux_losses: Sequence[tf.Tensor] | None = None,
    ) -> dict[str, tf.Tensor]:
        """The RPN's two losses, weighted as the task's config says."""
        config = self.task_config
        score_loss = maskrcnn_losses.RpnScoreLoss(config.train_data.parser.rpn_batch_size_per_im)
        box_loss = maskrcnn_losses.RpnBoxLoss(config.losses.rpn_huber_loss_delta)
        losses = {
            "rpn_score_loss": score_loss(outputs["rpn_scores"], labels["rpn_score_targets"]),
            "rpn_box_loss": box_loss(outputs["rpn_boxes"], labels["rpn_box_targets"]),
        }
        model_loss = (
            config.losses.rpn_score_weight * losses["rpn_score_loss"]
            + config.losses.rpn_box_weight * losses["rpn_box_loss"]
        )
        total_loss = model_loss + tf.add_n(aux_losses) if aux_losses else model_loss
        return {"total_loss": total_loss, "model_loss": model_loss, **losses}

    def build_metrics(self, training: bool = True) -> list[tf_keras.metrics.Metric]:
        """A mean of every loss that `build_losses` gives."""
        names = ("total_loss", "model_loss", "rpn_score_loss", "rpn_box_loss")
        return [tf_keras.metrics.Mean(name) for name in names]


def train(
    settings: RpnSettings,
    recipe: Recipe,
    *,
    data: str,
    split: str,
    output: str,
    strategy: tf.distribute.Strategy,
    checkpoint: str | None = None,
) -> str:
    """Trains an RPN, from the last checkpoint in `output` or from the start.

    Args:
        settings: what it is made of.
        recipe: how it is trained.
        data: folder of a prepared data set.
        split: of the data set.
        output: folder of the checkpoints and `rpn.json`; made when missing.
        strategy: where to train.
        checkpoint: weights to start from, as `rpn_checkpoints.load` takes them; random, if None.

    Returns:
        The last checkpoint.

    Raises:
        ValueError: when data, settings, checkpoint and folder do not fit each other, no frame has a
            box, a record is damaged, or the loss is no longer finite.
    """
    tf_keras.utils.set_random_seed(recipe.seed)
    shards = DatasetInfo.load(data).shard_paths(data, split)
    config = experiment_config(settings, recipe, strategy.num_replicas_in_sync)
    task = RpnTask(settings, config.task)
    with failures.checked(shards):
        _check_boxes(shards, recipe.min_score, data, split)
    with strategy.scope():
        network = task.build_model()
        if checkpoint and tf.train.latest_checkpoint(output) is None:
            rpn_checkpoints.restore(network, rpn_checkpoints.find(checkpoint))
        optimizer = task.create_optimizer(config.trainer.optimizer_config)
        optimizer.build(network.trainable_variables)
    _start(
        output,
        settings,
        {
            "stgraph_tf": stgraph_tf.__version__,
            "data": data,
            "split": split,
            "checkpoint": checkpoint,
            **dataclasses.asdict(recipe),
        },
    )
    with strategy.scope():
        first_step = _last_step(output)
        # A stream of its own for what is trained after each start.
        batches = rpn_frames.training_batches(
            shards, config.task, min_score=recipe.min_score, seed=recipe.seed + first_step
        )
        trainer = base_trainer.Trainer(
            config,
            task,
            network,
            optimizer,
            evaluate=False,
            train_dataset=strategy.experimental_distribute_dataset(batches),
        )
    with failures.checked(shards), program.quiet_libraries():
        return _run(trainer, recipe, output)


def _check_boxes(shards: Sequence[str], min_score: float, data: str, split: str) -> None:
    for _ in rpn_frames.labelled_frames(shards, min_score=min_score).take(1):
        return
    raise ValueError(
        f"the split {split!r} of {data} has no frame with a box of score {min_score} or more"
    )


def _start(output: str, settings: RpnSettings, made_by: Mapping[str, Any]) -> None:
    """Opens the folder for a run, or for going on with one that was the same."""
    path = os.path.join(output, rpn_checkpoints.FILE_NAME)
    if tf.io.gfile.exists(path):
        before = files.read_json(path)
        pairs = [("made_by", dict(made_by)), ("settings", settings.to_json())]
        for section, now in pairs:
            for name, value in now.items():
                then = before.get(section, {}).get(name)
                if name not in _FREE and then != value:
                    raise ValueError(
                        f"{output} holds an RPN that was trained with {name} {then!r}, not "
                        f"{value!r}: train this one in another folder"
                    )
    rpn_checkpoints.save_settings(output, settings, made_by)


def _last_step(output: str) -> int:
    latest = tf.train.latest_checkpoint(output)
    if latest is None:
        return 0
    return int(tf.train.load_variable(latest, "global_step/.ATTRIBUTES/VARIABLE_VALUE"))


def _run(trainer: base_trainer.Trainer, recipe: Recipe, output: str) -> str:
    """Trains up to `recipe.steps`, saving checkpoints on the way."""
    manager = tf.train.CheckpointManager(trainer.checkpoint, output, max_to_keep=_KEPT_CHECKPOINTS)
    manager.restore_or_initialize()
    step = int(trainer.global_step.numpy())
    with program.progress_bar(recipe.steps, unit="step", done=step) as progress:
        while step < recipe.steps:
            until_checkpoint = recipe.checkpoint_interval - step % recipe.checkpoint_interval
            num_steps = min(recipe.log_interval, until_checkpoint, recipe.steps - step)
            logs = trainer.train(tf.constant(num_steps))
            _check_loss(float(logs["total_loss"]), step, step + num_steps)
            step += num_steps
            progress.set_postfix(
                loss=f"{float(logs['model_loss']):.4f}",
                boxes=f"{float(logs['rpn_box_loss']):.4f}",
                refresh=False,
            )
            progress.update(num_steps)
            if step % recipe.checkpoint_interval == 0 or step == recipe.steps:
                manager.save(checkpoint_number=step)
    return manager.latest_checkpoint


def _check_loss(loss: float, first_step: int, step: int) -> None:
    if not math.isfinite(loss):
        raise ValueError(
            f"the loss became {loss} between steps {first_step} and {step}; the last checkpoint "
            "is from before that. Try a lower --learning_rate"
        )
