#!/usr/bin/env python3
"""Do the checks notice faults in the CUDA kernels? mutants.py [--build FOLDER] [--mode forward,reverse,...]

Each mutant is one small fault (a barrier dropped, a bound off by one, a wrong index, a missing event) in a copy of the
kernels and headers of include/tmor/cuda, of the bodies in other folders that a GPU runs, and of the two streams of tests/cuda. The copy holds all of them behind
`mutant(k)`, so that it is compiled once, for the emulated device; the program of tests/cuda, which compares every family
of operations with the CPU, then runs with each in turn. A mutant is caught when the program fails in one of the modes: by wrong numbers or an error
of the emulated device, with the threads of a block in one of the orders, or with deferred streams; or, in mode tsan, by the
race check, for which the kernels are compiled once more. The whole, unmutated, must pass in every mode. Exit status: 0 when
every mutant was caught.
"""
import argparse
import os
import pathlib
import platform
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
CUDA = ROOT / "include/tmor/cuda"
TESTS = ROOT / "tests/cuda"
BODIES = [ROOT / "include/tmor" / name for name in ("skeleton/clip_change.hpp", "data/synth/picture.hpp")]

# (what is wrong, file, text with the place in <<...>>, what stands there instead, families that run it).
# An empty replacement drops a statement, which then ends in ';' inside the marks.
MUTANTS = [
    # Products
    ("barrier before a tile is read", "gemm.cuh", "      }\n      <<__syncthreads();>>\n      for (int k = 0; k < kTileK", "", "matmul"),
    ("barrier before a tile is overwritten", "gemm.cuh", "sum[i][j] += x[i] * y[j];\n      }\n      <<__syncthreads();>>", "", "matmul"),
    ("bound of A's rows off by one", "gemm.cuh", "<<row0 + ai < s.m>> && k0 + ak < end ?", "row0 + ai <= s.m", "matmul"),
    ("bound of the inner size gone", "gemm.cuh", "row0 + ai < s.m && <<k0 + ak < end>> ?", "true", "matmul"),
    ("bound of the result's columns off by one", "gemm.cuh", "row0 + 4 * ty + i < s.m && <<col0 + 4 * tx + j < s.n>>", "col0 + 4 * tx + j <= s.n", "matmul"),
    ("a product replaces the sum", "gemm.cuh", "<<sum[i][j] += x[i] * y[j];>>", "sum[i][j] = x[i] * y[j];", "matmul"),
    ("last part of a long product left out", "gemm.cuh", "for (Index p = 0; p < <<s.parts>>; ++p) v += parts", "s.parts - 1", "matmul_long"),
    ("parts of a long product overlap", "gemm.cuh", "for (Index k0 = <<part * s.part>>; k0 < end", "part * (s.part - 1)", "matmul_long"),
    ("wrong batch of a strided matrix", "gemm.cuh", "return p[<<at[0]>> + i * row + j * column];", "Index{0}", "matmul"),
    ("earlier blocks' part of a sum left out", "gemm.cuh", "c = beta == 0 ? v : v + <<beta>> * static_cast", "beta - beta", "info_nce_bf16"),
    # Reductions and norms
    ("shuffles of half a warp", "block.cuh", "for (int mask = <<16>>; mask > 0; mask /= 2) v = combine", "8", "reduce_rows norm"),
    ("barrier before the warps' results are read", "block.cuh", "= v;\n  <<__syncthreads();>>\n  v = of_warp[0];", "", "reduce_rows norm"),
    ("barrier before they are overwritten", "block.cuh", "<<__syncthreads();>>  // before the next reduction", "", "norm norm_long info_nce"),
    ("all warps write one place", "block.cuh", "of_warp[<<threadIdx.x / 32>>] = v;", "threadIdx.x * 0", "reduce_rows norm"),
    ("a warp's result left out", "block.cuh", "for (unsigned w = <<1>>; w < warps", "2", "reduce_rows norm"),
    ("a row longer than the block has holes", "block.cuh", "each(Index n, F&& f) const {\n    for (Index i = threadIdx.x; i < n; i += <<blockDim.x>>)", "2 * blockDim.x", "norm_long"),
    ("first segment's neighbour left out", "reduce.cuh", "for (Index s = <<1>>; s < segments; ++s)", "2", "reduce_rows"),
    ("end of a segment off by one", "reduce.cuh", "n.count ? <<begin + n.segment>> : n.count;\n  for (Index o", "begin + n.segment + 1", "reduce_rows"),
    ("barrier before columns are added up", "reduce.cuh", "= acc;\n  <<__syncthreads();>>\n  if (threadIdx.y != 0", "", "reduce_columns"),
    ("last row of partial sums left out", "reduce.cuh", "for (unsigned y = 1; y < <<kReduceRowsAtOnce>>; ++y)", "kReduceRowsAtOnce - 1", "reduce_columns"),
    ("columns beyond the last are written", "reduce.cuh", "if (threadIdx.y != 0 || <<o >= n.outputs>>) return;", "false", "reduce_columns"),
    ("the last warp does not come to the barrier", "block.cuh", "if (<<warps == 1>>) return v;", "warps == 1 || threadIdx.x / 32 + 1 == warps", "reduce_rows norm"),
    ("every lane writes its warp's result", "block.cuh", "if (<<threadIdx.x % 32 == 0>>) of_warp", "true", "reduce_rows"),
    ("every thread writes its block's result", "reduce.cuh", "if (<<threadIdx.x == 0>>) out.put(o, blockIdx.y, acc);", "true", "reduce_rows"),
    ("too few blocks for the columns", "reduce.cuh", "{static_cast<unsigned>(<<(n.outputs + 31) / 32>>), static_cast", "n.outputs / 32", "reduce_columns"),
    # Pointwise
    ("one element too many", "each.cuh", "for (Index i = thread_index(); <<i < n>>; i += thread_count()) body(i);", "i <= n", "pointwise"),
    ("first dimension's stride forgotten", "each.cuh", "for (int d = rank - 1; <<d >= 0>>; --d)", "d > 0", "pointwise movement"),
    ("four at a time beyond the end", "pointwise.cuh", "if (<<at + 4 <= n>>)", "at <= n", "pointwise_dense"),
    ("gradient of the wrong operand", "pointwise.cuh", "static_cast<T>(d * r.d[<<I>>]);", "n_in - 1 - I", "pointwise_dense"),
    ("broadcast gradient of the first operand", "pointwise.cuh", "if (<<i == k>>) d = r.d[i];", "false", "pointwise"),
    ("four at a time from any address", "pointwise.cuh", "return <<reinterpret_cast<std::uintptr_t>(p) % sizeof(Four<T>) == 0>>;", "true", "pointwise_dense"),
    ("blocks do each other's elements", "each.cuh", "for (Index i = thread_index(); i < n; i += <<thread_count()>>) body(i);", "Index{blockDim.x}", "pointwise_dense"),
    # Attention
    ("warp barrier before weights are read", "attention.cuh", "= weight;\n  <<__syncwarp();>>", "", "attention"),
    ("warp barrier before they are overwritten", "attention.cuh", "w * p[d * step];\n    }\n  }\n  <<__syncwarp();>>", "", "attention"),
    ("sum not rescaled to the new maximum", "attention.cuh", "total = <<total * shrink>> + warp_sum", "total", "attention_causal"),
    ("results not rescaled to the new maximum", "attention.cuh", "for (T& sum : sums) <<sum *= shrink;>>", "", "attention_causal"),
    ("a query sees one key too many", "attention_view.cuh", "n = <<i + keys - queries + 1>>;", "i + keys - queries + 2", "attention_causal"),
    ("keys beyond the last are read", "attention.cuh", "add_rows(sums, weight, <<end - j0 < 32 ? end - j0 : 32>>, first, a.value_dim", "Index{32}", "attention"),
    ("columns beyond the last are written", "attention.cuh", "if (const Index d = first + lane + 32 * c; <<d < a.value_dim>>)", "true", "attention"),
    ("delta forgotten in the queries' gradient", "attention.cuh", "(d_weight(s, b, h, i, j0 + lane) - <<delta>>)", "T(0)", "attention"),
    ("scale forgotten in the keys' gradient", "attention.cuh", "key[c] * <<a.scale>>;", "T(1)", "attention"),
    # Attention on tensor cores
    ("copy to shared memory not waited for", "attention_tiles.cuh", "step + 1);\n    <<cp_async_wait<1>();>>", "", "attention_bf16"),
    ("copies of one step belong to the next group", "attention_tiles.cuh", "a.keys);\n    }\n    <<cp_async_commit();>>", "", "attention_bf16"),
    ("barrier before a tile is read", "attention_tiles.cuh", "<<__syncthreads();>>  // all of the tile is there", "", "attention_bf16"),
    ("barrier before a tile is overwritten", "attention_tiles.cuh", "<<__syncthreads();>>  // before the tile is overwritten", "", "attention_bf16_causal"),
    ("sum not rescaled to the new maximum", "attention_tiles.cuh", "<<total[r] *= shrink;>>", "", "attention_bf16"),
    ("the warp's last query decides for all", "attention_tiles.cuh", "first + lane.row() + 8 * r, end = <<i < a.queries ? a.visible(b, i) : 0>>;", "visible_to(a, b, first, 16)", "attention_bf16_causal"),
    ("columns beyond the last are left as they are", "tile.cuh", "if (column >= <<(rows.dim + 15) / 16 * 16>>) continue;", "rows.dim", "attention_bf16"),
    ("rows beyond the last are fetched", "tile.cuh", "const bool wanted = <<first + row < end>> &&", "true", "attention_bf16"),
    ("rows are read as if they were aligned", "tile.cuh", "return {x, static_cast<int>(dim), <<together && dim % 8 == 0>>};", "true", "attention_bf16_causal"),
    ("ldmatrix from a misaligned address", "tile.cuh", "ldmatrix<4>(b, <<tile.at(row + lane % 8 + 8 * (m / 2), k + 8 * (m % 2))>>);", "reinterpret_cast<Eight<T>*>(tile.at(row + lane % 8 + 8 * (m / 2), k + 8 * (m % 2))->v + 2)", "attention_bf16"),
    ("rows of a fragment exchanged", "tile.cuh", "ldmatrix<4, true>(b, tile.at(k + lane % 8 + 8 * <<(m % 2)>>, column", "(1 - m % 2)", "attention_bf16"),
    ("halves of a fragment's register exchanged", "tile.cuh", "a[1] = <<pack_pair<T>(left[2], left[3])>>;", "pack_pair<T>(left[3], left[2])", "attention_bf16"),
    ("delta forgotten in the queries' gradient", "attention_tiles_grad.cuh", "(dw[n][e] - <<delta[e / 2]>>)", "0.0f", "attention_bf16"),
    ("every warp has the first one's keys", "attention_tiles_grad.cuh", "multiply_tiles<T, D>(w, key_tile, <<my_row>>,", "0", "attention_bf16"),
    ("barrier before the keys are read", "attention_tiles_grad.cuh", "<<__syncthreads();>>  // all of the tile is there\n    if (mine < a.keys)", "", "attention_bf16"),
    ("first tile of queries left out", "attention_tiles_grad.cuh", "i0 = i0 > 0 ? <<i0 / kQueries * kQueries>> : 0;", "i0 / kQueries * kQueries + kQueries", "attention_bf16_causal"),
    # Convolutions and pooling
    ("left edge of an image not padded", "conv.cuh", "if (row < 0 || row >= s.h || <<column < 0>> || column >= s.w) return", "false", "conv2d"),
    ("strides forgotten in the input's gradient", "conv.cuh", "|| <<column % s.stride_w != 0>>) return", "false", "conv2d"),
    ("every group has the first one's weight", "conv.cuh", "return w[(row * s.groups + <<group>>) * s.c_out + c];", "Index{0}", "conv2d"),
    ("heads of the joint mix swapped", "conv.cuh", "s.a_sample + (<<z % s.heads>> * s.v + v)", "s.heads - 1 - z % s.heads", "joint_mix"),
    ("first window of a pixel off by one", "pool.cuh", "? at * a.out / a.in - 1 : <<(at + a.pad - a.kernel) / a.stride>>;", "(at + a.pad - a.kernel) / a.stride + 2", "pool_overlap"),
    ("windows' gradients replace each other", "pool.cuh", "<<sum += dy[out] * (T(1) / static_cast<T>(s.divisor(i, j)));>>", "sum = dy[out] * (T(1) / static_cast<T>(s.divisor(i, j)));", "pool_overlap"),
    # Positions, orders, random numbers, steps
    ("first row of a target not added", "index.cuh", "for (Index j = <<at>>; j >= 0; j = next[j])", "next[at]", "index"),
    ("equal positions are looked for not far enough", "index.cuh", "for (i = j + 1; <<i < k>> && ids[i] != ids[j];) ++i;", "i + 2 < k", "index"),
    ("first row of a group overlooked", "index.cuh", "for (Index j = n - 1; <<j >= 0>>; --j)", "j > 0", "info_nce_bf16"),
    ("gathered from the wrong row", "index.cuh", "x[(<<e / inner / k>> * n + ids[e])", "e / inner / n", "index gather"),
    ("largest found again and again", "index.cuh", "if ((j == 0 || <<last.before(v, order)>>)", "true", "rank"),
    ("every thread writes the place found", "index.cuh", "if (<<threadIdx.x == 0>>) out[row * k + j] = last.at;", "true", "rank"),
    ("random numbers beyond the end", "random.cuh", "if (<<i >= n>>) return;", "false", "dropout"),
    ("the same word for all four", "random.cuh", "u = uniform_from_bits(block.word[<<k>>]);", "0", "dropout"),
    ("draws of a graph start where the device's memory did", "random.cuh", "if (<<start != nullptr>>) s = {start->seed", "false", "graph_draws"),
    ("first element of a tensor in its neighbour", "update.cuh", "(<<first[middle] <= e>> ? low : high)", "first[middle] < e", "optim"),
    ("position not counted from the tensor's first", "update.cuh", "const Index i = <<e - first[low]>>;", "e", "optim"),
    # Changes of skeletons, pictures
    ("left and right not exchanged", "clip_change.hpp", "t, <<change.mirror ? partner[v] : v>>, p);", "v", "change_clips"),
    ("start of a stretch forgotten", "clip_change.hpp", "i += <<change.stretch.length > 0 ? change.stretch.start : 0>>;", "Index{0}", "change_clips"),
    ("a joint known in both frames taken from one", "clip_change.hpp", "if (<<both && w > 0>>) p[c] =", "false", "change_clips_3d"),
    ("every person is the first one", "clip_change.hpp", "(rest * persons + <<m>>) * from", "m * 0", "change_clips"),
    ("the nearest capsule left out", "picture.hpp", "i < <<p.last_stroke>>; ++i)", "p.last_stroke - 1", "draw"),
    ("the room does not shake", "picture.hpp", "p.room.at(<<y - p.shift_y>>, x", "y", "draw"),
    ("capsules of the first picture in all", "picture.hpp", "for (Index i = <<p.stroke>>; i", "Index{0}", "draw"),
    ("grain of a neighbour", "picture.hpp", "p.film.words(i / 4).word[<<i % 4>>]", "(i + 1) % 4", "draw"),
    # Streams
    ("second stream does not wait for its inputs", "streams.cuh", "<<side.order(main, side.inputs, side.stream);>>", "", "streams"),
    ("first stream does not wait for the second", "streams.cuh", "<<side.order(side.stream, side.part, main);>>", "", "streams"),
    ("event recorded in the wrong stream", "streams.cuh", "api.EventRecord(e, <<busy>>)", "waiting", "streams"),
    # NVIDIA's convolutions, and graphs
    ("too small a workspace", "cudnn.hpp", "Cuda::allocate(<<p.workspace>>)", "p.workspace / 2", "conv2d_library"),
    ("strides exchanged", "cudnn.hpp", "num(s.pad_w), num(<<s.stride_h>>)", "s.stride_w", "conv2d_library"),
    ("the library works in another stream", "cudnn.hpp", "SetStream(detail::cudnn().handle, <<cuda_stream()>>)", "nullptr", "graph"),
    ("captured memory does not belong to the graph", "graph.hpp", "detail::captured_pool() = <<&pool>>;", "nullptr", "graph"),
    ("what a graph released is given to others", "device.hpp", "owner_.find(p); <<owner != owner_.end()>>)", "false", "graph"),
    ("sum in the wrong stream", "streams.cuh", 'launch({"added", blocks, 32, 0, <<main>>}', "side.stream", "streams"),
]


def planted(name, text, mutants):
    """`text` of file `name` with every mutant of it, by number, behind mutant(number)."""
    places = []
    for number, (what, _, place, new, _) in mutants:
        before, rest = place.split("<<")
        old, after = rest.split(">>")
        if text.count(before + old + after) != 1:
            sys.exit(f"mutants.py: '{what}': {name} holds the place {text.count(before + old + after)} times instead of once: {place!r}")
        if not old.endswith(";"):
            other = f"(mutant({number}) ? ({new}) : ({old}))"
        elif new:
            other = f"if (mutant({number})) {{ {new} }} else {{ {old} }}"
        else:
            other = f"if (!mutant({number})) {{ {old} }}"
        places.append((text.index(before + old + after) + len(before), old, other))
    places.sort()
    for (at, old, _), (following, new, _) in zip(places, places[1:]):
        if at + len(old) > following:
            sys.exit(f"mutants.py: two mutants of {name} are at one place: {old!r}, {new!r}")
    for at, old, other in reversed(places):
        text = text[:at] + other + text[at + len(old):]
    return text


SWITCH = """#pragma once
#include <cstdlib>
inline const int tmor_mutant = [] { const char* s = std::getenv("TMOR_MUTANT"); return s ? std::atoi(s) : 0; }();
inline bool mutant(int number) { return number == tmor_mutant; }
"""


def plant(folder):
    """Copies the sources, with the mutants, into `folder`."""
    (folder / "mutant.hpp").write_text(SWITCH)
    numbered = list(enumerate(MUTANTS, 1))
    copied = set()
    for source in [*sorted(CUDA.glob("*.[ch]*")), *BODIES, *sorted(TESTS.iterdir())]:
        copy = folder / source.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(planted(source.name, source.read_text(), [(k, m) for k, m in numbered if m[1] == source.name]))
        copied.add(source.name)
    if strange := {m[1] for m in MUTANTS} - copied:
        sys.exit(f"mutants.py: no file {strange}")


def build(folder, check_races):
    """Compiles the planted kernels, for the race check too if wanted, and the CPU's side; returns the programs."""
    compiler = os.environ.get("CXX", "g++").split()
    flags = ["-std=c++20", "-march=native", "-w", "-DTMOR_CUDA_EMULATED", f"-I{folder / 'include'}", "-include", str(folder / "mutant.hpp"), f"-I{ROOT / 'include'}"]
    races = ["-fsanitize=thread", "-g1"]
    mixed = ["-Wl,-z,muldefs"]  # the CPU's side need not be compiled for the race check, though tmor's own tag says so
    programs = {"plain": ["-O1"]} | ({"races": ["-O1", *races]} if check_races else {})
    objects = [("main.cpp", "main", ["-O1"])] + [("kernels.cu", name, own) for name, own in programs.items()]
    jobs = [subprocess.Popen(compiler + flags + own + ["-c", "-x", "c++", str(folder / "tests/cuda" / source), "-o", str(folder / f"{name}.o")])
            for source, name, own in objects]
    if any([job.wait() for job in jobs]):
        sys.exit("mutants.py: the kernels do not compile")
    for name in programs:  # the kernels first, whose copies of functions that both have are then taken
        subprocess.run(compiler + [str(folder / f"{name}.o"), str(folder / "main.o"), "-pthread", *(races + mixed if name == "races" else []), "-o", str(folder / name)], check=True)
    return {name: [str(folder / name)] for name in programs}


def why_it_failed(done):
    """One line of what a program said."""
    if "ThreadSanitizer" in done.stderr:
        places = re.findall(r"#0 .*?/([\w.]+:\d+)", done.stderr)
        return "a race at " + " and ".join(dict.fromkeys(places[:2]))
    wrong = [line for line in done.stdout.splitlines() if "too large" in line]
    lines = done.stderr.strip().splitlines() or wrong or [f"exit status {done.returncode}"]
    return " ".join(lines[0].split())


def runs(command):
    """Does the program start? It says so of a family that does not exist."""
    return subprocess.run([*command, "none"], capture_output=True).returncode == 2


def run(programs, number, mode, families):
    """Why the program fails, or None when it passes."""
    words = mode.split("+")
    environment = os.environ | {"TMOR_MUTANT": str(number), "TSAN_OPTIONS": "halt_on_error=1"}
    if order := {"forward", "reverse", "random"} & set(words):
        environment["TMOR_EMU_ORDER"] = order.pop()
    if "aligned" in words:  # buffers start where vector loads want them, which is what kernels then use
        environment["TMOR_EMU_ALIGNED"] = "1"
    if "deferred" in words:
        environment["TMOR_EMU_STREAMS"] = "deferred"
    if "tsan" in words:  # the CPU's side is compiled without the sanitizer, which would not see how its threads wait
        environment["TMOR_NUM_THREADS"] = "1"
    try:
        done = subprocess.run(programs["races" if "tsan" in words else "plain"] + families, env=environment, capture_output=True, text=True, timeout=300, errors="replace")
    except subprocess.TimeoutExpired:
        return "does not end"
    return why_it_failed(done)[:100] if done.returncode else None


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--build", type=pathlib.Path, default=ROOT / "build/mutants", help="where to build (default: %(default)s)")
    options.add_argument("--mode", default="forward,reverse,random,forward+aligned,deferred,tsan", help="orders of threads, aligned buffers, deferred streams, the race check, or several with +, tried in turn (default: %(default)s)")
    options.add_argument("--only", default="", help="only mutants whose description or file holds this text")
    o = options.parse_args()
    start, modes, folder = time.time(), o.mode.split(","), o.build.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    plant(folder)
    programs = build(folder, check_races=any("tsan" in mode for mode in modes))
    if "races" in programs and not runs(programs["races"]):
        programs["races"] = ["setarch", platform.machine(), "-R", *programs["races"]]  # some kernels' address layouts need it
        if not runs(programs["races"]):
            print("programs built with -fsanitize=thread do not run on this machine: mode tsan is left out")
            modes = [mode for mode in modes if "tsan" not in mode]
    print(f"built in {time.time() - start:.0f} s")
    for mode in modes:
        why = run(programs, 0, mode, [])
        if why:
            sys.exit(f"mutants.py: the kernels as they are fail in mode {mode}: {why}")
        print(f"the kernels as they are pass in mode {mode}, {time.time() - start:.0f} s", flush=True)
    tried = missed = 0
    for number, (what, file, _, _, families) in enumerate(MUTANTS, 1):
        if o.only not in what and o.only not in file:
            continue
        for mode in modes:
            why = run(programs, number, mode, families.split())
            if why:
                break
        tried += 1
        missed += not why
        print(f"{number:2} {'caught' if why else 'MISSED'}  {file:14} {what}: {mode + ': ' + why if why else 'passes in every mode'}",
              flush=True)
    print(f"{tried} mutants, {missed} missed, {time.time() - start:.0f} s")
    return missed > 0


if __name__ == "__main__":
    sys.exit(main())
