"""Pretrained weights from elsewhere, turned into files that training starts from.

A `Source` reads one foreign format (`FORMATS`) and knows its names, layouts and input conventions;
`assign` fills a `ResNet3D` from it, strictly; `converted` writes the result and loads it into a
model. Nothing in a foreign file is ever executed.

```python
source = weights.FORMATS["caffe2"]("i3d_baseline_32x2_IN_pretrain_400k.pkl")
backbone = weights.new_backbone("r50", source.conventions)
report = weights.assign(backbone, source)
weights.write("i3d.weights.h5", backbone, source, report)
```
"""

from collections.abc import Callable

from stgraph_tf.weights.assign import Conventions, Report, Source, assign
from stgraph_tf.weights.caffe2 import Caffe2Source
from stgraph_tf.weights.converted import flags_for, initialize, new_backbone, write
from stgraph_tf.weights.inflate import inflate
from stgraph_tf.weights.keras_imagenet import KerasImagenetSource
from stgraph_tf.weights.pytorch import PytorchSource

FORMATS: dict[str, Callable[[str], Source]] = {
    "caffe2": Caffe2Source,
    "keras_imagenet": KerasImagenetSource,
    "pytorch": PytorchSource,
}

__all__ = [
    "FORMATS",
    "Caffe2Source",
    "Conventions",
    "KerasImagenetSource",
    "PytorchSource",
    "Report",
    "Source",
    "assign",
    "flags_for",
    "inflate",
    "initialize",
    "new_backbone",
    "write",
]
