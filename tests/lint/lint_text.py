"""Banned calls, marks of unfinished work, sizes of files, lone SQL."""
import re

from common import SOURCE, c_files, product_files, report

BANNED = r"\b(strcpy|strcat|sprintf|strncpy|strtok|atoi|system|popen|alloca|cJSON_GetObjectItem)\s*\("
faults = []
for path in c_files():
    name = path.relative_to(SOURCE)
    lines = path.read_text().splitlines()
    if path.suffix == ".c" and len(lines) > 700:
        faults.append(f"{name}: {len(lines)} lines; 700 is the most")
    for number, line in enumerate(lines, 1):
        if re.search(BANNED, line):
            faults.append(f"{name}:{number}: a banned call: {line.strip()}")
        if re.search(r"\b(TODO|FIXME|XXX)\b", line):
            faults.append(f"{name}:{number}: unfinished: {line.strip()}")
code = "".join(path.read_text() for path in product_files(".c", ".h"))
for path in sorted((SOURCE / "sql/query").glob("*.sql")):
    if f"SQL_{path.stem.upper()}" not in code:
        faults.append(f"{path.relative_to(SOURCE)}: no code uses this query")
report(faults)
