#!/usr/bin/env python3
"""Runs programs with --device cuda the way a user does: cuda_programs.py FOLDER, which holds them in examples/.

On the emulated device a few steps of every kind of training give the CPU's losses, frozen encoders its scores, and runs go
on from the other device's checkpoints. With --no-gpu: programs built for a GPU say in one line that there is none, and work on the CPU.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

from support import program_checks
from support.program_checks import BIN, check, planted_clips, planted_sequences, planted_sports

NO_GPU = "--no-gpu" in sys.argv


def run(program, *words):
    return subprocess.run([BIN / program, *map(str, words), "--threads", "1"], capture_output=True, text=True)


def losses(folder, *words):
    """Of every step of a run that succeeds."""
    done = run(*words, "--out", folder)
    check(done.returncode == 0, f"{words}: {done.stderr[-800:]}")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["loss"] for line in lines if "loss" in line]


def alike(a, b, tolerance, what):
    check(len(a) == len(b) > 0 and all(abs(x - y) <= tolerance * abs(y) for x, y in zip(a, b)), f"{what}: {a} and {b}")


with tempfile.TemporaryDirectory() as name:
    tmp = pathlib.Path(name)
    towers = ["pretrain", "--synth-clips", 16, "--batch", 8, "--frames", 8, "--video-frames", 1, "--side", 8, "--no-eval",
              "--json"]
    (tmp / "model.json").write_text(json.dumps({
        "skeleton": {"stages": [{"channels": 8}, {"channels": 16, "stride": 2}], "embed": 16},
        "video": {"dim": 16, "depth": 1, "heads": 2, "embed": 16}, "text": {"width": 16, "depth": 1, "heads": 2, "embed": 16}}))
    towers += ["--model", tmp / "model.json"]
    if NO_GPU:
        asked = run(*towers, "--max-steps", 1, "--device", "cuda")
        lines = asked.stderr.splitlines()
        if asked.returncode == 0:
            print("there is a GPU: a step was trained on it")
        else:
            check(asked.returncode == 1 and len(lines) == 1 and "[cuda]" in lines[0], f"one line: {asked.stderr}")
            print(lines[0])
        losses(tmp / "cpu", *towers, "--max-steps", 1, "--device", "cpu")
        print(f"{program_checks.checks} checks of programs without a GPU hold")
        sys.exit()

    # Rounding differs in the last places and grows from step to step: 1e-5 of the first loss, 1e-3 of later ones.
    one, two = ([*towers, "--max-steps", n] for n in (1, 2))
    first = {d: losses(tmp / d, *one, "--device", d) for d in ("cpu", "cuda")}
    alike(first["cuda"], first["cpu"], 1e-5, "a step of three towers on both devices")
    crossed = losses(tmp / "cpu", *two, "--resume", "--device", "cuda")
    back = losses(tmp / "cuda", *two, "--resume", "--device", "cpu")
    check(crossed[:1] == first["cpu"] and back[:1] == first["cuda"] and len(back) == 2, "the runs go on")
    alike(crossed, back, 1e-3, "resumed on the other device")
    chunks = [losses(tmp / f"chunk_{d}", *one, "--chunk", 4, "--device", d) for d in ("cpu", "cuda")]
    alike(*chunks, 1e-5, "GradCache")

    planted_clips(tmp / "nw", 8)
    labels = ["nw_ucla", "--data", tmp / "nw", "--size", "tiny", "--batch", 8, "--frames", 8, "--json"]
    def on_both(name, *words, trains=True):
        """The losses of a run on each device, where it trains, and all numbers of its file of predictions."""
        numbers = []
        for d in ("cpu", "cuda"):
            file = tmp / f"{name}_{d}.txt"
            full = [*words, "--device", d, "--predictions", file]
            numbers.append(losses(tmp / f"{name}_{d}", *full, "--max-steps", 2) if trains else [])
            if not trains:
                done = run(*full)
                check(done.returncode == 0, f"{words}: {done.stderr[-800:]}")
            numbers[-1] += [float(x) for line in file.read_text().splitlines() for x in line.split()[1:]]
        return numbers

    alike(*on_both("supervised", *labels), 1e-3, "supervised training, and the probabilities of test clips")

    # Half precision: 8 or 11 bits of a number are kept, and the losses near.
    for precision, near in (("bf16", 3e-2), ("f16", 4e-3)):
        half = ["--precision", precision, "--device", "cuda", "--max-steps", 1]
        alike(losses(tmp / f"three_{precision}", *towers, *half), first["cpu"], near, f"three towers in {precision}")
        alike(losses(tmp / f"labels_{precision}", *labels, *half), losses(tmp / f"labels_{precision}_", *labels, "--max-steps", 1),
              near, f"labels in {precision}")
    refused = run(*labels, "--precision", "bf16")
    check(refused.returncode == 2 and "--device cuda" in refused.stderr, "the CPU trains in float, and says so")

    # What a frozen encoder sees, and what captions say of it.
    frozen = [on_both(mode, *labels, "--mode", mode, "--init", tmp / "cpu", trains=False) for mode in ("zeroshot", "linear")]
    (a, b), fitted = frozen
    check(len(a) == len(b) == 80 and max(abs(x - y) for x, y in zip(a, b)) < 1e-4, f"cosines with texts: {a} and {b}")
    # A probe blows up the little that an untrained encoder tells of clips, and rounding with it.
    a, b = ([max(range(10), key=row.__getitem__) for row in (s[i:i + 10] for i in range(0, 80, 10))] for s in fitted)
    check(a == b, f"a probe's classes: {a} and {b}")

    # Detection: windows trained on, whole videos read.
    planted_sequences(tmp / "ut")
    windows = ["utkinect", "--data", tmp / "ut", "--size", "tiny", "--batch", 4, "--frames", 8, "--hop", 8, "--head-width", 8,
               "--json"]
    for name, more in (("detection", []), ("frozen tokens", ["--head-epochs", 2])):
        a, b = on_both(name, *windows, *more)
        check(len(a) == len(b) > 100 and max(abs(x - y) for x, y in zip(a, b)) < 1e-3, f"{name}: losses, and logits of test videos")

    # All protocols on generated clips: the video tower, an encoder trained further, a head on frozen tokens.
    figures = []
    for d in ("cpu", "cuda"):
        done = run("evaluate", "--model", tmp / "cpu/model.safetensors", "--eval-clips", 66, "--device", d, "--json")
        check(done.returncode == 0, f"evaluate on {d}: {done.stderr[-800:]}")
        figures.append(json.loads(done.stdout.splitlines()[-1]))
    a, b = figures
    for direction in ("s2v", "v2s", "v2t", "t2v"):
        alike([a["retrieval"][direction]["median_rank"]], [b["retrieval"][direction]["median_rank"]], 0.1, direction)
    for section, figure, near in (("fine_tune", "top1", 0.05), ("detection", "map", 0.01)):
        check(abs(a[section][figure] - b[section][figure]) <= near, f"{section}: {a[section]} and {b[section]}")

    # Captions.
    planted_sports(tmp / "penn", ["bowl", "golf_swing", "squat", "pullup"], 8)
    captions = ["penn_action", "--data", tmp / "penn", "--mode", "contrastive", "--split", 0, "--instance", 1, "--size", "tiny",
                "--frames", 8, "--batch", 4, "--max-steps", 1, "--json"]
    told = []
    for d in ("cpu", "cuda"):
        done = run(*captions, "--device", d, "--out", tmp / f"penn_{d}")
        check(done.returncode == 0, f"{captions}: {done.stderr[-800:]}")
        log = (tmp / f"penn_{d}/split0-seed0/log.jsonl").read_text().splitlines()
        told.append([json.loads(line)["loss"] for line in log if "loss" in line])
    alike(*told, 1e-4, "training against captions")
print(f"{program_checks.checks} checks of programs with --device cuda hold")
