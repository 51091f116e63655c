"""Versions that appear, are broken, and disappear while requests arrive."""

import os
import shutil
import tempfile
import threading

import grpc
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from tensorflow_serving.apis import prediction_log_pb2

from stgraph_tf.serving.local_server import background
from tests.serving.local_server import serving_case, small_model
from tests.serving.local_server.asking import Client
from tests.serving.local_server.serving_case import ServingCase

X = np.ones([1, 3], np.float32)


class VersionsCase(ServingCase):
    """A server of its own for each test, and a folder that is empty at first."""

    CHANGES: dict = {}  # noqa: RUF012

    @classmethod
    def setUpClass(cls):
        super(ServingCase, cls).setUpClass()

    def setUp(self):
        super().setUp()
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        settings = serving_case.settings(self.folder, **self.CHANGES)
        self.server = self.enterContext(background.running(settings))
        self.client = Client(self.server)
        self.addCleanup(self.client.close)

    def publish(self, version, **options):
        small_model.publish(self.folder, version, **options)

    def remove(self, version):
        path = os.path.join(self.folder, str(version))
        os.rename(path, os.path.join(self.folder, f".{version}.gone"))

    def served(self, version=None):
        return float(self.client.predict(version=version, x=X)["y"][0, 0])

    def wait_for_status(self, expected):
        self.client.wait_until(lambda: self.client.states() == expected)


class OneVersionTest(VersionsCase):
    def test_waits_for_the_first_one(self):
        with self.refused(grpc.StatusCode.UNAVAILABLE, "no version of the model small is loaded"):
            self.served()
        with self.refused(grpc.StatusCode.NOT_FOUND, "Could not find any versions"):
            self.client.status()
        self.assertEqual(self.client.http("/healthz")[0], 200)
        self.assertEqual(self.client.http("/readyz")[0], 503)
        self.publish(3)
        self.client.wait_for_version(3)
        self.assertEqual(self.client.http("/readyz")[0], 200)
        self.assertEqual(self.served(), 3)

    def test_no_request_fails_while_versions_change(self):
        self.publish(1)
        self.client.wait_for_version(1)
        seen, failures, stop = [], [], threading.Event()

        def hammer():
            client = Client(self.server)
            while not stop.is_set() and len(seen) < 5000:
                try:
                    seen.append(float(client.predict(x=X)["y"][0, 0]))
                except grpc.RpcError as error:
                    failures.append(error)
            client.close()

        threads = [threading.Thread(target=hammer) for _ in range(2)]
        for thread in threads:
            thread.start()
        for version in (2, 3):
            self.publish(version)
            self.client.wait_for_version(version)
            count = len(seen)
            self.client.wait_until(lambda count=count: len(seen) > count + 20)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertEqual(set(seen), {1, 2, 3})
        self.assertEqual(self.served(), 3)
        self.wait_for_status({3: "AVAILABLE", 2: "END", 1: "END"})
        with self.refused(grpc.StatusCode.NOT_FOUND, "Specific(small, 1)"):
            self.served(version=1)

    def test_an_old_version_stays_until_its_last_request_is_answered(self):
        self.publish(1)
        self.client.wait_for_version(1)
        path = self.pipe()
        request = self.client.request("wait", path=np.array([path.encode()], object))
        waiting = self.client.prediction.Predict.future(request, timeout=20)
        self.client.wait_until(lambda: self.client.inside() == 1)
        self.publish(2)
        self.wait_for_status({2: "AVAILABLE", 1: "UNLOADING"})
        self.assertEqual(self.served(), 2)
        serving_case.let_go(path)
        self.assertEqual(waiting.result().model_spec.version.value, 1)
        self.wait_for_status({2: "AVAILABLE", 1: "END"})

    def test_a_broken_version_is_refused_and_tried_again_when_it_has_changed(self):
        self.publish(1)
        self.client.wait_for_version(1)
        with self.assertLogs("absl", "ERROR") as logged:
            self.publish(2, broken=True)
            self.wait_for_status({1: "AVAILABLE", 2: "END"})
        self.assertIn("/2 is refused (served: 1): ", logged.output[0])
        (status,) = self.client.statuses(2).model_version_status
        self.assertNotEqual(status.status.error_code, 0)
        self.assertIn("variables", status.status.error_message)
        self.assertEqual(self.served(), 1)
        with self.refused(grpc.StatusCode.NOT_FOUND):
            self.served(version=2)

        small_model.publish(self.create_tempdir().full_path, 2)  # Saved, so that this is quick.
        shutil.rmtree(os.path.join(self.folder, "2"))
        self.publish(2)
        self.client.wait_for_version(2)
        self.assertEqual(self.served(), 2)

    def test_what_is_no_saved_model_is_refused(self):
        self.publish(1)
        os.mkdir(os.path.join(self.folder, "2"))
        os.mkdir(os.path.join(self.folder, "3"))
        with open(os.path.join(self.folder, "3/saved_model.pb"), "wb") as file:
            file.write(b"no proto")
        self.wait_for_status({1: "AVAILABLE", 2: "END", 3: "END"})
        self.assertEqual(self.served(), 1)

    def test_a_removed_version_gives_place_to_the_one_before_it(self):
        self.publish(1)
        self.publish(2)
        self.client.wait_for_version(2)
        self.remove(2)
        self.client.wait_for_version(1)
        self.assertEqual(self.served(), 1)

    def test_a_folder_that_has_gone_takes_nothing_along(self):
        self.publish(1)
        self.client.wait_for_version(1)
        with self.assertLogs("absl", "WARNING") as logged:
            os.rename(self.folder, self.folder + ".gone")
            self.client.wait_until(lambda: logged.output)
        os.rename(self.folder + ".gone", self.folder)
        self.assertIn("what is loaded stays", logged.output[0])
        self.assertEqual(self.served(), 1)


class WarmUpTest(VersionsCase):
    def records(self, *requests):
        path = os.path.join(self.create_tempdir().full_path, "records")
        with tf.io.TFRecordWriter(path) as writer:
            for request in requests:
                log = prediction_log_pb2.PredictionLog()
                log.predict_log.request.CopyFrom(request)
                writer.write(log.SerializeToString())
        with open(path, "rb") as file:
            return file.read()

    def test_requests_are_run_before_the_version_is_served(self):
        path = self.pipe()
        waiting = self.client.request("wait", path=np.array([path.encode()], object))
        self.publish(1, warm_up=self.records(self.client.request(x=X), waiting))
        self.wait_for_status({1: "LOADING"})
        with self.refused(grpc.StatusCode.UNAVAILABLE):
            self.served()
        serving_case.let_go(path)
        self.client.wait_for_version(1)
        self.assertEqual(self.served(), 1)

    def test_requests_that_fail_refuse_the_version(self):
        self.publish(1)
        self.client.wait_for_version(1)
        wrong = self.client.request(x=X.astype(np.float64))
        self.publish(2, warm_up=self.records(wrong))
        self.publish(3, warm_up=b"these are no records")
        self.wait_for_status({1: "AVAILABLE", 2: "END", 3: "END"})
        (status,) = self.client.statuses(2).model_version_status
        self.assertIn("x must be float32, received float64", status.status.error_message)
        self.assertEqual(self.served(), 1)


class SeveralVersionsTest(VersionsCase):
    CHANGES = {"num_versions": 2}  # noqa: RUF012

    def test_the_newest_are_served_beside_each_other(self):
        for version in (1, 2, 3):
            self.publish(version)
        self.client.wait_until(lambda: self.available() == {2, 3})
        self.assertEqual([self.served(version) for version in (None, 2, 3)], [3, 2, 3])
        self.publish(4)
        self.client.wait_until(lambda: self.available() == {3, 4})
        self.assertEqual([self.served(version) for version in (None, 3)], [4, 3])

    def available(self):
        states = self.client.states()
        return {version for version, state in states.items() if state == "AVAILABLE"}


if __name__ == "__main__":
    absltest.main()
