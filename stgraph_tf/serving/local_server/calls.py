"""A decoded request, on its way to TensorFlow."""

import dataclasses
from collections.abc import Hashable, Mapping

import numpy as np

from stgraph_tf.serving.local_server.servable import Servable, Signature


@dataclasses.dataclass(frozen=True, eq=False)
class Call:
    """A checked request.

    Attributes:
        servable: the version that it goes to.
        signature: what of it is called.
        inputs: arrays by name.
        outputs: the names of those that are wanted.
    """

    servable: Servable
    signature: Signature
    inputs: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]

    @property
    def rows(self) -> int | None:
        """The size of axis 0, where all inputs have the same; None where there is no such."""
        sizes = {array.shape[:1] for array in self.inputs.values()}
        if len(sizes) != 1 or sizes == {()}:
            return None
        return sizes.pop()[0] or None

    @property
    def kind(self) -> Hashable:
        """What calls have in common that can be computed together."""
        return (
            self.servable,
            self.signature.name,
            tuple((name, array.shape[1:]) for name, array in sorted(self.inputs.items())),
        )
