"""Writes the golden pickles of this folder with Python and NumPy, the format's own authors.

    python3 -m venv venv && venv/bin/pip install numpy && venv/bin/python make.py

pyskl_N.pkl: three clips and three splits as PySKL writes them, in pickle protocol N. types.pkl: every element type that is read.
calls.pkl asks for a function, objects.pkl holds an array of objects: both must be refused.
"""
import collections
import os
import pickle

import numpy as np


def clip(name, label, joints, dims, dtype):
    n = 2 * 3 * joints * dims
    points = (np.arange(n).reshape(2, 3, joints, dims) % 50).astype(dtype)
    one = {"frame_dir": name, "label": label, "img_shape": (480, 640), "original_shape": (480, 640), "total_frames": 3, "keypoint": points}
    if dims == 2:
        one["keypoint_score"] = np.where(np.arange(6 * joints).reshape(2, 3, joints) == 5, 0, 0.9).astype(dtype)
    return one


data = {"split": {"train": ["a"], "val": ["c"], "ntu": ["b"]},
        "annotations": [clip("a", 3, 17, 2, np.float16), clip("b", np.int64(1), 25, 3, np.float32), clip("c", 0, 17, 2, np.float16)]}
for protocol in (2, 3, 4, 5):
    with open(f"pyskl_{protocol}.pkl", "wb") as f:
        pickle.dump(data, f, protocol)

kinds = {t: np.arange(6).reshape(2, 3).astype(t) for t in ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8", ">f4", ">i2"]}
kinds["fortran"] = np.asfortranarray(np.arange(6.0).reshape(2, 3))
kinds["bool"] = np.arange(6) % 2 == 1
with open("types.pkl", "wb") as f:
    pickle.dump(collections.OrderedDict(kinds, plain=[None, True, -5, 2**40, -(2**62), 0.5, "é", b"\xff\x00", (), (1,), (1, 2, 3, 4)],
                                        scalar=np.float32(1.5)), f, 4)


class Call:
    def __reduce__(self):
        return os.system, ("true",)


with open("calls.pkl", "wb") as f:
    pickle.dump({"annotations": [Call()]}, f, 4)
with open("objects.pkl", "wb") as f:
    pickle.dump(np.array([None, "a"], dtype=object), f, 4)
