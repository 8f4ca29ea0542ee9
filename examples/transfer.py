#!/usr/bin/env python3
"""What pre-training on generated triplets is worth on real skeletons, as one command a data set:

    examples/transfer.py penn --data DIR [--seeds 5] [--out runs/transfer]
    examples/transfer.py nw_ucla --data DIR

Pre-trains the tri-modal model of the tiny configuration on generated clips with the data set's joints (2-D for Penn Action,
3-D for NW-UCLA), then trains the skeleton encoder with labels, from there and from scratch, the same network with the same
options, on all training clips and on a tenth of them, by several seeds. Prints a table of mean and deviation over seeds; the
result of each run stays in --out, so that a stopped command goes on where it was. Needs the programs (cmake --build build).
"""
import argparse
import concurrent.futures
import json
import pathlib
import statistics
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
SETS = {
    "penn": dict(program=["penn_action", "--mode", "supervised"], layout=["--layout", "penn13"], title="Penn Action"),
    "nw_ucla": dict(program=["nw_ucla"], layout=["--layout", "kinect20", "--dims", "3"], title="NW-UCLA"),
}
# Passes over what there is to train on: less data, more passes.
EPOCHS = {1.0: 12, 0.1: 60}


def call(command, result):
    """The last line of a program's output as JSON; from `result` where it is there already."""
    if result.exists():
        return json.loads(result.read_text())
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=open(result.with_suffix(".log"), "w"), text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}; see {result.with_suffix('.log')}")
    part = result.with_suffix(".part")
    part.write_text(done.stdout.splitlines()[-1])
    part.replace(result)
    return json.loads(result.read_text())


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("set", choices=SETS)
    p.add_argument("--data", required=True, help="folder of the data set, as its own program takes it")
    p.add_argument("--seeds", type=int, default=5)
    p.add_argument("--out", default="runs/transfer", type=pathlib.Path)
    p.add_argument("--build", default=ROOT / "build", type=pathlib.Path, help="folder of the built project")
    p.add_argument("--jobs", type=int, default=2, help="runs at once, each on one thread")
    p.add_argument("--pretrain-epochs", type=int, default=8)
    p.add_argument("--json", action="store_true", help="the table as one JSON object")
    a = p.parse_args()
    if a.seeds < 1 or a.jobs < 1:
        p.error("--seeds and --jobs are at least 1")
    chosen, programs, out = SETS[a.set], a.build / "examples", a.out / a.set
    if not (programs / "pretrain").exists():
        sys.exit(f"error: no program {programs / 'pretrain'}: build the project first, or name its folder by --build")
    out.mkdir(parents=True, exist_ok=True)

    print("pre-training", file=sys.stderr)
    pretrained = out / "pretrained"
    call([programs / "pretrain", *chosen["layout"], "--epochs", a.pretrain_epochs, "--no-eval", "--out", pretrained,
          "--resume" if (pretrained / "checkpoint.safetensors").exists() else "--overwrite", "--json"], out / "pretrain.json")

    def run(part, scratch, seed):
        name = f"{'scratch' if scratch else 'pretrained'}-{part}-{seed}"
        command = [programs / chosen["program"][0], *chosen["program"][1:], "--data", a.data, "--init",
                   pretrained / "skeleton.safetensors", "--part", part, "--epochs", EPOCHS[part], "--seed", seed, "--threads", 1,
                   "--json", *(["--scratch"] if scratch else [])]
        result = call(command, out / (name + ".json"))
        print(f"{name}: {100 * result['top1']:.1f} %", file=sys.stderr)
        return result

    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        rows = {(part, scratch): [pool.submit(run, part, scratch, seed) for seed in range(a.seeds)]
                for part in sorted(EPOCHS) for scratch in (True, False)}
    table = []
    for (part, scratch), runs in rows.items():
        results = [r.result() for r in runs]
        top1 = [r["top1"] for r in results]
        table.append(dict(set=chosen["title"], part=part, n_train=results[0]["n_train"], n_test=results[0]["n_test"],
                          init=None if scratch else "tri-modal pre-training on generated triplets", top1=statistics.mean(top1),
                          std=statistics.stdev(top1) if len(top1) > 1 else None, seeds=a.seeds, epochs=EPOCHS[part],
                          protocol=results[0]["protocol"]))
    if a.json:
        print(json.dumps(table))
        return
    print(f"| {chosen['title']}, training clips | from scratch | pre-trained |\n|---|---|---|")
    show = lambda r: f"{100 * r['top1']:.1f}" + (f" ± {100 * r['std']:.1f}" if r["std"] is not None else "") + " %"
    for scratch, tuned in zip(table[::2], table[1::2]):
        print(f"| {scratch['n_train']} | {show(scratch)} | {show(tuned)} |")


if __name__ == "__main__":
    main()
