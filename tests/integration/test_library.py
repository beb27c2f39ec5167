"""libmillrace as a program of somebody else sees it: the example against a real server, the symbols, the installed files."""
import os
import re
import shlex
import subprocess
import unittest

from harness import PATIENCE, ServerTest, noise

EXAMPLE = os.environ["LIBRARY_EXAMPLE"]
LIBRARY = os.environ["LIBRARY"]
BUILD = os.environ["BUILD_ROOT"]
SOURCE = os.environ["SOURCE_ROOT"]


class Library(ServerTest):
    def run_example(self, program, **options):
        self.write("one", noise(3_000_000, 1))
        self.write("two", noise(200_000, 2))
        self.write("large", noise(64 << 20, 3))
        done = subprocess.run([program, self.url, self.folder], capture_output=True, text=True, timeout=PATIENCE, **options)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("FAILED", done.stdout)
        self.assertGreaterEqual(done.stdout.count("ok "), 18)
        self.assertEqual(self.read("back"), self.read("one"))
        # The example deletes what it sent, and what it cancelled was never there.
        self.assertEqual(os.listdir(self.server.stored_path("")), [])

    def test_the_example_runs(self):
        self.run_example(EXAMPLE)

    def test_only_the_public_names_are_visible(self):
        names = subprocess.run(["nm", "-DC", "--defined-only", LIBRARY], capture_output=True, text=True, check=True).stdout.splitlines()
        public = [line.split(" ", 2)[2] for line in names]
        self.assertTrue(any(name.startswith("millrace::client::Client::upload(") for name in public))
        for name in public:
            self.assertRegex(name, r"^millrace::client::(Client::~?\w+|Operation::cancel|upload|download|list|stat|remove|move|verify)\(")

    def test_the_header_needs_no_other_of_ours(self):
        with open(os.path.join(SOURCE, "include", "millrace", "millrace.h"), encoding="utf-8") as file:
            self.assertEqual(re.findall(r'#include "', file.read()), [])

    def test_what_is_installed_builds_the_example(self):
        if re.search(rb"lib[at]san", subprocess.run(["ldd", LIBRARY], capture_output=True, check=True).stdout):
            self.skipTest("a program without the sanitizer cannot load a library with it")
        target = self.path("installed")
        done = subprocess.run(["meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", target], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])
        found = [os.path.join(folder, name) for folder, _, names in os.walk(target) for name in names]
        package = next(path for path in found if path.endswith("/millrace.pc"))
        prefix = os.path.dirname(os.path.dirname(next(path for path in found if path.endswith("/bin/millrace"))))
        environment = {**os.environ, "PKG_CONFIG_PATH": os.path.dirname(package)}
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", f"--define-variable=prefix={prefix}", "millrace"],
                               capture_output=True, text=True, env=environment, check=True).stdout.split()
        program = self.path("example")
        built = subprocess.run([*shlex.split(os.environ["CXX"]), os.path.join(SOURCE, "tests", "integration", "library_example.cc"), "-o", program, *flags],
                               capture_output=True, text=True)
        self.assertEqual(built.returncode, 0, built.stderr[-3000:])
        folder = os.path.dirname(next(path for path in found if "/libmillrace.so" in path))
        self.run_example(program, env={**os.environ, "LD_LIBRARY_PATH": folder})


if __name__ == "__main__":
    unittest.main()
