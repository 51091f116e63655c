"""The gRPC services, asked with TF Serving's own stubs."""

import os

import grpc
import numpy as np
import tensorflow as tf
from absl.testing import absltest, parameterized
from google.protobuf import text_format
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
)

from tests.serving.local_server.serving_case import ServingCase
from tests.serving.local_server.small_model import COMPLEX_TYPES, TYPES

INVALID = grpc.StatusCode.INVALID_ARGUMENT
NOT_FOUND = grpc.StatusCode.NOT_FOUND
LIMIT = 4096

X = np.array([[1, 2, 3], [-0.5, 0, 1e-3]], np.float32)


def proto(text):
    return text_format.Parse(text, tensor_pb2.TensorProto())


def arrays_of(types, count):
    """Numbers of each type, by the type's name."""
    random = np.random.default_rng(0)
    arrays = {dtype.name: random.integers(0, 100, count) for dtype in types}
    for dtype in types:
        if dtype == tf.string:
            texts = [str(value).encode() for value in arrays["string"]]
            arrays["string"] = np.array(texts, object)
        else:
            arrays[dtype.name] = arrays[dtype.name].astype(dtype.as_numpy_dtype)
    return arrays


def in_values(array):
    """A proto that has its values in a field of its type, where clients may put them, too."""
    found = tf.make_tensor_proto(array)
    if found.tensor_content:
        parts = [tf.make_tensor_proto(value) for value in array]
        found.ClearField("tensor_content")
        for part in parts:
            part.ClearField("tensor_shape")
            found.MergeFrom(part)
    return found


class GrpcCase(ServingCase):
    CHANGES = {"grpc_max_message_bytes": LIMIT}  # noqa: RUF012


class PredictTest(GrpcCase):
    def test_outputs_by_name_and_who_answered(self):
        response = self.client.send(self.client.request(x=X))
        self.assertEqual(set(response.outputs), {"y", "rows"})
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs["y"]), X)
        np.testing.assert_array_equal(tf.make_ndarray(response.outputs["rows"]), [2, 2])
        self.assertEqual(response.model_spec.name, "small")
        self.assertEqual(response.model_spec.version.value, 1)
        self.assertEqual(response.model_spec.signature_name, "serving_default")

    def test_another_signature_and_a_version(self):
        found = self.client.predict("total", 1, x=X)
        np.testing.assert_allclose(found["total"], 5.501, rtol=1e-6)

    def test_no_row(self):
        found = self.client.predict(x=np.zeros([0, 3], np.float32))
        self.assertEqual(found["y"].shape, (0, 3))

    def test_strings_keep_their_zero_bytes(self):
        text = np.array([b"a\0\0", b"", b"\xff"], object)
        found = self.client.predict("doubled", text=text)
        np.testing.assert_array_equal(found["doubled"], text + text)

    @parameterized.parameters(1, 3)
    def test_all_types_arrive_as_they_are(self, count):
        # make_tensor_proto writes one number as a value, and several as content.
        for signature, types in (("same", TYPES), ("same_complex", COMPLEX_TYPES)):
            arrays = arrays_of(types, count)
            found = self.client.predict(signature, **arrays)
            for name, array in arrays.items():
                self.assertEqual(found[name].dtype, array.dtype, name)
                np.testing.assert_array_equal(found[name], array, name)

    def test_all_types_arrive_in_values(self):
        for signature, types in (("same", TYPES), ("same_complex", COMPLEX_TYPES)):
            arrays = arrays_of(types, 3)
            protos = {name: in_values(array) for name, array in arrays.items()}
            found = self.client.predict(signature, **protos)
            for name, array in arrays.items():
                np.testing.assert_array_equal(found[name], array, name)

    def test_the_outputs_that_are_wanted(self):
        request = self.client.request(x=X)
        request.output_filter.append("rows")
        self.assertEqual(set(self.client.send(request).outputs), {"rows"})

    def test_outputs_that_cannot_be_wanted(self):
        for names, sentence in ((["z"], "no output z; it has rows, y"), (["y", "y"], "twice")):
            request = self.client.request(x=X)
            request.output_filter.extend(names)
            with self.subTest(sentence), self.refused(INVALID, sentence):
                self.client.send(request)

    def test_compressed_messages(self):
        x = np.zeros([100, 3], np.float32)
        response = self.client.prediction.Predict(
            self.client.request(x=x), timeout=20, compression=grpc.Compression.Gzip
        )
        self.assertEqual(tf.make_ndarray(response.outputs["y"]).shape, (100, 3))


class MalformedTest(GrpcCase):
    @parameterized.named_parameters(
        ("missing", {}, "it lacks x"),
        ("unknown", {"x": X, "z": X}, "it has no input z"),
        ("type", {"x": X.astype(np.float64)}, "x must be float32, received float64"),
        ("no_type", {"x": tensor_pb2.TensorProto()}, "x must be float32, received no type"),
        ("strange_type", {"x": tensor_pb2.TensorProto(dtype=4711)}, "received type 4711"),
        ("not_finite", {"x": np.full([1, 3], np.nan, np.float32)}, "x must be finite"),
    )
    def test_inputs(self, inputs, sentence):
        with self.refused(INVALID, sentence):
            self.client.predict(**inputs)

    @parameterized.parameters(np.nan, 1)
    def test_requests_are_not_kept(self, number):
        inputs = {"x": np.full([1, 3], number, np.float32)}
        with self.nothing_is_kept():
            if np.isfinite(number):
                self.client.predict(**inputs)
            else:
                with self.refused(INVALID, "x must be finite"):
                    self.client.predict(**inputs)

    @parameterized.parameters(
        ("tensor_shape { unknown_rank: true } float_val: 1", "one of unknown rank"),
        ("tensor_shape { dim { size: -1 } dim { size: 3 } }", "a negative size"),
        (
            "tensor_shape { dim { size: 1000000000 } dim { size: 1000000000 } } float_val: 1",
            "[1000000000, 1000000000] takes more than 4096 bytes",
        ),
        (
            "tensor_shape { dim { size: 9223372036854775807 } dim { size: 0 } }",
            "[9223372036854775807, 0] takes more",
        ),
        ("tensor_shape { dim { size: 1025 } } float_val: 1", "takes more than 4096 bytes"),
        ("tensor_shape {" + "dim { size: 1 }" * 33 + "}", "at most 32 axes, received 33"),
        (
            'tensor_shape { dim { size: 1 } dim { size: 3 } } tensor_content: "abc"',
            "takes 12 bytes, received 3",
        ),
        (
            "tensor_shape { dim { size: 1 } } float_val: 1 float_val: 2",
            "has 2 values, and 1 fit",
        ),
    )
    def test_protos(self, text, sentence):
        with self.refused(INVALID, sentence):
            self.client.predict(x=proto("dtype: DT_FLOAT " + text))

    def test_few_values_fill_the_shape_as_in_tensorflow(self):
        shape = "tensor_shape { dim { size: 2 } dim { size: 3 } }"
        found = self.client.predict(x=proto(f"dtype: DT_FLOAT {shape} float_val: 1 float_val: 7"))
        np.testing.assert_array_equal(found["y"], [[1, 7, 7], [7, 7, 7]])
        found = self.client.predict(x=proto(f"dtype: DT_FLOAT {shape}"))
        np.testing.assert_array_equal(found["y"], np.zeros([2, 3]))

    def test_numbers_that_do_not_fit(self):
        arrays = arrays_of(TYPES, 1)
        for name, text in (
            ("uint8", "dtype: DT_UINT8 tensor_shape { dim { size: 1 } } int_val: 300"),
            ("int16", "dtype: DT_INT16 tensor_shape { dim { size: 1 } } int_val: -40000"),
            ("bfloat16", "dtype: DT_BFLOAT16 tensor_shape { dim { size: 1 } } half_val: 70000"),
            ("float16", "dtype: DT_HALF tensor_shape { dim { size: 1 } } half_val: -1"),
        ):
            with self.subTest(name), self.refused(INVALID, f"{name} has a number that does not"):
                self.client.predict("same", **{**arrays, name: proto(text)})

    def test_strings_in_content(self):
        text = 'dtype: DT_STRING tensor_shape { dim { size: 1 } } tensor_content: "abc"'
        with self.refused(INVALID, "text must have its strings in string_val"):
            self.client.predict("doubled", text=proto(text))

    def test_a_signature_that_is_not_there(self):
        with self.refused(INVALID, 'there is no signature "nothing"; the model has doubled, same'):
            self.client.predict("nothing", x=X)

    def test_models_and_versions_that_are_not_there(self):
        with self.refused(NOT_FOUND, "Specific(small, 2)"):
            self.client.predict(version=2, x=X)
        request = self.client.request(x=X)
        request.model_spec.name = "large"
        with self.refused(NOT_FOUND, "Latest(large)"):
            self.client.send(request)
        request.model_spec.name = ""
        with self.refused(INVALID, "the request names no model"):
            self.client.send(request)
        request = self.client.request(x=X)
        request.model_spec.version_label = "stable"
        with self.refused(INVALID, "no version with the label 'stable'"):
            self.client.send(request)

    def test_messages_that_are_none(self):
        predict = self.client.channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        for message in (b"\xff\xff\xff", os.urandom(100), b"\x0a" * 99):
            with self.subTest(message[:3]), self.refused(INVALID):
                predict(message, timeout=20)

    def test_a_message_that_is_too_large(self):
        with self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"):
            self.client.predict(x=np.zeros([LIMIT, 3], np.float32))

    def test_a_message_that_is_too_large_unpacked(self):
        request = self.client.request(x=np.zeros([100 * LIMIT, 3], np.float32))
        with self.refused(grpc.StatusCode.RESOURCE_EXHAUSTED, "larger than max"):
            self.client.prediction.Predict(request, timeout=20, compression=grpc.Compression.Gzip)

    def test_no_message_at_all(self):
        predict = self.client.channel.stream_unary("/tensorflow.serving.PredictionService/Predict")
        with self.refused(INVALID, "the request has no message"):
            predict(iter(()), timeout=20)

    def test_methods_that_are_not_offered(self):
        for method, request in (
            (self.client.prediction.Classify, classification_pb2.ClassificationRequest()),
            (
                self.client.model.HandleReloadConfigRequest,
                model_management_pb2.ReloadConfigRequest(),
            ),
        ):
            with self.refused(grpc.StatusCode.UNIMPLEMENTED, "TF Serving has more"):
                method(request, timeout=20)
        unknown = self.client.channel.unary_unary("/tensorflow.serving.PredictionService/Guess")
        with self.refused(grpc.StatusCode.UNIMPLEMENTED):
            unknown(b"", timeout=20)


class QuestionsTest(GrpcCase):
    def test_metadata_are_the_signatures(self):
        response = self.client.metadata("signature_def")
        self.assertEqual(response.model_spec.version.value, 1)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        self.assertTrue(response.metadata["signature_def"].Unpack(signatures))
        default = signatures.signature_def["serving_default"]
        self.assertEqual(default.inputs["x"].dtype, types_pb2.DT_FLOAT)
        self.assertEqual([dim.size for dim in default.inputs["x"].tensor_shape.dim], [-1, 3])
        self.assertEqual(set(default.outputs), {"y", "rows"})
        self.assertIn("doubled", signatures.signature_def)

    def test_metadata_that_are_not_there(self):
        with self.refused(INVALID, "at least one metadata_field"):
            self.client.metadata()
        with self.refused(INVALID, "Metadata field weights is not supported"):
            self.client.metadata("weights")

    def test_status(self):
        (status,) = self.client.statuses().model_version_status
        self.assertEqual(status.version, 1)
        self.assertEqual(status.state, get_model_status_pb2.ModelVersionStatus.AVAILABLE)
        self.assertEqual(status.status.error_code, 0)

    def test_status_of_what_is_not_there(self):
        with self.refused(NOT_FOUND, "Could not find version 5 of model small"):
            self.client.status(5)
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = "large"
        with self.refused(NOT_FOUND):
            self.client.model.GetModelStatus(request, timeout=20)

    def test_a_question_that_is_no_question(self):
        ask = self.client.channel.unary_unary("/tensorflow.serving.ModelService/GetModelStatus")
        with self.refused(INVALID, "is no GetModelStatusRequest"):
            ask(b"\xff\xff", timeout=20)


if __name__ == "__main__":
    absltest.main()
