"""Who may include whom, and which libraries appear where."""
import re

from common import SOURCE, product_files, report

MAY = {"base": {"base"}, "sql": {"sql", "base"}, "geo": {"geo", "base"},
       "ingest": {"ingest", "geo", "sql", "base"}, "aggregate": {"aggregate", "sql", "base"},
       "alerts": {"alerts", "sql", "base"}}
ALERTS_ALSO = {"aggregate/export_row.h", "aggregate/filter.h", "aggregate/rollup.h"}
LIBRARIES = {
    "sqlite3.h": r"^sql/|_store\.[ch]$",
    "curl/curl.h": r"^alerts/(deliver|dial\.)|^base/client(_pipe)?\.c$",
    "hiredis/hiredis.h": r"^alerts/destinations/redis_stream\.c$",
    "jq.h": r"^alerts/transform_worker\.c$",
    "maxminddb.h": r"^geo/geo\.c$",
    "uv.h": r"^main\.c$|^base/http_server|^sql/(db|writer|pool)\.|^alerts/(deliver|listen|streams\.h)",
}
faults = []
for path in product_files():
    name = str(path.relative_to(SOURCE))
    folder = name.split("/")[0]
    for number, line in enumerate(path.read_text().splitlines(), 1):
        ours = re.match(r'#include "([^"]+)"', line)
        if ours and folder in MAY:
            wanted = ours[1].split("/")[0]
            if wanted not in MAY[folder] and not (folder == "alerts" and ours[1] in ALERTS_ALSO):
                faults.append(f"{name}:{number}: {folder}/ may not include {ours[1]}")
        library = re.match(r"#include <([^>]+)>", line)
        if library and library[1] in LIBRARIES and not re.search(LIBRARIES[library[1]], name):
            faults.append(f"{name}:{number}: <{library[1]}> does not belong here")
report(faults)
