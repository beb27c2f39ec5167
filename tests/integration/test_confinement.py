"""Whatever stands under files/ by the hand of others, the server reads and writes nowhere but in its data folder."""
import ctypes
import itertools
import os
import random
import subprocess
import threading
import time
import unittest

from harness import MILLRACE, PATIENCE, Server, ServerTest, noise

ROUNDS = 60


def attempt(*arguments):
    """The exit code of a client that may or may not succeed."""
    return subprocess.run([MILLRACE, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode


def exchange(one, other):
    renameat2, at_cwd, rename_exchange = ctypes.CDLL(None, use_errno=True).renameat2, -100, 2
    if renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), rename_exchange) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


class Landlock(ServerTest):
    def test_a_folder_that_was_carried_out_of_the_data_folder(self):
        # The server has the folder open, so only the kernel's rules stand in its way.
        self.run_client("upload", "-q", self.write("a", b"before"), self.url + "d/a")
        outside = self.path("outside")
        os.rename(os.path.join(self.server.data, "files"), outside)
        try:
            code = attempt("upload", "-q", self.write("a", b"after"), self.url + "d/a")
            if code == 0:
                self.skipTest("this kernel has no Landlock")
            self.assertEqual(code, 13)
            # A commit that the disk refuses has the server stop writing until its next start.
            self.assertNotEqual(attempt("upload", "-q", self.write("b", b"new"), self.url + "b"), 0)
            self.assertEqual(self.read("outside/d/a"), b"before")
            self.assertEqual(os.listdir(outside), ["d"])
        finally:
            os.rename(outside, os.path.join(self.server.data, "files"))
        self.restart()
        self.run_client("upload", "-q", self.path("b"), self.url + "b")
        self.assertEqual(self.server.stored("b"), b"new")
        # Not acknowledged: it may have happened or not.
        self.assertIn(self.server.stored("d/a"), (b"before", b"after"))


class Choice(ServerTest):
    """--confine: what the kernel says of the process."""

    def confined(self, mode):
        self.server.stop()
        self.server = Server(self.server.data, "--confine", mode)
        with open(f"/proc/{self.server.process.pid}/status") as status:
            return "NoNewPrivs:\t1" in status.read()

    def test_the_option_decides(self):
        if not self.confined("auto"):
            self.skipTest("this kernel has no Landlock")
        self.assertTrue(self.confined("on"))
        self.assertFalse(self.confined("off"))
        self.run_client("upload", "-q", self.write("f", b"not confined"), self.url + "f")
        self.assertEqual(self.server.stored("f"), b"not confined")


class Swaps(ServerTest):
    """Folders under files/ become symlinks to outside and back while clients write, read, move and delete there."""

    def swap_without_end(self, place, link, stop):
        """`link` is a symlink beside the folder `place`: the two exchange their names, and now and then the place is empty for a moment."""
        pauses, spare = random.Random(1), place + ".spare"
        for number in itertools.count():
            if stop.is_set():
                return
            exchange(place, link)
            time.sleep(pauses.choice((0, 0.0005, 0.003)))
            os.rename(place, spare)
            time.sleep(pauses.choice((0, 0.0005)))
            try:
                os.rename(spare, place)
            except OSError:  # a client has made it again
                exchange(spare, place)
                os.rename(spare, f"{place}.{number}")

    def test_nothing_is_touched_outside(self):
        os.makedirs(self.path("outside/sub"))
        secret = self.write("outside/secret", b"secret" * 1000)
        before = os.stat(secret)
        content = noise(200_000)
        local, small = self.write("large", content), self.write("small", b"small")
        self.run_client("upload", "-q", local, self.url + "d/sub/f")
        self.run_client("upload", "-q", small, self.url + "d/secret")
        place, link = self.server.stored_path("d"), self.server.stored_path("link")
        os.symlink(self.path("outside"), link)
        stop = threading.Event()
        swapper = threading.Thread(target=self.swap_without_end, args=(place, link, stop))
        swapper.start()
        codes = set()
        try:
            for number in range(ROUNDS):
                for command in (("upload", "-q", local, self.url + f"d/sub/f{number % 4}"),
                                ("upload", "-q", "--force", small, self.url + "d/secret"),
                                ("download", "-q", self.url + "d/secret", self.path("got")),
                                ("move", "--force", self.url + f"d/sub/f{number % 4}", self.url + "d/sub/g"),
                                ("list", "-r", self.url + "d"),
                                ("delete", "-r", self.url + "d/sub")):
                    codes.add(attempt(*command))
                    if command[0] == "download" and os.path.exists(self.path("got")):
                        self.assertEqual(self.read("got"), b"small")
        finally:
            stop.set()
            swapper.join()
        self.assertTrue(self.server.alive())
        self.assertEqual(sorted(os.listdir(self.path("outside"))), ["secret", "sub"])
        self.assertEqual(os.listdir(self.path("outside/sub")), [])
        after = os.stat(secret)
        self.assertEqual((before.st_ino, before.st_mtime_ns, before.st_ctime_ns), (after.st_ino, after.st_mtime_ns, after.st_ctime_ns))
        self.assertEqual(self.read("outside/secret"), b"secret" * 1000)
        # Some of it must have met a folder, some a symlink, or this has shown nothing.
        self.assertIn(0, codes)
        self.assertTrue(codes & {10, 11, 13, 3}, codes)
        # What other programs do to folders is no failure of the disk: the server still writes.
        self.run_client("upload", "-q", small, self.url + "elsewhere/f")


if __name__ == "__main__":
    unittest.main()
