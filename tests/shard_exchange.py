#!/usr/bin/env python3
"""Python's webdataset library reads the shards that we write, and we those that it writes.

    tests/shard_exchange.py <the program shards_test>

Exit status 77 (skipped) where the library is not installed: pip install webdataset numpy pillow.
"""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import PIL
    import webdataset
except ImportError as e:
    print(f"skipped: {e} (pip install webdataset numpy pillow)")
    sys.exit(77)


def run(program, **environment):
    subprocess.run([program, "--test-case=shards of the webdataset library"], check=True,
                   env={**os.environ, **environment})


def check_ours(shards):
    """The triplets of tests/unit/shards_test.cpp."""
    samples = list(webdataset.WebDataset(shards, shardshuffle=False).decode("rgb8"))
    assert [s["__key__"] for s in samples] == ["clip_0", "clip_1", "clip_2"], samples
    for i, s in enumerate(samples):
        xyz = np.arange(3 * 17 * 2, dtype=np.float32).reshape(1, 3, 17, 2) + np.float32(0.5 * i)
        valid = np.ones((1, 3, 17), np.uint8)
        xyz[0, 1, 4] = valid[0, 1, 4] = 0
        assert s["skeleton.npy"].dtype == np.float32 and np.array_equal(s["skeleton.npy"], xyz)
        assert s["valid.npy"].dtype == np.uint8 and np.array_equal(s["valid.npy"], valid)
        assert s["txt"] == "one caption\nanother \u2192 caption\n", s["txt"]
        want = {"id": f"clip.{i}", "layout": "coco17", "fps": 12.5, "width": 64, "height": 48, "action": i,
                "segments": [[0, 1, 4], [1, 3, 2]], "feature_dim": 2}
        assert s["json"] == want, s["json"]
        assert s["features.npy"].tolist() == [[1, 2], [3, 4.5]]
        for f in range(3):
            frame = s[f"{f:03d}.jpg"].astype(int)
            assert frame.shape == (12, 20, 3) and abs(frame - (20 * i + 40 * f)).max() <= 3
    return len(samples)


def main():
    program = sys.argv[1]
    make = pathlib.Path(__file__).resolve().parent / "golden" / "shards" / "make.py"
    spec = importlib.util.spec_from_file_location("make", make)
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    with tempfile.TemporaryDirectory() as folder:
        theirs = os.path.join(folder, "theirs")
        os.mkdir(theirs)
        golden.write(os.path.join(theirs, "new-%06d.tar"))
        ours = os.path.join(folder, "ours", "s")
        run(program, TMOR_SHARDS_IN=theirs, TMOR_SHARDS_OUT=ours)
        shards = [f"{ours}-{i:06d}.tar" for i in range(2)]
        print(f"webdataset {getattr(webdataset, '__version__', '')}: {check_ours(shards)} of our samples read by it, "
              f"{len(list(golden.samples()))} of its samples by us")


main()
