"""A server for a laptop without Docker and for tests, which speaks TF Serving's protocol.

TF Serving is the production server. This one answers the same requests in the same way, by gRPC and
by REST, from Python: `export/model_server.py` runs it, `background.running` runs it inside another
program. A request goes

    grpc_services or rest -> admission -> predict_messages or json_messages (decode)
    -> scheduler -> servable (TensorFlow) -> encode

where the event loop only passes it on: decoding, TensorFlow and encoding have threads of their own,
of a bounded number. `model_versions` loads what appears in the model's folder.
"""
