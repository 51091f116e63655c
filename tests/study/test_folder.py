"""What a study writes of runs that are complete, and which data it refuses."""

import json
import os

from absl.testing import absltest

from stgraph_tf import files
from stgraph_tf.study.folder import StudyFolder
from stgraph_tf.study.plan import Budget, Run
from tests import small_dataset


class StudyFolderTest(absltest.TestCase):
    def setUp(self):
        super().setUp()
        self.data = self.create_tempdir().full_path
        self.path = self.create_tempdir().full_path
        small_dataset.write(self.data, num_videos=2)

    def study(self, runs=(), attributes=None):
        return StudyFolder(self.path, self.data, runs, Budget(3, 2, 1), "python x", 2, attributes)

    def complete(self, row, seed, mean_ap):
        folder = os.path.join(self.path, f"seed{seed}", row)
        labels = small_dataset.LABELS
        classes = [{"label": label, "videos": 1, "AP": mean_ap} for label in labels]
        files.write_json(os.path.join(folder, "run.json"), {"config": {}, "seconds": 60.0})
        files.write_json(os.path.join(folder, "metrics.json"), {"mAP": mean_ap, "classes": classes})
        return Run(f"seed{seed}/{row}", folder, seed, row, None, 6, {}, ())

    def read(self, name):
        with open(os.path.join(self.path, name)) as file:
            return file.read()

    def write_attributes(self, folder):
        path = os.path.join(folder, "attributes_class.csv")
        with open(path, "w") as file:
            file.write("class,Seq\nopen,1\nclose,0\nthrow,0\n")
        return path

    def test_tables(self):
        study = self.study([self.complete("i3d", 0, 0.25), self.complete("joint", 0, 0.5)])
        text = study.write_tables()
        self.assertIn("| 36.2 | +4.4 | 50.0 | +25.0 | 1 |", text)
        self.assertEqual(self.read("results.md"), text)
        written = json.loads(self.read("results.json"))
        self.assertEqual(written["study"]["seconds"], 120.0)
        self.assertEqual(written["study"]["steps"], {"backbone": 3, "graph": 2, "joint": 1})
        self.assertLen(written["results"], 2)

    def test_charts_with_the_data_sets_attributes(self):
        self.write_attributes(self.data)
        study = self.study([self.complete("i3d", 0, 0.25), self.complete("joint", 0, 0.5)])
        study.write_charts()
        (attribute,) = json.loads(self.read("error_analysis.json"))
        self.assertEqual(attribute["attribute"], "Seq")
        self.assertEqual([group["gain"] for group in attribute["groups"]], [0.25, 0.25])
        for name in ("rows.png", "error_analysis.png"):
            self.assertTrue(os.path.exists(os.path.join(self.path, name)), name)
        self.assertIn("Part of a sequence?", study.write_tables())

    def test_attributes_of_another_file(self):
        path = self.write_attributes(self.create_tempdir().full_path)
        runs = [self.complete("i3d", 0, 0.25), self.complete("joint", 0, 0.5)]
        self.study(runs, attributes=path).write_charts()
        self.assertTrue(os.path.exists(os.path.join(self.path, "error_analysis.png")))

    def test_a_file_of_attributes_that_is_not_there(self):
        with self.assertRaisesRegex((ValueError, OSError), "nowhere.csv"):
            self.study(attributes="nowhere.csv")

    def test_without_attributes(self):
        study = self.study([self.complete("i3d", 0, 0.25), self.complete("joint", 0, 0.5)])
        study.write_charts()
        self.assertFalse(os.path.exists(os.path.join(self.path, "error_analysis.json")))

    def test_nothing_complete(self):
        study = self.study()
        self.assertEqual(study.write_tables(), "No row is complete yet.\n")
        study.write_charts()
        self.assertEqual(os.listdir(self.path), ["study.json"])

    def test_results_stay_when_nothing_of_other_settings_is_complete(self):
        run = self.complete("i3d", 0, 0.25)
        text = self.study([run]).write_tables()
        self.study([run._replace(config={"seed": 1})]).write_tables()
        self.assertEqual(self.read("results.md"), text)

    def test_goes_on_with_the_same_data(self):
        self.study()
        self.study()

    def test_other_data_are_refused(self):
        self.study()
        path = os.path.join(self.data, "dataset.json")
        with open(path) as file:
            info = json.load(file)
        info["made_by"] = {"train": {"annotations_sha256": ["other"]}}
        files.write_json(path, info)
        with self.assertRaisesRegex(ValueError, f"{self.path} was begun with other data"):
            self.study()


if __name__ == "__main__":
    absltest.main()
