"""One training loop for one CPU, one GPU or several: Orbit's, around one exact step.

The loss of a step is the mean over the global batch, however many replicas share it, and odd
batches too: each replica adds up its clips and divides by the global batch size.
"""

import contextlib
import io
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any

import keras
import orbit
import tensorflow as tf
from absl import logging

from stgraph_tf.training.losses import Loss


class Trainer(orbit.StandardTrainer):
    """Trains a `RegionGraphClassifier` for Orbit's `Controller`.

    Args:
        strategy: where the replicas are.
        model: built under the strategy's scope.
        optimizer: built under the strategy's scope.
        loss: of `losses.LOSSES`, one value a clip.
        dataset: batches of the data pipeline; `batch_size` clips in each.
        global_step: counts the steps made.
        batch_size: clips of a step over all replicas.
        weight_decay: L2 decay, added to the gradient as in Caffe2's and PyTorch's SGD, of the
            kernels (not of biases, nor of layer normalization).
    """

    def __init__(
        self,
        strategy: tf.distribute.Strategy,
        model: keras.Model,
        optimizer: keras.optimizers.Optimizer,
        loss: Loss,
        dataset: tf.data.Dataset,
        global_step: tf.Variable,
        batch_size: int,
        weight_decay: float = 0.0,
    ):
        super().__init__(strategy.experimental_distribute_dataset(dataset))
        self.strategy = strategy
        self.model = model
        self.optimizer = optimizer
        self.loss = loss
        self.batch_size = batch_size
        self.weight_decay = weight_decay
        self.global_step = global_step
        with strategy.scope():
            self.mean_loss = keras.metrics.Mean(name="loss")

    def train_loop_begin(self) -> None:
        self.mean_loss.reset_state()
        self._started = time.monotonic()
        self._first_step = int(self.global_step.numpy())

    def train_step(self, iterator) -> None:
        per_replica = self.strategy.run(self._replica_step, args=(next(iterator),))
        loss = self.strategy.reduce(tf.distribute.ReduceOp.SUM, per_replica, axis=None)
        self.mean_loss.update_state(loss)
        self.global_step.assign_add(1)

    def _replica_step(self, clips: Mapping[str, tf.Tensor]) -> tf.Tensor:
        """Updates the weights from this replica's clips; returns its share of the mean loss."""
        variables = self.model.trainable_variables
        inputs = {name: clips[name] for name in ("frames", "boxes", "mask")}
        with tf.GradientTape() as tape:
            logits = self.model(inputs, training=True)
            loss = tf.reduce_sum(self.loss(clips["labels"], logits)) / self.batch_size
        gradients = tape.gradient(loss, variables)
        self.optimizer.apply_gradients(
            zip(self._decayed(gradients, variables), variables, strict=True)
        )
        return loss

    def _decayed(self, gradients, variables):
        # The optimizer sums the replicas' gradients, so each adds its share of the decay.
        share = self.weight_decay / self.strategy.num_replicas_in_sync
        return [
            gradient + share * tf.cast(variable, gradient.dtype)
            if share and variable.path.endswith("kernel")
            else gradient
            for gradient, variable in zip(gradients, variables, strict=True)
        ]

    def train_loop_end(self) -> dict[str, Any]:
        loss = float(self.mean_loss.result())
        step = int(self.global_step.numpy())
        if not math.isfinite(loss):
            raise ValueError(
                f"the loss became {loss} between steps {self._first_step} and {step}; "
                "the last checkpoint is from before that. "
                "Try a lower --config.train.learning_rate or more --config.train.warmup_steps; "
                "without pretrained weights, --config.model.freeze_batch_norm=False"
            )
        elapsed = time.monotonic() - self._started
        return {
            "loss": loss,
            "learning_rate": float(keras.ops.convert_to_numpy(self.optimizer.learning_rate)),
            "clips_per_second": (step - self._first_step) * self.batch_size / elapsed,
        }


def train(
    trainer: Trainer,
    manager: tf.train.CheckpointManager,
    *,
    steps: int,
    log_interval: int,
    summary_dir: str,
    progress,
) -> None:
    """Trains up to `steps` in all, from the step where the trainer stands.

    Args:
        trainer: what to train.
        manager: saves checkpoints at its own interval, and one at the end.
        steps: the global step to reach.
        log_interval: steps between summaries and progress lines.
        summary_dir: where TensorBoard's summaries go.
        progress: a `tqdm` line over the steps.
    """

    def report(output: Mapping[str, Any]) -> None:
        progress.set_postfix(
            loss=f"{output['loss']:.4f}",
            clips_per_s=f"{output['clips_per_second']:.1f}",
            refresh=False,
        )
        progress.update(int(trainer.global_step.numpy()) - progress.n)

    with _quiet_orbit():
        controller = orbit.Controller(
            global_step=trainer.global_step,
            trainer=trainer,
            strategy=trainer.strategy,
            steps_per_loop=log_interval,
            checkpoint_manager=manager,
            summary_dir=summary_dir,
            train_actions=[report],
        )
        controller.train(steps)


@contextlib.contextmanager
def _quiet_orbit() -> Iterator[None]:
    """Hushes Orbit, which prints and logs what the progress line and the summaries already tell."""
    verbosity = logging.get_verbosity()
    if verbosity < logging.DEBUG:
        logging.set_verbosity(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(verbosity)
