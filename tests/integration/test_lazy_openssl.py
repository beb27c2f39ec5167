"""OpenSSL is loaded when something needs it: a client that encrypts nothing starts without it, and one that cannot have it says so."""
import os
import re
import subprocess
import unittest

from harness import MILLRACE, PATIENCE, SANITIZED, Server, ServerTest, noise

LIBRARIES = ("libssl", "libcrypto")


def needed(program):
    """The libraries that a program names."""
    lines = subprocess.run(["readelf", "-d", program], capture_output=True, text=True, check=True).stdout.splitlines()
    return [re.search(r"\[(.*)\]", line)[1] for line in lines if "(NEEDED)" in line]


def has_avx512():
    done = subprocess.run([MILLRACE, "list", "--cpu", "avx512", "bad://"], capture_output=True, timeout=PATIENCE)
    return b"processor" not in done.stderr


class LazyOpenssl(ServerTest):
    def client_that_tells(self, *arguments):
        """Runs the client; returns the libraries that it loaded."""
        done = self.run_client(*arguments, env={**os.environ, "LD_DEBUG": "files"})
        return b"\n".join(line for line in done.stderr.splitlines() if b"calling init" in line).decode()

    def without_openssl(self):
        """An environment in which neither library can be loaded."""
        os.makedirs(self.path("broken"), exist_ok=True)
        for library in LIBRARIES:
            self.write(f"broken/{library}.so.3", b"")
        return {**os.environ, "LD_LIBRARY_PATH": self.path("broken"), "XDG_STATE_HOME": self.path("state")}

    def test_the_client_and_the_library_do_not_name_it(self):
        for program in (MILLRACE, os.environ["LIBRARY"]):
            self.assertIn("libuv.so.1", needed(program))
            for library in needed(program):
                self.assertFalse(library.startswith(LIBRARIES), (program, library))

    @unittest.skipIf(SANITIZED, "a sanitizer's libraries are started in another way")
    def test_a_small_upload_without_tls_does_not_load_it(self):
        old = noise(1 << 20)
        self.run_client("upload", "-q", self.write("f", old), self.url + "f")
        self.write("f", old[:300_000] + noise(4096, 2) + old[304_096:])
        arguments = ("upload", "-q", "--force", self.path("f"), self.url + "f")
        if not has_avx512():
            arguments = ("stat", self.url + "f")
        loaded = self.client_that_tells(*arguments)
        self.assertIn("libuv", loaded)
        for library in LIBRARIES:
            self.assertNotIn(library, loaded)

    @unittest.skipIf(SANITIZED, "a sanitizer's libraries are started in another way")
    def test_hashing_much_without_lanes_loads_libcrypto_alone(self):
        self.write("f", noise(8 << 20))
        loaded = self.client_that_tells("upload", "-q", "--cpu", "plain", self.path("f"), self.url + "f")
        self.assertIn("libcrypto", loaded)
        self.assertNotIn("libssl", loaded)

    def test_where_it_cannot_be_loaded_files_move_without_tls_and_tls_says_what_to_install(self):
        environment = self.without_openssl()
        content = noise(8 << 20)
        self.write("f", content)
        self.run_client("upload", "-q", "--cpu", "plain", self.path("f"), self.url + "f", env=environment)
        self.assertEqual(self.server.stored("f"), content)
        self.server.stop()
        self.server = Server(self.server.data, "--tls", "on")
        done = self.run_client("list", "--tls", self.url, code=17, env=environment)
        self.assertRegex(done.stderr, rb"error\[E_TLS\]: TLS needs OpenSSL 3, which cannot be loaded \(.*libssl\.so\.3.*\); install it")


if __name__ == "__main__":
    unittest.main()
