"""A full disk on either side: a sentence, exit code 14, and the old version is untouched."""
import contextlib
import os
import signal
import subprocess
import unittest

from harness import MILLRACED, PATIENCE, Server, ServerTest, Tmpfs, noise, wait_for

MIB = 1 << 20


class SmallDisk(ServerTest):
    """A server on a file system of 96 MiB."""

    def setUp(self):
        super().setUp()
        self.assertEqual(self.server.stop(), 0)
        disk = Tmpfs(self.path("small"), "96m")
        self.addCleanup(disk.unmount)
        if disk.reason:
            self.holder.cleanup()
            print("skipped: no small file system can be mounted:", disk.reason)
            self.skipTest("no small file system can be mounted: " + disk.reason)
        self.server = Server(os.path.join(self.path("small"), "data"))

    def tearDown(self):
        if self.server.alive():
            self.assertEqual(self.server.stop(), 0)
        # The folder goes when the file system is unmounted.
        self.addCleanup(self.holder.cleanup)
        self._cleanups.insert(0, self._cleanups.pop())


class FullServer(SmallDisk):
    def test_what_cannot_fit_is_refused_before_it_travels(self):
        self.run_client("upload", "-q", self.write("old", b"old"), self.url + "f")
        local = self.write("large", noise(120 * MIB))
        done = self.run_client("upload", local, self.url + "f", code=14)
        self.assertIn(b"no room", done.stderr)
        self.assertEqual(self.server.stored("f"), b"old")
        self.assertEqual(self.server.staging(), [])
        self.run_client("verify", self.url + "f")

    def test_a_disk_that_fills_up_in_the_middle(self):
        self.run_client("upload", "-q", self.write("old", b"old"), self.url + "f")
        size = 64 * MIB
        local = self.write("large", noise(size))
        client = self.pause_in_the_middle_of_an_upload(local, size, local, self.url + "f")
        filler = os.path.join(self.path("small"), "filler")
        with open(filler, "wb") as file:
            try:
                while True:
                    file.write(bytes(MIB))
                    file.flush()
            except OSError:
                pass
        client.send_signal(signal.SIGCONT)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 14, errors)
        self.assertIn(b"error[E_QUOTA]", errors)
        self.assertEqual(self.server.stored("f"), b"old")
        wait_for(lambda: not self.server.staging(), "the server to remove the part")
        os.remove(filler)
        self.run_client("verify", self.url + "f")
        self.run_client("upload", "-q", local, self.url + "f")
        self.assertEqual(self.server.stored("f"), self.read("large"))

    def test_what_was_cut_off_makes_room(self):
        size = 64 * MIB
        local = self.write("large", noise(size))
        for url in (self.url + "f", self.url + "another"):
            client = self.pause_in_the_middle_of_an_upload(local, size, "-q", local, self.url + "f", least=40 * MIB,
                                                       missed=lambda: self.run_client("delete", "-q", self.url + "f"))
            client.kill()
            client.wait(PATIENCE)
            wait_for(lambda: not self.server.drafts(), "the server to end the draft")
            self.assertEqual(len(self.server.partials()), 1)
            self.run_client("upload", "-q", local, url)
            wait_for(lambda: not self.server.staging(), "the staging folder to be empty")
            self.run_client("delete", url)

    def test_a_disk_without_a_single_free_byte(self):
        self.run_client("upload", "-q", self.write("old", b"old"), self.url + "f")
        filler = os.path.join(self.path("small"), "filler")
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                pass
        done = self.run_client("upload", self.write("new", noise(100_000)), self.url + "f", code=14)
        self.assertIn(b"error[E_QUOTA]", done.stderr)
        self.assertEqual(self.server.stored("f"), b"old")
        self.run_client("download", "-q", self.url + "f", self.path("back"))
        self.assertEqual(self.read("back"), b"old")
        os.remove(filler)
        self.run_client("upload", "-q", self.path("new"), self.url + "f")
        self.run_client("verify", self.url + "f")


class AtStart(SmallDisk):
    """The disk is full or may not be written when the server starts."""

    def start(self):
        return subprocess.run([MILLRACED, "serve", "--data", self.server.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE)

    def remount(self, how):
        subprocess.run(["mount", "-o", "remount," + how, self.path("small")], check=True, capture_output=True)

    def test_a_disk_that_may_not_be_written(self):
        self.run_client("upload", "-q", self.write("f", b"old"), self.url + "f")
        self.assertEqual(self.server.stop(), 0)
        self.remount("ro")
        self.addCleanup(self.remount, "rw")
        done = self.start()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"error\[E_[A-Z_]+\]: .*([Rr]ead-only|readonly)")
        self.remount("rw")
        self.server = Server(self.server.data)
        self.run_client("verify", self.url + "f")

    def test_a_disk_without_room(self):
        self.run_client("upload", "-q", self.write("f", b"old"), self.url + "f")
        self.assertEqual(self.server.stop(), 0)
        filler = os.path.join(self.path("small"), "filler")
        with open(filler, "wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while True:
                    file.write(bytes(4096))
        done = self.start()
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertRegex(done.stderr, r"error\[E_QUOTA\]: .*make some room")
        os.remove(filler)
        self.server = Server(self.server.data)
        self.run_client("verify", self.url + "f")


class Trash(SmallDisk):
    def trash(self):
        found = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.server.data, "trash")) for name in names]
        return sum(os.stat(path).st_size for path in found)

    def test_it_takes_a_tenth_of_the_disk_by_default_and_no_more(self):
        for i in range(3):
            self.run_client("upload", "-q", self.write("f", noise(4 * MIB, i)), self.url + "f")
        wait_for(lambda: self.trash() == 8 * MIB, "both old versions")
        listed = self.run_client("list", "--trash", self.url).stdout
        self.assertEqual(listed.count(b"f\n"), 2, listed)
        for i in range(3, 6):
            self.run_client("upload", "-q", self.write("f", noise(4 * MIB, i)), self.url + "f")
        # By minutes: those of one go together.
        wait_for(lambda: self.trash() < 8 * MIB, "the trash to shrink")
        wait_for(lambda: self.trash() <= 96 * MIB // 10, "a tenth")
        self.assertEqual(self.server.stored("f"), noise(4 * MIB, 5))


class FullClient(ServerTest):
    def test_a_download_onto_a_full_disk(self):
        disk = Tmpfs(self.path("small"), "8m")
        self.addCleanup(disk.unmount)
        if disk.reason:
            print("skipped: no small file system can be mounted:", disk.reason)
            self.skipTest("no small file system can be mounted: " + disk.reason)
        try:
            self.run_client("upload", "-q", self.write("large", noise(20 * MIB)), self.url + "f")
            local = os.path.join(self.path("small"), "local")
            with open(local, "wb") as file:
                file.write(b"old")
            done = self.run_client("download", self.url + "f", local, code=14)
            self.assertIn(b"error[E_QUOTA]", done.stderr)
            self.assertEqual(os.listdir(self.path("small")), ["local"])
            with open(local, "rb") as file:
                self.assertEqual(file.read(), b"old")
            # A pipe's content is kept in TMPDIR.
            environment = {**os.environ, "TMPDIR": self.path("small")}
            done = self.run_client("download", self.url + "f", "-", code=14, env=environment)
            self.assertEqual(done.stdout, b"")
            done = self.run_client("upload", "-", self.url + "g", code=14, env=environment, input=noise(20 * MIB))
            self.assertIn(b"TMPDIR", done.stderr)
            self.assertFalse(os.path.exists(self.server.stored_path("g")))
        finally:
            disk.unmount()
            disk.reason = "unmounted"

    def test_an_output_that_cannot_be_written(self):
        with open("/dev/full", "wb") as full:
            client = self.start_client("list", self.url, stdout=full)
            self.run_client("upload", "-q", self.write("local", b"data"), self.url + "f")
            _, errors = client.communicate(timeout=PATIENCE)
            client = self.start_client("list", self.url, stdout=full)
            _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 1)
        self.assertIn(b"could not be written", errors)


if __name__ == "__main__":
    unittest.main()
