"""What docs/OPERATIONS.md and the man pages promise."""
import os
import re
import shutil
import subprocess
import unittest

from harness import (CHANGES, ENTRIES, HELLO, MILLRACE, MILLRACED, RawClient, Server, ServerTest, field, frame, noise, varint,
                     wait_for)

SOURCE = os.environ["SOURCE_ROOT"]
COMMANDS = ("upload", "download", "list", "stat", "delete", "move", "verify", "restore", "login", "logout")


def page(name):
    with open(os.path.join(SOURCE, "docs", name), encoding="utf-8") as file:
        return file.read()


class Folder(ServerTest):
    def test_files_alone_are_enough_to_restore_from(self):
        contents = {"a": noise(1_000_000, 1), "d/b": noise(70_000, 2), "d/e/empty": b""}
        for name, content in contents.items():
            self.run_client("upload", "-q", self.write("local", content), self.url + name)
        shutil.copytree(self.server.stored_path(""), self.path("restored/files"))
        self.assertEqual(self.server.stop(), 0)
        self.server = Server(self.path("restored"))
        for name, content in contents.items():
            self.run_client("verify", self.url + name)
            self.run_client("download", "-q", self.url + name, self.path("back"))
            self.assertEqual(self.read("back"), content)
        changed = contents["a"][:500_000] + b"x" + contents["a"][500_000:]
        summary = self.summary("upload", self.write("local", changed), self.url + "a")
        self.assertLess(summary["bytes_sent"], 60_000)
        self.assertEqual(self.server.stored("a"), changed)

    def test_a_lost_index_and_a_lost_catalogue_are_made_again(self):
        content = noise(30 << 20)
        self.run_client("upload", "-q", self.write("local", content), self.url + "f")
        self.assertEqual(self.server.stop(), 0)
        shutil.rmtree(os.path.join(self.server.data, "chunks"))
        self.restart()
        self.run_client("download", "-q", self.url + "f", self.path("back"))
        self.assertEqual(self.read("back"), content)
        self.assertEqual(self.server.stop(), 0)
        for name in os.listdir(self.server.data):
            if name.startswith("catalogue"):
                os.remove(os.path.join(self.server.data, name))
        self.restart()
        self.run_client("verify", self.url + "f")

    def test_verify_compares_with_a_local_file(self):
        content = noise(5 << 20)
        local = self.write("local", content)
        self.run_client("upload", "-q", local, self.url + "v")
        done = self.run_client("verify", self.url + "v", local)
        self.assertIn(b"intact, and the same here", done.stdout)
        other = self.write("other", content[:-1] + bytes([content[-1] ^ 1]))
        self.run_client("verify", self.url + "v", other, code=15)
        self.run_client("verify", self.url + "v", self.path("nothing"), code=10)

    def test_a_change_by_another_program_is_noticed(self):
        self.run_client("upload", "-q", self.write("local", noise(100_000, 1)), self.url + "f")
        with open(self.server.stored_path("f"), "wb") as file:
            file.write(b"by another program")
        self.run_client("download", "-q", self.url + "f", self.path("back"))
        self.assertEqual(self.read("back"), b"by another program")
        with open(self.server.stored_path("new"), "wb") as file:
            file.write(b"put there")
        self.assertIn(b"new", self.run_client("list", self.url).stdout)
        self.run_client("download", "-q", self.url + "new", self.path("back"))
        self.assertEqual(self.read("back"), b"put there")

    def test_what_another_program_did_is_found_without_a_question(self):
        self.assertEqual(self.server.stop(), 0)
        self.server = Server(self.server.data, "--scan-interval", "1")
        self.run_client("upload", "-q", self.write("local", b"data"), self.url + "gone")
        os.makedirs(self.server.stored_path("d"))
        with open(self.server.stored_path("d/new"), "wb") as file:
            file.write(noise(100_000))

        def roots():
            return {event["path"]: event["root"] for event in self.events("list", "-r", self.url) if event["event"] == "entry"}

        wait_for(lambda: roots()["d/new"], "the new file to be indexed")
        os.remove(self.server.stored_path("gone"))

        def changes():
            with RawClient(self.server.port) as raw:
                raw.send(frame(HELLO, 0) + frame(CHANGES, 1))
                while True:
                    kind, _, payload = raw.next_frame()
                    if kind == ENTRIES:
                        return payload

        # A tombstone: its path, then kind 255.
        wait_for(lambda: field(1, b"gone") + field(2, varint(255)) in changes(), "the tombstone")

    def test_a_change_that_hides_behind_its_old_time_is_noticed(self):
        self.run_client("upload", "-q", self.write("local", noise(3_000_000)), self.url + "f")
        path = self.server.stored_path("f")
        before = os.stat(path)
        with open(path, "r+b") as file:
            file.seek(2_000_000)
            file.write(b"rot")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        # The change of ctime makes it a foreign change, which is a version of its own: what is served is what is there.
        self.run_client("download", "-q", self.url + "f", self.path("back"))
        self.assertEqual(self.read("back")[2_000_000:2_000_003], b"rot")


class Pages(unittest.TestCase):
    def options(self, program, *command):
        text = subprocess.run([program, *command, "--help"], capture_output=True, text=True, check=True).stdout
        return set(re.findall(r"--[a-z][a-z-]+", text.split("Options:", 1)[1])) - {"--help"}

    def test_every_option_of_the_client_is_in_its_page(self):
        text = page("man/millrace.1.scd")
        for command in COMMANDS:
            self.assertIn(f"*{command}*", text)
            for option in self.options(MILLRACE, command):
                self.assertIn(f"*{option}*", text)

    def test_every_option_of_the_server_is_in_its_page(self):
        for option in self.options(MILLRACED, "serve"):
            self.assertIn(f"*{option}*", page("man/millraced.1.scd"))
            self.assertRegex(page("OPERATIONS.md"), f"`{option}[` ]")

    def test_every_promise_has_its_test(self):
        rows = [line.split("|") for line in page("SECURITY.md").splitlines() if re.match(r"\| \d+\. ", line)]
        self.assertGreaterEqual(len(rows), 10)
        for _, promise, tests, _ in rows:
            named = [name.strip() for name in tests.split(",")]
            for name in named:
                self.assertTrue(os.path.isfile(os.path.join(os.environ["SOURCE_ROOT"], name)), (promise, name))

    def test_exit_codes_agree(self):
        in_help = subprocess.run([MILLRACE, "--help"], capture_output=True, text=True, check=True).stdout
        for code in (1, 2, 3, 4, 10, 11, 13, 14, 15, 16, 17, 18, 130, 143):
            self.assertRegex(page("man/millrace.1.scd"), rf"\*{code}\*")
            self.assertRegex(page("OPERATIONS.md"), rf"\| .*\b{code}\b.* \|")
            self.assertRegex(in_help, rf"\b{code}\b")


if __name__ == "__main__":
    unittest.main()
