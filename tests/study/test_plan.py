"""Budgets, dependencies and settings of a study's runs."""

import os

from absl.testing import absltest, parameterized

from stgraph_tf.study import plan, rows

_CONFIGS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(__file__))), "configs")
_BUDGET = plan.Budget(backbone=100, graph=30, joint=20)
_PROGRAMS = plan.Programs(("train",), ("evaluate",))


def _planner(budget=_BUDGET, overrides=plan.Overrides(), **changes):  # noqa: B008
    arguments = {
        "config": os.path.join(_CONFIGS, "shapes.py"),
        "backbone": "tiny",
        "data": "shards",
        "output": "study",
        **changes,
    }
    return plan.Planner(**arguments, budget=budget, programs=_PROGRAMS, overrides=overrides)


def _runs(names, seeds=(0,), **changes):
    return {run.name: run for run in _planner(**changes).runs(rows.choose(names), seeds)}


def _trained_steps(run):
    stages = run.config["stages"]
    return sum(stages[stage]["steps"] for stage in run.config["train"]["stages"])


class StepsTest(parameterized.TestCase):
    @parameterized.parameters(*rows.ROWS)
    def test_both_parts_of_every_row_have_the_budget(self, name):
        runs = _runs([name])
        run = runs[f"seed0/{name}"]
        self.assertEqual(_trained_steps(runs[run.after]) + _trained_steps(run), 150)
        self.assertEqual(run.steps, 150)

    @parameterized.parameters("avgpool", "st", "sim", "joint", "nl_joint")
    def test_rows_with_regions_train_in_two_stages(self, name):
        run = _runs([name])[f"seed0/{name}"]
        stages = run.config["stages"]
        self.assertEqual(run.config["train"]["stages"], ["graph", "joint"])
        self.assertEqual((stages["graph"]["steps"], stages["joint"]["steps"]), (30, 20))

    @parameterized.parameters("i3d", "nl")
    def test_rows_without_go_on_with_the_backbone(self, name):
        run = _runs([name])[f"seed0/{name}"]
        self.assertEqual(run.config["train"]["stages"], ["backbone"])
        self.assertEqual(run.config["stages"]["backbone"]["steps"], 50)

    def test_the_rate_falls_at_the_same_step_for_all(self):
        runs = _runs(["i3d", "joint"])
        alone = runs["seed0/i3d"].config["stages"]["backbone"]
        joint = runs["seed0/joint"].config["stages"]["joint"]
        self.assertEqual(alone["decay_steps"], [30 + step for step in joint["decay_steps"]])
        self.assertEqual(alone["learning_rate"], joint["learning_rate"])

    def test_a_stage_without_steps_is_refused(self):
        with self.assertRaisesRegex(ValueError, "at least 1; they are 100, 0, 20"):
            _planner(plan.Budget(100, 0, 20))


class DependenciesTest(parameterized.TestCase):
    def test_rows_start_from_the_checkpoint_of_their_seeds_backbone(self):
        runs = _runs(["st", "joint"], seeds=(0, 1))
        for seed in (0, 1):
            path = f"study/seed{seed}/backbone_i3d"
            self.assertEqual(runs[f"seed{seed}/backbone_i3d"].folder, path)
            for name in ("st", "joint"):
                run = runs[f"seed{seed}/{name}"]
                checkpoint = f"{path}/checkpoints/backbone/ckpt-100"
                self.assertEqual(run.config["init"]["checkpoint"], checkpoint)

    def test_every_run_stands_behind_the_one_it_waits_for(self):
        seen = set()
        for run in _runs(list(rows.ROWS), seeds=(3, 5)).values():
            self.assertTrue(run.after is None or run.after in seen, run.name)
            seen.add(run.name)

    @parameterized.parameters(
        (["i3d", "joint"], ["i3d"]),
        (["nl_joint"], ["nl"]),
        (["i3d", "nl"], ["i3d", "nl"]),
    )
    def test_only_backbones_that_are_needed(self, names, backbones):
        first = [run.name for run in _runs(names).values() if run.row is None]
        self.assertEqual(first, [f"seed0/backbone_{name}" for name in backbones])

    def test_non_local_rows_have_a_non_local_backbone(self):
        for run in _runs(["nl", "nl_joint"]).values():
            self.assertEqual(run.config["model"]["backbone"], "tiny_nl")

    def test_seeds(self):
        for run in _runs(["i3d"], seeds=(3, 5)).values():
            self.assertEqual(run.config["seed"], run.seed)

    def test_batch_normalization_learns_in_both_parts(self):
        runs = _runs(["i3d", "joint"])
        frozen = {name: run.config["model"]["freeze_batch_norm"] for name, run in runs.items()}
        self.assertEqual(
            frozen, {"seed0/backbone_i3d": False, "seed0/i3d": False, "seed0/joint": False}
        )

    def test_commands(self):
        run = _runs(["joint"])["seed0/joint"]
        train, evaluate = run.commands
        self.assertEqual(train[0], "train")
        self.assertTrue(train[1].endswith("shapes.py:tiny_i3d_joint"))
        self.assertIn("--config.data.dir=shards", train)
        self.assertEqual(train[-1], "--workdir=study/seed0/joint")
        self.assertEqual(evaluate, ("evaluate", *train[1:], "--output=study/seed0/joint"))


class OverridesTest(parameterized.TestCase):
    def test_of_all_runs(self):
        overrides = plan.Overrides(everywhere=["config.train.batch_size=4"])
        for run in _runs(["joint"], overrides=overrides).values():
            self.assertEqual(run.config["train"]["batch_size"], 4)

    def test_of_one_part(self):
        overrides = plan.Overrides(
            first_part=["config.stages.backbone.learning_rate=0.5"],
            second_part=["config.stages.backbone.learning_rate=0.25"],
        )
        runs = _runs(["i3d"], overrides=overrides)
        rates = [run.config["stages"]["backbone"]["learning_rate"] for run in runs.values()]
        self.assertEqual(rates, [0.5, 0.25])

    def test_a_tuple_takes_the_place_of_the_schedules(self):
        overrides = plan.Overrides(second_part=["config.stages.joint.decay_steps=(7,)"])
        run = _runs(["joint"], overrides=overrides)["seed0/joint"]
        self.assertEqual(run.config["stages"]["joint"]["decay_steps"], [7])

    @parameterized.parameters("config.seed=1", "config.stages.joint.steps=1", "config.data.dir=x")
    def test_what_the_study_sets_is_refused(self, override):
        name = override.split("=")[0]
        with self.assertRaisesRegex(ValueError, f"--override cannot set {name}, which"):
            _planner(overrides=plan.Overrides([override]))

    @parameterized.parameters("batch_size=4", "config.train.batch_size")
    def test_what_is_no_setting_is_refused(self, override):
        with self.assertRaisesRegex(ValueError, f"--override takes a setting, .* is {override}"):
            _planner(overrides=plan.Overrides([override]))

    @parameterized.parameters(
        ("config.train.batchsize=4", "no such setting: .*batchsize"),
        ("config.train.batch_size=x", "config.train.batch_size=x"),
        ("config.train.batch_size=0", "--config.train.batch_size must be at least 1; it is 0"),
    )
    def test_errors_come_before_anything_runs(self, override, message):
        with self.assertRaisesRegex(ValueError, message):
            _runs(["joint"], overrides=plan.Overrides([override]))

    def test_a_backbone_that_the_config_lacks(self):
        with self.assertRaisesRegex(ValueError, "^--config has no variant 'r50_i3d'"):
            _runs(["joint"], backbone="r50")


class ChooseTest(parameterized.TestCase):
    def test_in_the_papers_order(self):
        self.assertEqual([row.name for row in rows.choose(["joint", "i3d"])], ["i3d", "joint"])

    @parameterized.parameters("", "i3d,i3d", "i3d,i4d")
    def test_refused(self, names):
        with self.assertRaisesRegex(ValueError, "--rows takes some of i3d,avgpool,"):
            rows.choose(names.split(",") if names else [])


if __name__ == "__main__":
    absltest.main()
