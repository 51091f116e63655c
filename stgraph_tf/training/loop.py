"""One training loop for one CPU, one GPU or several, and several machines, run by Orbit."""

import contextlib
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import keras
import orbit
import tensorflow as tf

from stgraph_tf.training import summaries
from stgraph_tf.training.progress import Progress
from stgraph_tf.training.steps import StepResult, TrainingStep
from stgraph_tf.training.stopping import StoppedError, StopRequest

Action = Callable[[int], object]


class Trainer(orbit.AbstractTrainer):
    """Makes the steps that Orbit's `Controller` asks for.

    After every step the host looks at its loss: a loss or gradient that is not finite ends the run
    before it can reach a checkpoint, and a request to stop is heeded by all workers at once.

    Args:
        strategy: where the replicas are.
        step: what each replica does.
        dataset: an element a step, as `distribution.distribute` deals them out.
        global_step: counts the steps made.
        progress: the line that tells how it goes.
        running: from `running_sums`.
        stage: its name.
        log_interval: steps whose mean is reported.
        stop: asked after every step.
        before_step: called with the number of steps made so far.
        on_first_clips: called with the first batch and the number of steps made so far.

    Attributes:
        healthy: whether weights and sums are those after `global_step` steps. False after a step
            that failed.
        stopped: the error to end the run with, once somebody has asked for it.
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        step: TrainingStep,
        dataset,
        global_step: tf.Variable,
        progress: Progress,
        running: tf.Variable,
        *,
        stage: str = "joint",
        log_interval: int = 1,
        stop: StopRequest | None = None,
        before_step: Action = lambda step: None,
        on_first_clips: Callable[[Any, int], object] = lambda clips, step: None,
    ):
        self.strategy = strategy
        self.step = step
        self.global_step = global_step
        self.progress = progress
        self.log_interval = log_interval
        self.healthy = True
        self.stopped: StoppedError | None = None
        self._running = running
        self._stage = stage
        self._stop = stop or StopRequest()
        self._before_step = before_step
        self._on_first_clips = on_first_clips
        self._dataset = dataset
        self._iterator: Iterator[Any] | None = None
        self._make_step = tf.function(self._distributed_step)

    def train(self, num_steps: tf.Tensor) -> dict[str, Any]:
        """Makes `num_steps` steps; reports when `log_interval` of them are complete.

        Raises:
            ValueError: the loss or its gradient is not finite, naming the step and the clips.
            StoppedError: somebody asked for it, before the last of these steps. After the last
                one the error is left in `stopped`: what is due at that step comes first.
        """
        first = self._iterator is None
        if self._iterator is None:
            self._iterator = iter(self._dataset)
        iterator = self._iterator
        for left in reversed(range(int(num_steps))):
            done = int(self.global_step.numpy())
            self._before_step(done)
            with self.progress.waiting():
                clips = next(iterator)
            if first:
                self._on_first_clips(clips, done)
                first = False
            self.healthy = False
            result, stop = self._make_step(clips, tf.constant(float(self._stop.made)))
            loss, norm = float(result.loss), float(result.gradient_norm)
            self._check_finite(loss, norm, done + 1, clips)
            self.global_step.assign_add(1)
            self._running.assign_add([1.0, loss, norm])
            self.healthy = True
            if stop:
                self.stopped = StoppedError(done + 1, self._stop.signal_number)
                if left:
                    raise self.stopped
        if int(self.global_step.numpy()) % self.log_interval:
            return {}
        return self._report()

    def _distributed_step(
        self, clips: Mapping[str, tf.Tensor], asked: tf.Tensor
    ) -> tuple[StepResult, tf.Tensor]:
        def on_replica(clips, asked):
            replica = tf.distribute.get_replica_context()
            # On the replica's device: what comes from outside has none, which all_reduce refuses.
            asked = tf.identity(asked)
            anyone = replica.all_reduce(tf.distribute.ReduceOp.SUM, asked) > 0
            return self.step(clips), anyone

        per_replica = self.strategy.run(on_replica, args=(clips, asked))
        return tf.nest.map_structure(
            lambda value: self.strategy.experimental_local_results(value)[0], per_replica
        )

    def _check_finite(self, loss: float, norm: float, step: int, clips) -> None:
        # With loss scaling, an infinite gradient is how a scale that is too large is found.
        scaled = isinstance(self.step.optimizer, keras.optimizers.LossScaleOptimizer)
        if math.isfinite(loss) and (scaled or math.isfinite(norm)):
            return
        what, value = ("gradient", norm) if math.isfinite(loss) else ("loss", loss)
        ids = [
            video_id.decode()
            for part in self.strategy.experimental_local_results(clips["id"])
            for video_id in part.numpy()
        ]
        raise ValueError(
            f"the {what} became {value} in step {step}, on clips of {', '.join(ids)}; "
            "the last checkpoint is from before that. Try a lower "
            f"--config.stages.{self._stage}.learning_rate, more warmup_steps beside it, or "
            "--config.train.clip_norm; "
            "without pretrained weights, --config.model.freeze_batch_norm=False"
        )

    def _report(self) -> dict[str, Any]:
        steps, loss, norm = self._running.numpy()
        self._running.assign(tf.zeros_like(self._running))
        speed = self.progress.report(self._stage, int(self.global_step.numpy()), loss / steps)
        return {
            "loss": loss / steps,
            "gradient_norm": norm / steps,
            "learning_rate": float(keras.ops.convert_to_numpy(self.step.optimizer.learning_rate)),
            **speed,
        }


def running_sums() -> tf.Variable:
    """Steps, losses and gradient norms since the last report.

    Saved in checkpoints, so that a run that goes on reports what it would have reported.
    """
    return tf.Variable(tf.zeros(3, tf.float64), trainable=False)


def train(
    trainer: Trainer, *, last_step: int, intervals: Sequence[tuple[int, Action]] = ()
) -> None:
    """Trains up to `last_step`, from the step where the trainer stands.

    What the trainer reports goes to the default summary writer.

    Args:
        trainer: what to train.
        last_step: the global step to reach.
        intervals: `(n, action)`: after every n-th step, `action` is called with the steps made.
            Actions of one step are called in this order.

    Raises:
        ValueError: as `Trainer.train` does.
        StoppedError: somebody asked for it, before `last_step`.
    """
    all_intervals = [trainer.log_interval, *(interval for interval, _ in intervals)]

    def steps_to_next(step: int) -> int:
        return min(interval - step % interval for interval in all_intervals)

    def after_steps(output: Mapping[str, Any]) -> None:
        step = int(trainer.global_step.numpy())
        summaries.write_scalars({f"train/{name}": value for name, value in output.items()}, step)
        if trainer.stopped and step < last_step:
            raise trainer.stopped
        with trainer.progress.paused():
            for interval, action in intervals:
                if step % interval == 0:
                    action(step)

    # Orbit prints what the progress line tells already.
    with contextlib.redirect_stdout(io.StringIO()):
        controller = orbit.Controller(
            global_step=trainer.global_step,
            trainer=trainer,
            strategy=trainer.strategy,
            steps_per_loop=steps_to_next,
            train_actions=[after_steps],
        )
        controller.train(last_step)
