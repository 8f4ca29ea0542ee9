"""Writes label files in Penn Action's layout with made-up values, for tests/unit/penn_action_test.cpp.

    python3 -m venv venv && venv/bin/pip install numpy scipy && venv/bin/python make.py
"""
import pathlib

import numpy as np
import scipy.io


def clip(path, action="bowl", train=1, frames=3, boxes=None, visibility=None, **other):
    t, v = np.meshgrid(np.arange(frames), np.arange(13), indexing="ij")
    seen = (t + v) % 3 != 0 if visibility is None else visibility
    values = {
        "action": action,
        "pose": "front",
        "x": (10.0 * v + t + 2),
        "y": (5.5 * v + 2 * t + 2),
        "visibility": seen,
        "train": np.int32([[train]]),
        "bbox": np.arange(4.0 * (frames if boxes is None else boxes)).reshape(-1, 4),
        "dimensions": np.float64([[270, 480, frames]]),
        "nframes": np.float64([[frames]]),
    }
    values.update(other)
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scipy.io.savemat(path, values, do_compression=True)


clip("good/labels/0001.mat")
clip("good/labels/0007.mat", "tennis_serve", -1, boxes=2, visibility=np.ones((3, 13)))
clip("bad/labels/0001.mat")
clip("bad/labels/0002.mat", "pullups")
clip("bad/labels/0003.mat", train=0)
clip("bad/labels/0004.mat", boxes=1)
clip("bad/labels/0005.mat", x=np.zeros((3, 12)))
clip("bad/labels/0006.mat", y=np.full((3, 13), np.nan))
clip("bad/labels/0007.mat", nframes=np.float64([[4]]))
clip("bad/labels/0008.mat", pose=1.0)
pathlib.Path("bad/labels/0009.mat").write_bytes(b"cut short")
