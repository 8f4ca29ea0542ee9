#!/usr/bin/env python3
"""Compiles every C++ block of README.md and docs/, and checks that every program a command block names exists.

A block with main() is compiled as it stands; another one as the body of a function after `#include <tmor/tmor.hpp>`,
with its structs at namespace scope. CXX chooses the compiler. Commands under build/ are matched to examples/.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent


def as_program(block):
    if "int main" in block:
        return block
    scope, body, inside = [], [], False
    for line in block.splitlines():
        inside = inside or line.startswith("struct ")
        (scope if inside else body).append(line)
        if inside and line.startswith("};"):
            inside = False
    return "\n".join(['#include "tmor/tmor.hpp"', "using namespace tmor;", *scope, "void block();", "void block() {", *body, "}"])


def compile_error(source):
    with tempfile.NamedTemporaryFile("w", suffix=".cpp") as f:
        f.write(source)
        f.flush()
        command = [os.environ.get("CXX", "g++"), "-std=c++20", "-fsyntax-only", "-I", str(ROOT / "include"), f.name]
        if '#include "tmor/cuda/' in source:
            command.append("-DTMOR_CUDA_EMULATED")
        return subprocess.run(command, capture_output=True, text=True).stderr


def missing_program(line):
    word = line.split()[0] if line.split() else ""
    if word.startswith("build/"):
        name = pathlib.Path(word).name
        return not any((ROOT / "examples" / p).exists() for p in (name + ".cpp", name + "/main.cpp"))
    return "/" in word and not (ROOT / word).exists()


def main():
    failures = blocks = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", page.read_text(), re.M | re.S):
            problem = ""
            if language == "cpp":
                problem = compile_error(as_program(block))
            elif re.search(r"^(build|tests|examples|bench)/", block, re.M):
                problem = "".join(f"no such program: {l}\n" for l in block.splitlines() if missing_program(l))
            blocks += 1
            if problem:
                failures += 1
                print(f"{page.relative_to(ROOT)}: a block does not hold:\n{block}\n{problem}")
    print(f"{blocks} blocks, {failures} wrong")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
