"""packages.txt: one name a line, in two parts, none twice; scripts parse."""
import re
import subprocess

from common import SOURCE, report

lines = (SOURCE / "packages.txt").read_text().splitlines()
names = [line for line in lines if not line.startswith("#")]
faults = [f"packages.txt: not a package name: {name!r}" for name in names
          if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]+", name)]
faults += [f"packages.txt: {name} twice" for name in set(names) if names.count(name) > 1]
if lines.count("# test") != 1:
    faults.append("packages.txt: the line '# test' must stand there once")
for script in ("start", "check", "prepare.sh", ".ci/run"):
    done = subprocess.run(["bash", "-n", str(SOURCE / script)], capture_output=True, text=True)
    if done.returncode:
        faults.append(done.stderr)
report(faults)
