"""Inflation of 2-D kernels to 3-D (I3D; section 3 of the paper)."""

import numpy as np


def inflate(kernel: np.ndarray, temporal_kernel: int) -> np.ndarray:
    """Copies a 2-D kernel over time, divided by the number of copies.

    On a still film, the inflated convolution then gives what the 2-D one gives on its picture.

    Args:
        kernel: `[h, w, in, out]`.
        temporal_kernel: t, the number of copies.

    Returns:
        `[t, h, w, in, out]`, float32.

    Raises:
        ValueError: when `kernel` does not have four dimensions, or t is not positive.
    """
    if kernel.ndim != 4 or temporal_kernel < 1:
        raise ValueError(
            "`kernel` must be [h, w, in, out] and `temporal_kernel` positive. "
            f"Received: shape {kernel.shape}, temporal_kernel={temporal_kernel}"
        )
    copies = np.repeat(kernel[None].astype(np.float32), temporal_kernel, axis=0)
    return copies / np.float32(temporal_kernel)
