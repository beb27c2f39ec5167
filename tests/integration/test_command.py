"""What the command says: events, progress, the last two lines, -v and -q, dry runs, MILLRACE_URL."""
import json
import os
import pty
import re
import signal
import subprocess
import unittest

import harness
from harness import MILLRACE, PATIENCE, ServerTest, noise, wait_for


class Events(ServerTest):
    def check_common(self, events):
        for event in events:
            self.assertEqual(event["v"], 1)
            self.assertGreater(event["ts"], 1_600_000_000)
        self.assertEqual([event["ts"] for event in events], sorted(event["ts"] for event in events))
        self.assertEqual((events[0]["event"], events[-1]["event"]), ("start", "summary"))

    def test_an_upload_of_several_files(self):
        files = [self.write(f"n{i}", noise(10_000 + i)) for i in range(3)]
        events = self.events("upload", *files, self.path("missing"), self.url + "d/", code=3)
        self.check_common(events)
        kinds = [event["event"] for event in events if event["event"] != "progress"]
        self.assertEqual(kinds[:2], ["start", "plan"])
        self.assertEqual(sorted(kinds[2:-1]), ["error", "file", "file", "file"])
        plan = events[1]
        self.assertEqual((plan["files"], plan["bytes"]), (4, 30_003))
        error = next(event for event in events if event["event"] == "error")
        self.assertEqual((error["code"], error["path"]), ("E_NOT_FOUND", "d/missing"))
        self.assertIn("missing", error["sentence"])
        self.assertEqual({event["path"] for event in events if event["event"] == "file"}, {"d/n0", "d/n1", "d/n2"})
        summary = events[-1]
        self.assertEqual((summary["files"], summary["failed"], summary["total_bytes"]), (3, 1, 30_003))
        for name in ("bytes_sent", "bytes_received", "literal_bytes", "matched_bytes", "round_trips", "seconds", "version", "root"):
            self.assertIn(name, summary)
        self.assertRegex(summary["root"], "^[0-9a-f]{64}$")

    def test_what_is_refused_before_it_begins_has_its_events_too(self):
        events = self.events("upload", self.path("x"), self.url + "a/../b", code=2)
        self.assertEqual([event["event"] for event in events], ["error", "summary"])
        self.assertEqual(events[0]["code"], "E_USAGE")

    def test_requests(self):
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "d/f")
        for arguments, kinds in ((["list", "-r", self.url], ["start", "entry", "entry", "summary"]), (["stat", self.url + "d/f"], ["start", "entry", "summary"]),
                                 (["verify", self.url + "d/f"], ["start", "file", "summary"]), (["move", self.url + "d/f", "g"], ["start", "file", "summary"]),
                                 (["delete", self.url + "g"], ["start", "file", "summary"])):
            events = self.events(*arguments)
            self.check_common(events)
            self.assertEqual([event["event"] for event in events], kinds)

    def test_progress_events_are_at_most_five_a_second(self):
        # The server stands still, so the client waits and says so at its own pace.
        local = self.write("local", noise(32 << 20))
        self.server.pause()
        client = self.start_client("upload", "--json", local, self.url + "f", stdout=subprocess.PIPE)
        seen = []
        while len(seen) < 4:
            event = json.loads(client.stdout.readline())
            if event["event"] == "progress":
                seen.append(event)
        self.server.resume()
        seen += [event for event in map(json.loads, client.stdout) if event["event"] == "progress"]
        self.assertEqual(client.wait(PATIENCE), 0)
        times = [event["ts"] for event in seen]
        for earlier, later in zip(times, times[5:]):
            self.assertGreater(later - earlier, 0.9)
        for name in ("percent", "bytes_done", "files_done", "wire_bytes"):
            self.assertEqual([event[name] for event in seen], sorted(event[name] for event in seen))
        self.assertIn("phase", seen[0])

    def test_a_download_to_a_pipe_keeps_its_output_clean(self):
        self.run_client("upload", "-q", self.write("local", b"the content"), self.url + "f")
        done = self.run_client("download", "--json", self.url + "f", "-")
        self.assertEqual(done.stdout, b"the content")
        self.assertEqual(json.loads(done.stderr.decode().splitlines()[-1])["event"], "summary")
        self.assertEqual(self.run_client("download", self.url + "f", "-").stdout, b"the content")
        self.assertEqual(self.run_client("download", self.url + "none", "-", code=10).stdout, b"")


class Lines(ServerTest):
    LAST = rb"(?s)^sent [\d,]+ bytes  received [\d,]+ bytes  [\d,]+ bytes/sec\ntotal size is %s  speedup is \d+\.\d\d\n$"

    def test_the_last_two_lines_are_rsyncs(self):
        local = self.write("local", bytes(1_234_567))
        self.assertRegex(self.run_client("upload", local, self.url + "f").stdout, self.LAST % b"1,234,567")
        self.assertRegex(self.run_client("download", self.url + "f", self.path("out")).stdout, self.LAST % b"1,234,567")
        done = self.run_client("upload", "--json", local, self.url + "f")
        self.assertNotIn(b"speedup", done.stdout)

    def test_quiet_says_nothing_but_errors(self):
        local = self.write("local", noise(3 << 20))
        for arguments in (["upload", "-q", local, self.url + "f"], ["download", "-q", self.url + "f", self.path("out")], ["verify", "-q", self.url + "f"],
                          ["move", "-q", self.url + "f", "g"], ["delete", "-q", self.url + "g"]):
            done = self.run_client(*arguments)
            self.assertEqual((done.stdout, done.stderr), (b"", b""))
        self.assertIn(b"error[E_NOT_FOUND]", self.run_client("delete", "-q", self.url + "g", code=10).stderr)

    def test_verbose_has_a_line_for_each_file(self):
        files = [self.write(f"n{i}", b"content %d" % i) for i in range(3)]
        out = self.run_client("upload", "-v", *files, self.url + "d/").stdout.decode().splitlines()
        self.assertEqual(len(out), 5)
        self.assertIn("d/n1  9 bytes  9 new", out)
        out = self.run_client("upload", "-v", *files[:1], self.url + "d/").stdout.decode().splitlines()
        self.assertRegex(out[0], r"^d/n0  9 bytes  (unchanged|9 new)$")

    def test_the_server_may_come_from_the_environment(self):
        environment = {**os.environ, "MILLRACE_URL": self.url + "below"}
        local = self.write("local", b"data")
        self.run_client("upload", "-q", local, "d/f", env=environment)
        self.assertEqual(self.server.stored("below/d/f"), b"data")
        self.run_client("download", "-q", "d/f", self.path("out"), env=environment)
        self.run_client("move", "d/f", "d/g", env=environment)
        self.assertEqual(self.server.stored("below/d/g"), b"data")
        self.assertIn(b"below/d", self.run_client("list", env=environment).stdout)
        self.run_client("delete", "-r", "d", env=environment)
        self.run_client("list", self.url, env={**os.environ, "MILLRACE_URL": "millrace://127.0.0.1:1/"})
        self.run_client("list", "d", env={**os.environ, "MILLRACE_URL": "nonsense"}, code=2)

    def test_help_and_version(self):
        self.assertIn(b"Exit codes", self.run_client("--help").stdout)
        self.assertIn(b"--dry-run", self.run_client("upload", "--help").stdout)
        self.assertRegex(self.run_client("--version").stdout, rb"^millrace \d+\.\d+\.\d+\n$")
        self.run_client(code=2)
        self.run_client("upload", "--no-such-option", "a", "b", code=2)


class DryRuns(ServerTest):
    def test_an_upload(self):
        old = self.write("old", b"old content")
        self.run_client("upload", "-q", old, self.url + "d/old")
        new = self.write("new", b"new")
        done = self.run_client("upload", "-n", old, new, self.path("missing"), self.url + "d/", code=3)
        lines = done.stdout.decode().splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("same size, time and mode", lines[0])
        self.assertIn("new)", lines[1])
        os.utime(old, (1, 1))
        self.assertIn(b"replaces 11 bytes", self.run_client("upload", "--dry-run", old, self.url + "d/old").stdout)
        self.assertEqual(os.listdir(self.server.stored_path("d")), ["old"])
        self.run_client("upload", "-n", old, self.url + "d", code=2)
        self.run_client("upload", "-n", old, "millrace://127.0.0.1:1/f", code=16)

    def test_many_files_are_asked_for_in_parts(self):
        local = self.write("local", b"data")
        folder = self.path("many")
        os.mkdir(folder)
        names = [f"{i:04}" + "x" * 240 for i in range(1200)]
        for name in names:
            os.link(local, os.path.join(folder, name))
        done = self.run_client("upload", "-n", *[os.path.join(folder, name) for name in names], self.url + "d/")
        self.assertEqual(done.stdout.count(b"would upload"), 1200)

    def test_a_download(self):
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "d/f")
        self.assertIn(b"4 bytes", self.run_client("download", "-n", self.url + "d/f", self.path("out")).stdout)
        self.run_client("download", "-n", self.url + "d/none", self.path("out"), code=10)
        self.run_client("download", "-n", self.url + "d", self.path("out"), code=2)
        self.assertFalse(os.path.exists(self.path("out")))

    def test_a_delete(self):
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "f")
        event = self.events("delete", "-n", self.url + "f")[1]
        self.assertEqual((event["event"], event["dry_run"]), ("file", True))
        self.assertEqual(self.server.stored("f"), b"data")


class ProgressLines(ServerTest):
    """The server stands still while the client says where it is."""

    def waiting_client(self, *extra, stderr):
        local = self.write("local", noise(8 << 20))
        self.server.pause()
        return self.start_client("upload", *extra, local, self.url + "f", stderr=stderr)

    def test_a_bar_on_a_terminal(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        client = self.waiting_client(stderr=theirs)
        os.close(theirs)
        seen = b""
        while b"files 0/1" not in seen:
            seen += os.read(ours, 4096)
        self.server.resume()
        try:
            while more := os.read(ours, 4096):
                seen += more
        except OSError:
            pass  # the terminal's other end is closed
        self.assertEqual(client.wait(PATIENCE), 0)
        line = seen.split(b"\r")[1]
        self.assertRegex(line, rb"^\w[\w ]+  files 0/1  \d+ %  [\d.]+ \w+ on the wire  [\d.]+ \w+/s")
        self.assertTrue(seen.endswith(b"\r\x1b[K"), seen[-80:])
        percents = [int(number) for number in re.findall(rb"(\d+) %", seen)]
        self.assertEqual(percents, sorted(percents))
        self.assertNotIn(b"\n", seen)

    def test_plain_lines(self):
        client = self.waiting_client("--progress=plain", stderr=subprocess.PIPE)
        line = client.stderr.readline()
        self.server.resume()
        self.assertRegex(line, rb"files 0/1  \d+ %.*\n$")
        self.assertNotIn(b"\r", line + client.stderr.read())
        self.assertEqual(client.wait(PATIENCE), 0)

    def test_nothing_in_a_pipe_and_nothing_when_it_is_not_wanted(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        for extra, stderr in (([], subprocess.PIPE), (["--progress=none"], theirs), (["-q"], theirs), (["-q", "--progress=bar"], theirs)):
            client = self.waiting_client(*extra, "--json", stderr=stderr) if extra == [] else self.waiting_client(*extra, stderr=stderr)
            # A few of the turns in which it would be drawn.
            wait_for(lambda: harness.has_open(client, self.path("local")), "the client to begin")
            try:
                client.wait(1)
            except subprocess.TimeoutExpired:
                pass
            self.server.resume()
            self.assertEqual(client.wait(PATIENCE), 0)
            if stderr == subprocess.PIPE:
                self.assertEqual(client.stderr.read(), b"")
        os.set_blocking(ours, False)
        self.assertRaises(BlockingIOError, os.read, ours, 4096)
        os.close(theirs)


if __name__ == "__main__":
    unittest.main()
