#!/usr/bin/env python3
"""Every differentiable operation has a row in the op table (tests/cases): fails naming those without.

An operation is a name that an ops/ or losses/ header records on the tape or gives a functor; a row is a quoted name in
tests/cases (titles of test cases do not count) with the operation as one of its words: "max" is not found in "max_pool".
`--self-test` shows that a missing row is noticed.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
RECORDED = re.compile(r'\brecord(?:ed)?\(\s*[^;"]*?"(\w+)"')
FUNCTOR = re.compile(r'TMOR_(?:FUNCTOR_[12]|COMPARE)\(\w+, "(\w+)"|\bname = "(\w+)"')
# Recorded under another name than the row's: a part of that operation, or what several share.
TESTED_AS = {"relu_backward": "linear", "avg_pool": "avg_pool2d", "max_pool": "max_pool2d"}


def operations(text):
    text = re.sub(r"//.*", "", text)
    return {n for m in (RECORDED, FUNCTOR) for found in m.findall(text) for n in ([found] if isinstance(found, str) else found) if n}


def missing(headers, cases):
    cases = re.sub(r"//.*|TEST_CASE\w*\([^)]*\)", "", cases)
    rows = {word for name in re.findall(r'"([^"\n]*)"', cases) for word in re.findall(r"\w+", name)}
    return sorted(n for n in operations(headers) if TESTED_AS.get(n, n) not in rows)


def main():
    read = lambda pattern: "\n".join(p.read_text() for p in sorted(ROOT.glob(pattern)))
    headers = read("include/tmor/ops/*.hpp") + read("include/tmor/losses/*.hpp")
    if "--self-test" in sys.argv:
        assert missing('record(y, "frobnicate", inputs(x));', 'row("silu")') == ["frobnicate"]
        assert missing('record(y, "max", inputs(x));', 'TEST_CASE("max") { row("max_pool2d") }') == ["max"]
        assert missing('TMOR_FUNCTOR_1(Silu, "silu", x)', 'row("silu")') == []
    found = missing(headers, read("tests/cases/*.cpp"))
    for name in found:
        print(f"error: the operation '{name}' has no row in tests/cases")
    print(f"{len(operations(headers))} operations, {len(found)} without a row")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
