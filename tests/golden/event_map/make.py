"""Writes event_map.json of this folder: event mAP from its definition, recounted from scratch at every step.

    python3 make.py

The values were also compared with those of the script of TSU's authors on the same spans (all digits equal).
"""
import json
import pathlib
import random

CLASSES, THETAS = 4, [0.1, 0.3, 0.5, 0.7]
rng = random.Random(5)


def span():
    start = rng.randint(0, 40)
    return [rng.randrange(CLASSES - 1), start, start + rng.choice([0, 1, 3, 6, 10, 20])]


videos = []
for v in range(4):
    truth = [span() for _ in range(rng.randint(0, 9))]
    proposals = [span() for _ in range(rng.randint(0, 6))]
    for c, s, e in truth:
        for _ in range(rng.randint(0, 2)):
            proposals.append([c, s + rng.randint(-2, 2), e + rng.randint(-2, 3)])
    rng.shuffle(proposals)
    videos.append({"id": f"v{v}", "truth": truth,
                   "proposals": [p + [rng.randint(0, 8) / 8] for p in proposals]})


def iou(a, b):
    hull = max(a[2], b[2]) - min(a[1], b[1])
    return (min(a[2], b[2]) - max(a[1], b[1])) / hull if hull else 0


def matched(p, truth, theta):
    good = [(iou(p[1], t[1]), i) for i, t in enumerate(truth) if t[0] == p[0] and t[1][0] == p[1][0]]
    good = [g for g in good if g[0] >= theta]
    return max(good)[1] if good else None  # the last of equals


def ap(proposals, truth, theta):
    """`proposals`, `truth`: [(video, span)]."""
    ranked = sorted(proposals, key=lambda p: p[1][3])
    hits = [matched(p, truth, theta) for p in ranked]

    def point(k):  # of the proposals from k on
        found = len({h for h in hits[k:] if h is not None})
        left = len(ranked) - k
        return (found / left, found / len(truth)) if left and truth else (0, 0)

    points = [point(0)] + [point(k + 1) for k, h in enumerate(hits) if h is not None]
    return sum(max(p for p, _ in points[: i + 1]) * (points[i - 1][1] - points[i][1]) for i in range(1, len(points)))


expected = {}
for theta in THETAS:
    aps = []
    for c in range(CLASSES):
        aps.append(ap([(v["id"], p) for v in videos for p in v["proposals"] if p[0] == c],
                      [(v["id"], t) for v in videos for t in v["truth"] if t[0] == c], theta))
    by_video = [ap([(v["id"], p) for p in v["proposals"]], [(v["id"], t) for t in v["truth"]], theta) for v in videos]
    expected[str(theta)] = {"ap": aps, "map": sum(aps) / CLASSES, "map_by_sequence": sum(by_video) / len(videos)}
path = pathlib.Path(__file__).with_name("event_map.json")
path.write_text(json.dumps({"classes": CLASSES, "videos": videos, "expected": expected}, separators=(",", ":")) + "\n")
