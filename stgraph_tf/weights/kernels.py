"""Layouts of convolution kernels."""

import numpy as np


def from_channels_first(kernel: np.ndarray) -> np.ndarray:
    """`[out, in, (t,) h, w]`, as in Caffe2 and PyTorch, to `[(t,) h, w, in, out]`, as in Keras.

    An array of other dimensions comes back as it is; it will not fit its weight, which says so.
    """
    if kernel.ndim not in (4, 5):
        return kernel
    return np.transpose(kernel, (*range(2, kernel.ndim), 1, 0))
