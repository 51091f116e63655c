"""One loaded version of the model."""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Collection, Iterator, Mapping

import grpc
import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow.core.protobuf import config_pb2, meta_graph_pb2

from stgraph_tf.serving.local_server.statuses import RequestError, invalid, of_tensorflow

DEFAULT_SIGNATURE = "serving_default"
# Runs once, when the model is loaded.
_INITIALIZER = "__saved_model_init_op"


@dataclasses.dataclass(frozen=True, eq=False)
class Signature:
    """What a request to it must hold.

    Attributes:
        name: of the signature.
        inputs: their types, by name.
        defaults: of the inputs that may be left out.
        outputs: names, in order.
    """

    name: str
    inputs: Mapping[str, tf.DType]
    defaults: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]

    def check_inputs(self, given: Collection[str]) -> None:
        """Raises a `RequestError`, unless all inputs are given and no others."""
        missing = set(self.inputs) - set(self.defaults) - set(given)
        unknown = set(given) - set(self.inputs)
        if missing or unknown:
            problems = [
                f"{what} {', '.join(sorted(names))}"
                for what, names in (("it lacks", missing), ("it has no input", unknown))
                if names
            ]
            raise invalid(
                f"a request to {self.name} has the inputs {', '.join(sorted(self.inputs))}: "
                f"{'; '.join(problems)}"
            )

    def chosen_outputs(self, wanted: Collection[str]) -> tuple[str, ...]:
        """The outputs that a request wants; all, where it does not say.

        Raises:
            RequestError: the signature does not have one, or it is named twice.
        """
        for name in wanted:
            if name not in self.outputs:
                raise invalid(f"{self.name} has no output {name}; it has {', '.join(self.outputs)}")
        if len(set(wanted)) < len(wanted):
            raise invalid("an output is named twice in output_filter")
        return tuple(wanted) or self.outputs


class Servable:
    """A SavedModel in memory, which may be used from several threads.

    It is a session on a graph, as in TF Serving. Functions in eager mode would be in the way of
    each other: TensorFlow 2.20 hangs now and then, when a version is collected as garbage while
    another one computes.

    Args:
        path: the version's folder.
        version: its number.
        options: threads that TensorFlow has.

    Attributes:
        signature_defs: as `GetModelMetadata` gives them.

    Raises:
        Exception: of many kinds, where it is no SavedModel that can be loaded.
    """

    def __init__(self, path: str, version: int, options: config_pb2.ConfigProto | None = None):
        self.version = version
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph, config=options)
        try:
            with graph.as_default():
                meta_graph = tf.compat.v1.saved_model.load(
                    self._session, [tf.saved_model.SERVING], path
                )
            self.signature_defs = dict(meta_graph.signature_def)
            definitions = {
                name: definition
                for name, definition in self.signature_defs.items()
                if name != _INITIALIZER
            }
            self._signatures = {name: _signature(name, each) for name, each in definitions.items()}
            self._functions = {name: self._function(each) for name, each in definitions.items()}
        except BaseException:
            self._session.close()
            raise
        self._leases = 0
        self._idle = asyncio.Event()
        # Signatures whose outputs are not by row, found out when a batch was tried.
        self.unbatchable: set[str] = set()

    def _function(self, definition: meta_graph_pb2.SignatureDef) -> Callable[..., list]:
        """What takes the inputs, and gives the outputs, in the order of their names."""
        # Not `Session.run`, which is slower and has sentences of its own on shapes that the model's
        # graph checks.
        return self._session._make_callable_from_options(
            config_pb2.CallableOptions(
                feed=[info.name for _, info in sorted(definition.inputs.items())],
                fetch=[info.name for _, info in sorted(definition.outputs.items())],
            )
        )

    def close(self) -> None:
        """Frees the memory. Nothing may use the version any more."""
        self._functions.clear()
        self._session.close()

    def signature(self, name: str) -> Signature:
        """A signature by name; the default one by no name.

        Raises:
            RequestError: there is no such signature.
        """
        name = name or DEFAULT_SIGNATURE
        if name not in self._signatures:
            known = ", ".join(sorted(self._signatures))
            raise invalid(f'there is no signature "{name}"; the model has {known}')
        return self._signatures[name]

    def run(self, signature: Signature, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Computes all outputs of a signature.

        Args:
            signature: one of `signature`.
            inputs: checked arrays by name, of the signature's types; of any shape, which the graph
                checks.

        Returns:
            Arrays by name, of objects for strings.

        Raises:
            RequestError: what TensorFlow says is wrong.
        """
        inputs = {**signature.defaults, **inputs}
        try:
            outputs = self._functions[signature.name](
                *(inputs[name] for name in sorted(signature.inputs))
            )
            return dict(zip(signature.outputs, map(np.asarray, outputs), strict=True))
        except tf.errors.OpError as error:
            raise of_tensorflow(error.error_code, error.message) from error
        except MemoryError as error:
            raise RequestError(
                grpc.StatusCode.RESOURCE_EXHAUSTED, "the request needs more memory than there is"
            ) from error
        except Exception as error:
            logging.exception("%s failed in version %d", signature.name, self.version)
            raise RequestError(grpc.StatusCode.INTERNAL, "the model failed") from error

    @contextlib.contextmanager
    def lease(self) -> Iterator["Servable"]:
        """Keeps the version in memory for as long as it is used; on the event loop."""
        self._leases += 1
        try:
            yield self
        finally:
            self._leases -= 1
            if not self._leases:
                self._idle.set()

    async def wait_until_idle(self) -> None:
        """Returns when nothing uses the version; it must not be leased again."""
        while self._leases:
            self._idle.clear()
            await self._idle.wait()


def _signature(name: str, definition: meta_graph_pb2.SignatureDef) -> Signature:
    return Signature(
        name=name,
        inputs={key: tf.as_dtype(info.dtype) for key, info in definition.inputs.items()},
        defaults={key: tf.make_ndarray(value) for key, value in definition.defaults.items()},
        outputs=tuple(sorted(definition.outputs)),
    )
