"""Killed at any moment, either side leaves the old version or the new one, never a mixture; a signal cleans up."""
import fcntl
import os
import random
import signal
import subprocess
import sys
import termios
import time
import unittest

import harness
from harness import KEPT_PART, MILLRACE, PATIENCE, SANITIZED, ServerTest, noise, wait_for

SIZE = 12 << 20
ROUNDS = 5 if SANITIZED else 15


class Killed(ServerTest):
    def setUp(self):
        super().setUp()
        self.random = random.Random(7)
        self.old = noise(SIZE, 1)
        # Half of it is the same, so that a delta keeps some chunks and brings others.
        self.new = self.old[:SIZE // 2] + noise(SIZE // 2, 2)
        self.versions = {"old": self.write("old", self.old), "new": self.write("new", self.new)}
        self.run_client("upload", "-q", self.versions["old"], self.url + "f")
        began = time.monotonic()
        self.run_client("upload", "-q", self.versions["new"], self.url + "f")
        self.full = time.monotonic() - began

    def moments(self):
        """Spread over the whole time that a replacement takes, and some beyond, in a random order."""
        spread = [self.random.uniform(number, number + 1) / ROUNDS * 2 * self.full for number in range(ROUNDS)]
        self.random.shuffle(spread)
        return spread

    def replace(self, number):
        """Starts to replace the stored file with the other version, whichever it has now."""
        now = self.server.stored("f")
        other = "new" if now == self.old else "old"
        wanted = self.new if other == "new" else self.old
        extra = ["--whole-file"] if number % 3 == 2 else []
        client = self.start_client("upload", "-q", *extra, self.versions[other], self.url + "f")
        return client, now, wanted

    def test_the_server(self):
        seen = set()
        for number, moment in enumerate(self.moments()):
            client, now, wanted = self.replace(number)
            try:
                client.wait(moment)
            except subprocess.TimeoutExpired:
                pass
            self.server.kill()
            code = client.wait(PATIENCE)
            self.assertIn(code, (0, 16))
            self.restart()
            stored = self.server.stored("f")
            self.assertIn(stored, (wanted,) if code == 0 else (now, wanted))
            seen.add((code, stored == wanted))
            self.assertLessEqual(len(self.server.staging()), 2)  # a partial upload and its job
            self.run_client("verify", self.url + "f")
            self.run_client("download", "-q", self.url + "f", self.path("back"))
            self.assertEqual(self.read("back"), stored)
        print("moments seen (exit code, new version):", sorted(seen))

    def test_the_client_in_an_upload(self):
        for number, moment in enumerate(self.moments()):
            client, now, wanted = self.replace(number)
            try:
                client.wait(moment)
            except subprocess.TimeoutExpired:
                pass
            client.kill()
            client.wait(PATIENCE)
            wait_for(lambda: not self.server.drafts(), "the server to end the draft")
            stored = self.server.stored("f")
            self.assertIn(stored, (now, wanted))
            self.run_client("verify", self.url + "f")

    def test_the_client_in_a_download(self):
        os.mkdir(self.path("here"))
        local = self.path("here/local")
        for number, moment in enumerate(self.moments()):
            before = noise(SIZE, 2) if number % 2 else self.old
            with open(local, "wb") as file:
                file.write(before)
            client = self.start_client("download", "-q", self.url + "f", local)
            try:
                client.wait(moment)
            except subprocess.TimeoutExpired:
                pass
            client.kill()
            client.wait(PATIENCE)
            self.assertIn(self.read("here/local"), (before, self.new))
            left = [name for name in os.listdir(self.path("here")) if name != "local"]
            # A draft that had come far, or had its name just before its place: what the next download goes on with.
            for name in left:
                self.assertRegex(name, r"^\.millrace-([0-9]+|[0-9a-f]{32}\.part)$")
                self.assertTrue(self.new.startswith(self.read("here/" + name)), name)
                if not name.endswith(".part"):
                    os.remove(self.path("here/" + name))
        self.run_client("download", "-q", self.url + "f", local)
        self.assertEqual(self.read("here/local"), self.new)
        self.assertEqual(os.listdir(self.path("here")), ["local"])

    def test_a_server_that_is_asked_to_end_in_the_middle(self):
        size = 64 << 20
        client = self.pause_in_the_middle_of_an_upload("f", size, "-q", "--whole-file", self.write("large", noise(size, 3)), self.url + "f",
                                                       least=KEPT_PART)
        self.assertEqual(self.server.stop(), 0)
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(PATIENCE), 16)
        self.restart()
        self.assertEqual(self.server.stored("f"), self.new)
        self.assertEqual(len(self.server.partials()), 1)


class Signals(ServerTest):
    SIZE = 64 << 20

    def test_an_interrupted_upload(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            local = self.write("local", noise(self.SIZE))
            client = self.pause_in_the_middle_of_an_upload(local, self.SIZE, local, self.url + "f")
            client.send_signal(number)
            client.send_signal(signal.SIGCONT)
            _, errors = client.communicate(timeout=PATIENCE)
            self.assertEqual(client.returncode, 128 + number)
            self.assertEqual(errors.count(b"error["), 1, errors)
            wait_for(lambda: not self.server.drafts(), "the server to end the draft")
            self.assertFalse(os.path.exists(self.server.stored_path("f")))

    def test_an_interrupted_download(self):
        self.run_client("upload", "-q", self.write("remote", noise(self.SIZE)), self.url + "f")
        os.mkdir(self.path("here"))
        for number in (signal.SIGINT, signal.SIGTERM):
            with open(self.path("here/local"), "wb") as file:
                file.write(b"old")
            self.server.pause()
            client = self.start_client("download", self.url + "f", self.path("here/local"))
            wait_for(lambda: harness.has_open(client, self.path("here/local")) or client.poll() is not None, "the client to begin")
            client.send_signal(number)
            _, errors = client.communicate(timeout=PATIENCE)
            self.server.resume()
            self.assertEqual((client.returncode, errors.count(b"error[")), (128 + number, 1), errors)
            self.assertEqual(os.listdir(self.path("here")), ["local"])
            self.assertEqual(self.read("here/local"), b"old")

    def test_an_interrupted_pipe(self):
        client = self.start_client("upload", "-", self.url + "f", stdin=subprocess.PIPE)
        client.stdin.write(b"a part")
        client.stdin.flush()

        def unread():
            return int.from_bytes(fcntl.ioctl(client.stdin, termios.FIONREAD, bytes(4)), sys.byteorder)

        # The signal is watched for before the pipe is read.
        wait_for(lambda: unread() == 0, "the client to spool")
        client.send_signal(signal.SIGINT)
        self.assertEqual(client.wait(PATIENCE), 130)
        self.assertFalse(os.path.exists(self.server.stored_path("f")))

    def test_a_reader_that_goes_away(self):
        self.run_client("upload", "-q", self.write("remote", noise(8 << 20)), self.url + "f")
        client = subprocess.Popen([MILLRACE, "download", "-q", self.url + "f", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(harness.end, client)
        client.stdout.read(10)
        client.stdout.close()
        self.assertEqual(client.wait(PATIENCE), 1)


if __name__ == "__main__":
    unittest.main()
