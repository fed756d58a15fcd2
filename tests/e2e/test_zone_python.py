"""Goal of this test: base/zone agrees with Python's zoneinfo.
- the offset at thousands of instants from 1970 to 2100, in every zone, and at both
  sides of every change of the clock;
- local days and buckets of time, whose meaning is written down here a second time:
  from the list of changes, not from local midnights.
Both read the tzdata of the system."""
import bisect
import datetime
import os
import pathlib
import random
import subprocess
import sys
import zoneinfo

BUILD = pathlib.Path(os.environ.get(
    "LINKBELL_BUILD", pathlib.Path(__file__).resolve().parents[2] / "build/debug"))
PROGRAM = BUILD / "tests/zone_dump_server"
FIRST, LAST = 0, 4102444800            # 1970 to 2100
HOUR, DAY = 3600, 86400
QUARTER_GRAIN, HOUR_GRAIN, DAY_GRAIN, WEEK_GRAIN, MONTH_GRAIN = range(5)
UTC = datetime.timezone.utc
EPOCH = datetime.datetime(1970, 1, 1, tzinfo=UTC)

# Looked at closely: halves of an hour, quarters, midnight skipped or met twice, a day
# that never was, hours that repeat at 00:01, daylight time that is negative, seconds.
CLOSELY = """Europe/Paris America/New_York Australia/Lord_Howe Asia/Kathmandu America/St_Johns
America/Sao_Paulo America/Havana Asia/Beirut Pacific/Apia Pacific/Chatham Africa/Casablanca
Europe/Dublin Africa/Monrovia Antarctica/Troll Asia/Gaza America/Scoresbysund UTC
Pacific/Kwajalein America/Asuncion Asia/Tehran""".split()


class Zone:
    """A zone as a list of stretches, each with one offset."""

    def __init__(self, name):
        self.name, self.info = name, zoneinfo.ZoneInfo(name)
        self.starts, self.offsets = [FIRST - 10 * DAY], []
        self.offsets.append(self.ask(self.starts[0]))
        at = self.starts[0]
        while at < LAST + 10 * DAY:    # no two changes within a step go unseen but odd ones
            after = at + 12 * HOUR
            if self.ask(after) != self.offsets[-1]:
                self.find(at, after)
            at = after

    def ask(self, at):
        there = (EPOCH + datetime.timedelta(seconds=at)).astimezone(self.info)
        return round(there.utcoffset().total_seconds())

    def find(self, before, after):
        while after - before > 1:
            middle = (before + after) // 2
            if self.ask(middle) == self.offsets[-1]:
                before = middle
            else:
                after = middle
        self.starts.append(after)
        self.offsets.append(self.ask(after))

    def at(self, instant):
        return bisect.bisect_right(self.starts, instant) - 1

    def offset(self, instant):
        return self.offsets[self.at(instant)]

    def day_start(self, day):
        """The first instant at which the local clock reads that day or a later one."""
        i = max(0, self.at(day * DAY - 2 * DAY))
        while True:
            instant = max(self.starts[i], day * DAY - self.offsets[i])
            if i + 1 == len(self.starts) or instant < self.starts[i + 1]:
                return instant
            i += 1

    def local_day(self, instant):
        day = (instant + self.offset(instant)) // DAY
        while self.day_start(day + 1) <= instant:
            day += 1
        return day

    def clock_bounds(self, near, grain):
        """Every instant around near at which a new label of the clock begins."""
        bounds = []
        for i in range(self.at(near - 4 * HOUR), self.at(near + 4 * HOUR) + 1):
            start = max(self.starts[i], near - 5 * HOUR)
            end = self.starts[i + 1] if i + 1 < len(self.starts) else near + 5 * HOUR
            end = min(end, near + 5 * HOUR)
            offset = self.offsets[i]
            label = (start + offset) // grain
            if start == self.starts[i] and i > 0:
                before = (start - 1 + self.offsets[i - 1]) // grain
                if label != before or (start + offset) % grain == 0:
                    bounds.append(start)
            instant = (label + 1) * grain - offset
            while instant < end:
                bounds.append(instant)
                instant += grain
        return sorted(set(bounds))

    def clock_bucket(self, instant, grain):
        bounds = self.clock_bounds(instant, grain)
        i = bisect.bisect_right(bounds, instant)
        return bounds[i - 1], bounds[i]

    def day_bucket(self, instant, grain):
        day = self.local_day(instant)
        date = datetime.date(1970, 1, 1) + datetime.timedelta(days=day)
        if grain == DAY_GRAIN:
            first, last = day, day + 1
        elif grain == WEEK_GRAIN:
            first = day - date.weekday()
            last = first + 7
        else:
            first = day - date.day + 1
            last = (date.replace(day=1) + datetime.timedelta(days=32)).replace(day=1)
            last = (last - datetime.date(1970, 1, 1)).days
        start, end = self.day_start(first), self.day_start(last)
        while end <= start:            # a day that never was
            last += 1
            end = self.day_start(last)
        return start, end

    def format(self, instant):
        offset = self.offset(instant)
        local = EPOCH.replace(tzinfo=None) + datetime.timedelta(seconds=instant + offset)
        sign, size = "-" if offset < 0 else "+", abs(offset)
        return f"{local.isoformat()}{sign}{size // 3600:02d}:{size // 60 % 60:02d}"


def questions_about(zone, closely, dice):
    """Pairs of a question and the answer expected."""
    instants = [dice.randrange(FIRST + DAY, LAST) for _ in range(400 if closely else 40)]
    for start in zone.starts[1:]:
        instants += [start - 1, start, start + 1]
        if closely:
            instants += [start + dice.randrange(-3 * HOUR, 3 * HOUR) for _ in range(6)]
    for at in instants:
        if not FIRST <= at < LAST:
            continue
        yield f"offset {at * 1000 + 999}", zone.offset(at)
        if not closely:
            continue
        yield f"format {at * 1000}", zone.format(at)
        day = zone.local_day(at)
        yield f"local_day {at * 1000 + 1}", day
        yield f"day_start {day}", zone.day_start(day) * 1000
        for grain, size in ((QUARTER_GRAIN, HOUR // 4), (HOUR_GRAIN, HOUR)):
            start, end = zone.clock_bucket(at, size)
            yield f"start {grain} {at * 1000 + 500}", start * 1000
            yield f"next {grain} {at * 1000 + 500}", end * 1000
        for grain in (DAY_GRAIN, WEEK_GRAIN, MONTH_GRAIN):
            start, end = zone.day_bucket(at, grain)
            yield f"start {grain} {at * 1000}", start * 1000
            yield f"next {grain} {at * 1000}", end * 1000


def ask_ours(questions):
    done = subprocess.run([PROGRAM], input="\n".join(questions) + "\n", text=True,
                          stdout=subprocess.PIPE, timeout=120, check=True)
    answers = done.stdout.splitlines()
    assert len(answers) == len(questions), (len(answers), len(questions))
    return answers


def main():
    dice = random.Random(20261123)
    names = sorted(name for name in zoneinfo.available_timezones()
                   if name not in ("localtime", "posixrules", "Factory"))
    assert len(names) > 300, len(names)
    spread = [name for name in names if name not in CLOSELY]
    spread = sorted(dice.sample(spread, min(len(spread), 150)))
    faults, count = [], 0
    for name in CLOSELY + spread:
        rows = list(questions_about(Zone(name), name in CLOSELY, dice))
        count += len(rows)
        for (question, expected), answer in zip(
                rows, ask_ours([f"{name} {question}" for question, _ in rows])):
            if str(expected) != answer:
                faults.append(f"{name} {question}: expected {expected}, got {answer}")
    for fault in faults[:40]:
        print(fault)
    print(f"{count} questions about {len(CLOSELY) + len(spread)} zones, "
          f"{len(faults)} answers at fault")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
