"""clang-tidy finds nothing in the product, by the checks of .clang-tidy.

    lint_tidy.py [--deep]

The analyzer follows at most 50,000 states of a function; with --deep (label long) as many as it
follows by itself, which takes three times as long."""
import concurrent.futures
import os
import subprocess
import sys

from common import BUILD, SOURCE, product_files, report

# The flags are those of the build, which may be GCC's.  Each file has a process
# of its own: where one process reads many, clang-tidy 14 takes every va_list
# after the first file's for uninitialized.
COMMAND = ["clang-tidy", "-p", str(BUILD), "--quiet", "--extra-arg=-Wno-unknown-warning-option"]
if "--deep" not in sys.argv:
    for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=50000"):
        COMMAND.append("--extra-arg=" + word)


def check(path):
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True)
    if done.returncode == 0 and not done.stdout:
        return None
    return done.stdout or f"{path.relative_to(SOURCE)}: {done.stderr}"


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    report([fault for fault in pool.map(check, product_files(".c")) if fault])
