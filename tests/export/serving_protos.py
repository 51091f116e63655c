"""Messages of TensorFlow Serving's settings that `tensorflow-serving-api` has no stubs of.

Their fields are those of `session_bundle_config.proto` and `monitoring_config.proto` in
tensorflow/serving, so that text is parsed here as the server parses it.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from google.protobuf.message import Message

_Field = descriptor_pb2.FieldDescriptorProto
_PACKAGE = "tensorflow.serving"


def _field(name, number, kind, *, message=None, repeated=False):
    label = _Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
    return _Field(name=name, number=number, type=kind, type_name=message, label=label)


def _wrapped(name, number, wrapper="Int64Value"):
    return _field(name, number, _Field.TYPE_MESSAGE, message=f".google.protobuf.{wrapper}")


_MESSAGES = {
    "BatchingParameters": [
        _wrapped("max_batch_size", 1),
        _wrapped("batch_timeout_micros", 2),
        _wrapped("max_enqueued_batches", 3),
        _wrapped("num_batch_threads", 4),
        _wrapped("thread_pool_name", 5, "StringValue"),
        _field("allowed_batch_sizes", 6, _Field.TYPE_INT64, repeated=True),
        _field("pad_variable_length_inputs", 7, _Field.TYPE_BOOL),
    ],
    "PrometheusConfig": [
        _field("enable", 1, _Field.TYPE_BOOL),
        _field("path", 2, _Field.TYPE_STRING),
    ],
    "MonitoringConfig": [
        _field(
            "prometheus_config",
            1,
            _Field.TYPE_MESSAGE,
            message=f".{_PACKAGE}.PrometheusConfig",
        ),
    ],
}


def message(name: str) -> Message:
    """An empty message: `BatchingParameters` or `MonitoringConfig`."""
    file = descriptor_pb2.FileDescriptorProto(
        name="serving_settings.proto",
        package=_PACKAGE,
        syntax="proto3",
        dependency=["google/protobuf/wrappers.proto"],
        message_type=[
            descriptor_pb2.DescriptorProto(name=title, field=fields)
            for title, fields in _MESSAGES.items()
        ],
    )
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))()
