"""Our scoring in a process of its own, for `benchmarks.serving`.

    python -m benchmarks.tensorflow_scoring INPUT.npz exported SAVED_MODEL
    python -m benchmarks.tensorflow_scoring INPUT.npz trained PRECISION SETTINGS.json

INPUT.npz holds weights by name, and a clip; SETTINGS.json is a whole config.
"""

import json
import sys
import threading
from collections.abc import Callable
from typing import Any

import ml_collections
import numpy as np
import tensorflow as tf

from benchmarks import step_processes


class TensorFlowScorer:
    """A `step_processes.Scorer`.

    Args:
        path: of INPUT.npz.
        kind: `exported` or `trained`.
        arguments: a SavedModel's folder; or a precision and the path of the settings.
    """

    def __init__(self, path: str, kind: str, *arguments: str):
        with np.load(path) as file:
            arrays = dict(file)
        self._clip = {name: arrays[f"input/{name}"] for name in ("frames", "boxes", "mask")}
        make: dict[str, Callable[..., Any]] = {"exported": self._load, "trained": self._build}
        self._score = make[kind](*arguments, arrays)
        self._inputs: dict[int, Any] = {}

    def _load(self, folder: str, arrays: dict[str, np.ndarray]) -> Callable[..., tf.Tensor]:
        self._loaded = tf.saved_model.load(folder)
        function = self._loaded.signatures["serving_default"]
        return lambda clips: function(frames=clips["frames"], boxes=clips["boxes"])["scores"]

    def _build(
        self, precision: str, settings: str, arrays: dict[str, np.ndarray]
    ) -> Callable[..., tf.Tensor]:
        from stgraph_tf.training import stages

        with open(settings) as file:
            config = ml_collections.ConfigDict(json.load(file))
        config.model.precision = precision
        num_classes = arrays["input/labels"].shape[-1]
        self._model = stages.build_model(config, "joint", num_classes)
        for variable in self._model.weights:
            variable.assign(arrays[variable.path.split("/", 1)[1]])
        return tf.function(lambda clips: tf.sigmoid(self._model(clips, training=False)))

    def check(self) -> dict[str, Any]:
        return {"scores": self._score(self._batch(1)).numpy().tolist()}

    def score(self, batch: int) -> None:
        self._score(self._batch(batch)).numpy()

    def _score_clips(self, number: int) -> None:
        for _ in range(number):
            self.score(1)

    def concurrent(self, clients: int, requests: int) -> None:
        """As many clients at a time score a clip each, as many times, one after the other."""
        threads = [
            threading.Thread(target=self._score_clips, args=[requests]) for _ in range(clients)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _batch(self, size: int) -> dict[str, tf.Tensor]:
        if size not in self._inputs:
            self._inputs[size] = {
                name: tf.constant(np.repeat(value, size, axis=0))
                for name, value in self._clip.items()
            }
        return self._inputs[size]


if __name__ == "__main__":
    step_processes.serve(lambda: TensorFlowScorer(*sys.argv[1:]))
