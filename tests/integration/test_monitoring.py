"""docs/monitoring against a server's metrics: what dashboard and alerts ask for is there. promtool checks rules and exposition where it is installed."""
import contextlib
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import unittest
import urllib.parse

from harness import KEPT_PART, PATIENCE, ServerTest, noise, wait_for
from test_http import FILES, HttpTest

FOLDER = os.path.join(os.environ["SOURCE_ROOT"], "docs", "monitoring")


def metrics_in(expression):
    return set(re.findall(r"\b(?:millraced|process)_[a-z_]+", expression))


class Monitoring(HttpTest):
    def setUp(self):
        super().setUp()
        self.server.ask("PUT", FILES + "f", b"1")
        self.text = self.server.ask("GET", "/metrics")[2].decode()
        self.names = set(re.findall(r"^([a-z_]+)[{ ]", self.text, re.M))

    def test_the_dashboard_asks_for_what_is_there(self):
        with open(os.path.join(FOLDER, "grafana-dashboard.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        asked = set()
        for panel in dashboard["panels"]:
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                asked |= metrics_in(target["expr"])
        self.assertGreater(len(asked), 15)
        self.assertLessEqual(asked, self.names)

    def test_the_alerts_ask_for_what_is_there(self):
        with open(os.path.join(FOLDER, "alerts.yml"), encoding="utf-8") as file:
            asked = set().union(*(metrics_in(line) for line in file if "expr:" in line))
        self.assertGreater(len(asked), 6)
        self.assertLessEqual(asked, self.names)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool(self):
        subprocess.run(["promtool", "check", "rules", os.path.join(FOLDER, "alerts.yml")], check=True, capture_output=True)
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_manual_names_every_metric(self):
        with open(os.path.join(os.environ["SOURCE_ROOT"], "docs", "OPERATIONS.md"), encoding="utf-8") as file:
            manual = file.read()
        families = set(re.findall(r"^# TYPE ([a-z_]+) ", self.text, re.M))
        self.assertEqual({name for name in families if f"`{name}" not in manual and not name.startswith("process_")}, set())


def series(text):
    """Each series of the exposition with its number."""
    return {name: float(number) for name, number in re.findall(r"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", text, re.M)}


class Events(HttpTest):
    """What is counted, where it happens."""

    def metrics(self):
        return series(self.server.ask("GET", "/metrics")[2].decode())

    def test_every_series_is_there_from_the_start(self):
        now = self.metrics()
        for name, label, values in (("delta_fallbacks_total", "reason", ("wrong_chunks", "wrong_file")), ("resumes_total", "result", ("ok", "failed")),
                                    ("integrity_failures_total", "stage", ("patch", "upload", "download", "verify", "scrub")),
                                    ("quota_rejections_total", "kind", ("bytes", "files", "disk")),
                                    ("tls_handshake_duration_seconds_count", "kind", ("full", "resumed"))):
            for value in values:
                self.assertEqual(now[f'millraced_{name}{{{label}="{value}"}}'], 0, name)
        self.assertEqual(now["millraced_tls_handshake_failures_total"], 0)
        for algorithm, purpose in (("sha256", "transfer"), ("sha256", "http"), ("sha256", "store"), ("sha256", "scrub"), ("xxh3", "copy")):
            self.assertIn(f'millraced_hash_bytes_total{{algorithm="{algorithm}",purpose="{purpose}"}}', now)
        self.assertIn("millraced_catalogue_query_duration_seconds_count", now)

    def hashed(self, purpose, algorithm="sha256"):
        return self.metrics()[f'millraced_hash_bytes_total{{algorithm="{algorithm}",purpose="{purpose}"}}']

    def test_hashed_bytes(self):
        size = 3_000_000
        content = noise(size)
        self.run_client("upload", "-q", self.write("f", content), self.url + "f")
        self.assertGreaterEqual(self.hashed("transfer"), size)
        self.assertEqual(self.hashed("copy", "xxh3"), 0)
        self.run_client("upload", "-q", self.write("f", content[:size // 2] + b"!" + content[size // 2:]), self.url + "f")
        wait_for(lambda: self.hashed("copy", "xxh3") > size / 2, "what was kept")
        http, store = self.hashed("http"), self.hashed("store")
        self.server.ask("PUT", FILES + "g", content)
        self.assertGreaterEqual(self.hashed("http"), http + size)
        self.run_client("verify", "-q", self.url + "f")
        self.assertGreaterEqual(self.hashed("store"), store + size)
        self.assertGreater(self.metrics()["millraced_catalogue_query_duration_seconds_count"], 0)

    def test_an_upload_that_goes_on(self):
        size = 96 << 20
        local = self.write("local", noise(size, 3))
        client = self.pause_in_the_middle_of_an_upload(local, size, "-q", local, self.url + "f", least=KEPT_PART,
                                                       missed=lambda: self.run_client("delete", "-q", self.url + "f"))
        client.kill()
        wait_for(self.server.partials, "what is kept")
        self.assertEqual(self.metrics()['millraced_resumes_total{result="ok"}'], 0)
        self.run_client("upload", "-q", local, self.url + "f")
        self.assertEqual(self.metrics()['millraced_resumes_total{result="ok"}'], 1)

    def test_what_the_disk_has_no_room_for(self):
        with open(self.path("vast"), "wb") as file:
            file.truncate(1 << 50 if os.statvfs(self.folder).f_bavail * os.statvfs(self.folder).f_frsize > 1 << 43 else 1 << 43)
        self.run_client("upload", "-q", "--whole-file", self.path("vast"), self.url + "f", code=14)
        wait_for(lambda: self.metrics()['millraced_quota_rejections_total{kind="disk"}'] == 1, "the count")


class Handshakes(ServerTest):
    SERVER_OPTIONS = ("--tls", "on", "--http", "127.0.0.1:0")

    def setUp(self):
        super().setUp()
        line = self.server.process.stdout.readline()
        while "dashboard at" not in line:
            line = self.server.process.stdout.readline()
        self.http_port = urllib.parse.urlsplit(line.split(" at ", 1)[1].strip()).port
        self.context = ssl.create_default_context()
        self.context.check_hostname = False
        self.context.verify_mode = ssl.CERT_NONE

    def metrics(self, session=None):
        """And the session, to go on from."""
        with socket.create_connection(("127.0.0.1", self.http_port), PATIENCE) as plain, self.context.wrap_socket(plain, session=session) as secure:
            secure.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            answer = b""
            while part := secure.recv(65536):
                answer += part
            return series(answer.decode().replace("\r", "")), secure.session

    def test_full_resumed_and_failed(self):
        first, session = self.metrics()
        count = 'millraced_tls_handshake_duration_seconds_count{kind="%s"}'
        self.assertEqual((first[count % "full"], first[count % "resumed"]), (1, 0))
        self.assertGreater(first['millraced_tls_handshake_duration_seconds_sum{kind="full"}'], 0)
        resumed, _ = self.metrics(session)
        self.assertEqual((resumed[count % "full"], resumed[count % "resumed"]), (1, 1))
        self.assertEqual(resumed["millraced_tls_handshake_failures_total"], 0)
        for port in (self.server.port, self.http_port):
            with socket.create_connection(("127.0.0.1", port), PATIENCE) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                plain.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    while plain.recv(65536):
                        pass
        wait_for(lambda: self.metrics()[0]["millraced_tls_handshake_failures_total"] == 2, "the failures")
        before = self.metrics()[0][count % "full"]
        environment = dict(os.environ, XDG_STATE_HOME=self.path("state"))
        self.run_client("list", "--tls", self.url, env=environment)
        self.assertEqual(self.metrics()[0][count % "full"], before + 2)


if __name__ == "__main__":
    unittest.main()
