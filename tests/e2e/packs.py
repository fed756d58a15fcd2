"""packs.py - events that are not sealed yet, as sql/log_pack.h says they lie in the database:
read and written here a second time, by the words of that header."""

COLUMNS = ("seq site ts received bits id_hash visitor_day visitor link source channel utm_source utm_medium "
           "utm_campaign place device reason amount currency id name host page referrer utm_term utm_content "
           "click_id props bot_entry").split()
DICT, TEXTS = COLUMNS[8:17], COLUMNS[18:28]
DAY = 86_400_000


class Bytes:
    def __init__(self, body):
        self.body, self.at = body, 0

    def number(self):
        value = shift = 0
        while True:
            byte = self.body[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed(self):
        value = self.number()
        return (value >> 1) ^ -(value & 1)

    def take(self, count):
        self.at += count
        return self.body[self.at - count:self.at]


def unpack(body):
    """The events of a pack, as dicts by COLUMNS."""
    at = Bytes(body)
    assert at.take(1) == b"\x01"
    seq = ts = 0
    while at.at < len(body):
        event = dict.fromkeys(COLUMNS)
        event["seq"] = seq = seq + at.number()
        event["site"] = at.number()
        event["ts"] = ts = ts + at.signed()
        event["received"] = ts + at.signed()
        event["bits"] = at.number()
        event["id_hash"] = int.from_bytes(at.take(8), "little", signed=True)
        marks = at.number()
        if marks & 1:
            event["visitor_day"] = int(ts / DAY) + at.signed()
            event["visitor"] = at.number()
        for name in DICT:
            event[name] = at.number() or None
        if marks & 2:
            event["amount"] = at.signed()
        event["bot_entry"] = at.number() or None
        texts = Bytes(at.take(at.number()))
        for bit, name in enumerate(TEXTS, 2):
            if marks >> bit & 1:
                event[name] = texts.take(texts.body.index(b"\0", texts.at) - texts.at).decode()
                texts.at += 1
        assert texts.at == len(texts.body), event
        yield event


def number(value):
    out = bytearray()
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out) + bytes([value])


def signed(value):
    return number(value << 1 if value >= 0 else (-value << 1) - 1)


def pack(events):
    out, seq, ts = b"\x01", 0, 0
    for event in events:
        texts = [(bit, event[name]) for bit, name in enumerate(TEXTS, 2) if event[name] is not None]
        marks = sum(1 << bit for bit, _ in texts) | bool(event["visitor"]) | (event["amount"] is not None) << 1
        out += number(event["seq"] - seq) + number(event["site"]) + signed(event["ts"] - ts)
        out += signed(event["received"] - event["ts"]) + number(event["bits"])
        out += event["id_hash"].to_bytes(8, "little", signed=True) + number(marks)
        if marks & 1:
            out += signed(event["visitor_day"] - int(event["ts"] / DAY)) + number(event["visitor"])
        out += b"".join(number(event[name] or 0) for name in DICT)
        if marks & 2:
            out += signed(event["amount"])
        joined = b"".join(text.encode() + b"\0" for _, text in texts)
        out += number(event["bot_entry"] or 0) + number(len(joined)) + joined
        seq, ts = event["seq"], event["ts"]
    return out


def load(db):
    """Makes a temporary table events of them on the connection."""
    db.execute(f"CREATE TEMP TABLE events ({', '.join(COLUMNS)}, pack)")
    for upto, count, body in db.execute("SELECT upto, count, body FROM event_packs ORDER BY upto").fetchall():
        events = list(unpack(body))
        assert len(events) == count and events[-1]["seq"] <= upto, (upto, count)
        assert pack(events) == body, upto
        db.executemany(f"INSERT INTO events VALUES ({', '.join('?' * (len(COLUMNS) + 1))})",
                       [(*event.values(), upto) for event in events])


def save(db):
    """Writes the packs anew out of that table."""
    for (upto,) in db.execute("SELECT upto FROM event_packs").fetchall():
        rows = db.execute(f"SELECT {', '.join(COLUMNS)} FROM events WHERE pack = ? ORDER BY seq", (upto,)).fetchall()
        db.execute("UPDATE event_packs SET body = ? WHERE upto = ?", (pack([dict(zip(COLUMNS, row)) for row in rows]), upto))
