"""Where the replicas of the model stand, which clips each gets, and how workers miss each other."""

import contextlib
import os
import traceback
from collections.abc import Iterator
from typing import NamedTuple

import tensorflow as tf
from absl import logging
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.distribute import multi_worker_util
from tensorflow.python.eager import context


class Worker(NamedTuple):
    """One process of a run.

    Attributes:
        index: which worker this is; the first, 0, is the chief that writes the workdir.
        count: how many there are.
    """

    index: int  # type: ignore[assignment]
    count: int  # type: ignore[assignment]

    @property
    def is_chief(self) -> bool:
        return self.index == 0


# A worker that ended, one that was started anew, and one that is silent.
_LOST_WORKER = (
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.DeadlineExceededError,
)

# The worker of a run that has no other.
SINGLE = Worker(0, 1)


def open_strategy(start_timeout: int = 600) -> tf.distribute.Strategy:
    """All devices that the run has: of every machine in `TF_CONFIG`, else of this one.

    To be called before anything else is done with TensorFlow when there are several workers.

    Args:
        start_timeout: how long to wait for the other workers to be started, seconds.

    Returns:
        `MultiWorkerMirroredStrategy` with several workers in `TF_CONFIG`, else `local_strategy`.

    Raises:
        ValueError: `TF_CONFIG` names tasks other than a chief and workers.
        ConnectionError: a worker was not started in time.
    """
    if _cluster_worker().count > 1:
        return _join_workers(start_timeout)
    return local_strategy()


def local_strategy() -> tf.distribute.Strategy:
    """All GPUs of this machine, or all of its logical CPUs where there is no GPU.

    Returns:
        `MirroredStrategy` over more than one device, else the plain strategy for the one there is.
    """
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if len(devices) > 1:
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    return tf.distribute.OneDeviceStrategy(devices[0].name)


def _join_workers(timeout: int) -> tf.distribute.Strategy:
    """Waits for the others in TensorFlow, which by itself would wait on them without an end."""
    cluster = tf.distribute.cluster_resolver.TFConfigClusterResolver().cluster_spec()
    service = context.context()
    service.configure_coordination_service(
        "standalone",
        service_leader=multi_worker_util.coordination_leader(cluster),
        cluster_register_timeout_in_ms=1000 * timeout,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name=job, num_tasks=cluster.num_tasks(job))
            for job in cluster.jobs
        ],
    )
    service.coordination_service.cluster_register_with_barrier = True
    logging.info("waiting for all workers of TF_CONFIG: %s", cluster.as_dict())
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except tf.errors.DeadlineExceededError as error:
        raise ConnectionError(
            f"not all workers of TF_CONFIG were there within {timeout} seconds; "
            "start all of them with the same command"
        ) from error


def worker_of(strategy: tf.distribute.Strategy) -> Worker:
    """Which worker of `strategy` this process is."""
    if isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return _cluster_worker()
    return SINGLE


def check_batch_size(batch_size: int, strategy: tf.distribute.Strategy) -> None:
    """Refuses a batch that leaves a replica without clips.

    Raises:
        ValueError: naming the flag.
    """
    replicas, count = strategy.num_replicas_in_sync, worker_of(strategy).count
    if batch_size < replicas:
        raise ValueError(
            f"--config.train.batch_size must be at least 1 for each of the {replicas} devices; "
            f"it is {batch_size}"
        )
    if count > 1 and batch_size % replicas:
        raise ValueError(
            f"--config.train.batch_size must be a multiple of the {replicas} devices of the "
            f"{count} workers; it is {batch_size}"
        )


def distribute(dataset: tf.data.Dataset, strategy: tf.distribute.Strategy, batch_size: int):
    """Deals a worker's batches to its replicas.

    Args:
        dataset: this worker's share of each batch: `batch_size / count` clips an element.
        strategy: where the replicas are.
        batch_size: clips of a step over all workers.

    Returns:
        A distributed data set, an element a step. On one machine its replicas share a batch that
        their number does not divide as evenly as can be.
    """
    if worker_of(strategy).count == 1:
        return strategy.experimental_distribute_dataset(dataset)
    replica_batch = batch_size // strategy.num_replicas_in_sync
    return strategy.distribute_datasets_from_function(
        lambda _: dataset.rebatch(replica_batch, drop_remainder=True)
    )


def wait_for_all(strategy: tf.distribute.Strategy) -> None:
    """Returns when all workers have called it."""
    if worker_of(strategy).count == 1:
        return

    @tf.function
    def count_replicas() -> tf.Tensor:
        def one() -> tf.Tensor:
            replica = tf.distribute.get_replica_context()
            return replica.all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(1.0))

        return strategy.experimental_local_results(strategy.run(one))[0]

    count_replicas().numpy()


@contextlib.contextmanager
def lost_workers_named(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Says what it means when a worker of `strategy` no longer hears of another.

    Raises:
        ConnectionError: the other is gone.
    """
    try:
        yield
    except _LOST_WORKER as error:
        if worker_of(strategy).count == 1:
            raise
        # TensorFlow leaves a thread pool in them, which would complain at the interpreter's end.
        traceback.clear_frames(error.__traceback__)
        raise ConnectionError(
            "another worker of this run was lost; start all of them again with the same command, "
            "and they go on from the last checkpoint"
        ) from error


def _cluster_worker() -> Worker:
    if not os.environ.get("TF_CONFIG"):
        return SINGLE
    try:
        resolver = tf.distribute.cluster_resolver.TFConfigClusterResolver()
        cluster = resolver.cluster_spec().as_dict()
        task = resolver.task_type, resolver.task_id
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"TF_CONFIG is not the JSON of a cluster and a task: {error}") from error
    tasks = [
        (kind, index) for kind in ("chief", "worker") for index in range(len(cluster.get(kind, ())))
    ]
    others = sorted(cluster.keys() - {"chief", "worker"})
    if others:
        raise ValueError(f"TF_CONFIG may have chief and worker tasks; it has {', '.join(others)}")
    if not tasks:
        return SINGLE
    if task not in tasks:
        raise ValueError(
            f"TF_CONFIG says that this is {task[0]} {task[1]}, of which its cluster has none"
        )
    return Worker(tasks.index(task), len(tasks))
