"""Every C file stands as clang-format 14 would write it."""
import pathlib
import subprocess
import sys

from common import SOURCE, c_files

done = subprocess.run(["clang-format", "--dry-run", "-Werror", *map(str, c_files())],
                      cwd=SOURCE, capture_output=True, text=True)
sys.stdout.write(done.stderr[:4000])
sys.exit(done.returncode)
