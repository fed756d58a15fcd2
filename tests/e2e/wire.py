"""wire.py - HTTP by hand over one socket, for what a well-behaved client never does."""
import http.client
import socket
import struct
import time

from harness import Answer

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}


class Wire:
    """One connection.  receive_bytes: a small receive buffer, for a slow reader."""

    def __init__(self, bell, source="127.0.0.1", receive_bytes=None, timeout=20):
        self.bell = bell
        self.socket = socket.socket()
        self.socket.settimeout(timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", bell.port))
        self.file = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()

    def reset(self):
        """Ends it with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def send(self, *parts):
        self.socket.sendall(b"".join(part.encode("latin-1") if isinstance(part, str) else part
                                     for part in parts))

    def get(self, path="/healthz", *fields, method="GET"):
        self.send(f"{method} {path} HTTP/1.1\r\nHost: a\r\n",
                  *(f"{field}\r\n" for field in fields), "\r\n")

    def head_of_post(self, *fields, path="/v1/events", token=True, kind="application/json"):
        """The head of a POST; its length is for the caller to say."""
        known = [f"Authorization: Bearer {self.bell.token}"] if token else []
        known += [f"Content-Type: {kind}"] if kind else []
        return "".join([f"POST {path} HTTP/1.1\r\nHost: a\r\n",
                        *(f"{field}\r\n" for field in [*known, *fields]), "\r\n"])

    def post(self, body, *fields, **options):
        self.send(self.head_of_post(f"Content-Length: {len(body)}", *fields, **options), body)

    def drip(self, octets, every_s=0.03):
        """Sends one octet after the other until the server has had enough; the seconds."""
        began = time.monotonic()
        self.socket.settimeout(every_s)
        for at in range(len(octets)):
            try:
                self.socket.sendall(octets[at:at + 1])
                if self.socket.recv(1, socket.MSG_PEEK) is not None:
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        self.socket.settimeout(20)
        return time.monotonic() - began

    def answer(self, method="GET"):
        """The next answer; None where the connection ends instead."""
        line = self.file.readline()
        if not line:
            return None
        version, status = line.split(b" ", 2)[:2]
        assert version == b"HTTP/1.1", line
        headers = http.client.parse_headers(self.file)
        status = int(status)
        if method == "HEAD" or status in (100, 204, 304):
            body = b""
        elif headers.get("Transfer-Encoding") == "chunked":
            body = self.chunks()
        else:
            body = self.exactly(int(headers["Content-Length"]))
        return Answer(status, headers, body)

    def exactly(self, size):
        body = self.file.read(size)
        if len(body) != size:
            raise AssertionError(f"the answer is cut short: {len(body)} of {size} bytes")
        return body

    def chunks(self):
        body = b""
        while True:
            size = int(self.file.readline(), 16)
            body += self.exactly(size)
            assert self.exactly(2) == b"\r\n"
            if size == 0:
                return body

    def end(self):
        """How the connection ends: closed, reset, or what came instead."""
        try:
            rest = self.file.read()
        except ConnectionResetError:
            return "reset"
        return "closed" if rest == b"" else rest


def error_of(answer):
    return answer.json["error"]["code"]
