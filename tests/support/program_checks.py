"""What the tests of programs share: the folder of programs is the script's first argument."""
import json
import pathlib
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
