"""Writes the golden shards of this folder with the webdataset library.

    python3 -m venv venv && venv/bin/pip install webdataset numpy pillow && venv/bin/python make.py

tests/unit/shards_test.cpp repeats the values. tests/shard_exchange.py uses `samples` too.
"""
import io
import os

import numpy as np
import webdataset
from PIL import Image


def picture(shade):
    """16 x 12, one colour: JPEG keeps it within a few levels."""
    return Image.fromarray(np.full((12, 16, 3), shade, np.uint8))


def encoded(image, form, **options):
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def samples():
    xyz = np.arange(2 * 4 * 13 * 2, dtype=np.float32).reshape(2, 4, 13, 2)
    valid = np.ones((2, 4, 13), np.uint8)
    valid[1, 2, 5] = 0
    xyz[1, 2, 5] = 0
    yield {
        "__key__": "walk_01",
        "skeleton.npy": xyz,
        "valid.npy": valid,
        "txt": "someone walks\na person is walking \u2192\n",
        "json": {"layout": "penn13", "fps": 25.0, "width": 160, "height": 120, "action": 3,
                 "segments": [[0, 2, 1], [2, 4, 5]]},
        **{f"{i:03d}.jpg": encoded(picture(40 * i), "JPEG") for i in range(4)},
    }
    yield {
        "__key__": "sub/texts_02",
        "json": {"id": "texts.02", "texts": ["a", "b"], "unknown": None},
        "features.npy": np.arange(6, dtype=np.float32).reshape(3, 2),
    }
    frames = [picture(60 * i) for i in range(3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:], duration=40)
    yield {"__key__": "moving_03", "gif": out.getvalue(), "txt": "it moves"}


def write(pattern, maxcount=2):
    with webdataset.ShardWriter(pattern, maxcount=maxcount, verbose=0, mtime=0) as sink:
        for sample in samples():
            sink.write(sample)


if __name__ == "__main__":
    write(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden-%06d.tar"))
