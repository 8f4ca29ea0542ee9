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
