"""The pages in a browser against the real server, while it is under load. (tests/browser has the rest, against a mock.)"""
import os
import shutil
import subprocess
import unittest

from harness import MILLRACED
from test_http import HttpServer, HttpTest

MILLRACE_LOAD = os.environ["MILLRACE_LOAD"]
RUN = os.path.join(os.environ["SOURCE_ROOT"], "tests", "browser", "run")


@unittest.skipUnless(shutil.which("chromium") and shutil.which("node"), "there is no browser, or no node")
class Pages(HttpTest):
    def setUp(self):
        super().setUp()
        if b"<html" not in self.server.ask("GET", "/")[2]:
            self.skipTest("built without pages")

    def browse(self, tests=".", **environment):
        """`tests`: a pattern of their names."""
        done = subprocess.run([RUN, tests], env={**os.environ, "MILLRACE_WEB_BUILD": os.environ["BUILD_ROOT"], "MILLRACE_WEB_URL": f"http://127.0.0.1:{self.server.http_port}", **environment},
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-6000:] + done.stderr[-2000:])

    def test_under_load(self):
        load = subprocess.Popen([MILLRACE_LOAD, "run", "--url", f"millrace://127.0.0.1:{self.server.port}", "--op", "upload-delta", "--clients", "20", "--transfers", "1000000",
                                 "--size", "64KiB", "--edits", "2", "--edit-size", "256"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            self.browse(MILLRACE_WEB_UNDER_LOAD="yes")
            self.assertIsNone(load.poll())
        finally:
            load.terminate()
            load.wait()

    def test_with_accounts(self):
        subprocess.run([MILLRACED, "account", "add", "alice", "--data", self.server.data], check=True, capture_output=True)
        token = subprocess.run([MILLRACED, "token", "add", "alice", "--data", self.server.data], check=True, capture_output=True, text=True).stdout.strip()
        self.browse("tile|hostile|renam|download|keyboard|is sent, and|goes on|whole files are|module", MILLRACE_WEB_TOKEN=token)

    def test_over_tls(self):
        self.server.kill()
        self.server = HttpServer(os.path.join(self.folder, "encrypted"), "--tls", "on")
        # The server's key is its own, which no authority vouches for.
        self.browse("HTTPS", MILLRACE_WEB_URL=f"https://127.0.0.1:{self.server.http_port}", NODE_TLS_REJECT_UNAUTHORIZED="0")


if __name__ == "__main__":
    unittest.main()
