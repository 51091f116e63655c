"""One training run, from a config to a folder of checkpoints, in the order of its steps."""

import contextlib
import sys
from typing import Any

import keras
import tensorflow as tf
from ml_collections import ConfigDict
from tqdm import tqdm

from stgraph_tf import config as settings
from stgraph_tf import program, weights
from stgraph_tf.data import failures
from stgraph_tf.data.dataset_info import DatasetInfo
from stgraph_tf.modeling import RegionGraphClassifier
from stgraph_tf.training import (
    checkpoints,
    distribution,
    environment,
    inputs,
    loop,
    losses,
    optimizers,
    stages,
    stopping,
    summaries,
)
from stgraph_tf.training.best import BestCheckpoint
from stgraph_tf.training.graph_summaries import GraphSummaries
from stgraph_tf.training.profiling import Profile
from stgraph_tf.training.progress import Progress
from stgraph_tf.training.stages import Stage
from stgraph_tf.training.steps import TrainingStep, trainable_variables
from stgraph_tf.training.validation import Validation
from stgraph_tf.training.workdir import Workdir


def train(
    config: ConfigDict,
    workdir: str,
    strategy: tf.distribute.Strategy | None = None,
    *,
    stage: str | None = None,
    profile_steps: tuple[int, int] | None = None,
) -> str:
    """Trains what `config` says, from the last checkpoint in `workdir` or from the start.

    Args:
        config: checked settings, see `stgraph_tf.config`.
        workdir: the folder of the run; made when missing. Several workers share it.
        strategy: where to train, see `distribution.open_strategy`.
        stage: the only stage to train now; all that the config has by default.
        profile_steps: the first step that TensorFlow's profiler looks at, and the first that it
            does not.

    Returns:
        The last checkpoint.

    Raises:
        ValueError: when the data, the config and the folder do not fit each other, a record is
            damaged, or the loss is no longer finite.
        ConnectionError: another worker was lost.
        stopping.StoppedError: SIGTERM or SIGINT asked for it; the state is saved.
    """
    strategy = strategy or distribution.open_strategy()
    if config.train.deterministic and not tf.config.list_logical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
    with (
        program.quiet_libraries(),
        distribution.lost_workers_named(strategy),
        stopping.on_signals() as stop,
    ):
        return _Run(config, workdir, strategy, stop, profile_steps).train(stage)


class _Run:
    """What the stages of a run have in common."""

    def __init__(
        self,
        config: ConfigDict,
        workdir: str,
        strategy: tf.distribute.Strategy,
        stop: stopping.StopRequest,
        profile_steps: tuple[int, int] | None,
    ):
        self._config = config
        self._strategy = strategy
        self._worker = distribution.worker_of(strategy)
        self._stop = stop
        self._folder = Workdir(workdir)
        self._info = DatasetInfo.load(config.data.dir)
        inputs.check_loss(config, self._info)
        distribution.check_batch_size(config.train.batch_size, strategy)
        self._shards = self._info.shard_paths(config.data.dir, config.data.train_split)
        if self._validation_interval():
            self._validation = Validation(config, self._info, strategy)
            self._graphs = GraphSummaries(config, self._info)
        self._profile = Profile(self._folder.summary_dir, profile_steps)
        self._folder.check(config, self._info)
        self._writer: Any = None  # a `tf.summary.SummaryWriter`, which has no public name

    def train(self, only: str | None) -> str:
        """Trains the stages that are not complete, or the one that is asked for."""
        plan = stages.plan(self._config)
        names = [stage.name for stage in plan]
        if only and only not in names:
            raise ValueError(
                f"--stage must be one of --config.train.stages, {', '.join(names)}; it is {only}"
            )
        last = plan[names.index(only)] if only else plan[-1]
        started = max(map(self._step_of, plan))
        with (
            failures.checked(self._shards),
            Progress(last.last_step, started, self._config.train.batch_size) as progress,
        ):
            before = None
            for stage in plan[: plan.index(last) + 1]:
                if self._step_of(stage) < stage.last_step:
                    if only not in (None, stage.name):
                        raise ValueError(
                            f"--stage {only} goes on from the stage {stage.name}, which is not "
                            f"complete in {self._folder.path}; train it first"
                        )
                    self._train_stage(stage, before, progress)
                before = stage
        return self._folder.find_checkpoint(None, last.name)[0]

    def _train_stage(self, stage: Stage, before: Stage | None, progress: Progress) -> None:
        config = self._config
        with self._strategy.scope():
            model = self._initial_model(stage, before)
            variables = trainable_variables(model, backbone_fixed=stage.backbone_fixed)
            step = TrainingStep(
                model,
                optimizers.build_optimizer(config, stage.settings, variables),
                losses.LOSSES[config.train.loss],
                batch_size=config.train.batch_size,
                backbone_fixed=stage.backbone_fixed,
                microbatches=config.train.microbatches,
                clip_norm=config.train.clip_norm,
                weight_decay=config.train.weight_decay if config.train.optimizer == "sgd" else 0.0,
            )
        self._open_folder()
        global_step = tf.Variable(stage.first_step, dtype=tf.int64, trainable=False)
        running = loop.running_sums()
        saved = checkpoints.StageCheckpoints(
            self._folder.checkpoint_dir(stage.name),
            step,
            global_step,
            running,
            keep=config.train.keep_checkpoints,
            worker=self._worker,
        )
        saved.restore()
        trainer = loop.Trainer(
            self._strategy,
            step,
            self._batches(int(global_step.numpy())),
            global_step,
            progress,
            running,
            stage=stage.name,
            log_interval=config.train.log_interval,
            stop=self._stop,
            before_step=self._profile.before_step,
            on_first_clips=self._show_clips,
        )
        with contextlib.closing(saved), self._writer.as_default():
            self._make_steps(stage, trainer, saved)

    def _open_folder(self) -> None:
        """Writes what the run is, once a model was built.

        Not sooner: a folder that a refused start leaves behind would refuse the mended one.
        """
        if self._writer is not None:
            return
        if not self._worker.is_chief:
            self._writer = tf.summary.create_noop_writer()
            return
        self._folder.start(self._config, self._info)
        environment.record(self._folder.path)
        self._writer = tf.summary.create_file_writer(self._folder.summary_dir)

    def _make_steps(
        self, stage: Stage, trainer: loop.Trainer, saved: checkpoints.StageCheckpoints
    ) -> None:
        def save(step: int) -> None:
            # The last step's is saved at the end, for a stage whose checkpoint is there is over.
            if step < stage.last_step:
                tf.summary.flush()
                saved.save()

        intervals: list[tuple[int, loop.Action]]
        intervals = [(self._config.train.checkpoint_interval, save)]
        validate, every = self._validate(stage, trainer.step), self._validation_interval()
        if every:
            intervals.append((every, validate))
            # Again, where a run goes on that may have been killed before it was done.
            started = int(trainer.global_step.numpy())
            if started > stage.first_step and started % every == 0:
                with trainer.progress.paused():
                    validate(started)
        complete = False
        try:
            loop.train(trainer, last_step=stage.last_step, intervals=intervals)
            if every and stage.last_step % every:
                with trainer.progress.paused():
                    validate(stage.last_step)
            complete = True
        finally:
            self._profile.stop()
            if trainer.healthy and (complete or int(trainer.global_step) < stage.last_step):
                tf.summary.flush()
                saved.save()
        # The next stage reads what the chief has saved.
        distribution.wait_for_all(self._strategy)
        if trainer.stopped:
            raise trainer.stopped

    def _initial_model(self, stage: Stage, before: Stage | None) -> RegionGraphClassifier:
        """The network of a stage, with the weights that it begins with."""
        config, num_classes = self._config, len(self._info.labels)
        # A stage begins with the same random weights whether its run was interrupted or not.
        keras.utils.set_random_seed(config.seed + settings.STAGES.index(stage.name))
        model = stages.build_model(config, stage.name, num_classes)
        inputs.check_box_stride(config, model)
        if self._step_of(stage):
            return model  # to be restored
        if before:
            source = stages.build_model(config, before.name, num_classes)
            checkpoints.restore_model(source, self._folder.find_checkpoint(None, before.name)[0])
            stages.carry_over(source, model)
        elif config.init.checkpoint:
            name = checkpoints.stage_that_fits(config.init.checkpoint, model)
            source = stages.build_model(config, name, num_classes)
            checkpoints.restore_model(source, config.init.checkpoint)
            stages.carry_over(source, model)
        elif config.init.weights:
            weights.initialize(model, config.init.weights)
        return model

    def _batches(self, start_step: int):
        batches = inputs.training_dataset(
            self._config, self._info, self._shards, start_step, self._worker
        )
        return distribution.distribute(batches, self._strategy, self._config.train.batch_size)

    def _validation_interval(self) -> int:
        """Steps from one validation to the next; 0 for never."""
        interval = self._config.train.validation_interval
        num_videos = self._info.splits[self._config.data.train_split].num_videos
        epoch = max(1, num_videos // self._config.train.batch_size)
        return {-1: 0, 0: epoch}.get(interval, interval)

    def _validate(self, stage: Stage, step: TrainingStep) -> loop.Action:
        """What measures the model of a stage, and keeps it where it is the best so far."""
        best = BestCheckpoint(self._folder.best_dir(stage.name)) if self._worker.is_chief else None

        def validate(number: int) -> None:
            with optimizers.averaged_weights(step.optimizer, step.variables):
                measured = self._validation.measure(step.model)
                if best:  # the chief, who alone writes
                    best.offer(step.model, number, measured)
                    self._graphs.write(step.model, number)
            scalars = {f"validation/{name}": value for name, value in measured.scalars.items()}
            summaries.write_scalars(scalars, number)
            summaries.write_pr_curves(measured, self._info.labels, number)
            tqdm.write(
                f"{stage.name} step {number}: "
                + ", ".join(f"{name} {value:.4f}" for name, value in measured.scalars.items()),
                file=sys.stderr,
            )

        return validate

    def _show_clips(self, clips, number: int) -> None:
        local = self._strategy.experimental_local_results
        first = {name: local(value)[0] for name, value in clips.items()}
        with tf.summary.record_if(True):  # Orbit turns summaries off while steps are made.
            summaries.write_clips(first, number, label_names=self._info.labels)

    def _step_of(self, stage: Stage) -> int:
        """The step of a stage's newest checkpoint; 0 before the first."""
        path = tf.train.latest_checkpoint(self._folder.checkpoint_dir(stage.name))
        return int(path.rpartition("-")[2]) if path else 0
