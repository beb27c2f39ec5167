"""Peers that are not what they should be, on either side, and servers that are not there."""
import os
import signal
import socket
import subprocess
import unittest

from harness import (CANCEL, DELETE, ENTRIES, ERROR, HELLO, KEPT_PART, LIST, MILLRACE, MILLRACED, PATIENCE, FakeServer, RawClient, ServerTest,
                     field, frame, noise, varint, wait_for)

TLS_HELLO = bytes.fromhex("160301020001000200fc0303") + bytes(range(200))


class ForeignClients(ServerTest):
    def check_refused(self, data, expect=b"E_"):
        """The server answers with an ERROR about the connection, closes it, and serves others."""
        with RawClient(self.server.port) as raw:
            raw.send(data)
            raw.socket.shutdown(socket.SHUT_WR)
            errors = [payload for kind, stream, payload in raw.frames() if (kind, stream) == (ERROR, 0)]
        self.assertEqual(len(errors), 1, data[:40])
        self.assertIn(expect, errors[0])
        self.run_client("stat", self.url)

    def test_an_http_request(self):
        self.check_refused(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

    def test_a_tls_hello(self):
        self.check_refused(TLS_HELLO)

    def test_random_bytes(self):
        for seed in range(20):
            with RawClient(self.server.port) as raw:
                raw.send(noise(3000, seed))
                raw.socket.shutdown(socket.SHUT_WR)
                list(raw.frames())  # ends: the server closes the connection
        self.run_client("stat", self.url)

    def test_a_frame_over_its_limit(self):
        over = bytes([DELETE, 1]) + varint(1) + varint(256 * 1024 + 1)
        self.check_refused(frame(HELLO, 0) + over, b"E_TOO_LARGE")
        self.check_refused(frame(HELLO, 0) + bytes([0, 0]) + varint(1) + varint(1 << 40), b"E_TOO_LARGE")

    def test_requests_before_hello_and_unknown_types(self):
        self.check_refused(frame(DELETE, 1, field(1, b"x")))
        self.check_refused(frame(HELLO, 0) + frame(200, 1, b"", flags=1), b"E_PROTOCOL")
        self.check_refused(frame(HELLO, 0) + frame(HELLO, 0), b"E_PROTOCOL")

    def test_requests_may_come_in_any_order_of_their_streams_but_once(self):
        with RawClient(self.server.port) as raw:
            raw.send(frame(HELLO, 0) + b"".join(frame(LIST, stream) for stream in (5, 1, 9, 3)))
            answered = set()
            while len(answered) < 4:
                kind, stream, _ = raw.next_frame()
                if kind == ENTRIES:
                    answered.add(stream)
            self.assertEqual(answered, {1, 3, 5, 9})
        again = frame(HELLO, 0) + frame(LIST, 5) + frame(LIST, 1)
        self.check_refused(again + frame(LIST, 2), b"E_PROTOCOL")
        self.check_refused(again + frame(CANCEL, 3) + frame(LIST, 3), b"E_PROTOCOL")
        self.check_refused(frame(HELLO, 0) + frame(LIST, 100_001), b"E_PROTOCOL")

    def test_a_client_that_vanishes_leaves_what_the_next_upload_goes_on_with(self):
        size = 64 << 20
        client = self.pause_in_the_middle_of_an_upload("f", size, "-q", "--whole-file", self.write("local", noise(size)), self.url + "f",
                                                       least=KEPT_PART)
        client.kill()
        client.wait(PATIENCE)
        wait_for(lambda: not self.server.drafts(), "the server to end the draft")
        self.assertFalse(os.path.exists(self.server.stored_path("f")))
        [kept] = self.server.partials()
        summary = self.summary("upload", self.path("local"), self.url + "f")
        self.assertLess(summary["bytes_sent"], size - kept + (1 << 20))
        wait_for(lambda: not self.server.staging(), "what was kept to go")
        self.assertEqual(self.server.stored("f"), self.read("local"))


class ForeignServers(ServerTest):
    def check(self, greeting, code, holds=False, *extra):
        fake = FakeServer(greeting, holds)
        self.addCleanup(fake.close)
        local = self.write("local", b"data")
        sentences = []
        for command in (["upload", local, fake.url + "f"], ["download", fake.url + "f", self.path("out")], ["list", fake.url]):
            done = self.run_client(*command, *extra, code=code)
            sentences.append(done.stderr)
            self.assertEqual(done.stderr.count(b"error["), 1)
        self.assertFalse(os.path.exists(self.path("out")))
        return sentences

    def test_a_web_server(self):
        for sentence in self.check(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", 18):
            self.assertIn(b"does not speak the Millrace protocol", sentence)

    def test_random_bytes(self):
        self.check(b"\x07" + noise(5000), 18)

    def test_a_tls_server(self):
        self.check(bytes.fromhex("15030300020228"), 18)

    def test_one_that_closes_at_once(self):
        self.check(b"", 16)

    def test_one_that_never_answers(self):
        for sentence in self.check(b"", 16, True, "--timeout", "1"):
            self.assertIn(b"has not answered", sentence)

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        done = self.run_client("upload", self.write("local", b"data"), f"millrace://127.0.0.1:{port}/f", code=16)
        self.assertIn(str(port).encode(), done.stderr)
        self.run_client("list", "millrace://no-such-host.invalid/", code=16)

    def test_a_name_with_several_addresses_is_tried_to_the_end(self):
        # As localhost often is ::1 first, and the server listens on 127.0.0.1 only.
        hosts = self.write("hosts", b"::1 twofaced\n127.0.0.1 twofaced\n")
        command = ["unshare", "-m", "sh", "-c", 'mount --bind "$1" /etc/hosts && shift && exec "$@"', "sh", hosts]
        asked = subprocess.run([*command, "getent", "ahosts", "twofaced"], capture_output=True, text=True)
        if asked.returncode != 0 or "::1" not in asked.stdout:
            print("skipped: no hosts file of our own:", asked.stderr.strip() or asked.stdout)
            self.skipTest("no hosts file of our own")
        done = subprocess.run([*command, MILLRACE, "list", "--plain", f"millrace://twofaced:{self.server.port}/"], capture_output=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        done = subprocess.run([*command, MILLRACE, "list", "millrace://twofaced:1/"], capture_output=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 16)

    def test_a_server_that_dies_in_the_middle(self):
        size = 64 << 20
        first = self.write("a", noise(size))
        files = [first] + [self.path(f"copy{i}") for i in range(8)]
        for copy in files[1:]:
            os.link(first, copy)
        files += [self.write(f"n{i}", b"x") for i in range(200)]
        client = self.pause_in_the_middle_of_an_upload(first, size, "--json", "--whole-file", *files, self.url + "d/")
        self.server.kill()
        client.send_signal(signal.SIGCONT)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 16)
        self.assertLessEqual(errors.count(b"error["), 2, errors)
        self.assertIn(b"files were not transferred", errors)


class Servers(ServerTest):
    def second(self, *arguments):
        return subprocess.run([MILLRACED, "serve", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def test_a_port_that_is_taken(self):
        done = self.second("--data", self.path("other"), "--listen", f"127.0.0.1:{self.server.port}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("in use", done.stderr)

    def test_a_second_server_on_the_same_folder(self):
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "f")
        done = self.second("--data", self.server.data, "--listen", "127.0.0.1:0")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"error\[E_\w+\]: .*" + self.server.data)
        self.run_client("verify", self.url + "f")

    def test_addresses_that_make_no_sense(self):
        for bad in ("nonsense", "127.0.0.1", "127.0.0.1:70000", "127.0.0.1:x", ":"):
            done = self.second("--data", self.path("other"), "--listen", bad)
            self.assertEqual(done.returncode, 2, (bad, done.stderr))

    def test_a_data_folder_that_cannot_be(self):
        self.write("file", b"")
        done = self.second("--data", self.path("file"), "--listen", "127.0.0.1:0")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("error[E_", done.stderr)

    def test_beyond_loopback_it_warns(self):
        server = subprocess.Popen([MILLRACED, "serve", "--data", self.path("other"), "--allow-anonymous", "--listen", "0.0.0.0:0"],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertIn("listening on", server.stdout.readline())
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=PATIENCE)
        self.assertEqual(server.returncode, 0)
        self.assertIn("READS AND WRITES EVERYTHING", errors)
        self.assertNotIn("no encryption", errors)  # it speaks TLS there


if __name__ == "__main__":
    unittest.main()
