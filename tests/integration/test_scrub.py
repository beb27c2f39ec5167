"""What a disk changed by itself is found: by `millraced scrub`, and by the server while it serves."""
import os
import re
import sqlite3
import subprocess
import unittest

import harness
from harness import MILLRACED, PATIENCE, ServerTest, noise, wait_for
from test_http import HttpServer

SIZE = 3 << 20
PLACE = 2 << 20


class Scrub(ServerTest):
    def setUp(self):
        super().setUp()
        self.run_client("upload", "-q", self.write("f", noise(SIZE)), self.url + "d/f")
        self.run_client("upload", "-q", self.write("g", b"small"), self.url + "g")
        self.assertEqual(self.server.stop(), 0)

    def rot(self):
        """Changes one byte, and has the catalogue believe that nothing wrote to the file, as when a disk does it."""
        path = self.server.stored_path("d/f")
        before = os.stat(path)
        with open(path, "r+b") as file:
            file.seek(PLACE)
            byte = file.read(1)
            file.seek(PLACE)
            file.write(bytes([byte[0] ^ 1]))
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        database = sqlite3.connect(os.path.join(self.server.data, "catalogue.sqlite"))
        with database:
            database.execute("UPDATE versions SET stat_ctime_ns = ?, indexed_ns = 0 WHERE path = ?", (os.stat(path).st_ctime_ns, b"d/f"))
        database.close()

    def scrub(self):
        done = subprocess.run([MILLRACED, "scrub", "--data", self.server.data], capture_output=True, text=True, timeout=PATIENCE)
        return done.returncode, done.stdout, done.stderr

    def test_all_is_well(self):
        code, out, _ = self.scrub()
        self.assertEqual((code, out), (0, f"2 files with {SIZE + 5} bytes read, 0 damaged, 0 changed by others or gone\n"))

    def test_a_byte_that_changed(self):
        self.rot()
        code, out, _ = self.scrub()
        self.assertEqual(code, 15)
        self.assertRegex(out, r"^'d/f' is damaged: its content changed near byte \d+ .*\n2 files with .* 1 damaged")
        near = int(out.split("near byte ")[1].split()[0])
        self.assertTrue(PLACE - 65536 <= near <= PLACE, near)

    def test_while_it_serves(self):
        self.rot()
        server = subprocess.Popen([MILLRACED, "serve", "--data", self.server.data, "--listen", "127.0.0.1:0", "--scrub-interval", "1s"],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(harness.end, server)
        self.assertIn("'d/f' is damaged", server.stderr.readline())
        code, _, text = self.scrub()
        self.assertEqual(code, 1)
        self.assertIn("--scrub-interval", text)

    def test_the_metrics_tell(self):
        self.rot()
        self.server = HttpServer(self.server.data, "--scrub-interval", "1s")

        def failures():
            return dict(re.findall(r'^millraced_integrity_failures_total\{stage="(\w+)"\} (\d+)', self.server.ask("GET", "/metrics")[2].decode(), re.M))
        wait_for(lambda: int(failures()["scrub"]) > 0, "the scrub")
        self.run_client("verify", self.url + "d/f", code=15)
        self.assertEqual(failures()["verify"], "1")
        hashed = re.search(r'^millraced_hash_bytes_total\{algorithm="sha256",purpose="scrub"\} (\S+)', self.server.ask("GET", "/metrics")[2].decode(), re.M)
        self.assertGreaterEqual(float(hashed[1]), SIZE)

    def test_no_data_folder(self):
        done = subprocess.run([MILLRACED, "scrub", "--data", self.path("nothing")], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertFalse(os.path.exists(self.path("nothing")))


if __name__ == "__main__":
    unittest.main()
