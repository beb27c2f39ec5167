"""Many clients at once: the first commit to a path wins, nobody disturbs anybody."""
import os
import signal
import subprocess
import unittest

from harness import MILLRACE, PATIENCE, SANITIZED, ServerTest, noise, wait_for


class OnePath(ServerTest):
    SIZE = 64 << 20

    def race(self, *extra):
        """A large upload is under way when a small one to the same path is committed. Returns its process, continued and ended."""
        large = self.write("large", noise(self.SIZE))
        client = self.pause_in_the_middle_of_an_upload(large, self.SIZE, "-q", "--whole-file", *extra, large, self.url + "f")
        self.run_client("upload", "-q", "--force", self.write("small", b"the first commit"), self.url + "f")
        client.send_signal(signal.SIGCONT)
        _, errors = client.communicate(timeout=PATIENCE)
        return client.returncode, errors

    def test_the_loser_gets_11_and_what_was_committed_stays(self):
        code, errors = self.race()
        self.assertEqual(code, 11)
        self.assertIn(b"error[E_CONFLICT]", errors)
        self.assertIn(b"--force", errors)
        self.assertEqual(self.server.stored("f"), b"the first commit")
        wait_for(lambda: not self.server.staging(), "the server to drop what lost")

    def test_force_overrides(self):
        self.assertEqual(self.race("--force"), (0, b""))
        self.assertEqual(self.server.stored("f"), self.read("large"))
        self.run_client("verify", self.url + "f")

    def test_a_delete_in_between_is_a_conflict_too(self):
        self.run_client("upload", "-q", self.write("old", b"old"), self.url + "f")
        large = self.write("large", noise(self.SIZE))
        client = self.pause_in_the_middle_of_an_upload(large, self.SIZE, "-q", large, self.url + "f")
        self.run_client("delete", "-q", self.url + "f")
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(PATIENCE), 11)
        self.assertFalse(os.path.exists(self.server.stored_path("f")))

    def test_twenty_clients_write_one_path(self):
        contents = [noise(300_000, seed) for seed in range(20)]
        clients = [self.start_client("upload", "-q", self.write(f"v{i}", content), self.url + "f") for i, content in enumerate(contents)]
        codes = []
        for client in clients:
            client.communicate(timeout=PATIENCE)
            codes.append(client.returncode)
        self.assertIn(0, codes)
        self.assertLessEqual(set(codes), {0, 11})
        stored = self.server.stored("f")
        self.assertIn(stored, [content for content, code in zip(contents, codes) if code == 0])
        self.run_client("verify", self.url + "f")


class ManyProcesses(ServerTest):
    COUNT = 100 if SANITIZED else 500

    def all_of_them(self, arguments, environment):
        clients = [subprocess.Popen([MILLRACE, *arguments(i)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)
                   for i in range(self.COUNT)]
        for i, client in enumerate(clients):
            _, errors = client.communicate(timeout=PATIENCE)
            self.assertEqual((i, client.returncode, errors), (i, 0, b""))

    def test_hundreds_of_processes_at_once_and_no_place_for_state(self):
        # Neither a home nor a folder for state that can be written to may matter to a transfer.
        environment = {"XDG_STATE_HOME": "/proc/no-such-folder", "XDG_CONFIG_HOME": "/proc/no-such-folder", "HOME": "/proc/no-such-folder",
                       "PATH": os.environ["PATH"]}
        contents = [noise(5_000 + i, i) for i in range(self.COUNT)]
        files = [self.write(f"n{i}", content) for i, content in enumerate(contents)]
        common = self.write("common", noise(200_000, 99))
        self.run_client("upload", "-q", common, self.url + "common")
        self.all_of_them(lambda i: ("upload", "-q", files[i], f"{self.url}d/n{i}"), environment)
        for i, content in enumerate(contents):
            self.assertEqual(self.server.stored(f"d/n{i}"), content)
        # All into one folder, some onto a file that is there.
        os.mkdir(self.path("out"))
        for i in range(0, self.COUNT, 2):
            self.write(f"out/n{i}", noise(200_000, 98))
        self.all_of_them(lambda i: ("download", "-q", self.url + "common", self.path(f"out/n{i}")), environment)
        expected = self.read("common")
        self.assertEqual(sorted(os.listdir(self.path("out"))), sorted(f"n{i}" for i in range(self.COUNT)))
        for i in range(self.COUNT):
            self.assertEqual(self.read(f"out/n{i}"), expected)


if __name__ == "__main__":
    unittest.main()
