"""Bad input gets a clear sentence and the right exit code, and nothing is lost: local files, remote paths, names."""
import os
import signal
import subprocess
import sys
import unittest

import harness
from harness import DELETE, DOWNLOAD, ERROR, HELLO, LIST, MOVE, PATIENCE, STAT, UPLOAD, VERIFY, RawClient, ServerTest, field, frame, noise, wait_for

BAD_PATHS = [b"../x", b"x/..", b"a/../b", b".", b"./x", b"a/./b", b"a//b", b"/x", b"x/", b"x" * 256, b"a/" + b"y" * 256,
             b"/".join([b"d" * 200] * 21), b"nul\0byte"]


class LocalFiles(ServerTest):
    def test_no_such_file(self):
        done = self.run_client("upload", self.path("missing"), self.url + "f", code=10)
        self.assertIn(b"missing", done.stderr)
        self.assertFalse(os.path.exists(self.server.stored_path("f")))

    def test_a_folder_where_a_file_belongs_says_that_sync_is_to_come(self):
        os.mkdir(self.path("folder"))
        done = self.run_client("upload", self.path("folder"), self.url + "f", code=2)
        self.assertIn(b"sync", done.stderr)
        local = self.write("local", b"data")
        self.run_client("upload", "-q", local, self.url + "there/f")
        for target in (self.url + "there",):
            self.assertIn(b"sync", self.run_client("download", target, self.path("out"), code=2).stderr)
            self.assertIn(b"folder", self.run_client("upload", local, target, code=2).stderr)
        self.assertIn(b"sync", self.run_client("download", self.url + "there/f", self.path("folder"), code=2).stderr)
        self.run_client("download", self.url + "there/f", self.path("folder") + "/")
        self.assertEqual(self.read("folder/f"), b"data")

    def test_an_unreadable_file(self):
        secret = self.write("secret", b"data")
        os.chmod(secret, 0)
        options = {}
        if os.getuid() == 0:
            os.chmod(self.folder, 0o755)
            options = {"user": 65534, "group": 65534, "extra_groups": [], "env": {**os.environ, "HOME": "/nonexistent"}}
            if subprocess.run(["test", "-x", harness.MILLRACE], **options).returncode != 0:
                self.skipTest("this runs as root, who may read everything, and another user cannot reach the program")
        done = self.run_client("upload", secret, self.url + "f", code=13, **options)
        self.assertIn(b"secret", done.stderr)

    def test_special_files_are_never_opened_for_good(self):
        os.mkfifo(self.path("fifo"))
        self.run_client("upload", self.path("fifo"), self.url + "f", code=2)
        self.run_client("upload", "/dev/zero", self.url + "f", code=2)
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "f")
        self.run_client("download", self.url + "f", self.path("fifo"), code=2)
        self.run_client("download", self.url + "f", "/dev/null", code=2)

    def test_special_files_on_the_server_are_never_opened(self):
        os.mkfifo(self.server.stored_path("fifo"))
        os.symlink("/etc/passwd", self.server.stored_path("link"))
        local = self.write("local", b"data")
        for name in ("fifo", "link"):
            self.run_client("download", self.url + name, self.path("out"), code=13)
            self.run_client("upload", "--force", local, self.url + name, code=13)
        self.assertNotIn("fifo", self.run_client("list", self.url).stdout.decode())
        self.assertFalse(os.path.exists(self.path("out")))

    def test_one_failed_file_does_not_stop_the_others(self):
        good = [self.write(f"good{i}", b"%d" % i) for i in range(5)]
        done = self.run_client("upload", *good[:2], self.path("missing"), *good[2:], self.url + "d/", code=3)
        self.assertEqual(done.stderr.count(b"error["), 1)
        for i in range(5):
            self.assertEqual(self.server.stored(f"d/good{i}"), b"%d" % i)
        done = self.run_client("download", self.url + "d/good0", self.url + "d/none", self.url + "d/good4", self.folder + "/back", code=2)
        os.mkdir(self.path("back"))
        self.run_client("download", self.url + "d/good0", self.url + "d/none", self.url + "d/good4", self.path("back") + "/", code=3)
        self.assertEqual(sorted(os.listdir(self.path("back"))), ["good0", "good4"])

    def test_when_all_files_fail_the_code_is_the_first_ones(self):
        self.run_client("upload", self.path("no1"), self.path("no2"), self.url + "d/", code=10)


class ChangingFiles(ServerTest):
    SIZE = 64 << 20

    def test_a_file_that_changes_once_is_tried_once_more(self):
        for attempt in range(50):
            path = self.write("local", noise(self.SIZE, attempt))
            client = self.start_client("upload", "-q", path, self.url + "f")
            wait_for(lambda: client.poll() is not None or harness.has_open(client, path), "the client to open its file")
            client.send_signal(signal.SIGSTOP)
            if client.poll() is None and harness.has_open(client, path):
                break
        with open(path, "r+b") as file:
            file.seek(self.SIZE // 2)
            file.write(b"changed meanwhile")
        client.send_signal(signal.SIGCONT)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual((client.returncode, errors), (0, b""))
        self.assertEqual(self.server.stored("f"), self.read("local"))
        self.run_client("verify", self.url + "f")

    def test_a_file_that_does_not_stop_changing_ends_with_4(self):
        self.run_client("upload", "-q", self.write("old", b"old"), self.url + "f")
        path = self.write("local", noise(self.SIZE))
        writer = subprocess.Popen([sys.executable, "-c", """
import os, sys
descriptor = os.open(sys.argv[1], os.O_WRONLY)
at = 0
while True:
    os.pwrite(descriptor, at.to_bytes(8, "little"), at * 4096 % (64 << 20))
    at += 1
    if at == 1: print("writing", flush=True)
""", path], stdout=subprocess.PIPE)
        self.addCleanup(harness.end, writer)
        writer.stdout.readline()
        done = self.run_client("upload", path, self.url + "f", code=4)
        self.assertIn(b"changed while it was read", done.stderr)
        self.assertEqual(self.server.stored("f"), b"old")

    def test_a_file_that_was_exchanged_during_its_download_is_not_replaced(self):
        self.run_client("upload", "-q", self.write("new", noise(self.SIZE, 1)), self.url + "f")
        for attempt in range(50):
            path = self.write("local", noise(self.SIZE, 2))
            client = self.start_client("download", "-q", self.url + "f", path)
            wait_for(lambda: client.poll() is not None or harness.has_open(client, path), "the client to open its file")
            client.send_signal(signal.SIGSTOP)
            if client.poll() is None and harness.has_open(client, path):
                break
        os.rename(self.write("edited", b"an editor's work"), path)
        client.send_signal(signal.SIGCONT)
        client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 4)
        self.assertEqual(self.read("local"), b"an editor's work")


class RemotePaths(ServerTest):
    def test_the_client_refuses_bad_paths(self):
        path = self.write("local", b"data")
        self.run_client("upload", "-q", path, self.url + "good")
        for bad in BAD_PATHS:
            if b"\0" in bad:
                continue  # no argument can hold it; the raw test does
            address = os.fsencode(self.url) + bad
            if not bad.endswith(b"/"):  # which makes a folder of it
                self.run_client("upload", path, address, code=2)
                self.run_client("stat", address, code=2)
                self.run_client("delete", address, code=2)
            self.run_client("download", address, self.path("out"), code=2)
            self.run_client("move", self.url + "good", bad, code=2)
        self.run_client("delete", self.url, code=2)
        self.assertEqual(os.listdir(self.server.stored_path("")), ["good"])

    def test_the_server_refuses_bad_paths(self):
        for bad in [*BAD_PATHS, b""]:
            for kind in (UPLOAD, DOWNLOAD, DELETE, MOVE, VERIFY, LIST, STAT):
                if bad == b"" and kind in (LIST, STAT):
                    continue  # the root folder
                payload = field(1, b"good") + field(2, bad) if kind == MOVE else field(1, bad)
                with RawClient(self.server.port) as raw:
                    raw.send(frame(HELLO, 0) + frame(kind, 1, payload))
                    answer = next(got for got in raw.frames() if got[0] != HELLO)
                self.assertEqual(answer[:2], (ERROR, 1), (kind, bad[:20], answer))
                self.assertIn(b"E_USAGE", answer[2], (kind, bad[:20]))
        self.assertEqual(os.listdir(self.server.stored_path("")), [])

    def test_paths_at_the_limits_are_taken(self):
        path = self.write("local", b"data")
        part = "p" * 255
        deep = "/".join(["d" * 255] * 15 + ["q" * 255])
        self.assertEqual(len(deep), 4095)
        for name in (part, deep):
            self.run_client("upload", "-q", path, self.url + name)
            self.run_client("download", "-q", self.url + name, self.path("out"))
            self.assertEqual(self.read("out"), b"data")
            os.remove(self.path("out"))

    def test_names_are_stored_as_they_are_and_escaped_in_output(self):
        names = {b"new\nline": rb"new\nline", b"tab\tcontrol\x1b[31m": rb"tab\tcontrol\x1b[31m", b"bad utf8 \xff\xfe": rb"bad utf8 \xff\xfe",
                 "grün".encode(): "grün".encode(), b"back\\slash": rb"back\\slash", b"per%20cent": b"per%20cent", b"[a,b]": b"[a,b]", b"-x": b"-x"}
        for name, shown in names.items():
            local = os.path.join(os.fsencode(self.folder), name)
            with open(local, "wb") as file:
                file.write(b"content of " + name)
            self.run_client("upload", "-v", local, self.url)
            self.assertEqual(self.server.stored(name), b"content of " + name)
            listing = self.run_client("list", self.url).stdout
            self.assertIn(shown, listing)
            self.assertNotIn(b"\x1b", listing)
            event = self.events("stat", os.fsencode(self.url) + name)[1]
            self.assertEqual(event["path"], shown.decode())
            self.assertIn(shown, self.run_client("download", b"-v", os.fsencode(self.url) + name, self.path("out")).stdout)
            self.assertEqual(self.read("out"), b"content of " + name)
            missing = self.run_client("stat", os.fsencode(self.url) + name + b".missing", code=10)
            self.assertNotIn(b"\x1b", missing.stderr)
        self.assertEqual(sorted(os.listdir(os.fsencode(self.server.stored_path("")))), sorted(names))

    def test_bad_addresses(self):
        for bad in ("http://h/x", "millrace://", "millrace:///x", "millrace://h:x/y", "plain"):
            done = self.run_client("stat", bad, code=2)
            self.assertIn(b"millrace://", done.stderr)


class Refusals(ServerTest):
    def test_move_onto_something_needs_force(self):
        self.run_client("upload", "-q", self.write("a", b"a"), self.url + "a")
        self.run_client("upload", "-q", self.write("b", b"b"), self.url + "b")
        self.run_client("move", self.url + "a", self.url + "b", code=11)
        self.assertEqual((self.server.stored("a"), self.server.stored("b")), (b"a", b"b"))
        self.run_client("move", "--dry-run", "--force", self.url + "a", self.url + "b")
        self.run_client("move", "--dry-run", self.url + "a", self.url + "b", code=11)
        self.assertEqual((self.server.stored("a"), self.server.stored("b")), (b"a", b"b"))
        self.run_client("move", "--force", self.url + "a", self.url + "b")
        self.assertEqual(self.server.stored("b"), b"a")
        self.assertFalse(os.path.exists(self.server.stored_path("a")))
        self.run_client("move", self.url + "a", "c", code=10)
        self.run_client("move", self.url + "b", "millrace://127.0.0.1:1/b", code=2)

    def test_delete_of_a_folder_needs_r(self):
        for name in ("d/one", "d/e/two"):
            self.run_client("upload", "-q", self.write("a", b"a"), self.url + name)
        self.run_client("delete", self.url + "d", code=11)
        self.run_client("delete", "--dry-run", self.url + "d", code=11)
        self.run_client("delete", "--dry-run", "-r", self.url + "d")
        self.assertEqual(self.server.stored("d/e/two"), b"a")
        self.run_client("delete", "-r", self.url + "d")
        self.assertFalse(os.path.exists(self.server.stored_path("d")))
        self.run_client("delete", self.url + "d", code=10)

    def test_a_file_where_a_folder_is_needed(self):
        local = self.write("a", b"a")
        self.run_client("upload", "-q", local, self.url + "f")
        self.run_client("upload", local, self.url + "f/below", code=11)
        self.assertEqual(self.server.stored("f"), b"a")


if __name__ == "__main__":
    unittest.main()
