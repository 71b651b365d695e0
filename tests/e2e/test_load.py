"""sluice-load counts what it should: everything else that measures traffic relies on it."""
import http.server
import threading
import time

import pytest

from tests.support.traffic import Traffic


class Pod(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked += 1
        with self.server.stalled:
            pass
        if self.server.drop:
            return
        self.send_response(self.server.status)
        self.send_header("X-Version", self.server.version)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Pod) as made:
        made.asked, made.status, made.version, made.drop = 0, 200, "v1.2.3", False
        made.stalled = threading.Lock()
        made.url = f"http://127.0.0.1:{made.server_address[1]}/"
        threading.Thread(target=made.serve_forever, daemon=True).start()
        yield made
        made.shutdown()


def until(fact, seconds=10):
    deadline = time.monotonic() + seconds
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("keep_alive", [0, 4])
def test_counts_by_version_and_status(server, keep_alive):
    with Traffic(server.url, rate=100, keep_alive=keep_alive) as traffic:
        until(lambda: traffic.count("v1.2.3", 200) >= 20)
        server.status, server.version = 500, "v1.2.4"
        until(lambda: traffic.count("v1.2.4", 500) >= 20)
    assert traffic.report["failed"] == 0
    assert traffic.report["requests"] == traffic.report["answered"] == server.asked
    assert traffic.count("v1.2.3") + traffic.count("v1.2.4") == server.asked


def test_stalled_server_shows_as_latency_not_as_fewer_requests(server):
    with Traffic(server.url, rate=100) as traffic:
        until(lambda: traffic.count("v1.2.3") >= 10)
        with server.stalled:
            before = traffic.so_far()["requests"]
            until(lambda: traffic.so_far()["requests"] >= before + 50)
    assert traffic.report["failed"] == 0
    assert traffic.report["latency_ms"]["max"] >= 400


def test_no_answer_is_a_failure(server):
    server.drop = True
    with Traffic(server.url, rate=100) as traffic:
        until(lambda: traffic.so_far()["failures"]["reset"] >= 10)
    assert traffic.report["answered"] == 0


def test_nobody_listening_is_a_failure():
    with Traffic("http://127.0.0.1:1/", rate=100) as traffic:
        until(lambda: traffic.so_far()["failures"]["connect"] >= 10)
    assert traffic.report["answered"] == 0
