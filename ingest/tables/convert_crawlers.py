#!/usr/bin/env python3
"""convert_crawlers.py - the table of crawlers from npm's crawler-user-agents.

    npm pack crawler-user-agents@VERSION && tar xzf crawler-user-agents-VERSION.tgz
    ingest/tables/convert_crawlers.py package >ingest/tables/crawlers.inc

Each of the package's regular expressions becomes rows of plain texts (bot.h).  A construct that
has no row is an error: then bot.c needs a new kind of place first.  The rows are compared with the
expressions on all user agents that the package quotes; a difference is an error, too."""
import itertools
import json
import pathlib
import re
import sys

ROWS_MAX = 64  # of one expression
ANY_GAP = r"[\s\S]*"
PREVIEW = "social-preview"


class Unknown(Exception):
    """An expression that no rows can stand for."""


def split_top(pattern):
    """Parts between the '|' outside of brackets."""
    parts, depth, at, in_class = [""], 0, 0, False
    while at < len(pattern):
        c = pattern[at]
        if c == "\\":
            parts[-1] += pattern[at:at + 2]
            at += 2
            continue
        in_class = c != "]" if in_class else c == "["
        depth += 0 if in_class else (c == "(") - (c == ")")
        if c == "|" and depth == 0 and not in_class:
            parts.append("")
        else:
            parts[-1] += c
        at += 1
    return parts


def end_of_group(pattern, at):
    depth = 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 1
        else:
            depth += (pattern[at] == "(") - (pattern[at] == ")")
            if depth == 0:
                return at
        at += 1
    raise Unknown("a bracket that does not close")


def escaped(c):
    if c.isalnum():
        raise Unknown(f"\\{c}")
    return c


def expand(pattern):
    """All texts that an expression of letters, sets and groups stands for."""
    pieces, at = [], 0
    while at < len(pattern):
        c = pattern[at]
        if c == "\\":
            pieces.append([escaped(pattern[at + 1:at + 2] or "a")])
            at += 2
        elif c == "[":
            end = pattern.index("]", at + 1)
            chars = pattern[at + 1:end]
            if chars == "" or re.search(r"[\\^-]", chars):
                raise Unknown(f"[{chars}]")
            pieces.append(list(chars))
            at = end + 1
        elif c == "(":
            end = end_of_group(pattern, at)
            if pattern[at + 1:at + 2] == "?":
                raise Unknown("(?")
            pieces.append([t for part in split_top(pattern[at + 1:end]) for t in expand(part)])
            at = end + 1
        elif c in "^$.*+?{}|)]":
            raise Unknown(c)
        else:
            pieces.append([c])
            at += 1
    texts = ["".join(words) for words in itertools.islice(itertools.product(*pieces), ROWS_MAX + 1)]
    if len(texts) > ROWS_MAX or "" in texts:
        raise Unknown("too many texts, or an empty one")
    return texts


def rows_of_part(part):
    """(where, text, second) for one part of an expression."""
    version = r"\d\.\d+"
    if part.count(ANY_GAP) == 1:
        first, second = part.split(ANY_GAP)
        return [("BOT_THEN", a, b) for a in expand(first) for b in expand(second)]
    if part.count(version) == 1:
        first, second = part.split(version)
        return [("BOT_VERSION_THEN", a, b) for a in expand(first) for b in expand(second)]
    if part.startswith("(^| )"):
        return [("BOT_WORD", text, None) for text in expand(part[5:])]
    if part.endswith("([^-]|$)"):
        return [("BOT_NO_HYPHEN", text, None) for text in expand(part[:-8])]
    if part.startswith("^"):
        return [("BOT_BEGIN", text, None) for text in expand(part[1:])]
    if part.endswith("$") and not part.endswith("\\$"):
        return [("BOT_END", text, None) for text in expand(part[:-1])]
    return [("BOT_ANYWHERE", text, None) for text in expand(part)]


def rows_of(pattern):
    return [row for part in split_top(pattern) for row in rows_of_part(part)]


def spots(agent, text):
    at = agent.find(text)
    while at >= 0:
        yield at
        at = agent.find(text, at + 1)


def is_match(row, agent):
    """What bot.c does, said once more."""
    where, text, second = row
    for at in spots(agent, text):
        rest = agent[at + len(text):]
        if (where == "BOT_ANYWHERE" or (where == "BOT_BEGIN" and at == 0)
                or (where == "BOT_END" and rest == "")
                or (where == "BOT_WORD" and (at == 0 or agent[at - 1] == " "))
                or (where == "BOT_NO_HYPHEN" and not rest.startswith("-"))
                or (where == "BOT_THEN" and second in rest)
                or (where == "BOT_VERSION_THEN"
                    and re.match(r"[0-9]\.[0-9]+" + re.escape(second), rest))):
            return True
    return False


def check(entries, table):
    agents = [agent for entry in entries for agent in entry["instances"]]
    for entry, rows in zip(entries, table):
        expression = re.compile(entry["pattern"])
        for agent in agents:
            if any(is_match(row, agent) for row in rows) != bool(expression.search(agent)):
                sys.exit(f"{entry['pattern']!r}: rows and expression differ on {agent!r}")
    return len(agents)


def quoted(text):
    out = ""
    for byte in text.encode():
        c = chr(byte)
        out += "\\" + c if c in "\"\\" else c if 32 <= byte < 127 else f"\\{byte:03o}"
    return f'"{out}"'


def line(row, entry, is_preview):
    where, text, second = row
    words = [f".text = {quoted(text)}"]
    words += [f".where = {where}"] if where != "BOT_ANYWHERE" else []
    words += [f".second = {quoted(second)}"] if second is not None else []
    words += [f".entry = {quoted(entry)}"] if entry != text else []
    words += [".is_preview = true"] if is_preview else []
    return "{" + ", ".join(words) + "},"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    package = pathlib.Path(sys.argv[1])
    version = json.loads((package / "package.json").read_text())["version"]
    licence = (package / "LICENSE").read_text().strip()
    entries = json.loads((package / "crawler-user-agents.json").read_text())
    table = []
    for entry in entries:
        try:
            table.append(rows_of(entry["pattern"]))
        except (Unknown, ValueError) as fault:
            sys.exit(f"{entry['pattern']!r}: {fault} has no row")
    agent_count = check(entries, table)
    lines = []
    for entry, rows in zip(entries, table):
        # An entry's name lives on in the log as a hash: the plainest form that it has.
        is_plain = len(rows) == 1 and rows[0][0] == "BOT_ANYWHERE"
        name = rows[0][1] if is_plain else entry["pattern"]
        lines += [line(row, name, PREVIEW in entry.get("tags", [])) for row in rows]
    print(f"""/* Crawlers, made by convert_crawlers.py from crawler-user-agents {version} (npm): {len(entries)} entries,
 * compared on {agent_count} user agents.  What stands in crawler_overrides.inc is added by hand.
 * The data's licence:
 *""")
    for text in licence.splitlines():
        print(f" * {text}".rstrip())
    print(" */")
    print("\n".join(lines))
    places = {where: sum(row[0] == where for rows in table for row in rows)
              for where in sorted({row[0] for rows in table for row in rows})}
    print(f"{len(entries)} entries, {len(lines)} rows {places}, "
          f"{sum(PREVIEW in e.get('tags', []) for e in entries)} previews", file=sys.stderr)


if __name__ == "__main__":
    main()
