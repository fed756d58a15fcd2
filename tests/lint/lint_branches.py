"""Every branch of the HTTP parser is taken by its unit test, as gcov counts."""
import gzip
import json
import pathlib
import subprocess
import tempfile

from common import SOURCE, report

STEM = "http_parse"
HELPERS = ["base/buf.c", "base/text.c"]

faults = []
with tempfile.TemporaryDirectory(prefix="linkbell-branches-") as folder:
    folder = pathlib.Path(folder)
    flags = ["-std=c17", "-D_GNU_SOURCE", "-O0", f"-I{SOURCE}"]
    measured = folder / f"{STEM}.o"
    subprocess.run(["gcc", *flags, "--coverage", "-c", SOURCE / f"base/{STEM}.c", "-o", measured],
                   check=True)
    subprocess.run(["gcc", *flags, "--coverage", measured, SOURCE / f"tests/unit/test_{STEM}.c",
                    *(SOURCE / helper for helper in HELPERS), "-lcmocka", "-lm",
                    "-o", folder / "test"], check=True, cwd=folder)
    subprocess.run([folder / "test"], check=True, cwd=folder, capture_output=True)
    subprocess.run(["gcov", "-b", "-j", measured], check=True, cwd=folder, capture_output=True)
    with gzip.open(next(folder.glob(f"{STEM}*.gcov.json.gz"))) as answer:
        files = json.load(answer)["files"]
    lines = [line for file in files if file["file"].endswith(f"{STEM}.c") for line in file["lines"]]
    branches = [(line["line_number"], n, branch["count"])
                for line in lines for n, branch in enumerate(line["branches"])]
    if len(branches) < 100:
        faults.append(f"base/{STEM}.c: gcov knows {len(branches)} branches only")
    faults += [f"base/{STEM}.c:{line}: branch {n} is never taken" for line, n, count in branches
               if count == 0]
    faults += [f"base/{STEM}.c:{line['line_number']}: never runs" for line in lines
               if line["count"] == 0]
    print(f"{len(branches)} branches")
report(faults)
