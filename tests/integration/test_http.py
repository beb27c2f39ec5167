"""Files, state and metrics by HTTP: what curl, a browser, Prometheus and an attacker send."""
import base64
import contextlib
import hashlib
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time
import unittest
import urllib.parse

from harness import KEPT_PART, MILLRACE, MILLRACED, PATIENCE, Server, ServerTest, noise, wait_for

HTTP = ("--http", "127.0.0.1:0")
FILES = "/api/v1/files/"


class HttpServer(Server):
    """Its port of HTTP is on the line behind the first."""

    def __init__(self, data, *extra, **more):
        super().__init__(data, *HTTP, *extra, **more)
        line = self.process.stdout.readline()
        while "dashboard at" not in line:
            if not line:
                raise AssertionError("there is no HTTP")
            line = self.process.stdout.readline()
        self.http_port = urllib.parse.urlsplit(line.split(" at ", 1)[1].strip()).port

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=PATIENCE)

    def ask(self, method, path, body=None, headers=None):
        """Status, headers, body of an answer on a connection of its own."""
        with contextlib.closing(self.connect()) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def json(self, path, headers=None):
        status, _, body = self.ask("GET", path, headers=headers)
        if status != 200:
            raise AssertionError(f"{path}: {status} {body!r}")
        return json.loads(body)

    def raw(self, sent, patience=PATIENCE):
        """All that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=patience) as plain:
            plain.sendall(sent)
            received = b""
            while part := plain.recv(65536):
                received += part
            return received


class HttpTest(ServerTest):
    SERVER_OPTIONS = ()

    def setUp(self):
        import tempfile
        self.holder = tempfile.TemporaryDirectory()
        self.folder = self.holder.name
        self.server = HttpServer(os.path.join(self.folder, "data"), *self.SERVER_OPTIONS)

    def restart(self):
        if self.server.alive():
            self.server.kill()
        self.server = HttpServer(self.server.data, *self.SERVER_OPTIONS)


class Files(HttpTest):
    def test_a_file_goes_there_and_back(self):
        content = noise(3_000_001)
        status, headers, body = self.server.ask("PUT", FILES + "a/b%20c", content)
        self.assertEqual(status, 201)
        self.assertEqual(self.server.stored("a/b c"), content)
        stored = json.loads(body)
        self.assertEqual((stored["bytes"], headers["ETag"]), (len(content), f'"{stored["root"]}"'))
        status, headers, body = self.server.ask("GET", FILES + "a/b%20c")
        self.assertEqual((status, body), (200, content))
        self.assertEqual(headers["ETag"], f'"{stored["root"]}"')
        self.assertEqual(headers["Content-Security-Policy"], "sandbox")
        # The same root as any client sees, so deltas go on from it.
        local = self.path("local")
        with open(local, "wb") as file:
            file.write(content)
        done = subprocess.run([MILLRACE, "upload", "--json", local, self.url + "a/b c"], capture_output=True, text=True, check=True)
        self.assertTrue(json.loads(done.stdout.splitlines()[-1])["bytes_sent"] < 1000)
        self.assertEqual(self.server.ask("PUT", FILES + "a/b%20c", b"new")[0], 200)
        self.assertEqual(self.server.stored("a/b c"), b"new")

    def test_sizes_around_the_edges(self):
        for size in (0, 1, 65535, 65536, 65537, 1 << 20, (1 << 20) + 1):
            content = noise(size, size)
            self.assertIn(self.server.ask("PUT", FILES + "f", content)[0], (200, 201))
            self.assertEqual(self.server.ask("GET", FILES + "f")[2], content)

    def test_chunked_bodies(self):
        content = noise(500_000)
        with contextlib.closing(self.server.connect()) as connection:
            connection.request("PUT", FILES + "f", iter([content[:7], content[7:300_000], content[300_000:]]), encode_chunked=True,
                               headers={"Transfer-Encoding": "chunked"})
            self.assertEqual(connection.getresponse().status, 201)
        self.assertEqual(self.server.stored("f"), content)

    def test_ranges_and_conditions(self):
        content = noise(100_000)
        tag = self.server.ask("PUT", FILES + "f", content)[1]["ETag"]

        def get(**headers):
            return self.server.ask("GET", FILES + "f", headers={name.replace("_", "-"): value for name, value in headers.items()})
        status, headers, body = get(Range="bytes=10-19")
        self.assertEqual((status, body, headers["Content-Range"]), (206, content[10:20], "bytes 10-19/100000"))
        self.assertEqual(get(Range="bytes=99990-")[2], content[99990:])
        self.assertEqual(get(Range="bytes=-5")[2], content[-5:])
        status, headers, _ = get(Range="bytes=100000-")
        self.assertEqual((status, headers["Content-Range"]), (416, "bytes */100000"))
        self.assertEqual(get(Range="bytes=0-1,5-6")[0], 200)
        self.assertEqual(get(Range="bytes=0-1", If_Range='"other"')[0], 200)
        self.assertEqual(get(Range="bytes=0-1", If_Range=tag)[0], 206)
        self.assertEqual(get(If_None_Match=tag)[0], 304)
        self.assertEqual(get(If_Match='"other"')[0], 412)
        status, headers, body = self.server.ask("HEAD", FILES + "f")
        self.assertEqual((status, headers["Content-Length"], body), (200, "100000", b""))
        self.assertEqual(self.server.ask("HEAD", FILES + "f", headers={"Range": "bytes=0-1"})[0], 200)
        self.assertEqual(get(If_Unmodified_Since="Thu, 01 Jan 2015 00:00:00 GMT")[0], 412)
        self.assertEqual(get(If_Unmodified_Since="Thu, 01 Jan 2099 00:00:00 GMT")[0], 200)
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"x", {"If-Unmodified-Since": "Thu, 01 Jan 2015 00:00:00 GMT"})[0], 412)
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"x", {"Content-Range": "bytes 0-0/100"})[0], 400)
        self.assertEqual(self.server.ask("DELETE", FILES + "f", headers={"If-Match": '"' + "0" * 64 + '"'})[0], 412)
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"x", {"If-None-Match": "*"})[0], 412)
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"x", {"If-Match": '"' + "0" * 64 + '"'})[0], 412)
        self.assertEqual(self.server.ask("PUT", FILES + "new", b"x", {"If-Match": "*"})[0], 412)
        self.assertEqual(self.server.stored("f"), content)
        status, headers, _ = self.server.ask("PUT", FILES + "f", b"x", {"If-Match": tag})
        self.assertEqual(status, 200)
        self.assertEqual(self.server.ask("DELETE", FILES + "f", headers={"If-Match": tag})[0], 412)
        self.assertEqual(self.server.ask("DELETE", FILES + "f", headers={"If-Match": headers["ETag"]})[0], 204)

    def test_listing_moving_deleting(self):
        for name in ("d/b", "d/a", "d/sub/x", "e%25f", "d/h%C3%A4"):
            self.server.ask("PUT", FILES + name, b"1")
        listing = self.server.json(FILES + "d/")
        self.assertEqual([(entry["name"], entry["kind"]) for entry in listing["entries"]],
                         [("a", "file"), ("b", "file"), ("hä", "file"), ("sub", "folder")])
        self.assertEqual(self.server.json(FILES.rstrip("/")), self.server.json(FILES))
        pages, cursor = [], ""
        while True:
            page = self.server.json(FILES + "?recursive=1&limit=2&cursor=" + urllib.parse.quote(cursor))
            pages += [entry["path_url"] for entry in page["entries"]]
            if page["next"] is None:
                break
            cursor = page["next"]
        self.assertEqual(pages, ["d", "d/a", "d/b", "d/h%C3%A4", "d/sub", "d/sub/x", "e%25f"])
        self.assertEqual([entry["path"] for entry in self.server.json(FILES + "?search=X")["entries"]], ["d/sub/x"])
        move = json.dumps({"from": "e%25f", "to": "d/g"})
        self.assertEqual(self.server.ask("POST", "/api/v1/move", move)[0], 204)
        self.assertEqual(self.server.stored("d/g"), b"1")
        self.assertEqual(self.server.ask("POST", "/api/v1/move", json.dumps({"from": "d/a", "to": "d/b"}))[0], 409)
        self.assertEqual(self.server.ask("POST", "/api/v1/move", json.dumps({"from": "none", "to": "x"}))[0], 404)
        self.assertEqual(self.server.ask("POST", "/api/v1/move", "[]")[0], 400)
        self.assertEqual(self.server.ask("DELETE", FILES + "d/a")[0], 204)
        self.assertEqual(self.server.ask("GET", FILES + "d/a")[0], 404)
        self.assertEqual(self.server.ask("DELETE", FILES + "d/sub")[0], 409)
        self.assertEqual(self.server.ask("DELETE", FILES + "d/")[0], 204)
        self.assertEqual(self.server.json(FILES)["entries"], [])

    def test_a_page_of_long_paths_is_short(self):
        folder = os.path.join(self.server.data, "files", *["d" * 250] * 15)
        os.makedirs(folder)
        here = os.open(folder, os.O_RDONLY)  # the whole path is longer than the system takes
        for number in range(400):
            os.close(os.open(f"{number:03}" + "n" * 100, os.O_CREAT, dir_fd=here))
        os.close(here)
        found, cursor, pages = [], "", 0
        while cursor is not None:
            page = self.server.json(f"{FILES}?recursive=1&cursor={urllib.parse.quote(cursor)}")
            found += [one["name"] for one in page["entries"] if one["kind"] == "file"]
            cursor, pages = page["next"], pages + 1
        self.assertEqual(found, [f"{number:03}" + "n" * 100 for number in range(400)])
        self.assertGreater(pages, 1)

    def test_hostile_paths(self):
        os.symlink("/etc", os.path.join(self.server.data, "files", "link"))
        for path in ("..%2f..%2fetc%2fpasswd", "../x", "a//b", "%00", "a%00b", "./a", "a/..", "%", "%zz"):
            for method in ("GET", "PUT", "DELETE"):
                with self.subTest(path=path, method=method):
                    status = self.server.raw(f"{method} {FILES}{path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                    self.assertRegex(status, rb"^HTTP/1.1 400 ")
        self.assertEqual(self.server.ask("GET", FILES + "link/passwd")[0], 403)
        self.assertEqual(self.server.ask("PUT", FILES + "link/x", b"")[0], 403)
        self.assertFalse(os.path.exists("/etc/x"))

    def test_a_body_that_ends_early_changes_nothing(self):
        self.server.ask("PUT", FILES + "f", b"old")
        with socket.create_connection(("127.0.0.1", self.server.http_port)) as plain:
            plain.sendall(f"PUT {FILES}f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000000\r\n\r\n".encode() + noise(KEPT_PART))
            wait_for(lambda: self.server.json("/api/v1/transfers")["active"], "the upload")
        wait_for(lambda: not self.server.json("/api/v1/transfers")["active"], "the end of the upload")
        self.assertEqual(self.server.stored("f"), b"old")
        self.assertEqual(self.server.json("/api/v1/transfers")["recent"][0]["result"], "E_NETWORK")

    def test_curl(self):
        local = self.path("local")
        with open(local, "wb") as file:
            file.write(noise(5_000_000))
        url = f"http://127.0.0.1:{self.server.http_port}{FILES}f"
        subprocess.run(["curl", "-sSf", "-T", local, url], check=True, capture_output=True)
        fetched = self.path("fetched")
        with open(fetched, "wb") as file:
            file.write(noise(5_000_000)[:1_000_000])
        subprocess.run(["curl", "-sSf", "-C", "-", "-o", fetched, url], check=True)
        with open(fetched, "rb") as file:
            self.assertEqual(file.read(), noise(5_000_000))


class Memory(HttpTest):
    SERVER_OPTIONS = ("--memory-budget", "1MiB")

    def test_many_at_once_share_the_budget(self):
        contents = [noise(400_000, seed) for seed in range(30)]
        failed = []

        def put(index):
            if self.server.ask("PUT", f"{FILES}f{index}", contents[index])[0] != 201:
                failed.append(index)
        threads = [threading.Thread(target=put, args=(index,)) for index in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failed, [])
        for index in range(30):
            self.assertEqual(self.server.ask("GET", f"{FILES}f{index}")[2], contents[index])


class Waiting(HttpTest):
    SERVER_OPTIONS = ("--memory-budget", "1MiB", "--memory-wait", "1", "--min-rate", "0")

    def test_nobody_waits_for_memory_without_end(self):
        self.server.ask("PUT", FILES + "f", b"content")
        with contextlib.ExitStack() as stalled:
            for number in range(16):
                plain = stalled.enter_context(socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE))
                plain.sendall(f"PUT {FILES}stalled{number} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nx".encode())
            wait_for(lambda: len(self.server.json("/api/v1/transfers")["active"]) == 16, "the uploads")
            for method, path in (("GET", "f"), ("GET", "?archive=zip"), ("PUT", "g")):
                with self.subTest(method=method, path=path):
                    status, _, body = self.server.ask(method, FILES + path, b"g" if method == "PUT" else None)
                    self.assertEqual(status, 503)
                    self.assertIn(b"E_BUSY", body)
        wait_for(lambda: self.server.ask("GET", FILES + "f")[0] == 200, "the end of the others")


class Unfinished(HttpTest):
    SERVER_OPTIONS = ("--min-rate-window", "1")

    def test_a_body_that_does_not_come_behind_its_refusal(self):
        answer = self.server.raw(f'PUT {FILES}f HTTP/1.1\r\nHost: localhost\r\nIf-Match: "other"\r\nContent-Length: 1\r\n\r\n'.encode())
        self.assertRegex(answer, rb"^HTTP/1.1 412 ")

    def test_a_body_that_was_not_invited_may_be_left_out(self):
        answer = self.server.raw(f'PUT {FILES}f HTTP/1.1\r\nHost: localhost\r\nIf-Match: "other"\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n'.encode())
        self.assertRegex(answer, rb"^HTTP/1.1 412 ")
        self.assertIn(b"Connection: close", answer)
        self.assertNotIn(b"100 Continue", answer)


class Hostile(HttpTest):
    SERVER_OPTIONS = ("--auth-timeout", "1s")

    def test_line_breaks_without_end(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(b"\r\n" * 20_000)
            self.assertRegex(plain.recv(4096), rb"^HTTP/1.1 431 ")
        self.assertEqual(self.server.ask("GET", "/livez")[0], 200)

    def test_a_body_of_other_types(self):
        for body in ({"from": "a", "to": "b", "overwrite": 1}, {"from": 1, "to": "b"}, [], {"from": "a", "to": "b", "overwrite": None}):
            self.assertEqual(self.server.ask("POST", "/api/v1/move", json.dumps(body))[0], 400)

    def test_what_follows_an_answer_that_comes_later(self):
        head = " HTTP/1.1\r\nHost: localhost\r\n"
        for path in ("/api/v1/transfers", "/api/v1/sessions", FILES):
            self.server.raw(f"GET {path}{head}\r\nGET /api/v1/events{head}Transfer-Encoding: chunked\r\n\r\nZZ\r\n".encode())
        self.assertEqual(self.server.ask("GET", "/livez")[0], 200)

    def test_what_can_be_read_in_two_ways_ends_the_connection(self):
        body = "Host: localhost\r\n"
        for head in ("Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n", "Transfer-Encoding: xchunked\r\n\r\n",
                     "Content-Length : 3\r\n\r\nabc", "Content-Length: -1\r\n\r\n", "Host: other\r\n\r\n", "X: a\nY: b\r\n\r\n"):
            with self.subTest(head=head):
                answer = self.server.raw(f"PUT {FILES}f HTTP/1.1\r\n{body}{head}GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
                self.assertRegex(answer, rb"^HTTP/1.1 (400|501) ")
                self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertFalse(os.path.exists(self.server.stored_path("f")))

    def test_requests_in_a_row_are_answered_in_order(self):
        sent = b"".join(f"PUT {FILES}f{i} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{i}".encode() for i in range(9))
        sent += f"GET {FILES}f3 HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        answer = self.server.raw(sent)
        self.assertEqual(answer.count(b"HTTP/1.1 201 "), 9)
        self.assertTrue(answer.endswith(b"\r\n\r\n3"))

    def test_a_refused_body_keeps_the_connection(self):
        head = "HTTP/1.1\r\nHost: localhost\r\n"
        for path, header in (("a%00b", ""), ("f", "X-Millrace-Mtime-Ms: never\r\n"), ("f", "Sec-Fetch-Site: cross-site\r\n")):
            with self.subTest(path=path, header=header):
                sent = f"PUT {FILES}{path} {head}{header}Content-Length: 30000\r\n\r\n".encode() + b"x" * 30_000
                with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
                    plain.sendall(sent[:1000])
                    self.assertRegex(plain.recv(4096), rb"^HTTP/1.1 40[03] ")
                    plain.sendall(sent[1000:] + f"GET /livez {head}Connection: close\r\n\r\n".encode())
                    received = b""
                    while part := plain.recv(4096):
                        received += part
                self.assertIn(b"HTTP/1.1 200 ", received)  # behind the rest of the first answer

    def test_endless_headers(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port)) as plain, contextlib.suppress(ConnectionError):
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for _ in range(100 << 4):
                plain.sendall(b"X: " + b"x" * (64 << 10) + b"\r\n")
            self.fail("100 MB of headers were taken")
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as status:
            peak = int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])
        self.assertLess(peak, 200 << 10)
        self.assertEqual(self.server.ask("GET", "/livez")[0], 200)

    def test_slow_headers(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET / HTT")
            self.assertRegex(plain.recv(4096), rb"^HTTP/1.1 408 ")

    def test_methods_and_addresses_that_are_not_there(self):
        status, headers, body = self.server.ask("POST", FILES + "f", b"")
        self.assertEqual((status, headers["Allow"]), (405, "GET, PUT, DELETE"))
        self.assertEqual(headers["Content-Type"], "application/problem+json")
        self.assertEqual(json.loads(body)["status"], 405)
        self.assertEqual(self.server.ask("GET", "/api/v1/none")[0], 404)
        self.assertEqual(self.server.ask("GET", "/none")[0], 404)
        self.assertRegex(self.server.raw(b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n"), rb"^HTTP/1.1 (400|501) ")

    def test_pages_of_other_sites(self):
        headers = {"Sec-Fetch-Site": "cross-site", "Content-Type": "text/plain"}
        self.server.ask("PUT", FILES + "f", b"1")
        self.assertEqual(self.server.ask("POST", "/api/v1/move", json.dumps({"from": "f", "to": "g"}), headers)[0], 403)
        self.assertEqual(self.server.ask("DELETE", FILES + "f", headers={"Origin": "http://evil.example"})[0], 403)
        self.assertEqual(self.server.ask("GET", FILES + "f", headers={"Host": "evil.example"})[0], 421)
        self.assertEqual(self.server.ask("DELETE", FILES + "f", headers={"Origin": f"http://127.0.0.1:{self.server.http_port}"})[0], 204)


class State(HttpTest):
    def test_metrics_and_status_say_the_same(self):
        self.server.ask("PUT", FILES + "f", noise(100_000))
        self.server.ask("GET", FILES + "none")
        text = self.server.ask("GET", "/metrics")[2].decode()
        series = {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if not line.startswith("#")}
        self.assertEqual(series['millraced_requests_total{op="http_put",result="ok"}'], 1)
        self.assertEqual(series['millraced_requests_total{op="http_get",result="E_NOT_FOUND"}'], 1)
        self.assertEqual(series['millraced_requests_total{op="upload",result="E_QUOTA"}'], 0)
        self.assertEqual(series['millraced_delta_bytes_total{direction="in",kind="literal"}'], 100_000)
        self.assertEqual(series['millraced_request_duration_seconds_count{op="http_put"}'], 1)
        metrics = self.server.json("/api/v1/status")["metrics"]
        for name in ("millraced_ready", 'millraced_requests_total{op="http_put",result="ok"}', "millraced_saved_bytes_total"):
            self.assertEqual(metrics[name], series[name])
        self.assertEqual(metrics["millraced_delta_bytes_total"], 100_000)

    def test_a_delta_is_counted(self):
        local = self.path("local")
        content = bytearray(noise(4_000_000))
        for _ in range(2):
            with open(local, "wb") as file:
                file.write(content)
            subprocess.run([MILLRACE, "upload", "-q", local, self.url + "f"], check=True)
            content[2_000_000:2_000_010] = b"0123456789"
        recent = self.server.json("/api/v1/transfers")["recent"]
        self.assertEqual([(one["op"], one["direction"], one["total_bytes"], one["result"]) for one in recent], [("upload", "in", 4_000_000, "ok")] * 2)
        self.assertEqual(recent[1]["literal_bytes"], 4_000_000)
        self.assertEqual(recent[0]["matched_bytes"] + recent[0]["literal_bytes"], 4_000_000)
        self.assertGreater(recent[0]["matched_bytes"], 3_800_000)
        metrics = self.server.json("/api/v1/status")["metrics"]
        self.assertEqual(metrics["millraced_saved_bytes_total"], recent[0]["matched_bytes"])
        self.assertEqual(metrics['millraced_transfer_logical_bytes_total{direction="in"}'], 8_000_000)
        wait_for(lambda: self.server.json("/api/v1/status")["metrics"]['millraced_transfer_wire_bytes_total{direction="in"}'] > 4_000_000, "the bytes")
        wait_for(lambda: any(self.server.json("/api/v1/history?window=5m")["series"]["saved_bytes_per_second"]), "the history")

    def test_the_head_of_events_alone(self):
        with contextlib.closing(self.server.connect()) as connection:
            for method, path in (("HEAD", "/api/v1/events"), ("GET", "/livez")):
                connection.request(method, path)
                answer = connection.getresponse()
                answer.read()
                self.assertEqual(answer.status, 200)

    def test_events(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while received.count(b"event: live") < 3:
                received += plain.recv(65536)
        self.assertIn(b"Content-Type: text/event-stream", received)
        wait_for(lambda: self.server.json("/api/v1/status")["metrics"]['millraced_connections_active{listener="http"}'] == 1, "the end of the stream")

    def test_a_transfer_is_ended(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"PUT {FILES}f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n\r\nabc".encode())
            active = wait_for(lambda: self.server.json("/api/v1/transfers")["active"], "the upload")
            self.assertEqual((active[0]["path"], active[0]["total_bytes"], active[0]["state"]), ("f", 5000, "active"))
            self.assertEqual(self.server.ask("DELETE", "/api/v1/transfers/" + active[0]["id"])[0], 204)
            self.assertIn(b"E_CANCELLED", plain.recv(4096))
        self.assertEqual(self.server.ask("DELETE", "/api/v1/transfers/" + active[0]["id"])[0], 404)
        self.assertEqual(self.server.ask("DELETE", "/api/v1/transfers/nonsense")[0], 404)
        self.assertEqual(self.server.json("/api/v1/transfers")["recent"][0]["state"], "cancelled")
        self.assertFalse(os.path.exists(self.server.stored_path("f")))

    def test_a_session_is_closed(self):
        with socket.create_connection(("127.0.0.1", self.server.port), timeout=PATIENCE) as plain:
            plain.recv(4096)
            session = wait_for(lambda: [one for one in self.server.json("/api/v1/sessions")["sessions"] if one["kind"] == "sync"], "the session")[0]
            self.assertEqual(session["peer"], "%s:%d" % plain.getsockname())
            self.assertEqual(self.server.ask("DELETE", f"/api/v1/sessions/{session['id']}")[0], 204)
            while plain.recv(4096):
                pass
        self.assertEqual(self.server.ask("DELETE", f"/api/v1/sessions/{session['id']}")[0], 404)

    def test_what_was_done_is_remembered(self):
        self.server.ask("PUT", FILES + "f", noise(1000))
        before = wait_for(lambda: (total := self.server.json("/api/v1/status")["totals"])["requests"] > 0 and total, "the totals")
        self.assertEqual(self.server.stop(), 0)
        self.restart()
        after = self.server.json("/api/v1/status")["totals"]
        self.assertGreaterEqual(after["requests"], before["requests"])
        self.assertGreaterEqual(after["in_bytes"], 1000)

    def test_health(self):
        self.assertEqual(self.server.ask("GET", "/livez")[0], 200)
        for path in ("/readyz", "/healthz"):
            self.assertEqual(self.server.ask("GET", path)[0], 200)
        self.assertIn(b"[+]store", self.server.ask("GET", "/readyz?verbose")[2])

    def test_pages(self):
        status, headers, body = self.server.ask("GET", "/")
        self.assertEqual(status, 200)
        self.assertEqual(self.server.ask("GET", "/files/any/folder/")[0], 200)
        if b"<html" not in body:
            self.skipTest("built without pages")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotIn(b"http", body.replace(b"http-equiv", b""))
        for asset in re.findall(rb'"(/assets/[^"]+)"', body):
            status, headers, plain = self.server.ask("GET", asset.decode())
            self.assertEqual(status, 200)
            self.assertIn("immutable", headers["Cache-Control"])
            status, headers, packed = self.server.ask("GET", asset.decode(), headers={"Accept-Encoding": "gzip"})
            self.assertLessEqual(len(packed), len(plain))


class NoRoom(HttpTest):
    SERVER_OPTIONS = ("--reserve", "1000TiB")

    def test_a_full_disk_is_no_readiness(self):
        status, _, body = self.server.ask("GET", "/readyz?verbose")
        self.assertEqual(status, 503)
        self.assertIn(b"[-]room", body)


class Draining(HttpTest):
    SERVER_OPTIONS = ("--drain-timeout", "60s")

    def test_not_ready_while_what_is_under_way_ends(self):
        content = noise(200_000)
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"PUT {FILES}f HTTP/1.1\r\nHost: localhost\r\nContent-Length: 200000\r\n\r\n".encode() + content[:100_000])
            wait_for(lambda: self.server.json("/api/v1/transfers")["active"], "the upload")
            self.server.process.terminate()
            wait_for(lambda: self.server.ask("GET", "/readyz")[0] == 503, "the drain")
            plain.sendall(content[100_000:])
            self.assertRegex(plain.recv(4096), rb"^HTTP/1.1 201 ")
        self.assertEqual(self.server.process.wait(PATIENCE), 0)
        self.server.process.stdout.close()
        self.assertEqual(self.server.stored("f"), content)

    def test_what_was_answered_still_arrives(self):
        content = noise(8 << 20)
        self.server.ask("PUT", FILES + "f", content)
        with socket.socket() as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.settimeout(PATIENCE)
            plain.connect(("127.0.0.1", self.server.http_port))
            plain.sendall(f"GET {FILES}f HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            received = plain.recv(65536)
            while self.server.json("/api/v1/transfers")["active"]:
                received += plain.recv(65536)
            self.server.process.terminate()
            wait_for(lambda: self.server.ask("GET", "/readyz")[0] == 503, "the drain")
            with self.assertRaises(subprocess.TimeoutExpired):
                self.server.process.wait(0.5)
            while part := plain.recv(65536):
                received += part
        self.assertEqual(received.partition(b"\r\n\r\n")[2], content)
        self.assertEqual(self.server.process.wait(PATIENCE), 0)
        self.server.process.stdout.close()

    def test_a_stream_of_events_does_not_hold_it_up(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(plain.recv(4096))
            self.server.process.terminate()
            self.assertEqual(self.server.process.wait(PATIENCE / 2), 0)
        self.server.process.stdout.close()


class Accounts(HttpTest):
    def setUp(self):
        super().setUp()
        self.server.stop()
        self.audit = self.path("audit")
        self.server = HttpServer(self.server.data, "--audit-log", self.audit)
        self.tokens = {}
        for name in ("alice", "bob"):
            subprocess.run([MILLRACED, "account", "add", name, "--data", self.server.data], check=True, capture_output=True)
            self.tokens[name] = subprocess.run([MILLRACED, "token", "add", name, "--data", self.server.data], check=True, capture_output=True, text=True).stdout.strip()
        wait_for(lambda: self.server.ask("GET", "/api/v1/status")[0] == 401, "accounts")

    def of(self, name, **more):
        return {"Authorization": f"Bearer {self.tokens[name]}", **more}

    def token(self, name, *options):
        made = subprocess.run([MILLRACED, "token", "add", name, *options, "--data", self.server.data], check=True, capture_output=True, text=True)
        return {"Authorization": f"Bearer {made.stdout.strip()}"}

    def test_a_delete_whose_client_has_left_is_written_down(self):
        folder = self.server.stored_path("alice/many")
        os.makedirs(folder)
        for number in range(5000):
            with open(os.path.join(folder, str(number)), "w"):
                pass
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"DELETE {FILES}many/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.tokens['alice']}\r\n\r\n".encode())
            wait_for(lambda: len(os.listdir(folder)) < 5000, "the delete")
        wait_for(lambda: not os.path.exists(folder), "its end")

        def written():
            with open(self.audit, encoding="utf-8") as file:
                return [line for line in file if '"many"' in line and "delete" in line]
        wait_for(written, "what was written down")

    def watcher(self):
        return self.token("bob", "--scope", "monitor")

    def event(self, headers):
        """The first one that is told."""
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
            with plain.makefile("r", encoding="utf-8", newline="\n") as answer:
                return json.loads(next(line for line in answer if line.startswith("data: "))[6:])

    def test_who_may_monitor_sees_the_whole_server_and_no_file(self):
        self.server.ask("PUT", FILES + "secret", b"of alice", self.of("alice"))
        watcher = self.watcher()
        self.assertEqual(self.server.json("/api/v1/whoami", watcher)["scope"], {"read": False, "write": False, "delete": False, "monitor": True, "prefix": ""})
        self.assertIn("millraced_ready 1", self.server.ask("GET", "/metrics", headers=watcher)[2].decode())
        self.assertIn("performance", self.server.json("/api/v1/status", watcher))
        self.assertEqual(self.server.json("/api/v1/history", watcher)["window"], "5m")
        self.assertEqual([(one["account"], one["path"]) for one in self.server.json("/api/v1/transfers", watcher)["recent"]], [("alice", "secret")])
        self.assertEqual([one["name"] for one in self.server.json("/api/v1/accounts", watcher)["accounts"]], ["alice", "bob"])
        self.assertIn("metrics", self.event(watcher)["status"])
        # Its own account's files neither: no scope but this one.
        for method, path in (("GET", FILES), ("GET", FILES + "secret"), ("PUT", FILES + "new"), ("DELETE", FILES + "secret")):
            status, _, body = self.server.ask(method, path, b"" if method == "PUT" else None, watcher)
            self.assertEqual((status, json.loads(body)["code"]), (403, "E_NOT_ALLOWED"), (method, path))
        self.run_client("list", self.url, code=13, env={**os.environ, "MILLRACE_TOKEN": watcher["Authorization"].split()[1]})

    def test_who_may_monitor_ends_nothing_of_others(self):
        both = self.token("bob", "--scope", "read,write,monitor")
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"PUT {FILES}g HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.tokens['alice']}\r\nContent-Length: 9\r\n\r\nabc".encode())
            [active] = wait_for(lambda: self.server.json("/api/v1/transfers", both)["active"], "the upload")
            for shown, code in ((both, 404), (self.watcher(), 403)):
                self.assertEqual(self.server.ask("DELETE", "/api/v1/transfers/" + active["id"], headers=shown)[0], code)
                self.assertEqual(self.server.ask("DELETE", f"/api/v1/sessions/{active['connection']}", headers=shown)[0], code)
            plain.sendall(b"defghi")
            self.assertRegex(plain.recv(4096), rb"^HTTP/1.1 201 ")

    def test_without_that_scope_a_token_sees_figures_that_name_nobody(self):
        self.server.ask("PUT", FILES + "f", b"of alice", self.of("alice"))
        self.assertEqual(self.server.ask("GET", "/metrics", headers=self.of("bob"))[0], 200)
        self.assertIn("metrics", self.server.json("/api/v1/status", self.of("bob")))
        self.assertEqual(self.server.json("/api/v1/transfers", self.of("bob"))["recent"], [])
        self.assertEqual([one["name"] for one in self.server.json("/api/v1/accounts", self.of("bob"))["accounts"]], ["bob"])
        self.assertFalse(self.server.json("/api/v1/whoami", self.of("bob"))["scope"]["monitor"])

    def test_who_may_only_write_sees_its_account_only(self):
        self.server.ask("PUT", FILES + "f", b"of alice", self.of("alice"))
        for path in ("/metrics", "/api/v1/history"):
            status, _, body = self.server.ask("GET", path, headers=self.token("bob", "--scope", "write"))
            self.assertEqual((status, json.loads(body)["code"]), (403, "E_NOT_ALLOWED"), path)
            self.assertIn("--scope monitor", json.loads(body)["detail"])
        for name, files in (("alice", 1), ("bob", 0)):
            writer = self.token(name, "--scope", "write")
            for status in (self.server.json("/api/v1/status", writer), self.event(writer)["status"]):
                self.assertEqual(set(status), {"version", "started_ms", "now_ms", "uptime_seconds", "ready", "account"})
                self.assertEqual((status["account"]["name"], status["account"]["files"]), (name, files))

    def test_monitor_and_a_prefix_contradict_each_other(self):
        done = subprocess.run([MILLRACED, "token", "add", "bob", "--scope", "read,monitor", "--prefix", "d", "--data", self.server.data], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("--prefix", done.stderr)

    def test_nobody_without_a_token(self):
        for path in ("/metrics", "/api/v1/status", "/api/v1/events", "/api/v1/whoami", FILES, FILES + "f", "/api/v1/transfers"):
            status, headers, body = self.server.ask("GET", path)
            self.assertEqual((status, json.loads(body)["code"]), (401, "E_NOT_AUTHENTICATED"), path)
            self.assertIn("Bearer", headers["WWW-Authenticate"])
        self.assertEqual(self.server.ask("PUT", FILES + "f", noise(300_000))[0], 401)
        for path in ("/", "/livez", "/readyz", "/files/", "/api/v1/openapi.json"):
            self.assertEqual(self.server.ask("GET", path)[0], 200, path)
        self.assertEqual(self.server.ask("GET", "/api/v1/status", headers={"Authorization": "Bearer nonsense"})[0], 401)
        metrics = self.server.ask("GET", "/metrics", headers=self.watcher())[2].decode()
        self.assertIn('millraced_auth_attempts_total{method="token",result="failed"} 1\n', metrics)

    def test_three_ways_to_show_a_token(self):
        token = self.tokens["alice"]
        basic = base64.b64encode(f"any:{token}".encode()).decode()
        self.assertEqual(self.server.json("/api/v1/whoami", {"Authorization": f"Basic {basic}"})["account"], "alice")
        self.assertEqual(self.server.json("/api/v1/whoami", self.of("alice"))["account"], "alice")
        self.assertEqual(self.server.ask("POST", "/api/v1/login", json.dumps({"token": "wrong"}))[0], 401)
        status, headers, body = self.server.ask("POST", "/api/v1/login", json.dumps({"token": token}))
        self.assertEqual((status, json.loads(body)["account"]), (200, "alice"))
        cookie = headers["Set-Cookie"]
        for word in ("HttpOnly", "SameSite=Strict", "Path=/"):
            self.assertIn(word, cookie)
        shown = {"Cookie": "other=1; " + cookie.split(";")[0]}
        self.assertEqual(self.server.json("/api/v1/whoami", shown)["account"], "alice")
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"1", {**shown, "Sec-Fetch-Site": "cross-site"})[0], 403)
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"1", {**shown, "Sec-Fetch-Site": "same-origin"})[0], 201)
        self.assertIn("Max-Age=0", self.server.ask("POST", "/api/v1/logout", b"", shown)[1]["Set-Cookie"])

    def test_two_accounts_do_not_see_each_other(self):
        self.server.ask("PUT", FILES + "f", b"of alice", self.of("alice"))
        self.assertEqual(self.server.stored("alice/f"), b"of alice")
        with open(self.audit, encoding="utf-8") as file:
            self.assertIn(("alice", "http_put", "f", "ok"), [(one["who"], one["what"], one["path"], one["result"]) for one in map(json.loads, file)])
        self.assertEqual(self.server.ask("GET", FILES + "f", headers=self.of("bob"))[0], 404)
        self.assertEqual(self.server.ask("GET", FILES + "..%2falice%2ff", headers=self.of("bob"))[0], 400)
        self.assertEqual(self.server.json(FILES, self.of("bob"))["entries"], [])
        self.assertEqual(self.server.json("/api/v1/transfers", self.of("bob"))["recent"], [])
        self.assertEqual(len(self.server.json("/api/v1/transfers", self.of("alice"))["recent"]), 1)
        self.assertEqual([one["name"] for one in self.server.json("/api/v1/accounts", self.of("bob"))["accounts"]], ["bob"])
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"PUT {FILES}g HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.tokens['alice']}\r\nContent-Length: 9\r\n\r\nabc".encode())
            active = wait_for(lambda: self.server.json("/api/v1/transfers", self.of("alice"))["active"], "the upload")
            self.assertEqual(self.server.json("/api/v1/transfers", self.of("bob"))["active"], [])
            self.assertEqual(self.server.ask("DELETE", "/api/v1/transfers/" + active[0]["id"], headers=self.of("bob"))[0], 404)
            self.assertEqual(self.server.ask("DELETE", f"/api/v1/sessions/{active[0]['connection']}", headers=self.of("bob"))[0], 404)
            plain.sendall(b"defghi")
            self.assertRegex(plain.recv(4096), rb"^HTTP/1.1 201 ")

    def test_a_revoked_token_ends_what_is_open(self):
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(f"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {self.tokens['alice']}\r\n\r\n".encode())
            self.assertIn(b" 200 ", plain.recv(4096))
            subprocess.run([MILLRACED, "token", "revoke", self.tokens["alice"].split("_")[1], "--data", self.server.data], check=True, capture_output=True)
            while plain.recv(65536):
                pass
        self.assertEqual(self.server.ask("GET", "/api/v1/status", headers=self.of("alice"))[0], 401)

    def test_scopes_and_quotas(self):
        token = subprocess.run([MILLRACED, "token", "add", "alice", "--scope", "read", "--data", self.server.data], check=True, capture_output=True, text=True).stdout.strip()
        reader = {"Authorization": f"Bearer {token}"}
        self.server.ask("PUT", FILES + "f", b"1", self.of("alice"))
        self.assertEqual(self.server.ask("GET", FILES + "f", headers=reader)[2], b"1")
        self.assertEqual(self.server.ask("PUT", FILES + "f", b"2", reader)[0], 403)
        self.assertEqual(self.server.ask("DELETE", FILES + "f", headers=reader)[0], 403)
        subprocess.run([MILLRACED, "account", "set", "bob", "--quota-bytes", "1000", "--data", self.server.data], check=True, capture_output=True)
        wait_for(lambda: self.server.ask("PUT", FILES + "big", noise(2000), self.of("bob"))[0] == 507, "the quota")
        self.assertEqual(self.server.ask("PUT", FILES + "small", noise(900), self.of("bob"))[0], 201)
        subprocess.run([MILLRACED, "account", "set", "alice", "--quota-files", "1", "--data", self.server.data], check=True, capture_output=True)
        wait_for(lambda: self.server.ask("PUT", FILES + "second", b"2", self.of("alice"))[0] == 507, "the quota")
        watcher = self.watcher()
        counts = wait_for(lambda: (text := self.server.ask("GET", "/metrics", headers=watcher)[2].decode()) and 'rejections_total{kind="files"} 0' not in text and text, "the counts")
        self.assertRegex(counts, r'millraced_quota_rejections_total\{kind="bytes"\} [1-9]')
        self.assertRegex(counts, r'millraced_quota_rejections_total\{kind="files"\} [1-9]')


class Ports(unittest.TestCase):
    def test_a_port_that_is_taken(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder, contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
            address = "127.0.0.1:%d" % taken.getsockname()[1]
            done = subprocess.run([MILLRACED, "serve", "--data", folder, "--listen", "127.0.0.1:0", "--http", address], capture_output=True, text=True, timeout=PATIENCE)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("in use already", done.stderr)

    def test_the_default_port_is_no_must(self):
        import tempfile
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError):  # somebody else has it: as good
                stack.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", 8000))))
            with open(os.path.join(folder, "log"), "w+", encoding="utf-8") as log:
                process = subprocess.Popen([MILLRACED, "serve", "--data", os.path.join(folder, "d"), "--listen", "127.0.0.1:0", "--http", "auto"], stdout=subprocess.PIPE, stderr=log, text=True)
                self.assertIn("listening on", process.stdout.readline())
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)
                process.stdout.close()
                log.seek(0)
                self.assertIn("--http", log.read())


class Encrypted(ServerTest):
    SERVER_OPTIONS = ("--tls", "on", "--http", "127.0.0.1:0")

    def test_https(self):
        line = self.server.process.stdout.readline()
        while "dashboard at" not in line:
            line = self.server.process.stdout.readline()
        url = line.split(" at ", 1)[1].strip()
        self.assertTrue(url.startswith("https://"))
        local = self.path("local")
        with open(local, "wb") as file:
            file.write(noise(2_000_000))
        subprocess.run(["curl", "-sSfk", "-T", local, url + FILES[1:] + "f"], check=True, capture_output=True)
        fetched = subprocess.run(["curl", "-sSfk", url + FILES[1:] + "f"], check=True, capture_output=True).stdout
        self.assertEqual(hashlib.sha256(fetched).digest(), hashlib.sha256(noise(2_000_000)).digest())
        plain = subprocess.run(["curl", "-sS", url.replace("https", "http")], capture_output=True, text=True, check=True)
        self.assertIn("HTTPS", plain.stdout)


class Description(HttpTest):
    """docs/openapi.json against the server."""

    def setUp(self):
        super().setUp()
        self.document = self.server.json("/api/v1/openapi.json")

    def check(self, value, schema, where):
        if "oneOf" in schema:
            kinds = [self.document["components"]["schemas"][one["$ref"].rsplit("/", 1)[1]] for one in schema["oneOf"]]
            schema = next(one for one in kinds if set(one["required"]) <= set(value))
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
        if "enum" in schema:
            return self.assertIn(value, schema["enum"], where)
        kinds = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        self.assertTrue(any(isinstance(value, kinds[name]) for name in names), f"{where} is {value!r}, not {names}")
        if isinstance(value, dict):
            self.assertLessEqual(set(schema.get("required", [])), set(value), where)
            known = schema.get("properties", {})
            for name, part in value.items():
                rule = known.get(name, schema.get("additionalProperties"))
                if known or rule:
                    self.assertIsNotNone(rule, f"{where}.{name} is not described")
                    self.check(part, rule, f"{where}.{name}")
        if isinstance(value, list):
            for part in value:
                self.check(part, schema["items"], where + "[]")

    def test_answers_are_as_described(self):
        self.server.ask("PUT", FILES + "d/f", noise(5000))
        self.server.ask("GET", FILES + "none")
        checked = 0
        for path, methods in self.document["paths"].items():
            if "get" not in methods or path in ("/api/v1/events", "/api/v1/connect"):
                continue
            concrete = path.replace("{path}", "d/")
            status, headers, body = self.server.ask("GET", concrete)
            self.assertEqual(status, 200, concrete)
            kind = headers["Content-Type"].split(";")[0]
            content = methods["get"]["responses"]["200"]["content"]
            self.assertIn(kind, content, concrete)
            if kind == "application/json":
                self.check(json.loads(body), content[kind]["schema"], concrete)
                checked += 1
        self.assertGreater(checked, 7)
        problem = json.loads(self.server.ask("GET", FILES + "none")[2])
        self.check(problem, {"$ref": "#/components/schemas/Problem"}, "problem")

    def test_every_method_is_there(self):
        for path, methods in self.document["paths"].items():
            concrete = path.replace("{path}", "none").replace("{id}", "1-1")
            for method in methods:
                if path == "/api/v1/events":
                    continue
                status, headers, body = self.server.ask(method.upper(), concrete, b"{}" if method in ("post", "put") else None)
                self.assertNotIn(status, (405, 501), (method, path))
                if status == 404:
                    self.assertIn("detail", json.loads(body))


if __name__ == "__main__":
    unittest.main()
