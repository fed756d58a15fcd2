"""corpus.py - the requests of tests/data/http, and what a server makes of one: its verdict
is the statuses of its answers, then what became of the connection, `200 400 closed`.

open    it waits for the next request (it answered one)
waits   it waits for the rest of the request
closed  it closed; a reset that destroys no answer counts as that"""
import json
import os
import pathlib
import re
import socket

SOURCE = pathlib.Path(os.environ.get("LINKBELL_SOURCE",
                                     pathlib.Path(__file__).resolve().parents[2]))
FOLDER = SOURCE / "tests/data/http"
VERDICTS = FOLDER / "verdicts.json"
PEERS = ("nginx", "node")
TOKEN = b"lb_" + b"0" * 49  # what stands for the token in the requests
SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: sentinel\r\n\r\n"
# Statuses of a request that was understood, whatever was then said to it; "bare" is an
# answer of HTTP/0.9, a body alone.
TAKEN = {"100", "200", "202", "401", "404", "405", "422", "bare"}


class Case:
    def __init__(self, name, about, request, verdicts, why):
        self.name, self.about, self.request = name, about, request
        self.verdicts, self.why = verdicts, why


def load():
    """The recorded versions of the peers, and the cases by name."""
    book = json.loads(VERDICTS.read_text())
    cases = {}
    for name, entry in book["cases"].items():
        request = (FOLDER / "requests" / f"{name}.http").read_bytes()
        verdicts = {who: entry.get(who) for who in ("linkbell", *PEERS)}
        cases[name] = Case(name, entry["about"], request, verdicts, entry.get("why"))
    return book["recorded"], cases


def shape(verdict):
    """What two verdicts must share to be no difference: which requests were taken and which
    refused, and what became of the connection.  A 100 before an answer is part of it."""
    *statuses, end = verdict.split()
    return [status in TAKEN for status in statuses] + [end]


def differences(case):
    ours = shape(case.verdicts["linkbell"])
    return [peer for peer in PEERS if shape(case.verdicts[peer]) != ours]


def statuses_of(stream):
    """The statuses of the answers in the stream, as far as they are complete."""
    found = []
    while stream:
        head, separator, rest = stream.partition(b"\r\n\r\n")
        line = re.match(rb"HTTP/1\.[01] (\d{3})", head)
        if not separator and b"HTTP/1.1 ".startswith(stream[:9]):
            break
        if not line:
            return found + ["bare"]
        length = re.search(rb"\r\nContent-Length: *(\d+)", head, re.IGNORECASE)
        length = int(length[1]) if length else 0
        if b"chunked" in head.lower():
            length = rest.find(b"0\r\n\r\n") + 5
        # An answer to HEAD has a length but no body.
        if line[1] == b"304" or rest == b"" or rest.startswith(b"HTTP/1."):
            length = 0
        if len(rest) < length:
            break
        found.append(line[1].decode())
        stream = rest[length:]
    return found


class Talk:
    """One connection on which a request is sent and answers are gathered."""

    def __init__(self, port, quiet_s):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.quiet_s, self.stream, self.is_closed = quiet_s, b"", False

    def send(self, request, piece):
        try:
            for at in range(0, len(request), piece):
                self.socket.sendall(request[at:at + piece])
        except OSError:
            pass  # the server has said what it had to say

    def read(self, count):
        """Until so many answers came, the server closed, or nothing came for quiet_s."""
        self.socket.settimeout(self.quiet_s)
        while not self.is_closed and len(statuses_of(self.stream)) < count:
            try:
                got = self.socket.recv(65536)
            except TimeoutError:
                break
            except OSError:
                got = b""
            self.stream += got
            self.is_closed = got == b""
        return statuses_of(self.stream)


def verdict(port, request, sentinel, *, piece=None, expected=None, quiet_s=0.3):
    """What the server at port makes of request, sent in pieces of so many bytes.  sentinel
    is its status for the sentinel's path.  expected saves time: where the connection is to
    stay open no more than the expected answers are waited for, then the sentinel's must be
    the next one."""
    talk = Talk(port, quiet_s)
    wanted = expected.split() if expected else []
    is_hasty = wanted[-1:] == ["open"]
    try:
        talk.send(request, piece or len(request))
        said = talk.read(len(wanted) - 1 if is_hasty else len(request))
        if talk.is_closed:
            return " ".join(said + ["closed"])
        talk.send(SENTINEL, len(SENTINEL))
        more = talk.read(len(said) + 1)[len(said):]
        if more == [sentinel]:
            return " ".join(said + ["open"])
        return " ".join(said + (more if is_hasty else []) + ["waits"])
    finally:
        talk.socket.close()
