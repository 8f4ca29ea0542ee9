#!/usr/bin/env python3
"""Runs the programs of examples/ the way a user does, on little generated data: programs.py BUILD_FOLDER.

Pre-training, interrupted and resumed, from the generator and from shards; evaluation, embeddings and naming a clip with
what it wrote; the page of the report; and what wrong use and damaged files answer.
"""
import io
import json
import pathlib
import signal
import struct
import subprocess
import sys
import tarfile
import tempfile
import time

from support import program_checks
from support.program_checks import BIN, check, planted_clips, planted_sequences, planted_sports, run


def small(**changes):
    options = {"synth-clips": 96, "batch": 16, "epochs": 2, "frames": 16, "video-frames": 2, "side": 24, "eval-clips": 60,
               "threads": 2} | changes
    return [word for name, value in options.items() for word in ("--" + name, str(value))]


def numbers_in(value):
    if isinstance(value, dict):
        return [n for v in value.values() for n in numbers_in(v)]
    return [value] if isinstance(value, float) else []


def detection(tmp):
    """Untrimmed videos: poses with a planted pattern in the files of TSU and Charades, found, told again, streamed."""
    videos = {}
    for i in range(9):
        actions = [[(i + k) % 4, 40 + 130 * k, 130 + 130 * k] for k in range(4)] + [[i % 4, 300, 200]]
        videos[f"P{i:02}T01C01"] = {"subset": "testing" if i >= 6 else "training", "duration": 600, "actions": actions}
    (tmp / "tsu").mkdir()
    (tmp / "tsu/small.json").write_text(json.dumps(videos))
    (tmp / "tsu/names").write_text("".join(f"{c}\tClass_{c}\n" for c in range(4)))
    protocol = {"name": "tsu-small", "title": "small", "source": "here", "task": "detection",
                "annotations": {"format": "json", "file": "small.json"}, "classes": {"count": 4, "file": "names"},
                "metric": {"name": "tsu", "rows": "all", "bounds": "strict", "missing": "refused"}, "empty_class": "skip",
                "sampling": {"steps": 0}}
    (tmp / "tsu/small-tsu.json").write_text(json.dumps(protocol))
    planted = ["--data", tmp / "tsu", "--protocol", tmp / "tsu/small-tsu.json"]
    check(run("plant_poses", *planted, "--poses", tmp / "tsu/poses", "--json")["videos"] == 9, "nine videos planted")
    train = [*planted, "--poses", tmp / "tsu/poses", "--size", "tiny", "--batch", 8, "--epochs", 50, "--frames", 32,
             "--hop", 8, "--lr", 6e-3, "--dropout", 0.1, "--joint-drop", 0, "--head-width", 32, "--ema", 0.9, "--threads", 2,
             "--json"]
    found = run("tsu", *train, "--out", tmp / "tsu/run", "--predictions", tmp / "tsu/scores.txt", "--online")
    check(found["map"] > 0.6 and found["chance"] < 0.3, f"the planted pattern is found: {found['map']}")
    check(found["online"]["delay_seconds"] < 10 and 0 < found["online"]["map"] <= 1, "what a live camera would get")
    told = run("tsu", *planted, "--score", tmp / "tsu/scores.txt", "--json")
    check(abs(told["map"] - found["map"]) < 1e-3, "its predictions, measured again")
    again = run("tsu", *train, "--out", tmp / "tsu/run", "--resume")
    check(again["map"] == found["map"], "a finished run, resumed, gives the same figure from kept tokens")
    page = (tmp / "tsu/run/report.html").read_text()
    check(all(w in page for w in ("charades-official", "Class_3", "P08T01C01", "Training loss")) and 'class="truth"' in page,
          "the page has the rules, the classes, the videos and the curves")

    wide = ["--detector", tmp / "tsu/run/detector.safetensors", "--poses", tmp / "tsu/poses/P08T01C01.json", "--json"]
    live = run("detect_stream", *wide, "--annotations", tmp / "tsu/small.json", "--id", "P08T01C01")
    check(live["equals_offline"] and live["steps"] == 60 and 0 < live["map_online"] <= 1, "frame by frame, the same bits")
    rows = [f"Class_{c},{a},{b}\r\n" for c, a, b in videos["P08T01C01"]["actions"]]
    (tmp / "tsu/P08.csv").write_text("event,start_frame,end_frame\r\n" + "".join(rows), newline="")
    by_csv = run("detect_stream", *wide, "--annotations", tmp / "tsu/P08.csv")
    check(by_csv["map_online"] == live["map_online"], "the same annotations as CSV")

    multi = [*train, "--out", tmp / "tsu/run", "--resume", "--head", "mstct", "--head-epochs", 40]
    check("--online" in run("tsu", *multi, "--online", status=2), "a head that sees all at once is refused online")
    multi = run("tsu", *multi)
    check(multi["map"] > 0.6 and "multi-scale head" in multi["model"], f"the multi-scale head finds it too: {multi['map']}")
    check("train a dilated head" in run("detect_stream", *wide, status=1), "and by the stream")

    (tmp / "tsu/csv").mkdir()
    for id in list(videos)[:-1]:
        rows = [f"Class_{(c + 1) % 4},{a},{b}\r\n" for c, a, b in videos[id]["actions"]]
        (tmp / f"tsu/csv/{id}.csv").write_text("event,start_frame,end_frame\r\n" + "".join(rows), newline="")
    other_words = ["--score", tmp / "tsu/scores.txt", "--csv", tmp / "tsu/csv", "--json"]
    check("P08T01C01" in run("tsu", *planted, *other_words, status=1), "the video without CSV is named")
    other_words.append("--allow-missing")
    other = run("tsu", *planted, *other_words, "--report", tmp / "tsu/told.html")
    check(other["map"] < told["map"] - 0.1 and other["csv"]["json_kept"] == ["P08T01C01"], "the CSV take the JSON's place")
    alone = run("score", *planted, *other_words)
    check(alone["map"] == other["map"] and alone["csv"] == other["csv"], "`score` says the same by CSV")
    check("P08T01C01" in (tmp / "tsu/told.html").read_text(), "a page of given predictions")

    (tmp / "tsu/poses/P07T01C01.json").unlink()
    check("P07T01C01" in run("tsu", *train, "--max-steps", 1, status=1), "the video without poses is named")
    left = run("tsu", *train, "--max-steps", 1, "--allow-missing")
    check(left["missing_poses"] == ["P07T01C01"] and left["left_out"] == 1, "and may be left out")
    (tmp / "tsu/poses/P08T01C01.json").write_text("{")
    check("P08T01C01.json" in run("tsu", *train, "--allow-missing", status=1), "the damaged file is named")

    protocol |= {"name": "charades-small", "sampling": {"steps": 25}}
    protocol["metric"] |= {"rows": "25-points", "bounds": "inclusive", "missing": "last"}
    for i, v in enumerate(videos.values()):
        v |= {"duration": 24.5, "actions": [[c, a / 25, b / 25] for c, a, b in v["actions"]]}
    (tmp / "tsu/small.json").write_text(json.dumps(videos))
    (tmp / "tsu/small-charades.json").write_text(json.dumps(protocol))
    planted[3] = tmp / "tsu/small-charades.json"
    run("plant_poses", *planted, "--poses", tmp / "tsu/coco", "--format", "coco", "--json")
    official = run("charades", *planted, "--poses", tmp / "tsu/coco", "--size", "tiny", "--batch", 8, "--max-steps", 2,
                   "--predictions", tmp / "tsu/25.txt", "--json")
    check(official["rows"] == 75 and len((tmp / "tsu/25.txt").read_text().splitlines()) == 75, "25 rows a video")

    planted_sequences(tmp / "ut")
    kinect = run("utkinect", "--data", tmp / "ut", "--size", "tiny", "--max-steps", 2, "--json")
    check(kinect["rows"] == 180 and kinect["n_train"] == 6, "two test subjects")
    several = run("utkinect", "--data", tmp / "ut", "--size", "tiny", "--max-steps", 2, "--stream", "ensemble",
                  "--out", tmp / "ut/run", "--json")
    check(all((tmp / f"ut/run/{name}/detector.safetensors").exists() and "map" in several["streams"][name]
              for name in ("joint", "bone", "motion")), "a network for each stream")


with tempfile.TemporaryDirectory() as folder:
    tmp = pathlib.Path(folder)
    detection(tmp)
    first = run("pretrain", *small(), "--out", tmp / "a", "--compare", "--json")
    planted = ["--data", tmp / "tsu", "--protocol", tmp / "tsu/small-charades.json", "--poses", tmp / "tsu/coco"]
    words = run("charades", *planted, "--mode", "zeroshot", "--init", tmp / "a", "--frames", 16, "--hop", 8, "--json")
    check(0 < words["map"] <= 1 and words["rows"] == 75, "frames compared with the names of classes")
    check("--init" in run("charades", *planted, "--mode", "zeroshot", status=2), "which needs a model with texts")
    for part in (first, *first["comparisons"].values()):
        for key in ("fine_tune", "linear", "few_shot", "zero_shot", "retrieval", "detection"):
            check(key in part, f"{key} in metrics")
        check(set("1 4 16".split()) <= set(part["few_shot"]), "few-shot points")
        check(all(0 <= n <= 1000 for n in numbers_in(part["zero_shot"])), "zero-shot figures are numbers")
    check(set(first["comparisons"]) == {"untrained", "supervised", "skeleton_text", "nearest_neighbour"}, "four comparisons")
    for direction in ("s2t", "t2s", "s2v", "v2s", "v2t", "t2v"):
        check(first["retrieval"][direction]["r1"] is not None, direction)
    check(first["comparisons"]["skeleton_text"]["retrieval"]["s2v"]["r1"] is None, "no video tower, no figure")
    page = (tmp / "a/report.html").read_text()
    check(len(page) < 5e6 and "http://" not in page.replace("http://www.w3.org", ""), "the report is self-contained")
    check(json.loads((tmp / "a/metrics.json").read_text())["seed"] == 0, "metrics.json")
    scales = [json.loads(line) for line in (tmp / "a/log.jsonl").read_text().splitlines()]
    check(all("scale_st" in line for line in scales if "loss" in line), "scales are logged at every step")

    # The same bytes with another number of threads, and after a kill.
    run("pretrain", *small(threads=1), "--out", tmp / "b", "--no-eval", "--json")
    running = subprocess.Popen([BIN / "pretrain", *small(), "--out", tmp / "c", "--no-eval"], stderr=subprocess.DEVNULL)
    for _ in range(600):
        time.sleep(0.05)
        if (tmp / "c/checkpoint.safetensors").exists() or running.poll() is not None:
            break
    running.send_signal(signal.SIGKILL)
    running.wait()
    run("pretrain", *small(), "--out", tmp / "c", "--no-eval", "--resume", "--json")
    model = (tmp / "a/model.safetensors").read_bytes()
    check(model == (tmp / "b/model.safetensors").read_bytes(), "one thread gives the bytes of two")
    check(model == (tmp / "c/model.safetensors").read_bytes(), "a killed and resumed run gives the same bytes")

    run("pretrain", *small(), "--max-steps", 1, "--ema", 0, "--no-eval", "--json", "--out", tmp / "whole")
    run("pretrain", *small(), "--max-steps", 1, "--ema", 0, "--no-eval", "--json", "--out", tmp / "cached", "--chunk", 6)
    loss = lambda name: json.loads((tmp / name / "log.jsonl").read_text().splitlines()[0])["loss"]
    check(abs(loss("whole") - loss("cached")) < 0.5 and loss("whole") != loss("cached"),
          "in chunks the loss is that of all pairs, but for what batch norms see")

    evaluated = run("evaluate", "--model", tmp / "a/model.safetensors", "--eval-clips", 60, "--json")
    check(evaluated["linear"] == first["linear"] and evaluated["retrieval"] == first["retrieval"],
          "evaluate gives what pretrain measured")
    embedded = run("extract", "--model", tmp / "a/model.safetensors", "--synth-clips", 10, "--out", tmp / "e.safetensors", "--json")
    check(embedded["clips"] == 10 and embedded["tokens"][0] == 4, "ten clips embedded")

    # The model that comes with the project names a standing wave of the hand somehow, and knows its classes.
    pose = [{"image_id": t, "category_id": 1, "score": 1, "keypoints": [v for j in range(17) for v in (j * 3 + t % 5, 60 - j, 1)]}
            for t in range(40)]
    (tmp / "poses.json").write_text(json.dumps(pose))
    named = run("classify_clip", "--clip", tmp / "poses.json", "--classes", "wave", "kick", "--json")
    check({r["class"] for r in named["ranking"]} == {"wave", "kick"}, "two classes ranked")
    check("wave" in run("classify_clip", "--clip", tmp / "poses.json", "--classes", "wavey", status=2), "the nearest class")

    shards = run("make_shards", "--synth-clips", 48, "--video-frames", 2, "--side", 24, "--shard-samples", 20, "--out",
                 tmp / "s/train", "--json")
    check(shards["samples"] == 48 and len(list((tmp / "s").iterdir())) == 3, "three shards")
    mixed = run("pretrain", *small(epochs=1), "--data", f"shards:{tmp / 's'}", "synth@0.5", "--contrast", "siglip",
                "--no-eval", "--json")
    check(mixed["samples_an_epoch"] == 96, "48 of the shards and half of 96")
    shard = (tmp / "s/train-000001.tar").read_bytes()
    (tmp / "s/train-000001.tar").write_bytes(shard[: len(shard) // 2])
    line = run("pretrain", *small(), "--data", f"shards:{tmp / 's'}", "--no-eval", status=1)
    check("train-000001.tar" in line, "the damaged shard is named")

    # Stored frame features in the place of pixels.
    def npy(values, rows):
        head = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {len(values) // rows}), }}"
        head += " " * ((-len(head) - 11) % 64) + "\n"
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}f", *values)

    (tmp / "f").mkdir()
    with tarfile.open(tmp / "s/train-000000.tar") as given, tarfile.open(tmp / "f/train-000000.tar", "w") as made:
        for member in given.getmembers():
            name, ending = member.name.split(".", 1)
            data = given.extractfile(member).read()
            if ending.endswith(("jpg", "png")):
                if not ending.startswith("000."):
                    continue
                data = npy([0.1 * (k + len(data) % 7) for k in range(15)], 3)
                member = tarfile.TarInfo(name + ".features.npy")
            member.size = len(data)
            made.addfile(member, io.BytesIO(data))
    stored = run("pretrain", *small(epochs=1), "--data", f"shards:{tmp / 'f'}", "--video-features", 5, "--out", tmp / "g", "--json")
    check(stored["retrieval"]["s2v"]["r1"] is None and "stored" in stored["retrieval"]["s2v"]["reason"], "no features to retrieve")
    check("loss_sv" in json.loads((tmp / "g/log.jsonl").read_text().splitlines()[0]), "skeletons against stored features")
    check("--video-features" in run("pretrain", *small(epochs=1), "--data", f"shards:{tmp / 'f'}", "--video-features", 6,
                                    "--no-eval", status=1), "features of another size")

    # Three dimensions, and what a pre-trained encoder is worth on clips of another data set.
    run("pretrain", *small(), "--dims", 3, "--layout", "kinect20", "--out", tmp / "h", "--no-eval", "--json")
    planted_clips(tmp / "nw", 12)
    skeleton = ["--init", tmp / "h/skeleton.safetensors", "--epochs", 1, "--batch", 4, "--threads", 2, "--json"]
    tuned = run("nw_ucla", "--data", tmp / "nw", *skeleton)
    check(tuned["n_train"] == 16 and tuned["n_test"] == 8 and tuned["init"], "from a pre-trained encoder")
    fresh = run("nw_ucla", "--data", tmp / "nw", *skeleton, "--scratch", "--part", 0.5)
    check(fresh["n_train"] == 8 and fresh["init"] is None and fresh["parameters"] == tuned["parameters"], "its network alone")
    check("2-D" in run("extract", "--model", tmp / "h/model.safetensors", "--data", f"shards:{tmp / 'f'}", "--out",
                       tmp / "x.safetensors", status=1), "2-D clips for a network of 3-D ones")

    # Captions of seen actions, then unseen ones by their skeletons alone; and on a frozen encoder.
    planted_sports(tmp / "penn", ["bowl", "golf_swing", "squat", "pullup"], 12)
    sports = ["penn_action", "--data", tmp / "penn", "--size", "tiny", "--frames", 8, "--batch", 4, "--json"]
    captions = run(*sports, "--mode", "contrastive", "--split", 0, "--max-steps", 2, "--instance", 1, "--out", tmp / "captions")
    check(captions["prompt_seen"]["runs"] == 1 and 0 <= captions["zero_shot"]["unseen"]["top1"] <= 1 and
          0 <= captions["linear"]["top1"] <= 1, "seen and unseen actions")
    ranked = run("classify_clip", "--model", tmp / "captions/split0-seed0/skeleton.safetensors", "--clip",
                 tmp / "penn/labels/0001.mat", "--json")
    check(len(ranked["ranking"]) == 15, "the exported encoder knows all actions by their captions")

    # The table of transfer, from a model pre-trained already.
    (tmp / "t/nw_ucla").mkdir(parents=True)
    (tmp / "h").rename(tmp / "t/nw_ucla/pretrained")
    (tmp / "t/nw_ucla/pretrained/metrics.json").rename(tmp / "t/nw_ucla/pretrain.json")
    transfer = [sys.executable, pathlib.Path(__file__).parent.parent / "examples/transfer.py", "nw_ucla", "--data", tmp / "nw",
                "--out", tmp / "t", "--build", BIN.parent, "--seeds", "2", "--json"]
    made = subprocess.run(transfer, capture_output=True, text=True)
    check(made.returncode == 0, f"transfer.py: {made.stderr[-400:]}")
    table = json.loads(made.stdout)
    check([(r["n_train"], bool(r["init"])) for r in table] == [(2, False), (2, True), (16, False), (16, True)], "four rows")
    check(all(r["seeds"] == 2 and 0 <= r["top1"] <= 1 and r["std"] >= 0 for r in table), "mean and deviation of two seeds")

    # A file that asks for more memory than it has numbers.
    head = int.from_bytes(model[:8], "little")
    grown = model[8 : 8 + head].replace(b'\\"vocab\\":', b'\\"vocab\\":999')
    check(grown != model[8 : 8 + head], "the description holds the vocabulary")
    (tmp / "grown.safetensors").write_bytes(len(grown).to_bytes(8, "little") + grown + model[8 + head :])
    check("described with" in run("evaluate", "--model", tmp / "grown.safetensors", status=1), "towers larger than their file")

    # Wrong use.
    check("--device cpu" in run("evaluate", "--model", tmp / "a/model.safetensors", "--device", "cuda", status=1), "no GPU here")
    check("--epochs" in run("pretrain", "--epoch", "3", status=2), "the nearest option is suggested")
    run("pretrain", "--data", "video", status=2)
    check("already holds a run" in run("pretrain", *small(), "--out", tmp / "a", status=1), "no run is overwritten unasked")
    (tmp / "bad.safetensors").write_bytes(model[:1000])
    check("bad.safetensors" in run("evaluate", "--model", tmp / "bad.safetensors", status=1), "the damaged model is named")

print(f"{program_checks.checks} checks of programs hold")
