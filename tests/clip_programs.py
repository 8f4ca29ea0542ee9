#!/usr/bin/env python3
"""Runs the programs on trimmed clips the way a user does, on little files in the official formats: clip_programs.py BUILD_FOLDER.

Lists with poses missing, a pattern that is learnt, predictions scored without a model, export to a folder and training on it,
a pickle converted, frozen encoders measured; and what wrong use answers.
"""
import gzip
import pathlib
import tempfile

import official_files
from support import program_checks
from support.program_checks import BIN, check, run

ROOT = pathlib.Path(__file__).resolve().parent
SMALL = ["--size", "tiny", "--frames", 16, "--threads", 2, "--json"]
PLAIN = ["--ema", 0, "--noise", 0, "--joint-drop", 0, "--rotate", 0, "--shear", 0, "--mirror", 0, "--dropout", 0]  # learns fast


with tempfile.TemporaryDirectory() as folder:
    tmp = pathlib.Path(folder)

    # Toyota Smarthome: three activities by ten subjects, one pose file missing on each side, one clip of no class.
    classes = ["Cook.Cleandishes", "Drink.Frombottle", "Walk"]
    name = lambda activity, subject, k: f"{activity}_p{subject:02}_r{k:02}_v01_c01"
    sides = {"train": [3, 4, 6, 7, 9], "validation": [19, 25], "test": [2, 10, 11]}
    (tmp / "sm/splits").mkdir(parents=True)
    for side, subjects in sides.items():
        names = [name(c, s, k) for c in classes for s in subjects for k in range(3)] + ["Pour.Fromcup_p03_r00_v01_c01"] * (side == "train")
        (tmp / f"sm/splits/{side}_CS.txt").write_text("".join(n + ".mp4\n" for n in names))
        official_files.smarthome(tmp / "sm", names, classes, {n: 40 + len(n) for n in names})
    smarthome = ["--data", tmp / "sm", *SMALL]
    whole = run("toyota_smarthome", *smarthome, "--epochs", 60, "--batch", 16, *PLAIN, "--predictions", tmp / "p.txt", "--out", tmp / "run")
    check(whole["n_train"] == 63 and whole["n_test"] == 27 and whole["without_class"] == 1, "official sides")
    check(whole["top1"] >= 0.8, f"the planted pattern is learnt: {whole['top1']}")
    check("subjects" in whole["protocol"] and whole["figure"] == "mean_class", "the protocol is printed")
    again = run("toyota_smarthome", *smarthome, "--epochs", 60, "--batch", 16, *PLAIN, "--out", tmp / "run", "--resume")
    check(again["mean_class"] == whole["mean_class"], "a finished run resumed has the same result")
    (tmp / "p.txt.gz").write_bytes(gzip.compress((tmp / "p.txt").read_bytes()))
    scored = run("toyota_smarthome", *smarthome, "--score", tmp / "p.txt.gz")
    check(abs(scored["mean_class"] - whole["mean_class"]) < 1e-9, "predictions scored without a model")
    (tmp / "sm/poses" / f"{name('Walk', 2, 0)}.json").unlink()
    (tmp / "sm/poses" / f"{name('Walk', 3, 0)}.json").write_text('{"K": 100, "njts": 13, "frames": [[], []]}')
    check("--allow-missing" in run("toyota_smarthome", *smarthome, status=1), "missing poses are an error")
    some = run("toyota_smarthome", *smarthome, "--max-steps", 2, "--batch", 16, "--allow-missing", "--measure", "validation")
    check(some["n_train"] == 44 and some["n_test"] == 18 and some["missing"] == {"nobody": 1, "test": 0, "train": 1}, "counted")
    check("did you mean" in run("toyota_smarthome", *smarthome, "--protocol", "cs1", status=2), "the nearest protocol")
    three = run("toyota_smarthome", *smarthome, "--dims", 3, "--stream", "ensemble", "--max-steps", 2, "--allow-missing", "--seeds", 2)
    check(set(three["streams"]) == {"joint", "bone", "motion"} and len(three["over_seeds"]["top1"]["each"]) == 2, "three streams, two seeds")

    # A folder in tmor's own form, and the frozen encoders of a pre-trained model on it.
    exported = run("toyota_smarthome", *smarthome, "--allow-missing", "--export", tmp / "own")
    check(exported["exported"] == 88 and exported["layout"] == "lcrnet13", "exported")
    own = run("clips", "--data", tmp / "own", *SMALL, "--max-steps", 2, "--batch", 16)
    check(own["n_train"] == 62 and own["n_test"] == 26, "trained on a folder")
    model = ["--init", ROOT.parent / "examples/models/tiny.safetensors"]
    for mode, key in (("linear", "linear"), ("fewshot", "few_shot")):
        r = run("clips", "--data", tmp / "own", *SMALL, "--mode", mode, *model)
        check(key in r and set(r["baselines"]) == {"untrained", "nearest_neighbour"}, mode)
    check("text tower" in run("clips", "--data", tmp / "own", *SMALL, "--mode", "zeroshot", *model, status=2), "no text tower")
    check("--init" in run("clips", "--data", tmp / "own", *SMALL, "--mode", "linear", status=2), "a model is needed")
    tuned = run("clips", "--data", tmp / "own", *SMALL, "--max-steps", 2, *model)
    check(tuned["init"] is not None, "fine-tuned")
    four = run("clips", "--data", tmp / "own", *SMALL, "--stream", "ensemble", "--max-steps", 2, "--batch", 16, *model)
    check(set(four["streams"]) == {"pre-trained", "joint", "bone", "motion"}, "the pre-trained network among an ensemble")

    # UAV-Human: the text format, subjects of the official split.
    names = [n for n in official_files.uav_human_names() if n[1:4] in ("000", "002", "001", "003") and n.split("A")[1][:3] in ("001", "002")]
    official_files.uav_human(tmp / "uav", names, 20)
    uav = run("uav_human", "--data", tmp / "uav", *SMALL, "--max-steps", 2, "--batch", 4, "--protocol", "csv1")
    check(uav["n_train"] == 8 and uav["n_test"] == 8 and "NOT the whole test side" in uav["protocol"], "subjects 1 and 3 test")

    # Pickles.
    golden = ROOT / "golden/pickle"
    check("no split 'vol'" in run("convert", "--pickle", golden / "pyskl_4.pkl", "--train", "train", "--test", "vol", "--out", tmp / "k", status=2),
          "the nearest split")
    made = run("convert", "--pickle", golden / "pyskl_5.pkl", "--train", "train", "--test", "val", "--out", tmp / "k", "--json")
    check(made == {"clips": 2, "classes": 4, "left_out": 1}, "converted")
    own = run("clips", "--data", tmp / "k", *SMALL, "--max-steps", 1, "--batch", 2)
    check(own["n_train"] == 1 and own["n_test"] == 1, "trained on what was a pickle")
    check("posix.system" in run("convert", "--pickle", golden / "calls.pkl", "--train", "a", "--test", "b", "--out", tmp / "k", status=1),
          "a function is refused by name")

print(f"{program_checks.checks} checks of the programs on clips hold")
