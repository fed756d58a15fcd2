"""Many connections, many requests on one, no descriptor left, and the end with requests under
way: linkbell pushes back, answers what it took, and serves the others."""
import json
import os
import resource
import signal
import socket
import time
import unittest

from harness import CONFIG, Linkbell, wait_for
from wire import SECURITY, Wire, error_of

VIEW = {"type": "view", "site": "alice.bio"}
EVENT = json.dumps(VIEW).encode()
GET = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"


class Load(unittest.TestCase):
    def serve(self, limits):
        bell = Linkbell(CONFIG + f"limits: {{ {limits} }}\n")
        self.addCleanup(bell.__exit__, None, None, None)
        return bell.ready()

    def hits(self, bell, limit):
        return bell.metric("linkbell_limit_hits_total", f'{{limit="{limit}"}}')

    def check_refused(self, wire, limit):
        answer = wire.answer()
        self.assertEqual((answer.status, error_of(answer)), (503, "overloaded"))
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual(answer.headers["Connection"], "close")
        self.assertIn(f"limits.{limit}", answer.json["error"]["hint"])
        for name, value in SECURITY.items():
            self.assertEqual(answer.headers[name], value)
        self.assertEqual(wire.end(), "closed")

    def serves(self, wire):
        wire.get()
        answer = wire.answer()
        return answer is not None and answer.status == 200

    def open(self, bell, count, source="127.0.0.1"):
        wires = [Wire(bell, source) for _ in range(count)]
        for wire in wires:
            self.addCleanup(wire.close)
        return wires


class Connections(Load):
    def test_past_the_limit_a_connection_gets_503_and_the_others_are_served(self):
        bell = self.serve("connections: 8")
        wires = self.open(bell, 8)
        self.assertTrue(all(self.serves(wire) for wire in wires))
        for _ in range(40):
            with Wire(bell) as wire:
                self.check_refused(wire, "connections")
        self.assertTrue(all(self.serves(wire) for wire in wires))
        # The local socket is not shut out with them.
        self.assertIn("alice.bio", bell.run("query", "--site", "alice.bio", "--metrics", "views",
                                            "--format", "json").stdout)
        wires.pop().close()
        wait_for(lambda: self.serves(*self.open(bell, 1)), "room again")
        wires.pop().close()
        wait_for(lambda: self.hits(bell, "connections") >= 40, "the count")
        self.assertEqual(bell.stop(), 0)

    def test_one_address_can_not_take_all_the_connections(self):
        bell = self.serve("connections: 24, connections_per_ip: 3")
        others = self.open(bell, 3, "127.0.0.2")
        greedy = self.open(bell, 3)
        self.assertTrue(all(self.serves(wire) for wire in greedy + others))
        # Those that are refused wait for their end, which takes no place from others.
        flood = self.open(bell, 60)
        self.assertTrue(all(self.serves(wire) for wire in self.open(bell, 3, "127.0.0.3")))
        self.check_refused(flood[0], "connections_per_ip")
        for wire in flood:
            wire.close()
        self.assertTrue(all(self.serves(wire) for wire in greedy + others))
        greedy[0].close()
        wait_for(lambda: self.serves(*self.open(bell, 1)), "room again")

    def test_connections_fit_under_the_systems_limit_also_after_a_reload(self):
        bell = self.serve("idle_timeout: 1h")
        pid = bell.process.pid
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (100, 100))
        bell.process.send_signal(signal.SIGHUP)
        wait_for(lambda: "event=connections_lowered connections=68" in bell.log.read_text(), "the word")
        wires = self.open(bell, 68)
        self.assertTrue(all(self.serves(wire) for wire in wires))
        self.check_refused(*self.open(bell, 1), "connections")
        bell.run("query", "--site", "alice.bio", "--metrics", "views")

    def cpu_s(self, bell):
        """Seconds of processor time that the service took so far."""
        with open(f"/proc/{bell.process.pid}/stat") as stat:
            fields = stat.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def test_without_a_descriptor_connections_are_closed_and_nothing_spins(self):
        bell = self.serve("idle_timeout: 1h")
        first = self.open(bell, 1)[0]
        self.assertTrue(self.serves(first))
        pid = bell.process.pid
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 6, hard))
        wires = self.open(bell, 20)
        closed = []
        for wire in wires:
            try:
                if not self.serves(wire):
                    closed.append(wire)
            except OSError:
                closed.append(wire)
        self.assertGreaterEqual(len(closed), 10)
        self.assertLess(len(closed), 20)
        before = self.cpu_s(bell)
        time.sleep(0.6)
        self.assertLess(self.cpu_s(bell) - before, 0.3)
        self.assertTrue(self.serves(first))
        for wire in wires:
            wire.close()
        wait_for(lambda: self.is_served(bell), "room again")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        bell.send(VIEW)

    def is_served(self, bell):
        try:
            return self.serves(*self.open(bell, 1))
        except OSError:
            return False


class Pipelines(Load):
    def test_past_the_limit_reading_pauses_and_all_are_answered_in_order(self):
        bell = self.serve("pipeline: 4")
        with Wire(bell) as wire:
            for number in range(60):
                wire.post(json.dumps({**VIEW, "id": f"e{number}"}).encode())
                wire.send(GET, b"GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n")
            got = [wire.answer() for _ in range(180)]
        self.assertEqual([answer.status for answer in got], [202, 200, 404] * 60)
        self.assertTrue(all(answer.json["accepted"] == 1 for answer in got[::3]))
        self.assertGreaterEqual(self.hits(bell, "pipeline"), 1)
        self.assertEqual(bell.totals(metrics="views")["views"], 60)

    def test_what_came_in_one_piece_is_answered_without_a_pause(self):
        bell = self.serve("pipeline: 1")
        with Wire(bell) as wire:
            began = time.monotonic()
            wire.send(GET * 200)
            self.assertEqual([wire.answer().status for _ in range(200)], [200] * 200)
            # With a tick of the timers between two of them it took five seconds.
            self.assertLess(time.monotonic() - began, 2.5)

    def test_a_peer_that_reads_nothing_is_not_read_from(self):
        bell = self.serve("pipeline: 128")
        with Wire(bell, receive_bytes=4096) as wire:
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            sent = self.send_until_stuck(wire, GET * 1000)
            requests, rest = divmod(sent, len(GET))
            self.assertLess(sent, 32_000_000)
            # Others are served meanwhile, and the service did not swell.
            self.assertEqual(bell.get("/healthz").status, 200)
            self.assertLess(self.resident_bytes(bell), 128 * 1024 * 1024)
            wire.socket.setblocking(True)
            wire.socket.settimeout(20)
            for _ in range(requests):
                self.assertEqual(wire.answer().status, 200)
            wire.send(GET[rest:] if rest else GET)
            self.assertEqual(wire.answer().status, 200)

    def send_until_stuck(self, wire, block):
        """Sends until nothing more is taken for a while; the bytes."""
        sent, quiet_since = 0, time.monotonic()
        wire.socket.setblocking(False)
        while time.monotonic() < quiet_since + 0.4 and sent < 32_000_000:
            try:
                sent += wire.socket.send(block[sent % len(GET):])
                quiet_since = time.monotonic()
            except BlockingIOError:
                time.sleep(0.01)
        return sent

    def resident_bytes(self, bell):
        with open(f"/proc/{bell.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()


class Drain(Load):
    def check_end(self, bell):
        """It ends by itself, well."""
        self.assertEqual(bell.process.wait(10), 0)
        bell.kill()

    def is_listening(self, bell):
        try:
            socket.create_connection(("127.0.0.1", bell.port), 5).close()
        except ConnectionRefusedError:
            return False
        return True

    def test_what_is_under_way_is_answered_and_the_rest_closed(self):
        bell = self.serve("header_timeout: 5s, body_timeout: 5s")
        idle, body, head = self.open(bell, 3)
        self.assertTrue(all(self.serves(wire) for wire in (idle, body, head)))
        body.send(body.head_of_post(f"Content-Length: {len(EVENT)}"), EVENT[:10])
        head.send(GET[:20])
        wait_for(lambda: bell.metric("linkbell_connections") >= 4, "the connections")
        bell.process.send_signal(signal.SIGTERM)
        self.assertEqual(idle.end(), "closed")
        self.assertFalse(self.is_listening(bell))
        head.send(GET[20:])
        body.send(EVENT[10:])
        for wire, status in ((head, 200), (body, 202)):
            answer = wire.answer()
            self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"))
            self.assertEqual(wire.end(), "closed")
        self.check_end(bell)
        bell.start()
        self.assertEqual(bell.totals(metrics="views")["views"], 1)

    def test_pipelined_requests_are_answered_or_not_acted_upon(self):
        bell = self.serve("pipeline: 16")
        with Wire(bell) as wire:
            for number in range(300):
                wire.post(json.dumps({**VIEW, "id": f"e{number}"}).encode())
            bell.process.send_signal(signal.SIGTERM)
            answered = 0
            try:
                while wire.answer() is not None:
                    answered += 1
            except ConnectionResetError:
                pass
        self.check_end(bell)
        bell.start()
        self.assertGreaterEqual(bell.totals(metrics="views")["views"], answered)
        self.assertLessEqual(bell.totals(metrics="views")["views"], answered + 16)

    def test_a_request_that_does_not_come_to_its_end_is_not_waited_for_longer(self):
        bell = self.serve("shutdown_timeout: 500ms")
        wire = self.open(bell, 1)[0]
        wire.send(wire.head_of_post("Content-Length: 1000"), EVENT)
        wait_for(lambda: bell.metric("linkbell_connections") >= 2, "the connection")
        began = time.monotonic()
        self.assertEqual(bell.stop(), 0)
        self.assertGreater(time.monotonic() - began, 0.4)
        self.assertLess(time.monotonic() - began, 5)
        bell.start()
        self.assertEqual(bell.totals(metrics="views")["views"], 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
