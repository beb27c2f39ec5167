"""The memory budget and peers that do not move: small budgets serve everybody, nobody holds memory without moving bytes."""
import os
import re
import signal
import subprocess
import unittest

from harness import (DOWNLOAD, ERROR, HELLO, LIST, MILLRACED, PATIENCE, RawClient, Server, ServerTest, UPLOAD, field, frame, noise, varint,
                     wait_for)

LOAD = os.environ["MILLRACE_LOAD"]
MIB = 1 << 20


def upload_request(stream, path, size):
    return frame(UPLOAD, stream, field(1, path) + field(2, varint(size)) + field(6, bytes(16)))


class Memory(ServerTest):
    def serve(self, *options):
        self.server.stop()
        self.server = Server(self.server.data, *options)

    def figures(self):
        """The line that SIGUSR1 asks for, by name."""
        self.server.process.send_signal(signal.SIGUSR1)
        line = self.server.process.stdout.readline()
        found = re.fullmatch(
            r"millraced: sessions (?P<sessions>\d+); transfers (?P<transfers>\d+), waiting for memory (?P<waiting>\d+)"
            r"(; (cpu|disk|catalogue) queue \d+, waits p50 [\d.]+ ms p99 [\d.]+ ms of \d+){3}"
            r"; memory (?P<memory>[\d.]+ [KMG]?i?B) of (?P<budget>[\d.]+ MiB), most (?P<most>[\d.]+ [KMG]?i?B)"
            r"; loop lag p99 (?P<lag>[\d.]+) ms; refused (?P<refused>\d+), busy (?P<busy>\d+), too slow (?P<slow>\d+), not authenticated \d+\n", line)
        self.assertIsNotNone(found, line)
        return found.groupdict()

    def error_of(self, client, stream):
        """The payload of the ERROR on a stream; everything else that comes before is passed over."""
        client.socket.settimeout(PATIENCE)
        for kind, at, payload in client.frames():
            if kind == ERROR and at == stream:
                return payload
        raise AssertionError("the connection ended without an error on the stream")

    def take_all_places(self):
        """Eight transfers that do nothing: as many as a budget of 1 MiB has places."""
        for i in range(8):
            client = RawClient(self.server.port)
            self.addCleanup(client.socket.close)
            client.send(frame(HELLO, 0) + upload_request(1, b"held%d" % i, 100_000))
        wait_for(lambda: self.figures()["transfers"] == "8", "all places taken")

    def load(self, *arguments):
        return subprocess.run([LOAD, "run", "--url", self.url.rstrip("/"), "-q", "--seed", "1", "--verify", "--threshold", "errors<0.0001%", *arguments],
                              capture_output=True, text=True, timeout=4 * PATIENCE)

    def test_a_budget_of_one_mib_serves_hundreds_at_once(self):
        self.serve("--memory-budget", "1MiB")
        done = self.load("--op", "upload", "--clients", "300", "--transfers", "300", "--size", "64KiB")
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        done = self.load("--op", "upload-delta", "--clients", "200", "--transfers", "200", "--size", "64KiB", "--edits", "2", "--edit-size", "256")
        self.assertEqual(done.returncode, 0, done.stderr[-1000:])
        wait_for(lambda: self.figures()["transfers"] == "0", "the end of all transfers")
        self.assertEqual(self.figures()["memory"], "0 B")

    def test_files_larger_than_the_budget_pass_in_both_directions(self):
        self.serve("--memory-budget", "1MiB")
        content = noise(9 * MIB)
        local = self.write("large", content)
        clients = [self.start_client("upload", "-q", "--whole-file", local, f"{self.url}large{i}") for i in range(6)]
        for client in clients:
            _, errors = client.communicate(timeout=PATIENCE)
            self.assertEqual(client.returncode, 0, errors)
        clients = [self.start_client("download", "-q", f"{self.url}large{i}", self.path(f"back{i}")) for i in range(6)]
        for i, client in enumerate(clients):
            _, errors = client.communicate(timeout=PATIENCE)
            self.assertEqual(client.returncode, 0, errors)
            self.assertEqual(self.read(f"back{i}"), content)
        wait_for(lambda: self.figures()["memory"] == "0 B", "the memory's return")

    def test_a_budget_that_nothing_fits_into_is_refused(self):
        for budget, sentence in (("512KiB", "at least 1MiB"), ("much", "is not a size")):
            done = subprocess.run([MILLRACED, "serve", "--data", self.path("other"), "--listen", "127.0.0.1:0", "--memory-budget", budget],
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertIn(sentence, done.stderr)

    def test_a_download_without_credit_ends_as_too_slow(self):
        self.serve("--min-rate-window", "1")
        self.run_client("upload", "-q", self.write("f", noise(2 * MIB)), self.url + "f")
        with RawClient(self.server.port) as client:
            # Windows of 1 byte, and no WINDOW ever.
            client.send(frame(HELLO, 0, field(7, varint(1)) + field(8, varint(1))) + frame(DOWNLOAD, 1, field(1, b"f")))
            self.assertIn(b"E_TOO_SLOW", self.error_of(client, 0))
        wait_for(lambda: self.figures()["memory"] == "0 B", "the memory's return")
        wait_for(lambda: self.figures()["slow"] == "1", "it to be counted")
        self.run_client("download", "-q", self.url + "f", self.path("back"))

    def test_a_stop_in_the_middle_of_a_frame_ends_as_too_slow(self):
        self.serve("--min-rate-window", "1")
        begun = [frame(LIST, 1, field(1, b"x" * 1000))[:500],  # a message
                 upload_request(1, b"a", 100_000) + bytes([0, 0, 1]) + varint(90_000) + bytes(100)]  # DATA
        for cut in begun:
            with RawClient(self.server.port) as client:
                client.send(frame(HELLO, 0) + cut)
                self.assertIn(b"E_TOO_SLOW", self.error_of(client, 0))
        wait_for(lambda: self.figures()["slow"] == "2", "both to be counted")

    def test_a_client_that_says_nothing_at_all_ends_as_too_slow(self):
        self.serve("--min-rate-window", "1")
        with RawClient(self.server.port) as client:
            self.assertIn(b"E_TOO_SLOW", self.error_of(client, 0))

    def test_an_idle_connection_stays_unless_a_limit_is_given(self):
        self.serve("--min-rate-window", "1", "--idle-timeout", "3")
        with RawClient(self.server.port) as client:
            client.send(frame(HELLO, 0))
            self.assertIn(b"Nothing was asked for in 3 seconds", self.error_of(client, 0))

    def test_transfers_that_do_nothing_give_their_places_to_those_that_wait(self):
        self.serve("--memory-budget", "1MiB", "--min-rate-window", "2")
        self.take_all_places()
        self.run_client("upload", "-q", self.write("f", noise(100_000)), self.url + "f")
        self.assertEqual(self.server.stored("f"), noise(100_000))
        # Once one has left nobody waits any more, and those that are left may stay.
        self.assertGreaterEqual(int(self.figures()["slow"]), 1)

    def test_a_transfer_that_gets_no_memory_in_time_is_told_so(self):
        self.serve("--memory-budget", "1MiB", "--min-rate", "0", "--memory-wait", "1")
        self.take_all_places()
        done = self.run_client("upload", "-q", self.write("f", noise(100_000)), self.url + "f", code=16)
        self.assertIn(b"error[E_BUSY]", done.stderr)
        self.assertIn(b"no memory for this transfer", done.stderr)
        self.assertEqual(self.figures()["busy"], "1")

    def test_streams_without_end_are_refused_and_counted(self):
        with RawClient(self.server.port) as client:
            client.send(frame(HELLO, 0))
            for stream in range(1, 2 * 1100, 2):
                client.send(upload_request(stream, b"s%d" % stream, 100_000))
            self.assertIn(b"E_BUSY", self.error_of(client, 2 * 1024 + 1))
            wait_for(lambda: self.figures()["busy"] == "76", "all that were refused")
            self.assertEqual(self.figures()["transfers"], "1024")
        wait_for(lambda: self.figures()["transfers"] == "0", "the end of all transfers")

    def test_one_line_tells_how_the_server_is(self):
        self.run_client("upload", "-q", self.write("f", noise(300_000)), self.url + "f")
        wait_for(lambda: self.figures()["sessions"] == "0", "the end of the session")
        seen = self.figures()
        self.assertEqual((seen["budget"], seen["refused"], seen["busy"], seen["slow"]), ("256.0 MiB", "0", "0", "0"))
        self.assertNotEqual(seen["most"], "0 B")


if __name__ == "__main__":
    unittest.main()
