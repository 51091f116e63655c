"""The REST interface: the formats that TF Serving documents, and what is told to whom errs."""

import base64
import json

import numpy as np
from absl.testing import absltest, parameterized

from tests.serving.local_server.serving_case import ServingCase
from tests.serving.local_server.small_model import TYPES

MODEL = "/v1/models/small"
PREDICT = MODEL + ":predict"
LIMIT = 4096


class RestCase(ServingCase):
    CHANGES = {"rest_api_max_message_bytes": LIMIT, "grpc_max_message_bytes": LIMIT}  # noqa: RUF012

    def predicted(self, body, path=PREDICT):
        status, answer = self.client.http(path, body)
        self.assertEqual(status, 200, answer)
        return answer

    def assert_refused(self, status, sentence, *arguments, **options):
        found, answer = self.client.http(*arguments, **options)
        self.assertEqual(set(answer), {"error"})
        self.assertIn(sentence, answer["error"])
        self.assertEqual(found, status, answer)


class PredictTest(RestCase):
    def test_rows_of_one_input_unnamed(self):
        answer = self.predicted({"instances": [[1, 2.5, -3], [0, 0, 1e-3]]})
        self.assertEqual(
            answer,
            {"predictions": [{"rows": 2, "y": [1, 2.5, -3]}, {"rows": 2, "y": [0, 0, 0.001]}]},
        )

    def test_rows_of_named_inputs(self):
        answer = self.predicted({"instances": [{"x": [1, 2, 3]}]})
        self.assertEqual(answer, {"predictions": [{"rows": 1, "y": [1, 2, 3]}]})

    def test_columns_named_and_unnamed(self):
        for inputs in ([[1, 2, 3]], {"x": [[1, 2, 3]]}):
            answer = self.predicted({"inputs": inputs, "signature_name": "serving_default"})
            self.assertEqual(answer, {"outputs": {"rows": [1], "y": [[1, 2, 3]]}})

    def test_one_output_is_not_named(self):
        answer = self.predicted({"inputs": [[1, 2, 3]], "signature_name": "total"})
        self.assertEqual(answer, {"outputs": 6.0})

    def test_a_version_by_number_and_paths_in_any_case(self):
        for path in (MODEL + "/versions/1:predict", "/V1/Models/small:predict"):
            self.assertIn("predictions", self.predicted({"instances": [[1, 2, 3]]}, path))

    def test_text_and_bytes(self):
        zeros = {"b64": base64.b64encode(b"\0\xff").decode()}
        answer = self.predicted({"instances": ["é", zeros], "signature_name": "doubled"})
        first, second = answer["predictions"]
        encoded = base64.b64encode("éé".encode()).decode()
        self.assertEqual(first, {"doubled": "éé", "doubled_bytes": {"b64": encoded}})
        self.assertEqual(base64.b64decode(second["doubled_bytes"]["b64"]), b"\0\xff\0\xff")

    def test_numbers_that_are_none(self):
        answer = self.predicted(b'{"inputs": [[NaN, 1, 2]], "signature_name": "total"}')
        self.assertTrue(np.isnan(answer["outputs"]))

    def test_a_float32_is_its_shortest_decimal(self):
        status, text = self.client.http(PREDICT, {"instances": [[0.1, 1 / 3, 16777216]]})
        self.assertEqual(status, 200)
        self.assertEqual(json.dumps(text["predictions"][0]["y"]), "[0.1, 0.33333334, 16777216.0]")

    def test_every_type_that_json_has_values_for(self):
        values = {dtype.name: [7] for dtype in TYPES}
        values |= {"bool": [True], "string": ["7"], "uint64": [2**64 - 1], "int64": [-(2**63)]}
        answer = self.predicted({"inputs": values, "signature_name": "same"})
        self.assertEqual(answer, {"outputs": values})
        (row,) = self.predicted(
            {"instances": [{n: v for n, (v,) in values.items()}], "signature_name": "same"}
        )["predictions"]
        self.assertEqual(row, {name: value for name, (value,) in values.items()})


class MalformedTest(RestCase):
    @parameterized.parameters(
        (b"", "is not JSON"),
        (b'{"instances": [[1, 2, 3]', "is not JSON"),
        (b"\xff\xfe\xfd", "is not JSON"),
        (b"[" * 4000, "too many lists"),
        (b"[1]", "must be a JSON object"),
        ({}, "one of 'instances' and 'inputs'"),
        ({"instances": [[1, 2, 3]], "inputs": [[1, 2, 3]]}, "one of 'instances' and 'inputs'"),
        ({"instances": []}, "a list that is not empty"),
        ({"instances": {"x": 1}}, "a list that is not empty"),
        ({"instances": [[1, 2, 3]], "signature_name": 5}, "signature_name must be a string"),
        ({"instances": [[1, 2, 3]], "signature_name": "other"}, 'no signature "other"'),
        ({"instances": [[1, 2, 3], [1, 2]]}, "lists of different lengths"),
        ({"instances": [[1, 2, 3], 4]}, "values beside lists"),
        ({"instances": [{"x": [1, 2, 3]}, {"z": 1}]}, "must have the same keys"),
        ({"instances": [{"z": [1, 2, 3]}]}, "it lacks x; it has no input z"),
        ({"inputs": {"x": [[1, 2, 3]], "z": 1}}, "it has no input z"),
        ({"inputs": [[1]], "signature_name": "same"}, "'inputs' must name the inputs"),
        ({"instances": [["1", "2", "3"]]}, "x must have values of float32"),
        ({"instances": [[True, 2, 3]]}, "x must have values of float32"),
        ({"instances": [[None, 2, 3]]}, "x must have values of float32"),
        ({"instances": [[1e39, 2, 3]]}, "does not fit into float32"),
        ({"instances": [[10**400, 2, 3]]}, "does not fit into float32"),
        (b'{"instances": [[NaN, 2, 3]]}', "x must be finite"),
        ({"instances": [1], "signature_name": "doubled"}, "text must have strings"),
        ({"instances": [{"b64": "?"}], "signature_name": "doubled"}, "is not base64"),
        (b'{"inputs": ["\\ud800"], "signature_name": "doubled"}', "is no Unicode text"),
        ({"instances": [[1, 2, 3]], "signature_name": "total"}, "have no rows in common"),
        ({"inputs": [[0] * 1100]}, "takes more than 4096 bytes"),
        ({"inputs": eval("[" * 40 + "]" * 40)}, "more than 32 lists"),
    )
    def test_bodies(self, body, sentence):
        self.assert_refused(400, sentence, PREDICT, body)

    def test_requests_are_not_kept(self):
        with self.nothing_is_kept():
            self.assert_refused(400, "x must be finite", PREDICT, b'{"instances": [[NaN, 2, 3]]}')

    @parameterized.parameters(
        ("int32", 2**31),
        ("uint8", -1),
        ("int8", 1.0),
        ("bool", 1),
    )
    def test_values_of_another_type(self, name, value):
        values = {dtype.name: [7] for dtype in TYPES}
        values |= {"bool": [True], "string": ["7"], name: [value]}
        body = {"inputs": values, "signature_name": "same"}
        self.assert_refused(400, f"{name} ", PREDICT, body)

    def test_complex_numbers(self):
        body = {"inputs": {"complex64": 1, "complex128": 1}, "signature_name": "same_complex"}
        self.assert_refused(400, "which JSON has no values for", PREDICT, body)

    def test_paths(self):
        body = {"instances": [[1, 2, 3]]}
        self.assert_refused(404, "Latest(large)", "/v1/models/large:predict", body)
        self.assert_refused(404, "Specific(small, 7)", MODEL + "/versions/7:predict", body)
        self.assert_refused(400, "to numeric", MODEL + f"/versions/{10**30}:predict", body)
        self.assert_refused(501, "no classify", MODEL + ":classify", body)
        self.assert_refused(400, "Malformed request: POST /v1/models/small", MODEL, body)
        self.assert_refused(400, "Malformed request: GET", PREDICT)
        self.assert_refused(400, "Malformed request: DELETE", MODEL, method="DELETE")
        self.assert_refused(404, "Malformed request: GET /", "/")
        self.assert_refused(404, "Could not find version 7", MODEL + "/versions/7")
        self.assert_refused(404, "large", "/v1/models/large")

    def test_a_body_that_is_too_large(self):
        for headers, body in (({}, bytes(LIMIT + 1)), ({"Transfer-Encoding": "chunked"}, None)):
            body = body or f"{LIMIT + 1:x}\r\n".encode() + bytes(LIMIT + 1) + b"\r\n0\r\n\r\n"
            with self.subTest(**headers):
                self.assert_refused(413, f"at most {LIMIT} bytes", PREDICT, body, headers=headers)

    def test_a_compressed_body(self):
        self.assert_refused(
            415, "not be compressed", PREDICT, b"x", headers={"Content-Encoding": "gzip"}
        )


class QuestionsTest(RestCase):
    def test_status(self):
        for path in (MODEL, MODEL + "/versions/1"):
            status, answer = self.client.http(path)
            self.assertEqual(status, 200)
            (version,) = answer["model_version_status"]
            self.assertEqual(
                version,
                {
                    "version": "1",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                },
            )

    def test_metadata(self):
        status, answer = self.client.http(MODEL + "/metadata")
        self.assertEqual(status, 200)
        self.assertEqual(answer["model_spec"]["version"], "1")
        signatures = answer["metadata"]["signature_def"]["signature_def"]
        self.assertEqual(signatures["serving_default"]["inputs"]["x"]["dtype"], "DT_FLOAT")

    def test_health(self):
        self.assertEqual(self.client.http("/healthz"), (200, {"status": "alive"}))
        self.assertEqual(self.client.http("/readyz"), (200, {"status": "ready"}))

    def test_metrics_have_tf_servings_names(self):
        self.client.http(PREDICT, {"instances": [[1, 2, 3]]})
        self.client.http(PREDICT, {"instances": [[1, 2]] * 2 + [[3]]})
        status, page = self.client.http("/monitoring/prometheus/metrics")
        self.assertEqual(status, 200)
        found = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#")
        count = ':tensorflow:serving:request_count{model_name="small",status="%s"}'
        self.assertGreaterEqual(float(found[count % "OK"]), 1)
        self.assertGreaterEqual(float(found[count % "INVALID_ARGUMENT"]), 1)
        labels = '{API="Predict",entrypoint="REST",model_name="small"}'
        self.assertGreaterEqual(
            float(found[":tensorflow:serving:request_latency_count" + labels]), 2
        )
        self.assertIn("# TYPE :tensorflow:serving:request_count counter", page)
        labels = '{API="Predict",model_name="small",runtime="TF2"}'
        self.assertGreater(float(found[":tensorflow:serving:runtime_latency_sum" + labels]), 0)


if __name__ == "__main__":
    absltest.main()
