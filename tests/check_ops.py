#!/usr/bin/env python3
"""Every differentiable operation has a row in the op table (tests/cases): fails naming those without.

An operation is a name that an ops/ or losses/ header records on the tape or gives a functor; a row is a test in
tests/cases that names it. `--self-test` shows that a missing row is noticed.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDED = re.compile(r'\brecord(?:ed)?\(\s*[^;"]*?"(\w+)"')
FUNCTOR = re.compile(r'TMOR_(?:FUNCTOR_[12]|COMPARE)\(\w+, "(\w+)"|\bname = "(\w+)"')
# Parts of another operation, whose rows test them.
PART_OF = {"relu_backward": "linear"}


def operations(text):
    text = re.sub(r"//.*", "", text)
    return {n for m in (RECORDED, FUNCTOR) for found in m.findall(text) for n in ([found] if isinstance(found, str) else found) if n}


def missing(headers, cases):
    words = set(re.findall(r"\b[a-z][a-z0-9_]*\b", cases))
    return sorted(n for n in operations(headers) if not any(w.startswith(PART_OF.get(n, n)) for w in words))


def main():
    read = lambda pattern: "\n".join(p.read_text() for p in sorted(ROOT.glob(pattern)))
    headers = read("include/tmor/ops/*.hpp") + read("include/tmor/losses/*.hpp")
    if "--self-test" in sys.argv:
        assert missing('record(y, "frobnicate", inputs(x));', "silu") == ["frobnicate"]
        assert missing('TMOR_FUNCTOR_1(Silu, "silu", x)', 'row("silu")') == []
    found = missing(headers, read("tests/cases/*.cpp"))
    for name in found:
        print(f"error: the operation '{name}' has no row in tests/cases")
    print(f"{len(operations(headers))} operations, {len(found)} without a row")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
