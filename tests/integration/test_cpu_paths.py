"""The code for newer processors and that which runs everywhere give the same versions and understand each other."""
import os
import subprocess
import unittest

from harness import MILLRACE, MILLRACED, PATIENCE, Server, ServerTest, noise

MILLRACE_LOAD = os.environ["MILLRACE_LOAD"]
PATHS = ("auto", "plain", "avx2", "avx512")


def offered(path):
    """Whether this processor has what the path needs: then an address that does not parse is complained about instead."""
    done = subprocess.run([MILLRACE, "list", "--cpu", path, "bad://"], capture_output=True, timeout=PATIENCE)
    return b"processor" not in done.stderr


class CpuPaths(ServerTest):
    def test_each_path_gives_the_same_root_and_syncs_with_every_other(self):
        old = noise(5_000_000)
        new = old[:2_000_000] + b"inserted" + old[2_000_000:]
        paths = [path for path in PATHS if offered(path)]
        self.assertEqual(paths[:2], ["auto", "plain"])
        roots = set()
        for server_path in paths:
            self.assertEqual(self.server.stop(), 0)
            self.server = Server(self.server.data, "--cpu", server_path)
            for path in paths:
                name = f"{server_path}-{path}"
                self.run_client("upload", "-q", "--cpu", path, self.write("old", old), self.url + name)
                summary = self.summary("upload", "--cpu", path, self.write("new", new), self.url + name)
                roots.add(summary["root"])
                self.assertLess(summary["bytes_sent"], 200_000)
                self.assertEqual(self.server.stored(name), new)
                summary = self.summary("download", "--cpu", path, self.url + name, self.write("local", old))
                self.assertLess(summary["bytes_received"], 200_000)
                self.assertEqual(self.read("local"), new)
                self.run_client("verify", "--cpu", path, self.url + name)
        self.assertEqual(len(roots), 1)

    def test_an_impossible_choice_is_a_usage_error(self):
        for program in ([MILLRACE, "list", self.url], [MILLRACED, "serve", "--data", self.path("other")],
                        [MILLRACE_LOAD, "run", "--url", self.url]):
            done = subprocess.run([*program, "--cpu", "abacus"], capture_output=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2)
            self.assertRegex(done.stderr, b"'abacus' is (no --cpu|none of auto, avx512, avx2, plain)")
        for path in PATHS:
            if not offered(path):
                self.assertIn(b"This processor has no AVX", self.run_client("list", "--cpu", path, self.url, code=2).stderr)


if __name__ == "__main__":
    unittest.main()
