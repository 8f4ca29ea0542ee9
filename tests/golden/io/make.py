"""Writes the golden files of this folder with NumPy and SciPy, the formats' own authors.

    python3 -m venv venv && venv/bin/pip install numpy scipy && venv/bin/python make.py

a_<type>.npy hold 0..5 as (2, 3) unless said otherwise; tests/unit repeats the values.
"""
import gzip
import struct
import zlib

import numpy as np
import scipy.io

ramp = np.arange(6).reshape(2, 3)
for code in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    np.save(f"a_{code}.npy", ramp.astype("<" + code))
np.save("bool.npy", ramp % 2 == 1)
np.save("big_endian.npy", ramp.astype(">f4"))
np.save("big_endian_i2.npy", (ramp - 3).astype(">i2"))
np.save("fortran.npy", np.asfortranarray(np.arange(24, dtype="<i4").reshape(2, 3, 4)))
np.save("scalar.npy", np.float64(2.5))
np.save("empty.npy", np.zeros((3, 0, 2), "<f4"))
np.save("objects.npy", np.array([None, 1], dtype=object), allow_pickle=True)
np.save("text.npy", np.array(["a", "bc"]))
np.save("fields.npy", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
for version in [(2, 0), (3, 0)]:
    with open(f"version{version[0]}.npy", "wb") as f:
        np.lib.format.write_array(f, ramp.astype("<f4"), version=version)

np.savez("stored.npz", ramp=ramp.astype("<f4"), flags=ramp % 2 == 1)
np.savez_compressed("deflate.npz", ramp=ramp.astype("<f4"), zeros=np.zeros((40, 50), "<f8"))

# MATLAB: what scipy writes, plain and compressed.
values = {
    "x": np.arange(6, dtype=float).reshape(2, 3) + 0.5,
    "single": np.float32([[1, 2]]),
    "bytes": np.uint8([[1, 2], [3, 250]]),
    "wide": np.int64([[-(2**62), 2**62]]),
    "flags": np.array([[True, False]]),
    "text": "caf\u00e9 \U0001f600",
    "rows": np.array(["abc", "def"]),
    "empty": np.zeros((0, 3)),
    "cube": np.arange(24, dtype=float).reshape(2, 3, 4),
    "names": np.array([["one", "three"]], dtype=object),
    "record": {"a": 1.5, "b": "two"},
    "complex": np.array([[1 + 2j]]),
}
scipy.io.savemat("plain.mat", values)
scipy.io.savemat("compressed.mat", values, do_compression=True)


# By hand, the quirks of real annotation files: doubles stored as small integers, a logical, small elements,
# text as UTF-8, and a zlib stream without its final block and checksum.
def element(kind, data):
    if 0 < len(data) <= 4:
        return struct.pack("<HH", kind, len(data)) + data.ljust(4, b"\0")
    return struct.pack("<II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(name, flags, dims, kind, data):
    body = element(6, struct.pack("<II", flags, 0)) + element(5, struct.pack(f"<{len(dims)}i", *dims))
    body += element(1, name.encode()) + element(kind, data)
    return struct.pack("<II", 14, len(body)) + body


def compressed(data, finish=True):
    z = zlib.compressobj()
    packed = z.compress(data) + (z.flush() if finish else z.flush(zlib.Z_SYNC_FLUSH))
    return struct.pack("<II", 15, len(packed)) + packed  # not padded to 8


def mat(*parts):
    return b"MATLAB 5.0 MAT-file, by hand".ljust(124) + struct.pack("<H2s", 0x0100, b"IM") + b"".join(parts)


x = matrix("x", 6, (3, 2), 4, struct.pack("<6H", 1, 2, 3, 400, 500, 600))  # double as uint16
vis = matrix("visibility", 9 | 0x200, (3, 2), 2, bytes([1, 0, 1, 0, 1, 1]))
vis_double = matrix("vis_double", 6, (1, 2), 9, struct.pack("<2d", 1, 0))
train = matrix("train", 12, (1, 1), 5, struct.pack("<i", -1))
action = matrix("action", 4, (1, 4), 16, b"bowl")
nframes = matrix("nframes", 6, (1, 1), 2, bytes([3]))
everything = [x, vis, vis_double, train, action, nframes]
open("quirks.mat", "wb").write(mat(*map(compressed, everything)))
open("unfinished.mat", "wb").write(mat(*[compressed(e, e is not x) for e in everything]))
open("cut.mat", "wb").write(mat(compressed(x)[:40]))
open("big_endian.mat", "wb").write(b"MATLAB 5.0".ljust(124) + struct.pack(">H", 0x0100) + b"MI" + b"\0" * 16)
open("hdf5.mat", "wb").write(b"MATLAB 7.3 MAT-file".ljust(124) + struct.pack("<H2s", 0x0200, b"IM") + b"\x89HDF\r\n\x1a\n" * 2)

plain = b"abc" * 1000
open("text.zlib", "wb").write(zlib.compress(plain))
open("text.gz", "wb").write(gzip.compress(plain, mtime=0) + gzip.compress(b"end", mtime=0))
