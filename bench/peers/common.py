"""Shared plumbing of the PyTorch programs: arguments, timing, peak memory, one JSON line a case.

The keys are those of bench/bench.hpp, so that bench/compare.py can put the two side by side; so are --interactive
(warms up, prints "ready", then takes one sample for every line it reads), --sample-ms and --cpu-time.
"""
import argparse
import contextlib
import json
import os
import platform
import resource
import sys
import time


def parser(desc, batch=None, repeat=10, warmup=3):
    p = argparse.ArgumentParser(description=desc)
    p.add_argument("--threads", type=int, default=1)
    if batch is not None:
        p.add_argument("--batch", type=int, default=batch)
    p.add_argument("--repeat", type=int, default=repeat, help="timed samples")
    p.add_argument("--warmup", type=int, default=warmup, help="untimed repetitions")
    p.add_argument("--sample-ms", type=float, default=20, help="short calls are repeated until a sample takes this long")
    p.add_argument("--cpu-time", action="store_true", help="processor time instead of the time of day")
    p.add_argument("--interactive", action="store_true", help="one sample for every line of standard input")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32", help="bfloat16: CPU autocast")
    p.add_argument("--compile", action="store_true", help="torch.compile the model")
    p.add_argument("--precision", choices=["highest", "high", "medium"], default="highest",
                   help="torch.set_float32_matmul_precision")
    p.add_argument("--tuned", action="store_true",
                   help="what an expert would add: malloc keeps freed blocks (no page-fault churn), fused AdamW")
    return p


def setup(args):
    """Fixes the number of threads, then imports torch, which reads it once."""
    if args.tuned and "GLIBC_TUNABLES" not in os.environ:
        keep = str(1 << 36)
        os.environ["GLIBC_TUNABLES"] = f"glibc.malloc.mmap_threshold={keep}:glibc.malloc.trim_threshold={keep}"
        os.execv(sys.executable, [sys.executable] + sys.argv)
    for k in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[k] = str(args.threads)
    import torch
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision(args.precision)
    torch.manual_seed(args.seed)
    args.rss_import_mb = rss_mb()
    return torch


def rss_mb():
    """Peak resident memory of this process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def autocast(torch, args):
    return torch.autocast("cpu", dtype=torch.bfloat16) if args.dtype == "bfloat16" else contextlib.nullcontext()


def adamw(torch, args, params, lr):
    return torch.optim.AdamW(params, lr=lr, **(dict(fused=True) if args.tuned else {}))


def measure(args, case, fn, **extra):
    """Times fn and prints the row."""
    clock = time.process_time if args.cpu_time else time.perf_counter

    def sample(inner):
        t = clock()
        for _ in range(inner):
            fn()
        return (clock() - t) / inner

    first = sample(1)  # pays for torch.compile, oneDNN's primitives and page faults
    once = min([first] + [sample(1) for _ in range(args.warmup)])
    inner = max(1, round(args.sample_ms * 1e-3 / once))
    v = []
    if args.interactive:
        print("ready", flush=True)
        for _ in sys.stdin:
            v.append(sample(inner))
            print(f"{v[-1] * 1e3:.6f}", flush=True)
    else:
        v = [sample(inner) for _ in range(args.repeat)]
    if not v:
        return
    v.sort()
    row = dict(peer="torch", version=sys.modules["torch"].__version__, case=case, threads=args.threads, dtype=args.dtype,
               compile=args.compile, tuned=args.tuned, precision=args.precision)
    row.update(min_ms=round(v[0] * 1e3, 4), med_ms=round(v[len(v) // 2] * 1e3, 4), max_ms=round(v[-1] * 1e3, 4))
    row.update(extra)
    row.update(first_ms=round(first * 1e3, 2), repeat=len(v), rss_peak_mb=round(rss_mb(), 1),
               rss_import_mb=round(args.rss_import_mb, 1), python=platform.python_version())
    print(json.dumps(row), flush=True)


def train_step(torch, args, net, params, x, target):
    """The step that skeleton_bench.cpp times too: forward, backward, AdamW."""
    import torch.nn.functional as F
    opt = adamw(torch, args, params, 1e-3)

    def step():
        opt.zero_grad(set_to_none=True)
        with autocast(torch, args):
            loss = F.mse_loss(F.normalize(net(x).float(), dim=-1), target)
        loss.backward()
        opt.step()

    return step


def infer(torch, args, net, x):
    def forward():
        with torch.inference_mode(), autocast(torch, args):
            net(x)

    return forward
