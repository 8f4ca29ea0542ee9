"""Numbers that a golden file's script and its test in C++ (tests/support/numbers.hpp) both make, so that none are kept."""
import numpy as np
import torch


def hashed(number, shape, low, high):
    """Uniform numbers: element i of tensor `number` is the lowbias32 hash of 2^20 number + i, its upper 24 bits."""
    x = (np.arange(np.prod(shape), dtype=np.uint64) + (np.uint64(number) << np.uint64(20))) & np.uint64(0xFFFFFFFF)
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & np.uint64(0xFFFFFFFF)
    x ^= x >> np.uint64(16)
    u = (x >> np.uint64(8)).astype(np.float64) * 2.0**-24
    return torch.from_numpy((low + (high - low) * u).astype(np.float32)).reshape(shape)
