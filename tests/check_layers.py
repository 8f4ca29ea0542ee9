#!/usr/bin/env python3
"""Walks the include graph of include/tmor and fails on an arrow that docs/architecture.md does not draw.

check_layers.py [include folder]   check the headers
check_layers.py --self-test        prove that each rule catches what it is for
"""
import pathlib
import re
import sys

# Which folders the headers of a folder may include, besides their own. Lower layers never see higher ones.
BASE = {"core"}
DEVICES = BASE | {"cpu", "cuda"}
OPS = DEVICES | {"autograd", "ops"}
LAYERS = OPS | {"nn", "losses", "optim", "skeleton"}
MODELS = LAYERS | {"models"}
DATA = BASE | {"io", "skeleton"}
TOOLS = DATA | {"data", "text", "metrics", "report", "dist"}
MAY_SEE = {
    "core": set(),
    "cpu": BASE,
    "cuda": BASE,
    "autograd": DEVICES,
    "ops": DEVICES | {"autograd"},
    "nn": OPS,
    "losses": OPS,
    "optim": OPS,
    "skeleton": OPS,
    "models": LAYERS,
    "io": BASE,
    "data": DATA,
    "text": DATA,
    "metrics": DATA,
    "report": DATA,
    "dist": BASE,
    "eval": MODELS | TOOLS,
    "train": MODELS | TOOLS | {"eval"},
    "": MODELS,  # tmor.hpp itself
}

# Third parties, and the only places that may include them.
THIRD_PARTIES = [
    (r"Eigen/|unsupported/Eigen/", r"core/linalg\.hpp", "Eigen"),
    (r"stb(/|_)", r"io/image\.hpp", "stb"),
    (r"nlohmann/", r"io/json\.hpp", "nlohmann/json"),
    (r"zlib\.h", r"io/inflate\.hpp", "zlib"),
    (r"(cuda|cublas|cudnn|curand|nvrtc|cub/|thrust/|cuda/|cooperative_groups|mma\.h)", r"cuda/.*", "CUDA"),
    (r"(mpi|nccl)\.h", r"dist/.*", "MPI and NCCL"),
]

# Slow to compile: not reachable from tmor.hpp.
HEAVY = {"iostream", "regex", "ranges", "thread", "functional", "format", "future", "filesystem", "random"}

LONG = 600  # lines


def includes(text):
    """[(line number, name, quoted)] of the #include lines, comments left out."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        m = re.match(r'\s*#\s*include\s*(["<])([^">]+)[">]', line)
        if m:
            found.append((number, m.group(2), m.group(1) == '"'))
    return found


def folder(path):
    return path.split("/")[0] if "/" in path else ""


def wrong_arrow(source, target, files):
    """What is wrong with header `source` including `target` of tmor, or None."""
    here, there = folder(source), folder(target)
    if target not in files:
        return "there is no such header"
    if target == "tmor.hpp":
        return "nobody includes tmor.hpp"
    if there == "instantiate":
        return None  # lists of `extern template`, guarded by TMOR_COMPILED
    if here not in MAY_SEE:
        return f"folder {here}/ has no layer: give it one in tests/check_layers.py"
    if there != here and there not in MAY_SEE[here]:
        return f"{here or 'tmor.hpp'} must not see {there}"
    if target.endswith(".cuh") and here != "cuda":
        return "only cuda/ includes .cuh files"
    return None


def check(files):
    """`files` maps paths below include/tmor to their text. Returns (errors, warnings)."""
    errors, warnings, graph = [], [], {}
    for path, text in sorted(files.items()):
        graph[path] = []
        lines = text.count("\n")
        if lines > LONG:
            warnings.append(f"{path}: {lines} lines, more than {LONG}")
        if path.endswith(".hpp") and "#pragma once" not in text:
            errors.append(f"{path}: no #pragma once")
        if path.endswith(".inl") and includes(text):
            errors.append(f"{path}: a list of instantiations includes nothing")
        for number, name, quoted in includes(text):
            where = f"{path}:{number}: includes {name}: "
            if name.startswith("tmor/"):
                target = name[len("tmor/"):]
                graph[path].append((target, number))
                problem = wrong_arrow(path, target, files)
                if problem:
                    errors.append(where + problem)
                continue
            if quoted:
                errors.append(where + 'write "tmor/..." for our headers and <...> for those of others')
            for pattern, place, who in THIRD_PARTIES:
                if re.match(pattern, name) and not re.fullmatch(place, path):
                    errors.append(where + f"{who} only in {place}".replace("\\", ""))
    errors += heavy(files, graph) + cycles(graph)
    return errors, warnings


def heavy(files, graph):
    """Expensive standard headers among those that tmor.hpp reaches."""
    errors, todo, seen = [], ["tmor.hpp"], set()
    while todo:
        path = todo.pop()
        if path in seen or path not in files:
            continue
        seen.add(path)
        errors += [f"{path}:{n}: includes <{name}>: too slow to compile for what tmor.hpp reaches"
                   for n, name, _ in includes(files[path]) if name in HEAVY]
        todo += [target for target, _ in graph[path]]
    return errors


def cycles(graph):
    errors, state = [], {}

    def walk(path, trail):
        state[path] = "open"
        for target, _ in graph.get(path, []):
            if state.get(target) == "open":
                errors.append("a circle of includes: " + " -> ".join(trail[trail.index(target):] + [target]))
            elif target not in state and target in graph:
                walk(target, trail + [target])
        state[path] = "done"

    for path in graph:
        if path not in state:
            walk(path, [path])
    return errors


def self_test():
    def tree(**extra):
        files = {"tmor.hpp": '#pragma once\n#include "tmor/ops/a.hpp"\n',
                 "core/a.hpp": "#pragma once\n#include <vector>\n",
                 "ops/a.hpp": '#pragma once\n#include "tmor/core/a.hpp"\n'}
        files.update({k.replace("__", "/").replace("_cuh", ".cuh").replace("_hpp", ".hpp").replace("_inl", ".inl"): v
                      for k, v in extra.items()})
        return check(files)

    once = "#pragma once\n"
    assert tree() == ([], []), tree()
    bad = {
        "core must not see ops": {"core__a_hpp": once + '#include "tmor/ops/a.hpp"\n'},
        "circle": {"core__a_hpp": once + '#include <tmor/core/a.hpp>\n'},
        "io must not see ops": {"io__b_hpp": once + '#include "tmor/ops/a.hpp"\n'},
        "nobody includes tmor.hpp": {"train__b_hpp": once + '#  include "tmor/tmor.hpp"\n'},
        "no such header": {"ops__b_hpp": once + '#include "tmor/core/gone.hpp"\n'},
        "no layer": {"odd__b_hpp": once + '#include "tmor/core/a.hpp"\n'},
        "only cuda/ includes .cuh": {"ops__b_hpp": once + '#include "tmor/cuda/k.cuh"\n', "cuda__k_cuh": ""},
        "Eigen only in": {"core__b_hpp": once + "#include <Eigen/Dense>\n"},
        "stb only in": {"data__b_hpp": once + "#include <stb/stb_image.h>\n"},
        "nlohmann/json only in": {"io__b_hpp": once + "#include <nlohmann/json.hpp>\n"},
        "zlib only in": {"io__b_hpp": once + "#include <zlib.h>\n"},
        "CUDA only in": {"ops__b_hpp": once + "#include <cuda_runtime.h>\n"},
        "MPI and NCCL only in": {"train__b_hpp": once + "#include <mpi.h>\n"},
        "too slow to compile": {"core__a_hpp": once + "#include <iostream>\n"},
        "no #pragma once": {"core__b_hpp": "\n"},
        "includes nothing": {"instantiate__b_inl": '#include "tmor/core/a.hpp"\n'},
        "write \"tmor/...\"": {"ops__b_hpp": once + '#include "a.hpp"\n'},
    }
    for message, files in bad.items():
        errors, _ = tree(**files)
        assert any(message in e for e in errors), (message, errors)
    good = {
        "linalg": {"core__linalg_hpp": once + "#include <Eigen/Dense>\n"},
        "comment": {"core__b_hpp": once + '/*\n#include "tmor/ops/a.hpp"\n*/\n// #include "tmor/ops/a.hpp"\n'},
        "not from tmor.hpp": {"io__b_hpp": once + "#include <filesystem>\n"},
    }
    for name, files in good.items():
        assert tree(**files) == ([], []), (name, tree(**files))
    assert tree(core__b_hpp=once + "\n" * LONG)[1]
    print(f"{len(bad) + len(good) + 2} cases: every rule catches what it is for")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    default = pathlib.Path(__file__).resolve().parent.parent / "include"
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default) / "tmor"
    files = {p.relative_to(root).as_posix(): p.read_text(encoding="utf-8")
             for p in root.rglob("*") if p.suffix in {".hpp", ".cuh", ".inl"}}
    errors, warnings = check(files)
    for line in warnings:
        print("warning:", line)
    for line in errors:
        print("error:", line)
    print(f"{len(files)} headers, {len(errors)} errors")
    return 1 if errors or not files else 0


sys.exit(main())
