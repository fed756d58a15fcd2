"""bench_delivery.py - many messages that wait, and one healthy destination beside three broken ones.

    python3 tests/bench/bench_delivery.py [--waiting 100000] [--seconds 60] [--answer-ms 0] [--only waiting|broken]

First a webhook is taken out of use and so many alerts are made for it by events: memory, and
how long a restart takes.  It is taken into use while its receiver refuses connections, so
that the breaker opens: memory and restart again.  Then the receiver is there and the
operator enables the destination: messages a second from that command to the last message,
and memory meanwhile.  The destination has `concurrency: 32`, as an operator would set it
for a fast receiver; --answer-ms lets each answer take so long, as a network does.

Then 1,000 alerts a minute, first to one destination that takes them (the peer), then to
the same and to three more at once: one accepts and never answers, one resets each
connection, one answers 429 with `Retry-After: 1`.  Printed is the delay of the healthy
one from the message's `timestamp`, at which its event was received (to be made durable,
decided on and put into the outbox), to the first byte at the receiver.  All else is as shipped.
Goals stand beside the figures and are not asserted; that each message arrives once is."""
import argparse
import asyncio
import collections
import datetime
import json
import os
import pathlib
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
sys.path.insert(0, str(pathlib.Path(__file__).parent))
from harness import Linkbell, wait_for  # noqa: E402
from bench_alerts import percentile  # noqa: E402

SITES = 20
BATCH = 1000
CONCURRENCY = 32
PER_MINUTE = 1000
CONFIG = """
server: { listen: 127.0.0.1:0 }
delivery: { allow_addresses: [127.0.0.0/8] }
sites:
%s
destinations:
%s
rules:
  - { id: hot-lead, kind: event, match: { type: lead }, notify: [%s] }
"""


class Connection(asyncio.Protocol):
    """One connection of linkbell's; requests follow each other on it."""

    def __init__(self, receiver):
        self.receiver, self.data, self.began_at, self.transport = receiver, b"", 0.0, None

    def connection_made(self, transport):
        self.transport = transport
        self.receiver.connections += 1
        if self.receiver.manner == "resets":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            transport.abort()

    def data_received(self, data):
        if not self.data:
            self.began_at = time.time()
        self.data += data
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end < 0:
                return
            lines = self.data[:end].decode("latin-1").split("\r\n")[1:]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            size = end + 4 + int(headers["content-length"])
            if len(self.data) < size:
                return
            body, self.data = self.data[end + 4:size], self.data[size:]
            self.take(headers["webhook-id"], body)

    def take(self, message, body):
        self.receiver.requests += 1
        if self.receiver.manner == "takes":
            self.receiver.arrivals.append((self.began_at, message, body if self.receiver.keeps_bodies else None))
            self.receiver.loop.call_later(self.receiver.answer_ms / 1000, self.transport.write, b"HTTP/1.1 204 No Content\r\n\r\n")
        elif self.receiver.manner == "busy":
            self.transport.write(b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")


class Receiver:
    """A local receiver on a loop of its own: it takes what comes, hangs, resets or is busy.
    Until it listens, its address refuses connections."""

    def __init__(self, manner, answer_ms=0, keeps_bodies=True):
        self.manner, self.answer_ms, self.keeps_bodies = manner, answer_ms, keeps_bodies
        self.connections = self.requests = 0
        self.arrivals = []  # (at, webhook-id, body)
        self.loop = asyncio.new_event_loop()
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/hook"

    def listen(self):
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        server = self.loop.create_server(lambda: Connection(self), sock=self.socket, backlog=256)
        asyncio.run_coroutine_threadsafe(server, self.loop).result(10)
        return self

    def close(self):
        if self.loop.is_running():
            self.loop.call_soon_threadsafe(self.loop.stop)
        else:
            self.socket.close()


def config(receivers, more=""):
    sites = "\n".join(f"  - {{ id: site-{n}.bio, timezone: Europe/Paris }}" for n in range(SITES))
    hooks = "\n".join(f"  - {{ id: {name}, type: webhook, url: \"{receiver.url}\", unsigned: true{more} }}" for name, receiver in receivers.items())
    return CONFIG % (sites, hooks, ", ".join(receivers))


def lead(number):
    return {"type": "lead", "site": f"site-{number % SITES}.bio", "id": f"l{number}", "visitor": f"v{number}", "name": "contact-form",
            "country": "FR", "url": f"https://site.bio/?utm_source=newsletter&utm_campaign=c{number % 30}"}


def memory(bell):
    """Resident, and at most since the peak was set back, in MB."""
    text = pathlib.Path(f"/proc/{bell.process.pid}/status").read_text()
    return tuple(int(text.split(f"Vm{key}:")[1].split()[0]) / 1024 for key in ("RSS", "HWM"))


def cpu_s(bell):
    fields = pathlib.Path(f"/proc/{bell.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sync_ms(folder):
    """What making 4 KiB durable takes here and now; each message waits for it twice."""
    times = []
    with open(folder / "probe", "wb", buffering=0) as probe:
        for _ in range(100):
            probe.write(bytes(4096))
            began = time.perf_counter()
            os.fdatasync(probe.fileno())
            times.append((time.perf_counter() - began) * 1000)
    return percentile(times, 0.5)


def row(what, figure, goal=""):
    print(f"{what:<58} {figure:<44} {goal}".rstrip(), flush=True)


# --- many that wait


def fill(bell, count):
    connection = bell.connect()
    headers = {"Content-Type": "application/x-ndjson"}
    for first in range(0, count, BATCH):
        lines = "\n".join(json.dumps(lead(number)) for number in range(first, min(first + BATCH, count)))
        answer = bell.post("/v1/events", lines.encode(), headers=headers, connection=connection)
        assert answer.status == 202 and answer.json["accepted"] == min(BATCH, count - first), answer


def destination(bell):
    return bell.get("/v1/destinations/hook").json


def command(bell, verb):
    """Runs a command on the destination; seconds that it took."""
    began = time.monotonic()
    bell.run("destinations", verb, "hook")
    return time.monotonic() - began


def is_ready(bell):
    try:
        return bell.get("/readyz", token=False).status == 200
    except OSError:
        return False


def restart(bell, state, count):
    """Prints the memory of so many in that state, and how long a restart takes with them."""
    resident, most = memory(bell)
    row(f"{count} {state}: memory", f"{resident:.0f} MB, at most {most:.0f} MB so far", "goal: under 128 MB")
    bell.stop()
    began = time.monotonic()
    bell.start()
    wait_for(lambda: is_ready(bell), "readiness", 120)
    row(f"{count} {state}: from its start to /readyz", f"{time.monotonic() - began:.2f} s", "goal: under 2 s")
    found = destination(bell)
    assert found["held"] + found["waiting"] >= count - CONCURRENCY, found


def drain(bell, receiver, count):
    pathlib.Path(f"/proc/{bell.process.pid}/clear_refs").write_text("5")  # the peak begins anew
    receiver.listen()
    used_s = cpu_s(bell)
    began_at = time.time()
    enabling_s = command(bell, "enable")
    wait_for(lambda: len(receiver.arrivals) >= count, "the messages", 1800)
    wait_for(lambda: destination(bell)["waiting"] == 0, "the last one's record", 60)
    time.sleep(1)
    took = receiver.arrivals[count - 1][0] - began_at
    used_s = cpu_s(bell) - used_s
    resident, most = memory(bell)
    row(f"{count} drained at concurrency {CONCURRENCY}", f"{count / took:.0f} messages/s over {took:.0f} s", "goal: 500/s or more")
    row("  the first message after the command, the command itself", f"{receiver.arrivals[0][0] - began_at:.2f} s, {enabling_s:.2f} s")
    row("  processor time a message, fdatasync of 4 KiB", f"{used_s / count * 1000:.2f} ms, {sync_ms(bell.dir):.2f} ms")
    row("  memory meanwhile", f"{resident:.0f} MB, at most {most:.0f} MB", "goal: under 128 MB")
    times = collections.Counter(message for _, message, _ in receiver.arrivals)
    row("  messages, of these arrived once", f"{len(times)}, {sum(n == 1 for n in times.values())}; {receiver.connections} connections")
    assert len(times) == count and set(times.values()) == {1}, times.most_common(3)


def waiting(count, answer_ms):
    receiver = Receiver("takes", answer_ms, keeps_bodies=False)
    with Linkbell(config({"hook": receiver}, f", concurrency: {CONCURRENCY}")) as bell:
        bell.ready()
        command(bell, "disable")
        began = time.monotonic()
        fill(bell, count)
        wait_for(lambda: destination(bell)["held"] == count, "the alerts", 600)
        row(f"{count} alerts made by events", f"{count / (time.monotonic() - began):.0f} alerts/s")
        restart(bell, "held", count)
        command(bell, "enable")
        wait_for(lambda: destination(bell)["state"] == "open", "the breaker", 60)
        restart(bell, "waiting, breaker open", count)
        drain(bell, receiver, count)
    receiver.close()


# --- broken ones beside


def decided_at(body):
    return datetime.datetime.fromisoformat(json.loads(body)["timestamp"].replace("Z", "+00:00")).timestamp()


def beside(manners, seconds):
    """Delays in ms of the destination `healthy`; its receivers are closed."""
    receivers = {name: Receiver(manner).listen() for name, manner in manners.items()}
    with Linkbell(config(receivers)) as bell:
        bell.ready()
        connection = bell.connect()
        count = PER_MINUTE * seconds // 60
        due = time.monotonic()
        for number in range(count):
            bell.send(lead(number), connection=connection)
            due += 60 / PER_MINUTE
            time.sleep(max(0, due - time.monotonic()))
        healthy = receivers["healthy"]
        wait_for(lambda: len(healthy.arrivals) >= count, "the messages", 60)
        assert collections.Counter(collections.Counter(message for _, message, _ in healthy.arrivals).values()) == {1: count}
        states = {found["id"]: found for found in bell.get("/v1/destinations").json["data"]}
    delays = [(at - decided_at(body)) * 1000 for at, _, body in healthy.arrivals]
    row(f"{count} alerts to each of {len(receivers)} at {PER_MINUTE} a minute: healthy",
        f"p50 {percentile(delays, 0.5):.1f} ms, p99 {percentile(delays, 0.99):.1f} ms, worst {max(delays):.1f} ms", "goal: p99 under 300 ms")
    for name, receiver in receivers.items():
        if name != "healthy":
            row(f"  {name}", f"{receiver.connections} connections, {receiver.requests} requests; {states[name]['state']}, {states[name]['waiting']} wait")
        receiver.close()
    return delays


def broken(seconds):
    peer = beside({"healthy": "takes"}, seconds)
    delays = beside({"healthy": "takes", "hanging": "hangs", "resetting": "resets", "busy": "busy"}, seconds)
    row("healthy beside three broken ones, against the peer", ", ".join(
        f"p{share * 100:.0f} {percentile(delays, share) - percentile(peer, share):+.1f} ms" for share in (0.5, 0.99)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--waiting", type=int, default=100000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--answer-ms", type=int, default=0)
    parser.add_argument("--only", choices=["waiting", "broken"])
    options = parser.parse_args()
    if options.only != "broken":
        waiting(options.waiting, options.answer_ms)
    if options.only != "waiting":
        broken(options.seconds)


if __name__ == "__main__":
    main()
