"""Writes frame_map.json of this folder: frame mAP under every policy, computed from the definitions alone.

    python3 make.py

Nothing is sorted here: the rank of a row is counted, so that no sorting algorithm is compared with another.
"""
import json
import math
import pathlib
import random

CLASSES = 5
POLICIES = ["charades-official", "all-steps", "inria-25", "tsu", "nan-skip"]


def make_case(seed, every_class):
    rng = random.Random(seed)
    videos, predictions = [], []
    for i, steps in enumerate([25, 25, 31, 60, 12, 77]):
        length = rng.choice([10, 12.5, 30.96, 50, 100])
        spans = []
        for _ in range(rng.randint(0, 4) if i else 0):  # the first has no action
            start = rng.choice([0, length / 25 * rng.randint(0, 24), rng.uniform(0, length)])
            end = start + rng.choice([0, length / 5, length / 25 * rng.randint(1, 9), 2 * length, -1.5])
            spans.append([rng.randrange(CLASSES - (0 if every_class else 2)), start, end])
        if every_class and i == 1:
            spans = [[c, length * c / 10, length * (c + 3) / 10] for c in range(CLASSES)]
        videos.append({"id": f"v{i}", "length": length, "spans": spans})
        rows = [[rng.randint(-3, 3) / 2 for _ in range(CLASSES)] for _ in range(steps)]
        if i == 1:
            for r in (3, 7, 24):
                rows[r] = None  # missing
        if i != 4:  # a video without predictions
            predictions.append({"id": f"v{i}", "rows": rows})
    rng.shuffle(predictions)
    return {"videos": videos, "predictions": predictions}


def rows_of(case, policy):
    """[(scores or None, [positive or not of each class])] in order."""
    given = {p["id"]: p["rows"] for p in case["predictions"]}
    points = policy in ("charades-official", "nan-skip")
    out = []
    for v in case["videos"]:
        scores = given.get(v["id"])
        if scores is None and not points:
            continue
        if points:
            n = 25 if scores is None else len(scores)
            times = [(None if scores is None else math.floor(j * n / 25), j / 25 * v["length"]) for j in range(25)]
        else:
            n = len(scores)
            fps = n / v["length"]
            rows = range(n)
            if policy == "inria-25":
                rows = [] if n <= 25 else list(range(n))[1::n // 25][:25]
            times = [(r, r / fps) for r in rows]
        for r, t in times:
            inside = (lambda s: s[1] <= t <= s[2]) if points else (lambda s: s[1] < t < s[2])
            positive = [any(s[0] == c and inside(s) for s in v["spans"]) for c in range(CLASSES)]
            out.append((None if r is None else scores[r], positive))
    return out


def evaluate(case, policy):
    rows = rows_of(case, policy)
    ap, count = [], []
    for c in range(CLASSES):
        s = [-math.inf if r is None else r[c] for r, _ in rows]
        y = [p[c] for _, p in rows]
        place = [sum(s[j] > s[i] or (s[j] == s[i] and j <= i) for j in range(len(s))) for i in range(len(s))]
        hits = [sum(y[j] and place[j] <= place[i] for j in range(len(s))) for i in range(len(s))]
        n = sum(y)
        count.append(n)
        ap.append(sum(hits[i] / place[i] for i in range(len(s)) if y[i]) / n if n else math.nan)
    with_positive = [c for c in range(CLASSES) if count[c]]
    total = sum(ap[c] for c in with_positive)
    if policy == "charades-official":
        value = math.fsum(ap) / CLASSES  # NaN spreads by itself
        wap = sum(a * n for a, n in zip(ap, count)) / sum(count)
    else:
        value = total / (CLASSES if policy in ("all-steps", "inria-25") else len(with_positive))
        wap = sum(ap[c] * count[c] for c in with_positive) / sum(count)
    tidy = lambda x: None if math.isnan(x) else x
    return {"map": tidy(value), "wap": tidy(wap), "ap": [tidy(a) for a in ap], "positive": count, "rows": len(rows)}


cases = []
for seed, every_class in ((1, True), (2, False), (3, True)):
    case = make_case(seed, every_class)
    case["expected"] = {p: evaluate(case, p) for p in POLICIES}
    cases.append(case)
path = pathlib.Path(__file__).with_name("frame_map.json")
path.write_text(json.dumps({"classes": CLASSES, "cases": cases}, separators=(",", ":")) + "\n")
