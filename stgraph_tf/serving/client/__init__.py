"""Films in, labels out, from a model server: TensorFlow Serving or the project's local one.

    from stgraph_tf.serving import client

    with client.Client("localhost:8500", "stgraph") as served:
        for prediction in served.predict([client.Film("film.mp4")], boxes="proposals:boxes.jsonl"):
            print(prediction.video, prediction.ranked()[:5])

Films are cut into clips here, as evaluation cuts them, and the server scores the clips: over gRPC
(`HOST:PORT`, `grpcs://HOST:PORT`) or REST (`http://HOST:PORT`, `https://HOST:PORT`). Labels and the
way to cut clips come from the server, too, by the signature `describe`.
"""

from stgraph_tf.serving.client.connection import connect
from stgraph_tf.serving.client.errors import RequestError
from stgraph_tf.serving.client.films import Film
from stgraph_tf.serving.client.prediction import Client, Prediction
from stgraph_tf.serving.client.retries import Retries

__all__ = ["Client", "Film", "Prediction", "RequestError", "Retries", "connect"]
