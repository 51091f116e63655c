"""Films in, labels out, from a model server: TensorFlow Serving or the project's local one.

    from stgraph_tf.serving import client

    with client.Client("localhost:8500", "stgraph") as served:
        for prediction in served.predict([client.Film("film.mp4")], boxes="proposals:boxes.jsonl"):
            print(prediction.video, prediction.ranked()[:5])

Films are cut into clips here, as evaluation cuts them, and the server scores the clips: over gRPC
(`HOST:PORT`, `grpcs://HOST:PORT`) or REST (`http://HOST:PORT`, `https://HOST:PORT`). Labels and the
way to cut clips come from the server, too, by the signature `describe`.

TensorFlow is loaded when the first of these names needs it: a REST connection does not.
"""

import importlib
from typing import Any

_HOMES = {
    "Client": "prediction",
    "Film": "films",
    "Prediction": "prediction",
    "RequestError": "errors",
    "Retries": "retries",
    "connect": "connection",
}

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
