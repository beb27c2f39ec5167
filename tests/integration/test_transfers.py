"""The real programs on loopback: what a person does with them, and what must not go wrong."""
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import unittest

MILLRACE = os.environ["MILLRACE"]
MILLRACED = os.environ["MILLRACED"]


class Transfers(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.data = os.path.join(self.folder.name, "data")
        self.start()

    def start(self, *extra):
        self.server = subprocess.Popen([MILLRACED, "serve", "--data", self.data, "--listen", "127.0.0.1:0", *extra],
                                       stdout=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        self.assertIn("listening on", line)
        self.port = line.rsplit(":", 1)[1].strip()
        self.url = f"millrace://127.0.0.1:{self.port}/"

    def tearDown(self):
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(60), 0)
        self.server.stdout.close()
        self.folder.cleanup()

    def run_client(self, *arguments, code=0, **options):
        done = subprocess.run([MILLRACE, *arguments], capture_output=True, timeout=120, **options)
        self.assertEqual(done.returncode, code, done.stderr)
        return done

    def summary(self, *arguments, **options):
        done = self.run_client(arguments[0], "--json", *arguments[1:], **options)
        return json.loads(done.stdout.decode().strip().splitlines()[-1])

    def write(self, name, content):
        path = os.path.join(self.folder.name, name)
        with open(path, "wb") as file:
            file.write(content)
        return path

    def stored(self, name):
        with open(os.path.join(self.data, "files", name), "rb") as file:
            return file.read()

    def test_only_the_change_goes_up_and_comes_down(self):
        old = random.Random(1).randbytes(20_000_000)
        new = old[:9_000_000] + b"inserted" + old[9_000_000:]
        a, b = self.write("a", old), self.write("b", new)
        self.run_client("upload", a, self.url + "x/y/f")
        summary = self.summary("upload", b, self.url + "x/y/f")
        self.assertLess(summary["bytes_sent"] + summary["bytes_received"], 200_000)
        self.assertEqual(self.stored("x/y/f"), new)
        again = self.summary("upload", b, self.url + "x/y/f")
        self.assertLess(again["bytes_sent"] + again["bytes_received"], 400)
        down = self.summary("download", self.url + "x/y/f", a)
        self.assertLess(down["bytes_sent"] + down["bytes_received"], 200_000)
        with open(a, "rb") as file:
            self.assertEqual(file.read(), new)
        self.run_client("verify", self.url + "x/y/f")

    def test_sizes_at_the_edges(self):
        for size in (0, 1, 4095, 4096, 4097, 65536, 1_000_000):
            content = random.Random(size).randbytes(size)
            name = f"f{size}"
            for version in (content, content + b"tail", content[: size // 2]):
                self.run_client("upload", self.write("local", version), self.url + name)
                self.assertEqual(self.stored(name), version)
                out = os.path.join(self.folder.name, "out")
                self.run_client("download", self.url + name, out)
                with open(out, "rb") as file:
                    self.assertEqual(file.read(), version)

    def test_zeros_cost_next_to_nothing_and_become_holes(self):
        path = os.path.join(self.folder.name, "sparse")
        with open(path, "wb") as file:
            file.truncate(200_000_000)
        summary = self.summary("upload", path, self.url + "sparse")
        self.assertLess(summary["bytes_sent"], 5_000)
        self.assertLess(os.stat(os.path.join(self.data, "files", "sparse")).st_blocks * 512, 1_000_000)

    def test_mode_and_time_travel(self):
        path = self.write("local", b"x" * 10_000)
        os.chmod(path, 0o640)
        os.utime(path, ns=(0, 1_234_567_890_123_456_789))
        self.run_client("upload", path, self.url + "f")
        out = os.path.join(self.folder.name, "out")
        self.run_client("download", self.url + "f", out)
        self.assertEqual(os.stat(out).st_mtime_ns, 1_234_567_890_123_456_789)
        self.assertEqual(os.stat(out).st_mode & 0o777, 0o640)

    def test_pipes(self):
        self.run_client("upload", "-q", "-", self.url + "f", input=b"through a pipe")
        self.assertEqual(self.run_client("download", self.url + "f", "-").stdout, b"through a pipe")

    def test_many_files_on_one_connection_and_hostile_names(self):
        files = [self.write(f"n{i}", b"content %d" % i) for i in range(300)]
        self.run_client("upload", "-q", *files, self.url + "folder/")
        listing = self.run_client("list", self.url + "folder/").stdout.decode()
        self.assertEqual(len(listing.splitlines()), 300)
        self.run_client("upload", "-q", files[0], self.url + "new\nline")
        self.assertIn("new\\nline", self.run_client("list", self.url).stdout.decode())

    def test_move_and_delete_ask_before_they_destroy(self):
        path = self.write("local", b"data")
        self.run_client("upload", "-q", path, self.url + "d/a")
        self.run_client("upload", "-q", path, self.url + "b")
        self.run_client("move", self.url + "d/a", "b", code=11)
        self.run_client("delete", self.url + "d", code=11)
        self.run_client("delete", "-r", self.url + "d")
        self.run_client("stat", self.url + "d/a", code=10)

    def test_bad_input_gets_a_clear_code(self):
        path = self.write("local", b"data")
        for bad in ("../x", "a//b", "./x", "/x", "x" * 256):
            self.run_client("upload", path, self.url + bad, code=2)
        self.run_client("upload", os.path.join(self.folder.name, "missing"), self.url + "f", code=10)
        self.run_client("upload", self.folder.name, self.url + "f", code=2)
        self.run_client("download", self.url + "missing", os.path.join(self.folder.name, "out"), code=10)
        self.run_client("upload", path, "millrace://127.0.0.1:1/f", code=16)
        second = subprocess.run([MILLRACED, "serve", "--data", self.data, "--listen", "127.0.0.1:0"], capture_output=True, timeout=30)
        self.assertNotEqual(second.returncode, 0)
        other = subprocess.run([MILLRACED, "serve", "--data", self.data + "2", "--listen", f"127.0.0.1:{self.port}"],
                               capture_output=True, timeout=30)
        self.assertIn(b"in use", other.stderr)

    def test_other_protocols_do_not_disturb_the_server(self):
        for greeting in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01", os.urandom(1000), b"\x01\x00\x00\xff\xff\xff\x7f"):
            with socket.create_connection(("127.0.0.1", int(self.port)), 10) as connection:
                connection.sendall(greeting)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(10)
                try:
                    while connection.recv(4096):
                        pass
                except ConnectionResetError:
                    pass
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "f")

    def test_a_killed_server_leaves_the_old_version_or_the_new_one(self):
        old = random.Random(1).randbytes(30_000_000)
        new = random.Random(2).randbytes(30_000_000)
        a, b = self.write("a", old), self.write("b", new)
        self.run_client("upload", "-q", a, self.url + "f")
        for delay in (0.01, 0.05, 0.1, 0.2):
            client = subprocess.Popen([MILLRACE, "upload", "-q", b, self.url + "f"], stderr=subprocess.DEVNULL)
            try:
                client.wait(delay)
            except subprocess.TimeoutExpired:
                pass
            self.server.kill()
            self.server.wait()
            self.server.stdout.close()
            acknowledged = client.wait(60) == 0
            self.start()
            stored = self.stored("f")
            self.assertIn(stored, (new,) if acknowledged else (old, new))
            self.assertEqual(os.listdir(os.path.join(self.data, "staging")), [])
            self.run_client("verify", self.url + "f")


if __name__ == "__main__":
    unittest.main()
