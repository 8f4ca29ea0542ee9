"""Writes the golden archives of this folder with Python's tarfile and GNU tar: python3 make.py"""
import io
import os
import subprocess
import tarfile
import tempfile

LONG = "d" * 150 + "/" + "f" * 90 + ".txt"
FILES = [("a.txt", b"hello\n"), ("empty", b""), (LONG, b"long"), ("caf\u00e9.bin", b"\1" * 513)]

for name, form in [("pax.tar", tarfile.PAX_FORMAT), ("gnu.tar", tarfile.GNU_FORMAT)]:
    with tarfile.open(name, "w", format=form) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "a.txt"
        tar.addfile(link)
        for path, data in FILES:
            info = tarfile.TarInfo(path)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))

with tempfile.TemporaryDirectory() as d:
    for path, data in FILES:
        os.makedirs(os.path.dirname(os.path.join(d, path)), exist_ok=True)
        with open(os.path.join(d, path), "wb") as f:
            f.write(data)
    out = os.path.abspath("ustar.tar")  # a prefix field, and a name too long for it
    subprocess.run(["tar", "--format=ustar", "--owner=0", "--group=0", "--mtime=@0", "-cf", out,
                    *[path for path, _ in FILES]], cwd=d, check=True)
