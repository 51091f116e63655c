"""The files of `export/deploy/`: they parse as their readers parse them, and agree."""

import os
import re

import yaml
from absl.testing import absltest
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from stgraph_tf.serving.local_server import batching_parameters, monitoring
from tests.export import serving_protos

ROOT = os.path.join(os.path.dirname(__file__), "../..")
DEPLOY = os.path.join(ROOT, "export/deploy")
GRPC_PORT, REST_PORT = 8500, 8501
METADATA = "/v1/models/stgraph/metadata"
# Of tensorflow_model_server, as its main.cc defines them.
SERVER_FLAGS = {
    "port",
    "rest_api_port",
    "rest_api_timeout_in_ms",
    "model_config_file",
    "model_config_file_poll_wait_seconds",
    "file_system_poll_wait_seconds",
    "enable_batching",
    "batching_parameters_file",
    "monitoring_config_file",
    "max_num_load_retries",
    "load_retry_interval_micros",
    "tensorflow_intra_op_parallelism",
    "tensorflow_inter_op_parallelism",
}


def read(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as file:
        return file.read()


def settings(name):
    return read(f"export/deploy/{name}")


def flags_of(arguments):
    matches = [re.fullmatch("--([a-z_]+)=(.+)", argument) for argument in arguments]
    return {match[1]: match[2] for match in matches}


class SettingsTest(absltest.TestCase):
    def model(self):
        parsed = text_format.Parse(
            settings("models.config"), model_server_config_pb2.ModelServerConfig()
        )
        (model,) = parsed.model_config_list.config
        return model

    def test_models(self):
        model = self.model()
        self.assertEqual((model.name, model.base_path), ("stgraph", "/models/stgraph"))
        self.assertEqual(model.model_platform, "tensorflow")
        self.assertEqual(model.model_version_policy.latest.num_versions, 1)

    def test_policies_in_comments_can_be_put_in_place_of_the_one_that_holds(self):
        text = settings("models.config")
        line = r"model_version_policy \{.*\}$"
        others = re.findall(rf"^ *#   ({line})", text, re.MULTILINE)
        self.assertLen(others, 2)
        versions = []
        for other in others:
            changed = re.sub(rf"^ *{line}", other, text, flags=re.MULTILINE)
            parsed = text_format.Parse(changed, model_server_config_pb2.ModelServerConfig())
            (model,) = parsed.model_config_list.config
            versions.append(list(model.model_version_policy.specific.versions))
        self.assertEqual(versions, [[3], [3, 4]])

    def test_batching(self):
        path = os.path.join(DEPLOY, "batching.config")
        parsed = text_format.Parse(
            settings("batching.config"), serving_protos.message("BatchingParameters")
        )
        values = {field.name: value.value for field, value in parsed.ListFields()}
        self.assertEqual(
            values,
            {
                "max_batch_size": 1,
                "batch_timeout_micros": 0,
                "num_batch_threads": 2,
                "max_enqueued_batches": 16,
            },
        )
        queue = values.pop("max_enqueued_batches")
        self.assertEqual(batching_parameters.read(path), {**values, "max_queue_length": queue})
        for name, value in values.items():
            self.assertIn(f"| `{name}` | {value} |", read("docs/serving.md"))

    def test_monitoring(self):
        parsed = text_format.Parse(
            settings("monitoring.config"), serving_protos.message("MonitoringConfig")
        )
        self.assertTrue(parsed.prometheus_config.enable)
        self.assertEqual(parsed.prometheus_config.path, monitoring.PATH)

    def test_the_client_asks_for_this_model(self):
        default = re.search(r'"model_name", "(\w+)"', read("export/client.py"))[1]
        self.assertEqual(default, self.model().name)

    def test_a_wrong_field_would_be_noticed(self):
        with self.assertRaises(text_format.ParseError):
            text_format.Parse("max_batch { }", serving_protos.message("BatchingParameters"))


class ContainersTest(absltest.TestCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.compose = yaml.safe_load(settings("docker-compose.yaml"))["services"]["serving"]
        documents = yaml.safe_load_all(settings("kubernetes.yaml"))
        cls.objects = {document["kind"]: document for document in documents}
        cls.kustomization = yaml.safe_load(settings("kustomization.yaml"))
        cls.pod = cls.objects["Deployment"]["spec"]["template"]["spec"]
        (cls.container,) = cls.pod["containers"]

    def test_the_image_is_pinned_to_the_release_of_tensorflow(self):
        image = self.compose["image"]
        self.assertEqual(image, self.container["image"])
        release = re.search(r"^tensorflow==(\d+\.\d+)\.", read("requirements.lock"), re.MULTILINE)
        self.assertRegex(image, rf"^tensorflow/serving:{re.escape(release[1])}\.\d+$")
        self.assertIn(image, read("docs/serving.md"))

    def test_both_run_the_server_alike(self):
        compose, kubernetes = flags_of(self.compose["command"]), flags_of(self.container["args"])
        self.assertContainsSubset(kubernetes, SERVER_FLAGS)
        cores = self.container["resources"]["limits"]["cpu"]
        self.assertEqual(kubernetes.pop("tensorflow_intra_op_parallelism"), cores)
        kubernetes.pop("tensorflow_inter_op_parallelism")
        self.assertEqual(compose, kubernetes)
        self.assertEqual(self.compose["entrypoint"], self.container["command"])
        environment = {entry["name"]: entry["value"] for entry in self.container["env"]}
        self.assertEqual(self.compose["environment"], environment)
        self.assertEqual(int(compose["port"]), GRPC_PORT)
        self.assertEqual(int(compose["rest_api_port"]), REST_PORT)

    def test_settings_are_where_the_flags_look(self):
        flags = flags_of(self.container["args"])
        names = {
            "model_config_file": "models.config",
            "batching_parameters_file": "batching.config",
            "monitoring_config_file": "monitoring.config",
        }
        (generated,) = self.kustomization["configMapGenerator"]
        self.assertCountEqual(generated["files"], names.values())
        self.assertEqual(self.kustomization["resources"], ["kubernetes.yaml"])
        volumes = {volume["name"]: volume for volume in self.pod["volumes"]}
        self.assertEqual(volumes["config"]["configMap"]["name"], generated["name"])
        mounts = {mount["name"]: mount for mount in self.container["volumeMounts"]}
        self.assertEqual(mounts["config"]["mountPath"], "/config")
        for flag, name in names.items():
            self.assertEqual(flags[flag], f"/config/{name}")
            self.assertIn(f"./{name}:/config/{name}:ro", self.compose["volumes"])
            self.assertTrue(os.path.exists(os.path.join(DEPLOY, name)))

    def test_models_are_mounted_read_only_where_the_settings_say(self):
        base_path = re.search('base_path: "(.+)"', settings("models.config"))[1]
        mounts = {mount["name"]: mount for mount in self.container["volumeMounts"]}
        self.assertEqual(
            mounts["models"], {"name": "models", "mountPath": base_path, "readOnly": True}
        )
        (models,) = [volume for volume in self.compose["volumes"] if "STGRAPH_MODELS" in volume]
        self.assertEndsWith(models, f":{base_path}:ro")
        self.assertTrue(self.pod["volumes"][0]["persistentVolumeClaim"]["readOnly"])

    def test_ports_and_probes(self):
        ports = {port["name"]: port["containerPort"] for port in self.container["ports"]}
        self.assertEqual(ports, {"grpc": GRPC_PORT, "rest": REST_PORT})
        for probe in ("startupProbe", "readinessProbe"):
            self.assertEqual(self.container[probe]["httpGet"], {"path": METADATA, "port": "rest"})
        self.assertEqual(self.container["livenessProbe"]["tcpSocket"], {"port": "grpc"})
        self.assertIn(f"GET {METADATA} ", self.compose["healthcheck"]["test"][-1])
        self.assertIn(f"/dev/tcp/127.0.0.1/{REST_PORT}", self.compose["healthcheck"]["test"][-1])
        self.assertEqual(
            self.compose["ports"], [f"127.0.0.1:{port}:{port}" for port in ports.values()]
        )
        for port in ports.values():
            self.assertIn(f"localhost:{port}", read("docs/serving.md"))

    def test_requests_that_are_under_way_are_answered_before_a_pod_ends(self):
        timeout = re.search(r'"timeout", ([\d.]+)', read("export/client.py"))[1]
        name, seconds = self.container["lifecycle"]["preStop"]["exec"]["command"]
        self.assertEqual(name, "sleep")
        self.assertGreater(int(seconds), float(timeout))
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], int(seconds))

    def test_containers_may_do_as_little_as_they_need(self):
        self.assertTrue(self.pod["securityContext"]["runAsNonRoot"])
        self.assertGreater(self.pod["securityContext"]["runAsUser"], 0)
        self.assertEqual(self.pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
        self.assertFalse(self.pod["automountServiceAccountToken"])
        self.assertEqual(
            self.container["securityContext"],
            {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
        )
        self.assertNotIn(self.compose["user"].split(":")[0], ("", "0", "root"))
        self.assertTrue(self.compose["read_only"])
        self.assertEqual(self.compose["cap_drop"], ["ALL"])
        self.assertEqual(self.compose["security_opt"], ["no-new-privileges:true"])

    def test_resources_are_bounded(self):
        for bounds in (
            self.container["resources"]["requests"],
            self.container["resources"]["limits"],
        ):
            self.assertEqual(bounds.keys(), {"cpu", "memory"})
        limit = self.container["resources"]["limits"]["memory"].removesuffix("Gi")
        self.assertEqual(self.compose["mem_limit"], f"{limit}g")
        self.assertGreater(self.compose["pids_limit"], 0)

    def test_who_may_reach_it(self):
        labels = {"app": "stgraph-serving"}
        deployment = self.objects["Deployment"]["spec"]
        self.assertEqual(deployment["selector"]["matchLabels"], labels)
        self.assertEqual(deployment["template"]["metadata"]["labels"], labels)
        service = self.objects["Service"]["spec"]
        self.assertEqual(service["selector"], labels)
        targets = {port["name"]: (port["port"], port["targetPort"]) for port in service["ports"]}
        self.assertEqual(targets, {"grpc": (GRPC_PORT, "grpc"), "rest": (REST_PORT, "rest")})
        policy = self.objects["NetworkPolicy"]["spec"]
        self.assertEqual(policy["podSelector"]["matchLabels"], labels)
        self.assertEqual(policy["egress"], [])
        self.assertTrue(all(rule["from"] for rule in policy["ingress"]))
        self.assertIn('stgraph-client: "true"', read("docs/serving.md"))

    def test_prometheus_finds_the_figures(self):
        found = self.objects["Deployment"]["spec"]["template"]["metadata"]["annotations"]
        self.assertEqual(found["prometheus.io/path"], monitoring.PATH)
        self.assertEqual(found["prometheus.io/port"], str(REST_PORT))
        self.assertIn(f"localhost:{REST_PORT}{monitoring.PATH}", read("docs/serving.md"))


if __name__ == "__main__":
    absltest.main()
