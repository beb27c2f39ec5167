"""A data folder of an older version is taken over, one of a newer version left alone.

tests/fixtures/data-folder-schema-3.tar.gz was written by millraced of schema 3, which was killed: d/a, d/b, c in its second version with a pending row and
the first one in staging, and the tombstone of `gone`."""
import os
import sqlite3
import subprocess
import tarfile
import unittest

from harness import MILLRACED, PATIENCE, Server, ServerTest

FIXTURE = os.path.join(os.environ["SOURCE_ROOT"], "tests", "fixtures", "data-folder-schema-3.tar.gz")
EPOCH = 7299342174792756590
ROOTS = {"c": "26db457cee3aff46aa2a30d5f345bfe4bf2ed9dfb15d5522fdb0ebd6a321597e", "d/a": "26db457cee3aff46aa2a30d5f345bfe4bf2ed9dfb15d5522fdb0ebd6a321597e",
         "d/b": "b1f8d262e6c091d220c606f3dedb21e7b68a4b7571a70f5959e9c12984a83e66"}


class Migration(ServerTest):
    def setUp(self):
        super().setUp()
        self.server.stop()
        with tarfile.open(FIXTURE) as archive:
            archive.extractall(self.path("old"))
        self.data = self.path("old/data")

    def meta(self, key):
        database = sqlite3.connect(os.path.join(self.data, "catalogue.sqlite"))
        try:
            return database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()[0]
        finally:
            database.close()

    def test_an_older_folder_is_taken_over(self):
        self.server = Server(self.data)
        self.assertEqual({event["path"] for event in self.events("list", "-r", self.url) if event.get("kind") == "-"}, set(ROOTS))
        for path, root in ROOTS.items():
            [entry] = [event for event in self.events("stat", self.url + path) if event["event"] == "entry"]
            self.assertEqual(entry["root"], root)
        self.assertEqual(self.server.stored("c"), b"small\n")
        for path in ROOTS:
            self.run_client("verify", self.url + path)
        self.run_client("upload", "-q", "--force", self.write("new", b"new"), self.url + "d/a")
        self.run_client("restore", "--to", "again", self.url + "d/a")
        self.assertEqual(self.server.stored("again"), b"small\n")
        self.assertEqual(self.server.stop(), 0)
        self.assertEqual(self.meta("schema"), 5)
        self.assertEqual(self.meta("epoch"), EPOCH)
        self.assertGreater(self.meta("sequence"), 6)
        database = sqlite3.connect(os.path.join(self.data, "catalogue.sqlite"))
        self.assertEqual(database.execute("SELECT path FROM tombstones").fetchall(), [(b"gone",)])
        database.close()

    def test_a_newer_one_is_left_alone(self):
        database = sqlite3.connect(os.path.join(self.data, "catalogue.sqlite"))
        with database:
            database.execute("UPDATE meta SET value = 1000 WHERE key = 'schema'")
        database.close()
        done = subprocess.run([MILLRACED, "serve", "--data", self.data, "--listen", "127.0.0.1:0"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"error\[E_VERSION\]: .*newer")
        self.assertEqual(self.meta("schema"), 1000)
        with open(os.path.join(self.data, "files", "c"), "rb") as file:
            self.assertEqual(file.read(), b"small\n")


if __name__ == "__main__":
    unittest.main()
