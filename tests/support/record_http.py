"""record_http.py - sends each request of tests/data/http/requests to nginx and to node's
http, as installed here, and to the built linkbell, and writes down what they made of it in
tests/data/http/verdicts.json.  A new request gets an entry there; its `about`, and the
`why` of a difference, are written by hand.

    python3 tests/support/record_http.py [--node COMMAND] [--nginx COMMAND]

linkbell's verdicts are the ones that the tests hold it to: where the recorded one changes,
this says so and exits with 1, so that nobody takes a new fault over unseen."""
import argparse
import concurrent.futures
import json
import pathlib
import re
import shlex
import socketserver
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))
import corpus  # noqa: E402
from harness import Linkbell, free_port, wait_for  # noqa: E402

THREADS = 24
QUIET_S = 0.4
SENTINEL = "299"  # of nginx and node
NGINX = """
daemon off; worker_processes 1; pid {dir}/pid; error_log {dir}/errors;
events {{ }}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy;
    fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
    client_max_body_size 8m;
    server {{
        listen 127.0.0.1:{port};
        location = /sentinel {{ return 299; }}
        location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; }}
    }}
}}
"""


class Behind(socketserver.StreamRequestHandler):
    """What nginx passes requests on to: reads one, says 200."""

    def handle(self):
        length = 0
        for line in iter(self.rfile.readline, b""):
            found = re.match(rb"Content-Length: *(\d+)", line, re.IGNORECASE)
            length = int(found[1]) if found else length
            if line == b"\r\n":
                break
        self.rfile.read(length)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 128


def listens(port):
    try:
        corpus.Talk(port, 1).socket.close()
    except OSError:
        return False
    return True


def record(port, sentinel, requests):
    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        return dict(zip(requests, pool.map(
            lambda request: corpus.verdict(port, request, sentinel, quiet_s=QUIET_S),
            requests.values())))


def record_nginx(command, requests):
    with tempfile.TemporaryDirectory(prefix="linkbell-nginx-") as folder, \
            Server(("127.0.0.1", 0), Behind) as behind:
        threading.Thread(target=behind.serve_forever, daemon=True).start()
        port = free_port()
        conf = pathlib.Path(folder) / "conf"
        conf.write_text(NGINX.format(dir=folder, port=port, behind=behind.server_address[1]))
        running = subprocess.Popen([*command, "-p", folder, "-c", str(conf), "-e", "stderr"],
                                   stderr=subprocess.DEVNULL)
        try:
            wait_for(lambda: listens(port), "nginx")
            return record(port, SENTINEL, requests)
        finally:
            running.terminate()
            running.wait(10)
            behind.shutdown()


def record_node(command, requests):
    running = subprocess.Popen([*command, str(HERE / "http_echo.js")], stdout=subprocess.PIPE,
                               text=True)
    try:
        return record(int(running.stdout.readline()), SENTINEL, requests)
    finally:
        running.terminate()
        running.wait(10)


def record_linkbell(requests):
    with Linkbell() as bell:
        bell.ready()
        token = bell.token.encode()
        return record(bell.port, "404", {name: request.replace(corpus.TOKEN, token)
                                         for name, request in requests.items()})


def version_of(command, option):
    done = subprocess.run([*command, option], capture_output=True, text=True, check=True)
    return re.search(r"\d+\.\d+\.\d+", done.stdout + done.stderr)[0]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--node", default="node", help="how node is called")
    parser.add_argument("--nginx", default="nginx", help="how nginx is called")
    options = parser.parse_args()
    node, nginx = shlex.split(options.node), shlex.split(options.nginx)
    folder = corpus.FOLDER / "requests"
    requests = {path.stem: path.read_bytes() for path in sorted(folder.glob("*.http"))}
    old = json.loads(corpus.VERDICTS.read_text())["cases"] if corpus.VERDICTS.exists() else {}
    began = time.monotonic()
    found = {"linkbell": record_linkbell(requests), "nginx": record_nginx(nginx, requests),
             "node": record_node(node, requests)}
    cases, changed = {}, 0
    for name in requests:
        before = old.get(name, {"about": ""})
        cases[name] = {**before, **{who: found[who][name] for who in found}}
        for who in found:
            if before.get(who) != found[who][name]:
                changed += who == "linkbell" and who in before
                print(f"{name}: {who}: {before.get(who)} -> {found[who][name]}")
    recorded = {"nginx": version_of(nginx, "-v"), "node": version_of(node, "--version")}
    corpus.VERDICTS.write_text(
        json.dumps({"recorded": recorded, "cases": cases}, indent=1) + "\n")
    print(f"{len(cases)} requests, nginx {recorded['nginx']}, node {recorded['node']}, "
          f"{time.monotonic() - began:.0f} s; {changed} of linkbell's verdicts changed")
    raise SystemExit(1 if changed else 0)


main()
