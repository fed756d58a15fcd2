"""stem.c exports stem_* only, in base/ lb_stem_*."""
import re
import subprocess

from common import BUILD, report

# Parts of one module that share its prefix, where files were split for length.
SAME = {"json_check": "json", "config_parse": "config", "http_server_conn": "http_server",
        "http_server_accept": "http_server", "http_server_read": "http_server",
        "http_server_write": "http_server",
        "catalog_change": "catalog", "apply_check": "apply", "token_command": "token",
        "alerts_api": "alerts_api", "log_store": "log", "event_store": "event",
        "import_format": "import_format", "engine_load": "engine", "engine_decide": "engine", "outbox_store": "outbox", "attempt_end": "attempt", "embedded": "sql"}
ALSO = {"verify": ["rebuild_command"], "inflate": ["lb_inflate"], "http_respond": ["lb_http_respond"],
        "zone_file": ["lb_zone_find"], "http_server_conn": ["lb_http_server"],
        "import_session": ["import_sessions"], "dial": ["dials_"], "hook_event": ["hook_events"],
        "linkbell_man_page": ["linkbell_man_page"]}
faults = []
for folder in ("base", "sql", "geo", "ingest", "aggregate", "alerts"):
    library = BUILD / f"liblb_{folder}.a"
    text = subprocess.run(["nm", "-g", "--defined-only", str(library)], capture_output=True,
                          text=True, check=True).stdout
    stem = None
    for line in text.splitlines():
        member = re.match(r"(\S+)\.c\.o:$", line)
        if member:
            stem = member[1]
            continue
        symbol = re.match(r"[0-9a-f]+ [A-Z] (\S+)$", line)
        if not symbol or stem is None or symbol[1].startswith("__"):
            continue
        prefix = ("lb_" if folder == "base" else "") + SAME.get(stem, stem)
        allowed = [prefix + "_"] + ALSO.get(stem, [])
        if not any(symbol[1].startswith(p) for p in allowed) and symbol[1] != prefix:
            faults.append(f"{folder}/{stem}.c exports {symbol[1]}")
report(faults)
