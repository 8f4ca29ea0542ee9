"""What the tests of programs share: the folder of programs is the script's first argument."""
import json
import pathlib
import struct
import subprocess
import sys

BIN = pathlib.Path(sys.argv[1]) / "examples"
checks = 0


def check(ok, what):
    global checks
    checks += 1
    if not ok:
        sys.exit(f"not so: {what}")


def run(program, *arguments, status=0):
    """The JSON object that a program prints last; where it must fail, its one line of error."""
    done = subprocess.run([BIN / program, *map(str, arguments)], capture_output=True, text=True)
    check(done.returncode == status, f"{program} {' '.join(map(str, arguments))} ends with {done.returncode}: {done.stderr[-800:]}")
    if status:
        lines = done.stderr.strip().splitlines()
        check(len(lines) >= 1 and lines[-1].startswith("error: "), f"one clear line from {program}: {done.stderr[-400:]}")
        return lines[-1]
    return json.loads(done.stdout.splitlines()[-1])


def planted_sequences(folder):
    """Untrimmed sequences of eight subjects, in the form of UTKinect."""
    (folder / "joints").mkdir(parents=True)
    labels = ""
    for s in range(1, 9):
        lines = [" ".join(map(str, [2 * t, *(((7 * k * t + s) % 11) / 10 for k in range(60))])) for t in range(90)]
        (folder / f"joints/joints_s{s:02}_e01.txt").write_text("\n".join(lines) + "\n")
        labels += f"s{s:02}_e01\nwalk: 10 60\nthrow: 80 120\n"
    (folder / "actionLabel.txt").write_text(labels)


def mat_file(**variables):
    """Texts and lists of columns of numbers as a MAT file, level 5."""
    def element(kind, data):
        return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)

    out = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for name, value in variables.items():
        text = isinstance(value, str)
        columns = [[ord(c)] for c in value] if text else value
        values = [v for column in columns for v in column]
        body = element(6, struct.pack("<II", 4 if text else 6, 0)) + element(5, struct.pack("<ii", len(columns[0]), len(columns)))
        body += element(1, name.encode())
        body += element(4, struct.pack(f"<{len(values)}H", *values)) if text else \
            element(9, struct.pack(f"<{len(values)}d", *values))
        out += element(14, body)
    return out


def planted_sports(folder, actions, frames):
    """Six training and two test clips of each action, in the form of Penn Action."""
    (folder / "labels").mkdir(parents=True)
    for i, action in enumerate(actions * 8):
        joints = range(13)
        x = [[100 + 10 * j + (i % len(actions)) * t * (j % 3) for t in range(frames)] for j in joints]
        y = [[200 - 12 * j + i // len(actions) + t for t in range(frames)] for j in joints]
        (folder / f"labels/{i + 1:04}.mat").write_bytes(mat_file(
            action=action, pose="front", x=x, y=y, visibility=[[1] * frames for _ in joints],
            train=[[1 if i < 6 * len(actions) else -1]], bbox=[[90] * frames, [40] * frames, [400] * frames, [300] * frames],
            dimensions=[[480], [640], [frames]], nframes=[[frames]]))


def planted_clips(folder, frames):
    """Two actions, four subjects, three cameras, in the form of NW-UCLA."""
    (folder / "all_sqe").mkdir(parents=True)
    for action in (1, 2):
        for subject in range(1, 5):
            for view in range(1, 4):
                name = f"a{action:02}_s{subject:02}_e00_v{view:02}"
                joints = [[[0.1 * j, 0.05 * j * j + 0.02 * action * t, 2 + 0.01 * (subject + view) * j] for j in range(20)]
                          for t in range(frames)]
                (folder / f"all_sqe/{name}.json").write_text(
                    json.dumps({"file_name": name, "skeletons": joints, "label": action}))
