"""The real programs on loopback: what a person does with them, and what must not go wrong."""
import os
import random
import unittest

from harness import ServerTest


class Transfers(ServerTest):
    def test_only_the_change_goes_up_and_comes_down(self):
        old = random.Random(1).randbytes(20_000_000)
        new = old[:9_000_000] + b"inserted" + old[9_000_000:]
        a, b = self.write("a", old), self.write("b", new)
        self.run_client("upload", a, self.url + "x/y/f")
        summary = self.summary("upload", b, self.url + "x/y/f")
        self.assertLess(summary["bytes_sent"] + summary["bytes_received"], 200_000)
        self.assertEqual(self.server.stored("x/y/f"), new)
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
                self.assertEqual(self.server.stored(name), version)
                out = self.path("out")
                self.run_client("download", self.url + name, out)
                with open(out, "rb") as file:
                    self.assertEqual(file.read(), version)

    def test_zeros_cost_next_to_nothing_and_become_holes(self):
        path = self.path("sparse")
        with open(path, "wb") as file:
            file.truncate(200_000_000)
        summary = self.summary("upload", path, self.url + "sparse")
        self.assertLess(summary["bytes_sent"], 5_000)
        self.assertLess(os.stat(self.server.stored_path("sparse")).st_blocks * 512, 1_000_000)

    def test_mode_and_time_travel(self):
        path = self.write("local", b"x" * 10_000)
        os.chmod(path, 0o640)
        os.utime(path, ns=(0, 1_234_567_890_123_456_789))
        self.run_client("upload", path, self.url + "f")
        out = self.path("out")
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

    def test_files_that_are_hashed_side_by_side(self):
        # Their requests become ready in an order of their own.
        contents = {f"n{i}": random.Random(i).randbytes(random.Random(i).choice((5_000, 100_000, 3_000_000))) for i in range(60)}
        files = [self.write(name, content) for name, content in contents.items()]
        for _ in range(3):
            self.run_client("upload", "-q", *files, self.url + "folder/")
        for name, content in contents.items():
            self.assertEqual(self.server.stored("folder/" + name), content)
        os.mkdir(self.path("back"))
        self.run_client("download", "-q", *[self.url + "folder/" + name for name in contents], self.path("back") + "/")
        for name, content in contents.items():
            with open(self.path("back/" + name), "rb") as file:
                self.assertEqual(file.read(), content)

    def test_move_and_delete_ask_before_they_destroy(self):
        path = self.write("local", b"data")
        self.run_client("upload", "-q", path, self.url + "d/a")
        self.run_client("upload", "-q", path, self.url + "b")
        self.run_client("move", self.url + "d/a", "b", code=11)
        self.run_client("delete", self.url + "d", code=11)
        self.run_client("delete", "-r", self.url + "d")
        self.run_client("stat", self.url + "d/a", code=10)


if __name__ == "__main__":
    unittest.main()
