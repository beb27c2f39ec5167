"""The Debian packages: built, looked into, run from a folder, and, on a machine of CI's, installed, used and purged."""
import glob
import os
import shutil
import subprocess
import tempfile
import unittest

import harness
from harness import PATIENCE, Server, noise

ROOT = os.environ["SOURCE_ROOT"]
BUILD_PATIENCE = 1700  # a release build from nothing
NAMES = ("millraced", "millrace", "libmillrace0", "libmillrace-dev")


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, **options)
    if done.returncode != 0:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return done.stdout


def is_installed(name):
    return subprocess.run(["dpkg-query", "-W", name], capture_output=True, timeout=PATIENCE).returncode == 0


@unittest.skipUnless(os.environ.get("MILLRACE_TEST_PACKAGE") == "1", "packages are built where MILLRACE_TEST_PACKAGE=1 asks for it")
@unittest.skipUnless(shutil.which("dpkg-shlibdeps"), "this is no Debian with dpkg-dev")
class Packages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        done = subprocess.run([os.path.join(ROOT, "tools", "package")], capture_output=True, text=True, timeout=BUILD_PATIENCE)
        if done.returncode != 0:
            raise AssertionError(done.stdout[-2000:] + done.stderr[-2000:])
        cls.packages = {os.path.basename(line).split("_")[0]: os.path.join(ROOT, line) for line in done.stdout.split() if line.endswith(".deb")}

    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)
        self.folder = self.holder.name

    def test_each_package_has_what_it_should(self):
        self.assertEqual(set(self.packages), set(NAMES))
        contents = {name: run("dpkg-deb", "-c", path) for name, path in self.packages.items()}
        for name, paths in {
                "millraced": ["./usr/bin/millraced", "./etc/millrace/millraced.toml", "./lib/systemd/system/millraced.service",
                              "./lib/systemd/system/millraced.socket", "./usr/share/man/man1/millraced.1.gz", "./usr/share/man/man5/millraced.toml.5.gz",
                              "./usr/share/bash-completion/completions/millraced"],
                "millrace": ["./usr/bin/millrace", "./usr/bin/millrace-load", "./usr/share/man/man1/millrace.1.gz",
                             "./usr/share/bash-completion/completions/millrace-load"],
                "libmillrace0": ["libmillrace.so.0"],
                "libmillrace-dev": ["./usr/include/millrace/millrace.h", "pkgconfig/millrace.pc", "libmillrace.so"]}.items():
            for path in paths:
                self.assertIn(path, contents[name])
            self.assertNotIn("usr/local", contents[name])
        self.assertIn("/etc/millrace/millraced.toml", run("dpkg-deb", "-I", self.packages["millraced"], "conffiles"))
        for name, libraries in {"millraced": ("libc6", "libuv1", "libsqlite3-0", "libssl3", "adduser"), "millrace": ("libc6", "libuv1", "libssl3"),
                                "libmillrace0": ("libc6", "libuv1", "libssl3")}.items():
            needs = run("dpkg-deb", "-f", self.packages[name], "Depends")
            for library in libraries:
                self.assertIn(library, needs)

    def test_the_same_sources_give_the_same_bytes(self):
        before = {}
        for name, path in self.packages.items():
            with open(path, "rb") as file:
                before[name] = file.read()
        run(os.path.join(ROOT, "tools", "package"))
        for name, path in self.packages.items():
            with open(path, "rb") as file:
                self.assertTrue(file.read() == before[name], name)

    def test_programs_run_from_where_they_were_unpacked(self):
        for name in ("millraced", "millrace"):
            run("dpkg-deb", "-x", self.packages[name], self.folder)
        programs = os.path.join(self.folder, "usr", "bin")
        run(os.path.join(programs, "millraced"), "check-config", "--config", os.path.join(self.folder, "etc", "millrace", "millraced.toml"))
        self.use(os.path.join(programs, "millraced"), os.path.join(programs, "millrace"))

    def use(self, server_program, client):
        before, harness.MILLRACED = harness.MILLRACED, server_program
        try:
            server = Server(os.path.join(self.folder, "data"))
        finally:
            harness.MILLRACED = before
        try:
            local = os.path.join(self.folder, "f")
            with open(local, "wb") as file:
                file.write(noise(300_000))
            run(server_program, "ping", server.url)
            run(client, "upload", local, server.url + "f")
            run(client, "download", server.url + "f", local + ".back")
            with open(local + ".back", "rb") as file:
                self.assertEqual(file.read(), noise(300_000))
        finally:
            self.assertEqual(server.stop(), 0)

    @unittest.skipUnless(os.environ.get("CI") == "true" or os.environ.get("MILLRACE_TEST_INSTALL") == "1",
                         "installs into this system: for throwaway machines (CI=true or MILLRACE_TEST_INSTALL=1)")
    @unittest.skipUnless(os.geteuid() == 0, "only root can install")
    def test_packages_are_installed_used_and_purged(self):
        there = [name for name in NAMES if is_installed(name)]
        if there:
            self.skipTest(f"installed already: {there}")
        self.addCleanup(subprocess.run, ["dpkg", "--purge", *reversed(NAMES)], capture_output=True, timeout=PATIENCE)
        run("dpkg", "-i", *(self.packages[name] for name in ("millraced", "millrace", "libmillrace0", "libmillrace-dev")))
        self.assertIn("millrace", run("getent", "passwd", "millrace"))
        self.assertEqual(os.stat("/var/lib/millrace").st_mode & 0o777, 0o700)
        run("millraced", "check-config")
        self.assertIn('data = "/var/lib/millrace"  # /etc/millrace/millraced.toml', run("millraced", "print-config"))
        self.use("/usr/bin/millraced", "/usr/bin/millrace")
        self.assertIn("-lmillrace", run("pkg-config", "--libs", "millrace"))
        run("dpkg", "-r", "libmillrace-dev", "libmillrace0", "millrace", "millraced")
        self.assertFalse(os.path.exists("/usr/bin/millraced"))
        self.assertTrue(os.path.exists("/etc/millrace/millraced.toml"))
        run("dpkg", "-P", "millraced")
        self.assertFalse(os.path.exists("/etc/millrace"))
        self.assertEqual(glob.glob("/usr/lib/*/libmillrace*"), [])


if __name__ == "__main__":
    unittest.main()
