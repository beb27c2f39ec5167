"""The protocol's frames in a WebSocket: the client itself through a bridge, and what an attacker sends."""
import base64
import hashlib
import os
import socket
import struct
import subprocess
import threading
import time
import unittest

from harness import MILLRACED, PATIENCE, connections, noise, shut, wait_for
from test_http import HttpTest

KEY = base64.b64encode(b"sixteen bytes ok").decode()
GOOD = {"Upgrade": "websocket", "Connection": "keep-alive, Upgrade", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": KEY, "Sec-WebSocket-Protocol": "other, millrace.1"}
BINARY, TEXT, CLOSE, PING, PONG = 2, 1, 8, 9, 10


def message(payload, opcode=BINARY, fin=True, masked=True, said=None, mask=b"\x11\x22\x33\x44"):
    """One frame; `said`: the length that it claims."""
    length = len(payload) if said is None else said
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 65536:
        head += struct.pack(">BH", bit | 126, length)
    else:
        head += struct.pack(">BQ", bit | 127, length)
    if not masked:
        return head + payload
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return head + mask + (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


class WebSocket:
    def __init__(self, port, headers=None, early=b""):
        self.plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**GOOD, **(headers or {})}.items())
        self.plain.sendall(f"GET /api/v1/connect HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{lines}\r\n".encode() + early)
        self.waiting = b""
        while b"\r\n\r\n" not in self.waiting:
            part = self.plain.recv(65536)
            if not part:
                break
            self.waiting += part
        self.head, _, self.waiting = self.waiting.partition(b"\r\n\r\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.plain.close()

    def _take(self, count):
        while len(self.waiting) < count:
            part = self.plain.recv(1 << 18)
            if not part:
                return None
            self.waiting += part
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        return taken

    def receive(self):
        """Opcode and payload of the next frame; None: the connection has ended."""
        head = self._take(2)
        if head is None:
            return None
        length = head[1]
        if length == 126:
            length, = struct.unpack(">H", self._take(2))
        elif length == 127:
            length, = struct.unpack(">Q", self._take(8))
        payload = self._take(length)
        return None if payload is None else (head[0] & 15, payload)

    def end(self):
        """The frames until the connection ends."""
        frames = []
        while (one := self.receive()) is not None:
            frames.append(one)
        return frames


class Bridge:
    """Takes TCP connections, as a server of the protocol does, and carries each in a WebSocket."""

    def __init__(self, port, headers=None, cut=None):
        self.web_port, self.headers, self.cut = port, headers, cut
        self.sent = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        for client in connections(self.listener):
            web = WebSocket(self.web_port, self.headers)
            threading.Thread(target=self._up, args=(client, web), daemon=True).start()
            threading.Thread(target=self._down, args=(client, web), daemon=True).start()

    def _up(self, client, web):
        try:
            while part := client.recv(50_000):
                self.sent += len(part)
                # In two frames of one message, the second of them empty.
                web.plain.sendall(message(part, fin=False) + message(b"", opcode=0))
                if self.cut and self.sent > self.cut:
                    self.cut = None
                    break
        except OSError:
            pass
        for end in (web.plain, client):
            shut(end)
            end.close()

    def _down(self, client, web):
        try:
            while (one := web.receive()) is not None and one[0] == BINARY:
                client.sendall(one[1])
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass


class Sessions(HttpTest):
    def bridge(self, **options):
        bridge = Bridge(self.server.http_port, **options)
        self.addCleanup(bridge.close)
        return bridge

    def test_files_go_there_and_back(self):
        bridge = self.bridge()
        url = f"millrace://127.0.0.1:{bridge.port}/"
        content = bytearray(noise(20_000_003))
        self.run_client("upload", "-q", self.write("local", content), url + "f")
        self.assertEqual(self.server.stored("f"), content)
        before = bridge.sent
        content[10_000_000:10_000_050] = bytes(50)
        self.run_client("upload", "-q", self.write("local", content), url + "f")
        self.assertEqual(self.server.stored("f"), content)
        self.assertLess(bridge.sent - before, 200_000)
        self.run_client("download", "-q", url + "f", self.path("back"))
        self.assertEqual(self.read("back"), content)

    def test_many_files_at_once(self):
        bridge = self.bridge()
        os.mkdir(self.path("tree"))
        for number in range(300):
            self.write(f"tree/{number}", noise(number * 50, number))
        self.run_client("upload", "-q", "-r", self.path("tree"), f"millrace://127.0.0.1:{bridge.port}/t")
        for number in range(300):
            self.assertEqual(self.server.stored(f"t/tree/{number}"), noise(number * 50, number))

    def test_a_cut_upload_goes_on(self):
        content = noise(40 << 20)
        bridge = self.bridge(cut=30 << 20)
        self.run_client("upload", "-q", "--retries", "5", self.write("local", content), f"millrace://127.0.0.1:{bridge.port}/f")
        self.assertEqual(self.server.stored("f"), content)
        self.assertLess(bridge.sent, 60 << 20)

    def test_it_is_seen_and_closed(self):
        with WebSocket(self.server.http_port) as web:
            self.assertIn(b"101 Switching", web.head)
            accept = base64.b64encode(hashlib.sha1((KEY + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest())
            self.assertIn(b"Sec-WebSocket-Accept: " + accept, web.head)
            self.assertIn(b"Sec-WebSocket-Protocol: millrace.1", web.head)
            self.assertEqual(web.receive()[0], BINARY)  # HELLO
            mine = "%s:%d" % web.plain.getsockname()
            session = wait_for(lambda: [one for one in self.server.json("/api/v1/sessions")["sessions"] if one["peer"] == mine], "the session")[0]
            self.assertEqual(session["kind"], "websocket")
            metrics = self.server.json("/api/v1/status")["metrics"]
            self.assertEqual(metrics['millraced_connections_active{listener="sync"}'], 1)
            self.assertEqual(self.server.ask("DELETE", f"/api/v1/sessions/{session['id']}")[0], 204)
            web.end()

    def test_what_comes_with_the_handshake_counts(self):
        with WebSocket(self.server.http_port, early=message(b"x", opcode=PING)) as web:
            self.assertIn((PONG, b"x"), [web.receive(), web.receive()])

    def test_goodbye(self):
        with WebSocket(self.server.http_port) as web:
            web.plain.sendall(message(struct.pack(">H", 1000), opcode=CLOSE))
            self.assertEqual(web.end()[-1], (CLOSE, struct.pack(">H", 1000)))

    def test_the_protocols_own_errors_arrive(self):
        with WebSocket(self.server.http_port) as web:
            web.plain.sendall(message(bytes(100)))
            said = b"".join(payload for opcode, payload in web.end() if opcode == BINARY)
        self.assertIn(b"E_PROTOCOL", said)


class Handshakes(HttpTest):
    def test_refused(self):
        for status, changed in (
                (426, {"Upgrade": "h2c"}), (426, {"Connection": "keep-alive"}), (426, {"Sec-WebSocket-Version": "12"}),
                (400, {"Sec-WebSocket-Key": "short"}), (400, {"Sec-WebSocket-Key": "=" * 24}), (400, {"Sec-WebSocket-Key": "A" * 24}),
                (400, {"Sec-WebSocket-Protocol": "millrace.2"}), (400, {"Content-Length": "5"}),
                (403, {"Origin": "http://evil.example"}), (403, {"Sec-Fetch-Site": "cross-site"})):
            with WebSocket(self.server.http_port, headers=changed, early=b"hello") as web:
                self.assertIn(f"HTTP/1.1 {status} ".encode(), web.head, changed)
        self.assertEqual(self.server.ask("GET", "/api/v1/connect")[0], 426)
        self.assertEqual(self.server.ask("POST", "/api/v1/connect")[0], 405)

    def test_a_page_of_the_server_itself(self):
        with WebSocket(self.server.http_port, headers={"Origin": f"http://127.0.0.1:{self.server.http_port}", "Sec-Fetch-Site": "same-origin"}) as web:
            self.assertIn(b" 101 ", web.head)


class Hostile(HttpTest):
    def ended_by(self, sent):
        with WebSocket(self.server.http_port) as web:
            web.plain.sendall(sent)
            frames = web.end()
        self.assertTrue(self.server.alive())
        # Without a number: the frame itself could not be read.
        return [struct.unpack(">H", payload[:2])[0] if payload else 1002 for opcode, payload in frames if opcode == CLOSE]

    def test_frames_that_are_none(self):
        self.assertEqual(self.ended_by(message(b"hello", masked=False)), [1002])
        self.assertEqual(self.ended_by(message(b"hello", opcode=TEXT)), [1003])
        self.assertEqual(self.ended_by(message(b"hello", opcode=3)), [1002])
        self.assertEqual(self.ended_by(message(b"hello", opcode=0)), [1002])  # goes on with nothing
        self.assertEqual(self.ended_by(message(b"hello", fin=False) + message(b"hello")), [1002])
        self.assertEqual(self.ended_by(message(b"x" * 126, opcode=PING)), [1002])
        self.assertEqual(self.ended_by(message(b"x", opcode=PING, fin=False)), [1002])
        self.assertEqual(self.ended_by(bytes([0xC2]) + message(b"hello")[1:]), [1002])  # a reserved bit

    def test_lengths_that_lie(self):
        self.assertEqual(self.ended_by(message(b"hello", said=(64 << 20) + 1)), [1009])
        self.assertEqual(self.ended_by(message(b"hello", said=(1 << 63) - 1)), [1009])
        self.assertEqual(self.ended_by(message(b"hello", said=(1 << 64) - 1)), [1002])
        # A length in more bytes than it needs.
        self.assertEqual(self.ended_by(bytes([0x82, 0xFF]) + struct.pack(">Q", 5) + b"\0\0\0\0hello"), [1002])

    def test_pings_whose_answers_are_not_read(self):
        with WebSocket(self.server.http_port) as web:
            web.plain.settimeout(PATIENCE)
            flood = message(b"p" * 125, opcode=PING) * 2000
            with self.assertRaises(OSError):
                for _ in range(1000):
                    web.plain.sendall(flood)
        self.assertTrue(self.server.alive())

    def test_a_peer_that_is_cut_anywhere(self):
        whole = message(noise(300), fin=False) + message(b"p", opcode=PING) + message(noise(70_000), opcode=0)
        for length in (1, 2, 5, 6, 7, 200, 306, 310, 314, 320, 60_000):
            with WebSocket(self.server.http_port) as web:
                web.plain.sendall(whole[:length])
        wait_for(lambda: not [one for one in self.server.json("/api/v1/sessions")["sessions"] if one["kind"] == "websocket"], "their ends")


class Accounts(HttpTest):
    def setUp(self):
        super().setUp()
        self.tokens = {}
        for name in ("alice", "bob"):
            subprocess.run([MILLRACED, "account", "add", name, "--data", self.server.data], check=True, capture_output=True)
            self.tokens[name] = subprocess.run([MILLRACED, "token", "add", name, "--data", self.server.data], check=True, capture_output=True, text=True).stdout.strip()
        wait_for(lambda: self.server.ask("GET", "/api/v1/status")[0] == 401, "accounts")

    def upload(self, content, cookie=None, code=0, **environment):
        bridge = Bridge(self.server.http_port, headers={"Cookie": f"theme=dark; millrace_token={cookie}"} if cookie else None)
        self.addCleanup(bridge.close)
        return self.run_client("upload", "-q", self.write("local", content), f"millrace://127.0.0.1:{bridge.port}/f", code=code, env={**os.environ, "HOME": self.folder, **environment})

    def test_the_cookie_of_the_pages(self):
        self.upload(b"of alice", cookie=self.tokens["alice"])
        self.upload(b"of bob", cookie=self.tokens["bob"])
        self.assertEqual(self.server.stored("alice/f"), b"of alice")
        self.assertEqual(self.server.stored("bob/f"), b"of bob")

    def test_a_token_of_its_own_counts_more(self):
        self.upload(b"of bob", cookie=self.tokens["alice"], MILLRACE_TOKEN=self.tokens["bob"])
        self.assertEqual(self.server.stored("bob/f"), b"of bob")
        self.assertFalse(os.path.exists(self.server.stored_path("alice/f")))

    def test_nobody_else(self):
        self.assertIn(b"E_NOT_AUTHENTICATED", self.upload(b"x", code=12).stderr)
        self.assertIn(b"E_NOT_AUTHENTICATED", self.upload(b"x", cookie=self.tokens["bob"][:-1] + "!", code=12).stderr)

    def test_the_rate_counts_in_both_directions(self):
        rate = 1 << 20
        subprocess.run([MILLRACED, "account", "set", "alice", "--max-rate", str(rate), "--data", self.server.data], check=True, capture_output=True)
        bearer = {"Authorization": "Bearer " + self.tokens["alice"]}
        content = noise(4 * rate)

        def put(times):
            began = time.monotonic()
            for _ in range(times):
                self.assertIn(self.server.ask("PUT", "/api/v1/files/f", content, bearer)[0], (200, 201, 204))
            return time.monotonic() - began
        put(1)  # by now the limit is known, and the first second's worth is gone
        self.assertGreater(put(1), 2)
        began = time.monotonic()
        self.assertEqual(self.server.ask("GET", "/api/v1/files/f", headers=bearer)[2], content)
        self.assertGreater(time.monotonic() - began, 1)  # what the sockets hold at the end is not waited for

    def test_places_count_for_all_that_an_account_has_open(self):
        subprocess.run([MILLRACED, "account", "set", "alice", "--max-connections", "1", "--data", self.server.data], check=True, capture_output=True)
        bearer = {"Authorization": "Bearer " + self.tokens["alice"]}
        wait_for(lambda: self.server.ask("GET", "/api/v1/whoami", headers=bearer)[0] == 200, "the limit")
        kept = self.server.connect()
        kept.request("GET", "/api/v1/whoami", headers=bearer)
        kept.getresponse().read()

        def refused():
            status, _, body = self.server.ask("GET", "/api/v1/whoami", headers=bearer)
            return status == 503 and b"E_BUSY" in body
        wait_for(refused, "the limit")
        self.assertIn(b"E_BUSY", self.upload(b"x", cookie=self.tokens["alice"], code=16).stderr)
        self.assertEqual(self.server.ask("GET", "/api/v1/whoami", headers={"Authorization": "Bearer " + self.tokens["bob"]})[0], 200)
        kept.request("GET", "/api/v1/whoami", headers=bearer)  # one connection, many requests
        self.assertEqual(kept.getresponse().read()[:1], b"{")
        kept.close()
        wait_for(lambda: self.server.ask("GET", "/api/v1/whoami", headers=bearer)[0] == 200, "its place")


if __name__ == "__main__":
    unittest.main()
