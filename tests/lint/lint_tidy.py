"""clang-tidy finds nothing in the product, by the checks of .clang-tidy."""
import concurrent.futures
import os
import subprocess

from common import BUILD, SOURCE, product_files, report

# The flags are those of the build, which may be GCC's.  Each file has a process
# of its own: where one process reads many, clang-tidy 14 takes every va_list
# after the first file's for uninitialized.
COMMAND = ["clang-tidy", "-p", str(BUILD), "--quiet", "--extra-arg=-Wno-unknown-warning-option"]


def check(path):
    done = subprocess.run([*COMMAND, str(path)], capture_output=True, text=True)
    if done.returncode == 0 and not done.stdout:
        return None
    return done.stdout or f"{path.relative_to(SOURCE)}: {done.stderr}"


with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    report([fault for fault in pool.map(check, product_files(".c")) if fault])
