#!/usr/bin/env python3
"""check_agents.py - the list of crawlers against whole packages, at every update of it.

    npm pack crawler-user-agents@1.60.0 user-agents@2.1.198   # and unpack both
    cmake --build --preset release --target agent_dump_server
    tests/support/check_agents.py build/release/tests/agent_dump_server CRAWLERS PEOPLE

CRAWLERS and PEOPLE are the packages' directories.  None of the people may be a machine, and each
user agent that the list quotes must get the class that the package's own expressions give it, but
for the entries of crawler_overrides.inc."""
import json
import pathlib
import re
import subprocess
import sys

OVERRIDES = pathlib.Path(__file__).parents[2] / "ingest/tables/crawler_overrides.inc"


def classes(program, agents):
    done = subprocess.run([program], input="".join(a + "\n" for a in agents), text=True,
                          capture_output=True, check=True)
    return [line.split("\t")[0] for line in done.stdout.split("\n")[:-1]]


def check_people(program, package):
    data = json.loads((package / "dist/user-agents.json").read_text())
    agents = sorted({row["userAgent"] for row in data})
    wrong = [(a, c) for a, c in zip(agents, classes(program, agents)) if c != "human"]
    for agent, kind in wrong:
        print(f"{kind}: {agent}")
    print(f"{len(agents)} user agents of people, {len(wrong)} taken for machines")
    return not wrong


def check_crawlers(program, package):
    entries = json.loads((package / "crawler-user-agents.json").read_text())
    text = OVERRIDES.read_text()
    dropped = re.findall(r'\{"(.*?)", BOT_DROP\}', text)
    bare = re.findall(r'\{"(.*?)", BOT_BARE\}', text)
    agents = [agent for entry in entries for agent in entry["instances"]]
    expressions = [(re.compile(e["pattern"]), "social-preview" in e.get("tags", []),
                    re.sub(r"\\(.)", r"\1", e["pattern"])) for e in entries]
    wrong = 0
    for agent, kind in zip(agents, classes(program, agents)):
        previews = {is_preview for expression, is_preview, name in expressions
                    if expression.search(agent) and name not in dropped
                    and not (name in bare and agent.startswith("Mozilla/"))}
        want = "preview" if True in previews else "bot" if previews else None
        if want is None:  # an override; then the form of the user agent decides
            want = "human" if "Mozilla/" in agent else "bot"
        if kind != want:
            print(f"{kind}, not {want}: {agent}")
            wrong += 1
    print(f"{len(agents)} user agents of the list, {wrong} with another class")
    return wrong == 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    right = check_people(sys.argv[1], pathlib.Path(sys.argv[3]))
    right = check_crawlers(sys.argv[1], pathlib.Path(sys.argv[2])) and right
    sys.exit(0 if right else 1)
