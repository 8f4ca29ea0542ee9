"""Runs the benchmark programs beside their PyTorch peers and prints how they compare; bench/run.sh calls it.

A case is one process of each, both warmed up, then sampled in turns: tmor, PyTorch, tmor, PyTorch ... Whatever else the
machine does disturbs both alike. Reported are the medians of the samples, their ratio (below 1: tmor is faster), the ratio of
the fastest samples, and each process's peak memory. Only the standard library is used.
"""
import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

BENCH = os.path.dirname(os.path.abspath(__file__))
PEERS = os.path.join(BENCH, "peers")
GEMMS = ["NN:256:256:256", "NN:512:512:512", "NN:1024:1024:1024", "NN:2048:2048:2048", "NT:1024:1024:1024",
         "TN:1024:1024:1024", "NN:4928:2048:512", "NN:6304:768:768", "NN:25:64:25:64", "NN:77:64:77:256",
         "NT:77:77:64:256", "NN:64:64:64:64", "NN:1:2048:512"]


def gemm_case(shape):
    op, m, n, k, *batch = shape.split(":")
    return f"gemm_{op}_{m}x{n}x{k}" + (f"_b{batch[0]}" if batch else "")


def cases():
    """(name, program, peer and its options, samples in a quick run or 0), models first."""
    def model(net, name, *options, quick=5):
        return name, "skeleton_bench", [f"peer_{net}.py", "--case", name, *options], quick

    def op(name, *options, quick=0):
        return name, "ops_bench", ["peer_pointwise.py", "--op", *options], quick

    for net in ("skeleton", "unik"):
        yield model(net, f"{net}_train")
        yield model(net, f"{net}_infer", "--mode", "infer", quick=0)
        for frames, joints in ((64, 17), (300, 25)):
            yield model(net, f"{net}_latency_{frames}x{joints}", "--mode", "infer", "--batch", "1", "--frames", str(frames),
                        "--joints", str(joints), quick=5 if frames == 64 else 0)
    # Narrow, as examples/penn_action trains it: time goes into other things than in wide ones.
    yield model("unik", "unik_small_train", "--joints", "13", "--channels", "6", "--stages",
                "32,1 32,1 32,1 64,2 64,1 128,2 128,1", quick=5)
    for batch in (256, 1024, 4096):
        yield f"infonce_{batch}", "ops_bench", ["peer_infonce.py", "--batch", str(batch)], 5 if batch == 1024 else 0
    for name in ("layernorm", "softmax", "attention", "gelu_affine"):
        yield op(f"{name}_infer", name)
        yield op(f"{name}_fwdbwd", name, "--mode", "fwdbwd", quick=5)
    yield op("adamw_step", "adamw", quick=5)
    for shape in GEMMS:
        yield gemm_case(shape), "ops_bench", ["peer_gemm.py", "--shape", shape], 5 if shape == "NN:1024:1024:1024" else 0


class Side:
    """A warmed-up process that takes one sample for every line it is sent."""

    def __init__(self, command):
        self.command, self.samples, self.row = command, [], {}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.expect(lambda line: line == "ready")

    def expect(self, wanted):
        line = self.process.stdout.readline()
        if not line or not wanted(line.strip()):
            self.process.kill()
            raise RuntimeError(f"{' '.join(self.command)}: {'said ' + line.strip() if line else 'ended early'}")
        return line

    def sample(self):
        time.sleep(0.05)  # the other side's workers spin for a while after its sample, on a processor that this one needs
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.samples.append(float(self.expect(lambda line: line.replace(".", "").isdigit())))

    def finish(self):
        self.process.stdin.close()
        self.row = json.loads(self.process.stdout.read())
        self.process.wait()


def torch_missing(python):
    """Why `python` cannot run the peers, or None."""
    if not shutil.which(python):
        return f"no program {python}"
    check = subprocess.run([python, "-c", "import torch"], capture_output=True, text=True)
    return check.stderr.strip().split("\n")[-1] if check.returncode else None


def compare(case, program, peer, threads, repeat, args):
    common = ["--threads", str(threads), "--interactive"] + (["--cpu-time"] if args.cpu_time and threads == 1 else [])
    ours = Side([os.path.join(args.build, program), "--case", case] + common)
    theirs = Side([args.torch, os.path.join(PEERS, peer[0]), *peer[1:], *common, "--tuned"]) if args.torch else None
    sides = [ours, theirs] if theirs else [ours]
    for _ in range(repeat):
        for side in sides:
            side.sample()
    for side in sides:
        side.finish()
    row = dict(case=case, threads=threads, tmor_ms=round(statistics.median(ours.samples), 4), torch_ms=None, ratio=None,
               tmor_min_ms=min(ours.samples), tmor_mb=ours.row["rss_peak_mb"], repeat=repeat, isa=ours.row["isa"])
    if theirs:
        torch_ms = statistics.median(theirs.samples)
        row.update(torch_ms=round(torch_ms, 4), ratio=round(row["tmor_ms"] / torch_ms, 3), torch_min_ms=min(theirs.samples),
                   ratio_min=round(min(ours.samples) / min(theirs.samples), 3), torch_mb=theirs.row["rss_peak_mb"],
                   ratio_mb=round(ours.row["rss_peak_mb"] / theirs.row["rss_peak_mb"], 3), torch=theirs.row["version"])
    return row


def startup(threads, repeat, args):
    """From the start of a process to the first encoded clip and its end."""
    ours = [os.path.join(args.build, "skeleton_bench"), "--case", "startup"]
    theirs = [args.torch, os.path.join(PEERS, "peer_skeleton.py"), "--mode", "infer", "--batch", "1"]
    once = ["--threads", str(threads), "--warmup", "0", "--repeat", "1", "--sample-ms", "0"]
    commands = [ours + once] + ([theirs + once] if args.torch else [])
    seconds, rss = [[] for _ in commands], [0.0 for _ in commands]
    for _ in range(repeat):
        for i, command in enumerate(commands):
            start = time.perf_counter()
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            seconds[i].append((time.perf_counter() - start) * 1e3)
            rss[i] = json.loads(out)["rss_peak_mb"]
    ms = [statistics.median(s) for s in seconds]
    row = dict(case="startup", threads=threads, tmor_ms=round(ms[0], 2), torch_ms=None, ratio=None, tmor_mb=rss[0], repeat=repeat)
    if args.torch:
        row.update(torch_ms=round(ms[1], 2), ratio=round(ms[0] / ms[1], 4), torch_mb=rss[1], ratio_mb=round(rss[0] / rss[1], 3),
                   ratio_min=round(min(seconds[0]) / min(seconds[1]), 4))
    return row


def cpu_name():
    try:
        with open("/proc/cpuinfo") as f:
            return next(line.split(":")[1].strip() for line in f if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def write_markdown(path, rows, why, cpu_time, load):
    torch = next((r["torch"] for r in rows if "torch" in r), None)
    clock = "processor time for one thread, the time of day for more" if cpu_time else "the time of day"
    lines = [
        "# Measured on a CPU", "",
        f"Written by `bench/run.sh --write` on {datetime.date.today()}: {cpu_name()}, {os.cpu_count()} cores, "
        f"{next((r['isa'] for r in rows if 'isa' in r), '')}, "
        + (f"PyTorch {torch}" if torch else f"without PyTorch ({why})")
        + f". Load average at the start: {load:.1f}; above 1 others used the machine too.", "",
        f"A ratio is tmor's time over PyTorch's, medians of at least {min(r['repeat'] for r in rows)} samples taken in turns,",
        f"{clock}; below 1 tmor is faster.",
        "Beside it the ratio of the fastest samples, which others disturb least. PyTorch runs with its best eager settings (malloc",
        "keeps freed blocks, fused AdamW). MiB is the peak of a process that runs this case alone.", "",
        "| case | threads | ratio | ratio of fastest | tmor MiB | PyTorch MiB |",
        "|---|---:|---:|---:|---:|---:|"]
    show = lambda v, form: "" if v is None else format(v, form)
    for r in rows:
        lines.append(f"| {r['case']} | {r['threads']} | {show(r['ratio'], '.2f')} | {show(r.get('ratio_min'), '.2f')} | "
                     f"{r['tmor_mb']:.0f} | {show(r.get('torch_mb'), '.0f')} |")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path + ".part", "w") as f:
        f.write("\n".join(lines) + "\n")
    os.replace(path + ".part", path)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=".", help="folder of the programs")
    p.add_argument("--json", action="store_true", help="one JSON object a row instead of a table")
    p.add_argument("--threads", default="1,2", help="comma list of numbers of threads")
    p.add_argument("--case", default="", help="only cases whose name contains this")
    p.add_argument("--repeat", type=int, default=9, help="samples of each side")
    p.add_argument("--quick", action="store_true", help="the main cases with few samples")
    p.add_argument("--cpu-time", action="store_true",
                   help="processor time instead of the time of day in rows of one thread: for a machine that others use too")
    p.add_argument("--torch", default=os.environ.get("TMOR_TORCH_PYTHON", "python3"), metavar="PYTHON",
                   help="the Python that has PyTorch (default: $TMOR_TORCH_PYTHON, else python3)")
    p.add_argument("--write", action="store_true", help="write docs/results/cpu.md too")
    args = p.parse_args()
    try:
        threads = [int(t) for t in args.threads.split(",")]
    except ValueError:
        p.error(f"--threads {args.threads}: not a comma list of numbers")
    why = torch_missing(args.torch)
    if why:
        print(f"without PyTorch, its columns stay empty: {why}; name a Python that has it with --torch", file=sys.stderr)
        args.torch = None
    known = subprocess.run([os.path.join(args.build, "ops_bench"), "--list"], capture_output=True, text=True, check=True)
    known = set(known.stdout.split())

    rows, load = [], os.getloadavg()[0]

    def emit(row):
        if why:
            row["torch_missing"] = why
        rows.append(row)
        if args.json:
            print(json.dumps(row), flush=True)
        else:
            show = lambda v, form: format(v, form) if v is not None else "-".rjust(int(form.split(".")[0]))
            print(f"{row['case']:26} {row['threads']:2} {row['tmor_ms']:10.3f} {show(row['torch_ms'], '10.3f')} "
                  f"{show(row['ratio'], '6.2f')} {show(row.get('ratio_min'), '6.2f')} {row['tmor_mb']:7.0f} "
                  f"{show(row.get('torch_mb'), '7.0f')}", flush=True)

    if not args.json:
        print(f"{'case':26} {'T':>2} {'tmor ms':>10} {'torch ms':>10} {'ratio':>6} {'best':>6} {'tmor MB':>7} {'torch MB':>7}")
    for t in threads:
        for case, program, peer, quick in cases():
            if args.case not in case or (args.quick and not quick) or (program == "ops_bench" and case not in known):
                continue
            emit(compare(case, program, peer, t, quick if args.quick else args.repeat, args))
        if args.case in "startup":
            emit(startup(t, 3 if args.quick else 5, args))
    if not rows:
        p.error(f"no case has '{args.case}' in its name")
    if args.write:
        write_markdown(os.path.join(os.path.dirname(BENCH), "docs", "results", "cpu.md"), rows, why, args.cpu_time, load)


if __name__ == "__main__":
    main()
