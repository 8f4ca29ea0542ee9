#!/usr/bin/env python3
"""Poses that nobody performed, in the official file formats of data sets that are given on request only.

    official_files.py smarthome LISTS OUT [CLIPS]   for every name of the lists in LISTS/splits, OUT/poses/NAME.json (LCR-Net)
    official_files.py uav_human OUT [CLIPS]         OUT/Skeleton/NAME.txt, 23,029 clips over all subjects and actions

Each class moves one or two joints its own way in a body that stands still somewhere: a pattern that a network must find. What a
program reaches on these files says that the program works, and nothing about the data set.
"""
import csv
import math
import pathlib
import random
import shutil
import sys

LCRNET = [(300, 400), (340, 400), (302, 320), (338, 320), (305, 240), (335, 240), (270, 230), (370, 230), (280, 190), (360, 190),
          (295, 140), (345, 140), (320, 100)]
COCO = [(320, 100), (326, 94), (314, 94), (334, 98), (306, 98), (345, 140), (295, 140), (360, 190), (280, 190), (370, 230), (270, 230),
        (335, 240), (305, 240), (338, 320), (302, 320), (340, 400), (300, 400)]
MOVING = {13: [0, 1, 6, 7, 8, 9, 12], 17: [0, 7, 8, 9, 10, 15, 16]}


def motion(label, joints, frames, rng):
    """[(joint, [(x, y)] over frames)] of a class, and where the body stands: every class differs in joints, direction or rate."""
    moving = MOVING[joints]
    first, rest = label % 7, label // 7
    second, rest = (first + 1 + rest % 4) % 7, rest // 4
    rate, along = (2, 5, 9)[rest % 3], rest // 3 % 2
    phase, size = rng.random() * 2 * math.pi, 35 + 20 * rng.random()
    place = [(x * (0.6 + 0.3 * p) + dx, y * 0.8 + dy) for p, dx, dy in [(rng.random(), 120 * rng.random(), 60 * rng.random())]
             for x, y in (LCRNET if joints == 13 else COCO)]
    tracks = []
    for joint, speed in ((moving[first], rate), (moving[second], 2 * rate)):
        x0, y0 = place[joint]
        waves = [size * math.sin(2 * math.pi * speed * t / frames + phase) for t in range(frames)]
        tracks.append((joint, [(x0 + w, y0 + 0.3 * w) if along else (x0 + 0.3 * w, y0 + w) for w in waves]))
    return place, tracks


def lcrnet(label, frames, rng):
    """Pose file of Toyota Smarthome: coordinate-major, nobody in some frames, a second person in others."""
    place, tracks = motion(label, 13, frames, rng)
    flat = [f"{p[c]:.1f}" for c in (0, 1) for p in place]
    depth = [f"{(p[c] - 240) / 200:.3f}" for c in (0, 1) for p in place] + [f"{0.01 * v:.2f}" for v in range(13)]
    other = f'{{"pose2d": [{",".join(flat)}], "pose3d": [{",".join(depth)}], "cumscore": 0.1}}'
    lines = []
    for t in range(frames):
        for joint, track in tracks:
            for c in (0, 1):
                flat[c * 13 + joint] = f"{track[t][c]:.1f}"
                depth[c * 13 + joint] = f"{(track[t][c] - 240) / 200:.3f}"
        person = f'{{"pose2d": [{",".join(flat)}], "pose3d": [{",".join(depth)}], "cumscore": 1.5}}'
        chance = rng.random()
        lines.append("[]" if chance < 0.03 and frames > 4 else f"[{other}, {person}]" if chance < 0.06 else f"[{person}]")
    return f'{{"K": 100, "njts": 13, "frames": [{", ".join(lines)}]}}'


def ntu(label, frames, rng):
    """Skeleton file of UAV-Human: the text format of NTU RGB+D with 17 joints."""
    place, tracks = motion(label, 17, frames, rng)
    joint = lambda x, y: f"{x:.1f} {y:.1f} 0 0 0 0 0 0 0 0 0 2"
    rows = [joint(*p) for p in place]
    out = [str(frames)]
    for t in range(frames):
        if frames > 4 and rng.random() < 0.03:
            out.append("0")
            continue
        for v, track in tracks:
            rows[v] = joint(*track[t])
        out += ["1", "0 0 1 1 1 1 0 0 0 2", "17", *rows]
    return "\n".join(out) + "\n"


def smarthome(out, names, classes, lengths=None):
    """Writes OUT/poses/NAME.json for names without ending."""
    (out / "poses").mkdir(parents=True, exist_ok=True)
    for name in names:
        rng = random.Random(name)
        frames = (lengths or {}).get(name) or min(4000, max(20, int(rng.lognormvariate(4.6, 1.1))))
        activity = name.rsplit("_p", 1)[0]
        label = classes.index(activity) if activity in classes else 0
        (out / "poses" / f"{name}.json").write_text(lcrnet(label, frames, rng))


def uav_human_names(clips=23029):
    names = [f"P{p:03}S00G10B10H10UC022000LC021000A{a:03}R0_08241716" for p in range(119) for a in range(155)]
    return (names + [n.replace("R0_", "R1_") for n in names])[:clips]


def uav_human(out, names, frames=None):
    (out / "Skeleton").mkdir(parents=True, exist_ok=True)
    for name in names:
        rng = random.Random(name)
        (out / "Skeleton" / f"{name}.txt").write_text(ntu(int(name.split("A")[1][:3]), frames or rng.randint(40, 120), rng))


def main():
    kind, *rest = sys.argv[1:]
    if kind == "uav_human":
        uav_human(pathlib.Path(rest[0]), uav_human_names(*map(int, rest[1:])))
        return
    lists, out = map(pathlib.Path, rest[:2])
    names = sorted({line.strip().removesuffix(".mp4") for path in sorted((lists / "splits").glob("*.txt"))
                    for line in path.read_text().splitlines() if line.strip()})
    lengths = {}
    if (lists / "test_Labels_CS.csv").exists():  # windows of the test clips, which tell their length
        for row in csv.DictReader((lists / "test_Labels_CS.csv").open()):
            lengths[row["name"]] = max(lengths.get(row["name"], 0), int(row["end"]))
    classes = sorted({n.rsplit("_p", 1)[0] for n in names} - {"Pour.Fromcup"})
    smarthome(out, names[:int(rest[2])] if len(rest) > 2 else names, classes, lengths)
    shutil.copytree(lists / "splits", out / "splits", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
