#!/usr/bin/env python3
"""What bench/gpu.sh left in a folder, as gpu.json and gpu.md: report.py FOLDER --gpu NAME --commit HASH."""
import argparse
import csv
import json
import pathlib

p = argparse.ArgumentParser(description=__doc__)
p.add_argument("folder", type=pathlib.Path)
p.add_argument("--gpu", required=True)
p.add_argument("--commit", required=True)
a = p.parse_args()


def lines(name):
    path = a.folder / name
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def objects(name):
    out = []
    for line in lines(name):
        try:
            out.append(json.loads(line))
        except ValueError:
            pass  # a step that was stopped leaves half a line
    return out


def kernels():
    """What Nsight counted: launches, and the sum of times in ns and means of the percentages over them, by kernel."""
    rows = lines("nsight.txt")
    start = next((i for i, line in enumerate(rows) if line.startswith('"ID"')), len(rows))
    found = {}
    for row in csv.DictReader(rows[start:]):
        try:
            value = float((row["Metric Value"] or "").replace(",", ""))
        except ValueError:
            continue
        values = found.setdefault(row["Kernel Name"].split("(")[0][:60], {})
        values.setdefault(row["Metric Name"].split(".")[0], []).append(value)
    out = [{"kernel": name, "launches": len(v["gpu__time_duration"]), "us": sum(v["gpu__time_duration"]) / 1e3,
            **{short: sum(v[long]) / len(v[long]) for short, long in
               (("memory", "dram__throughput"), ("compute", "sm__throughput"), ("warps", "sm__warps_active")) if v.get(long)}}
           for name, v in found.items() if v.get("gpu__time_duration")]
    return sorted(out, key=lambda k: -k["us"])


steps = {s["step"]: s for s in objects("steps.jsonl")}
families = lines("families.txt")
wrong = [line for line in families if "too large" in line]
training = (objects("training.txt") or [None])[0]
ours = {c["case"]: c for c in objects("bench.txt")}
theirs = {c["case"]: c for c in objects("torch.txt")}
copy = ours.get("copy", {}).get("gb_s")
result = {"gpu": a.gpu, "commit": a.commit, "steps": list(steps.values()), "families": len(families), "families_wrong": wrong,
          "training": training, "tmor": list(ours.values()), "torch": list(theirs.values()),
          "kernels": kernels()}
(a.folder / "gpu.json").write_text(json.dumps(result, indent=1) + "\n")

md = ["# On a GPU", "", f"Written by `bench/gpu.sh` at commit {a.commit} on: {a.gpu}.", "", "| step | result | seconds |", "|---|---|---|"]
for name, s in steps.items():
    said = "passed" if s["exit"] == 0 else "ran out of time" if s["exit"] == 124 else f"**failed** (exit status {s['exit']})"
    if name == "families":
        said += f": {len(families)} families compared with the CPU, {len(wrong)} differ"
    if name == "training" and training:
        said += f": {training['steps']} steps, largest difference from the CPU's loss {100 * training['worst_difference']:.2g} %"
    if name in ("memcheck", "racecheck", "initcheck", "synccheck"):
        summary = [line for line in lines(f"{name}.txt") if "SUMMARY" in line]
        said += ": " + summary[-1].strip("= ").lower() if summary else ""
    md.append(f"| {name} | {said} | {s['seconds']} |")
for missing in ("no_sanitizer.txt", "no_torch.txt", "no_nsight.txt"):
    md += ["", *lines(missing)] if lines(missing) else []
if ours:
    md += ["", "Median time of a call in milliseconds, float32 where no other type is named; a ratio below 1 means that tmor is faster. Rates of operations bound by",
           "memory are also given as a part of the measured copy rate.", "",
           "| case | tmor | PyTorch | torch.compile | ratio | rate | of copy | tmor MiB | PyTorch MiB |", "|---|---|---|---|---|---|---|---|---|"]
    show = lambda v, f: "–" if v is None else f.format(v)
    for name, c in ours.items():
        t = theirs.get(name, {})
        best = min((v for v in (t.get("ms"), t.get("compiled_ms")) if v is not None), default=None)
        rate = f"{c['gb_s']} GB/s" if "gb_s" in c else f"{c['tflop_s']} TFLOP/s" if "tflop_s" in c else "–"
        part = c["gb_s"] / copy if copy and "gb_s" in c else None
        md.append(f"| {name} | {c['ms']:.3f} | {t.get('error') or show(t.get('ms'), '{:.3f}')} | {show(t.get('compiled_ms'), '{:.3f}')} | "
                  f"{show(best and c['ms'] / best, '{:.2f}')} | {rate} | {show(part, '{:.2f}')} | {c['peak_mib']:.0f} | {show(t.get('peak_mib'), '{:.0f}')} |")
if result["kernels"]:
    md += ["", "The kernels that took longest in the comparison with the CPU (small sizes), by Nsight's counters: throughput of memory and of",
           "the multiprocessors as a part of their peaks, and warps at work.", "",
           "| kernel | launches | µs in all | memory | compute | warps |", "|---|---|---|---|---|---|"]
    for k in result["kernels"][:12]:
        md.append(f"| `{k['kernel']}` | {k['launches']} | {k['us']:.1f} | " +
                  " | ".join(f"{k[n]:.0f} %" if n in k else "–" for n in ("memory", "compute", "warps")) + " |")
(a.folder / "gpu.md").write_text("\n".join(md) + "\n")
