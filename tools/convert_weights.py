r"""Turns pretrained weights from elsewhere into a file that training starts from.

    python tools/convert_weights.py --source caffe2 --input i3d_baseline_32x2_400k.pkl \
        --backbone r50 --output weights/i3d.weights.h5
    python tools/train.py ... --config.init.weights=weights/i3d.weights.h5

Sources: `caffe2`, the .pkl files of video-nonlocal-net; `pytorch`, ResNet state dicts of
torchvision, timm (2-D, inflated) or Something-Else (I3D), as .safetensors or .pth;
`keras_imagenet`, files of keras.applications' ResNets (2-D, inflated). Nothing in these files is
executed. Every tensor must have its place: a file that does not fit is refused, with names.

Prints what became of the tensors, and the flags that give the network the input and the strides
which the weights want.
"""

import collections

from absl import app, flags

from stgraph_tf import program

_SOURCE = flags.DEFINE_enum(
    "source", None, ["caffe2", "keras_imagenet", "pytorch"], "Where the weights come from."
)
_INPUT = flags.DEFINE_string("input", None, "The file to read, on this machine.")
_BACKBONE = flags.DEFINE_string("backbone", "r50", "The backbone to fill: r50, r50_nl, r101, ...")
_OUTPUT = flags.DEFINE_string("output", None, "The file to write; ends in .weights.h5.")


def main(argv):
    if len(argv) > 1:
        raise app.UsageError(f"unexpected arguments: {' '.join(argv[1:])}")
    if not _OUTPUT.value.endswith(".weights.h5"):
        raise ValueError(f"--output must end in .weights.h5; it is {_OUTPUT.value!r}")

    import keras

    from stgraph_tf import weights

    # Non-local blocks may keep their initial values: the same in every conversion.
    keras.utils.set_random_seed(0)
    source = weights.FORMATS[_SOURCE.value](_INPUT.value)
    backbone = weights.new_backbone(_BACKBONE.value, source.conventions)
    report = weights.assign(backbone, source)
    weights.write(_OUTPUT.value, backbone, source, report)

    print(f"{_OUTPUT.value}: {len(report.used)} weights of {_BACKBONE.value} from {_INPUT.value}")
    print(f"  inflated from 2-D: {len(report.inflated)} kernels")
    print(f"  at initial values: {', '.join(report.initial) or 'none'}")
    for reason, count in collections.Counter(report.dropped.values()).items():
        print(f"  left out: {count} tensors, {reason}")
    print(f"  batch normalization: {source.batch_norm}")
    print(f"train with\n  --config.init.weights={_OUTPUT.value} \\")
    print(f"  {weights.flags_for(source.conventions)}")


if __name__ == "__main__":
    flags.mark_flags_as_required(["source", "input", "output"])
    program.run(main)
