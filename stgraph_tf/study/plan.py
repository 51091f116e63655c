"""What a study runs: for every seed the backbones, then each row from its backbone's checkpoint.

All rows get the same number of steps in all, and those of one seed share their first part:

    first part    backbone_steps of the stage "backbone", from random weights
    second part   rows with regions: graph_steps of "graph", then joint_steps of "joint";
                  rows without:      graph_steps + joint_steps more of "backbone"

Every part runs as a process of tools/train.py, whose result tools/evaluate.py measures as it is at
the last step: validation videos choose nothing.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags
from ml_collections import ConfigDict, config_flags

from stgraph_tf import config as settings
from stgraph_tf.study.rows import Row


class Schedule(NamedTuple):
    """How a stage of a part learns.

    Attributes:
        learning_rate: at its beginning.
        decays: when the rate falls by `config.train.decay_rate`, as shares of its steps.
        warmup: steps that the rate rises over; at most a tenth of the stage's.
    """

    learning_rate: float
    decays: tuple[float, ...] = ()
    warmup: int = 0


# The first part starts from random weights and is short: it stands for the pretraining of the
# paper's backbone.
FIRST_PART = Schedule(2e-3, (0.7, 0.9), warmup=60)
GRAPH = Schedule(2e-3)
JOINT = Schedule(2e-3, (0.7, 0.9), warmup=30)

# The paper freezes batch normalization, whose statistics come from long pretraining on many films.
# After a first part this short they have to go on changing with the weights.
_ALL_FLAGS = {
    "model.freeze_batch_norm": False,
    "train.validation_interval": -1,
    "train.checkpoint_interval": 200,
}

# What the study sets itself, and overrides may not.
_OWN = ("seed", "data.dir", "train.stages", "init.weights", "init.checkpoint", "model.graph")


class Budget(NamedTuple):
    """Steps of a row: in all, `sum(budget)`."""

    backbone: int
    graph: int
    joint: int


class Overrides(NamedTuple):
    """Settings that replace the config's and the schedules', such as `config.train.batch_size=16`.

    Attributes:
        everywhere: for all runs.
        first_part: for the backbones' runs.
        second_part: for the rows' runs.
    """

    everywhere: Sequence[str] = ()
    first_part: Sequence[str] = ()
    second_part: Sequence[str] = ()


class Programs(NamedTuple):
    """How a command begins that trains, and one that evaluates."""

    train: tuple[str, ...]
    evaluate: tuple[str, ...]


class Run(NamedTuple):
    """One network to train and evaluate.

    Attributes:
        name: of the run, unique: `seed0/joint`, or `seed0/backbone_i3d` for a first part.
        folder: its workdir, which holds the evaluation's files, too.
        seed: of weights and data.
        row: what it is a result of; None for a first part.
        after: the run that has to be complete before it; None for a first part.
        steps: trained when it is complete, those of the first part with them.
        config: its settings.
        commands: to train, and to evaluate.
    """

    name: str
    folder: str
    seed: int
    row: str | None
    after: str | None
    steps: int
    config: Mapping[str, Any]
    commands: tuple[tuple[str, ...], ...]


class Planner:
    """Makes the runs of a study.

    Args:
        config: the config's file, such as configs/shapes.py.
        backbone: what its variants' names begin with: tiny, r50.
        data: the data set's folder.
        output: the study's folder.
        budget: steps of each row.
        programs: what is run.
        overrides: settings that differ from the config's and the schedules'.
    """

    def __init__(
        self,
        config: str,
        backbone: str,
        data: str,
        output: str,
        budget: Budget,
        programs: Programs,
        overrides: Overrides = Overrides(),  # noqa: B008 (immutable)
    ):
        if min(budget) < 1:
            raise ValueError(
                "--backbone_steps, --graph_steps and --joint_steps must be at least 1; they are "
                f"{', '.join(map(str, budget))}"
            )
        for override in (text for texts in overrides for text in texts):
            _check_override(override)
        self._config = config
        self._backbone = backbone
        self._data = data
        self._output = output
        self._budget = budget
        self._programs = programs
        self._overrides = overrides

    def runs(self, rows: Sequence[Row], seeds: Sequence[int]) -> list[Run]:
        """The runs, in an order in which they could be run one after the other.

        Raises:
            ValueError: the config or an override cannot be read, or does not fit.
        """
        planned = []
        for seed in seeds:
            for baseline in dict.fromkeys(row.baseline for row in rows):
                planned.append(self._first_part(baseline, seed))
            planned += [self._second_part(row, seed) for row in rows]
        return planned

    def _first_part(self, baseline: str, seed: int) -> Run:
        steps = self._budget.backbone
        flags = {
            "train.stages": ("backbone",),
            **_stage("backbone", FIRST_PART, steps),
        }
        return self._run(
            f"backbone_{baseline}",
            "nl" if baseline == "nl" else "i3d",
            seed,
            flags,
            self._overrides.first_part,
            steps=steps,
        )

    def _second_part(self, row: Row, seed: int) -> Run:
        _, graph, joint = self._budget
        before = f"seed{seed}/backbone_{row.baseline}"
        checkpoint = f"ckpt-{self._budget.backbone}"
        flags: dict[str, Any] = {
            "init.checkpoint": os.path.join(
                self._output, before, "checkpoints", "backbone", checkpoint
            ),
        }
        if row.has_regions:
            flags["train.stages"] = ("graph", "joint")
            flags |= _stage("graph", GRAPH, graph) | _stage("joint", JOINT, joint)
        else:
            # The rate falls where it does for the others.
            flags["train.stages"] = ("backbone",)
            decays = tuple((graph + share * joint) / (graph + joint) for share in JOINT.decays)
            flags |= _stage("backbone", JOINT._replace(decays=decays), graph + joint)
        return self._run(
            row.name,
            row.network,
            seed,
            flags,
            self._overrides.second_part,
            row=row.name,
            after=before,
            steps=sum(self._budget),
        )

    def _run(
        self,
        name: str,
        network: str,
        seed: int,
        flags: Mapping[str, Any],
        overrides: Sequence[str],
        *,
        steps: int,
        row: str | None = None,
        after: str | None = None,
    ) -> Run:
        folder = os.path.join(self._output, f"seed{seed}", name)
        arguments = self._arguments(network, seed, flags, overrides)
        config = read_config(arguments)
        settings.check(config)
        train = (*self._programs.train, *arguments, f"--workdir={folder}")
        evaluate = (
            *self._programs.evaluate, *arguments, f"--workdir={folder}", f"--output={folder}"
        )  # fmt: skip
        return Run(
            f"seed{seed}/{name}", folder, seed, row, after, steps,
            settings.to_json(config), (train, evaluate),
        )  # fmt: skip

    def _arguments(
        self, network: str, seed: int, flags: Mapping[str, Any], overrides: Sequence[str]
    ) -> list[str]:
        given = {"data.dir": self._data, "seed": seed, **_ALL_FLAGS, **flags}
        # One flag a setting: of a tuple, a second one would add to the first.
        for override in (*self._overrides.everywhere, *overrides):
            name, _, value = override.removeprefix("config.").partition("=")
            given[name] = value
        return [
            f"--config={self._config}:{self._backbone}_{network}",
            *(f"--config.{name}={value}" for name, value in given.items()),
        ]


def read_config(arguments: Sequence[str]) -> ConfigDict:
    """The settings that tools/train.py gets from these flags.

    Raises:
        ValueError: there is no such file, variant or setting, or a value does not fit.
    """
    values, arguments = flags.FlagValues(), ["study", *arguments]
    holder = config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=arguments)
    try:
        values(arguments)
    except AttributeError as error:
        # ml_collections raises AttributeError(KeyError("'name'\nDid you mean ...")).
        reason = " ".join(str(error).replace("\\n", " ").split())
        raise ValueError(f"the config has no such setting: {reason}") from error
    except (flags.Error, KeyError, TypeError) as error:
        raise ValueError(
            str(error).strip().splitlines()[-1].strip().removeprefix("ValueError: ")
        ) from error
    return holder.value


def _stage(name: str, schedule: Schedule, steps: int) -> dict[str, Any]:
    return {
        f"stages.{name}.steps": steps,
        f"stages.{name}.learning_rate": schedule.learning_rate,
        f"stages.{name}.decay_steps": tuple(round(share * steps) for share in schedule.decays),
        f"stages.{name}.warmup_steps": min(schedule.warmup, steps // 10),
    }


def _check_override(override: str) -> None:
    name, separator, _ = override.partition("=")
    setting = name.removeprefix("config.")
    if not separator or setting == name:
        raise ValueError(
            f"--override takes a setting, such as config.train.batch_size=16; it is {override}"
        )
    if setting in _OWN or setting.endswith(".steps"):
        raise ValueError(f"--override cannot set {name}, which the study sets for each run itself")
