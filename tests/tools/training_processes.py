"""Real processes of tools/train.py on `tests.small_dataset`, and what they leave behind.

This is the `--config` of the runs, too: all stages, a few steps each, with all that has a state.
"""

import contextlib
import glob
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import tensorflow as tf
from ml_collections import ConfigDict

from tests import small_dataset

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STAGES = ("backbone", "graph", "joint")
LAST_STEP = 36
_DEADLINE = 300  # seconds


def get_config(data: str) -> ConfigDict:
    """Three stages of 12 steps, whose saves, reports and validations fall on different ones."""
    config = small_dataset.config(data)
    config.model.gcn_layers = 1
    config.train.stages = STAGES
    config.train.deterministic = True
    config.train.use_ema = True
    config.train.ema_momentum = 0.5
    config.train.log_interval = 4
    config.train.checkpoint_interval = 5
    config.train.validation_interval = 7
    for stage in config.stages.values():
        stage.steps = LAST_STEP // 3
        stage.learning_rate = 0.01
        stage.decay_steps = (9,)
        stage.warmup_steps = 3
    return config


class Training:
    """A process of tools/train.py.

    Args:
        data: the data set.
        workdir: the folder of the run.
        flags: more of them.
        tf_config: what tells the process that it is one of several.
        environment: more variables.
        file_size: the size in bytes that no file can exceed.
    """

    def __init__(
        self,
        data: str,
        workdir: str,
        *flags: str,
        tf_config: str | None = None,
        environment: dict[str, str] | None = None,
        file_size: int | None = None,
    ):
        self.workdir = workdir
        self._stderr = f"{data}.{time.time_ns()}.stderr"  # Beside the data.
        command = [sys.executable, os.path.join(ROOT, "tools", "train.py")]
        command += ["--config", f"{os.path.abspath(__file__)}:{data}", "--workdir", workdir]
        command += flags
        variables = {**os.environ, "PYTHONPATH": ROOT, **(environment or {})}
        if file_size is not None:
            variables.pop("COVERAGE_PROCESS_CONFIG", None)  # There is no room for a measurement.
        if tf_config:
            variables["TF_CONFIG"] = tf_config
        with open(self._stderr, "w") as stderr:
            self.process = subprocess.Popen(
                command, env=variables, stdout=subprocess.DEVNULL, stderr=stderr
            )
        if file_size is not None:
            resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE, (file_size, file_size))

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_for(self, pattern: str) -> None:
        """Returns as soon as a file is there, of the workdir or wherever `pattern` points."""
        self._wait(lambda: glob.glob(os.path.join(self.workdir, pattern)), pattern)

    def kill_in_a_save(self, stage: str) -> None:
        """Ends the process while it writes a checkpoint of `stage`."""
        folder = os.path.join(self.workdir, "checkpoints", stage)
        self._wait(lambda: self._stopped_in_a_save(folder), f"an unfinished save in {folder}")
        self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def end(self) -> tuple[int, str]:
        """Waits for the end; the exit status, and what was printed on stderr."""
        try:
            self.process.wait(_DEADLINE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the process hangs: {self.printed()}") from None
        return self.process.returncode, self.printed()

    def printed(self) -> str:
        """What it has printed on stderr so far."""
        with open(self._stderr) as file:
            return file.read()

    def _wait(self, condition, what: str) -> None:
        deadline = time.monotonic() + _DEADLINE
        going_on = True
        while going_on:
            # Asked first: what the process wrote last is there when it has ended.
            going_on = self.running and time.monotonic() < deadline
            if condition():
                return
            time.sleep(0.001)
        self.kill()
        raise AssertionError(f"{what} did not appear: {self.printed()}")

    def _stopped_in_a_save(self, folder: str) -> bool:
        if not _is_unfinished(folder):
            return False
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        if _is_unfinished(folder):
            return True
        self.process.send_signal(signal.SIGCONT)
        return False


def tf_configs(count: int) -> list[str]:
    """What TF_CONFIG is for each worker of a run on this machine."""
    with contextlib.ExitStack() as stack:
        servers = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)
        ]
        addresses = [f"127.0.0.1:{server.getsockname()[1]}" for server in servers]
    return [
        json.dumps({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}})
        for index in range(count)
    ]


def newest(workdir: str, stage: str) -> tuple[int, str]:
    """The step and the prefix of a stage's newest checkpoint."""
    path = tf.train.latest_checkpoint(os.path.join(workdir, "checkpoints", stage))
    return int(path.rpartition("-")[2]), path


def tensors(prefix: str) -> dict[str, np.ndarray]:
    """All that a checkpoint holds but the number of saves, which interruptions add to."""
    reader = tf.train.load_checkpoint(prefix)
    return {
        name: reader.get_tensor(name)
        for name in reader.get_variable_to_shape_map()
        if "save_counter" not in name and name != "_CHECKPOINTABLE_OBJECT_GRAPH"
    }


def state(workdir: str) -> dict[str, np.ndarray]:
    """The newest and the best checkpoints of all stages, by stage, step and name."""
    prefixes = [newest(workdir, stage)[1] for stage in STAGES]
    best = glob.glob(os.path.join(workdir, "best", "*", "ckpt-*.index"))
    return {
        f"{os.path.relpath(prefix, workdir)} {name}": value
        for prefix in (*prefixes, *(path.removesuffix(".index") for path in best))
        for name, value in tensors(prefix).items()
    }


def scalars(workdir: str) -> dict[tuple[str, int], float]:
    """What TensorBoard shows of loss and measures, by name and step, from all starts of a run."""
    result = {}
    for path in glob.glob(os.path.join(workdir, "summaries", "events*")):
        # The last event of a killed process may be torn.
        with contextlib.suppress(tf.errors.DataLossError):
            for event in tf.compat.v1.train.summary_iterator(path):
                for value in event.summary.value:
                    if value.tag.startswith(("train/", "validation/")):
                        result[value.tag, event.step] = float(tf.make_ndarray(value.tensor))
    timed = ("train/clips_per_second", "train/waiting_for_data")
    return {key: value for key, value in result.items() if key[0] not in timed}


def file_names(workdir: str) -> set[str]:
    """The files and folders of a run, but for the summaries, of which each start adds one."""
    return {
        os.path.relpath(path, workdir)
        for folder, folders, names in os.walk(workdir)
        for path in (os.path.join(folder, name) for name in (*folders, *names))
        if "tfevents" not in path
    }


def _is_unfinished(folder: str) -> bool:
    """Whether there are files of a checkpoint that is not listed yet, or not any more."""
    try:
        with open(os.path.join(folder, "checkpoint")) as file:
            text = file.read()
    except FileNotFoundError:
        text = ""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return False
    return any(name != "checkpoint" and f'"{name.split(".")[0]}"' not in text for name in names)
