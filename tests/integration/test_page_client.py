"""The client of the file pages, compiled to WebAssembly, against the real server: in node and over TCP, so that no browser is needed."""
import json
import os
import random
import shutil
import subprocess
import unittest

from harness import PATIENCE, ServerTest, noise

ENGINE = os.environ.get("WEB_ENGINE", "")
MODULES = os.environ.get("WEB_MODULES", "")
CLIENT = os.path.join(os.environ["SOURCE_ROOT"], "tests", "browser", "engine_client.mjs")
MIB = 1 << 20
CONFLICT = 4  # Code::kConflict
NETWORK = 9


def edited(content, edits, rng=random.Random(5), words=b""):
    """With so many insertions of 100 bytes."""
    out = bytearray(content)
    for _ in range(edits):
        at = rng.randrange(len(out))
        out[at:at] = words or rng.randbytes(100)
    return bytes(out)


def text(size, rng=random.Random(6)):
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randrange(2, 10))) for _ in range(4000)]
    out = []
    length = 0
    while length < size:
        out.append(" ".join(rng.choices(words, k=12)) + "\n")
        length += len(out[-1])
    return "".join(out).encode()[:size]


@unittest.skipUnless(ENGINE and shutil.which("node"), "built without the module, or there is no node")
class PageClient(ServerTest):
    def page(self, *arguments):
        done = subprocess.run(["node", CLIENT, "--modules", MODULES, "--engine", ENGINE, *arguments], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        return done.stdout and json.loads(done.stdout)

    def upload(self, content, *options, name="f", code=0):
        result = self.page("--port", str(self.server.port), *options, self.write("local", content), name)
        self.assertEqual(result["code"], code, result)
        if code == 0:
            self.assertEqual(self.server.stored(name), content)
        return result

    def native(self, content):
        """Bytes that the command sends for it."""
        return self.summary("upload", self.write("local", content), self.url + "f")["bytes_sent"]

    def test_sizes_at_the_borders(self):
        for size in (0, 1, 4095, 4096, 4097, 65536, 16 * MIB, 16 * MIB + 1):
            with self.subTest(size=size):
                self.upload(noise(size, size), name=f"folder/{size}")

    def test_only_changes_travel(self):
        old = noise(48 * MIB)
        new = edited(old, 20)
        self.upload(old)
        result = self.upload(new)
        self.assertLess(result["sent"], 16 * 1024)
        self.assertEqual(result["wire"] > 0 and result["wire"] <= result["sent"], True, result)
        self.assertLess(self.upload(new)["sent"], 1024)
        self.native(old)
        self.assertLessEqual(result["sent"], 1.3 * self.native(new))

    def test_text_is_compressed_against_what_is_there(self):
        old = text(24 * MIB)
        new = edited(edited(old, 50, words=b"a line that was typed here\n"), 3, words=text(200_000, random.Random(8)))
        new_file = self.upload(old)
        self.assertLess(new_file["sent"], 0.6 * len(old))
        result = self.upload(new)
        raw = self.upload(edited(new, 3, words=text(200_000, random.Random(9))), "--zstd", "no")
        self.assertLess(result["sent"], 0.7 * raw["sent"])
        self.native(old)
        self.assertLessEqual(result["sent"], 1.6 * self.native(new))

    def test_a_repeat_behind_a_long_way_is_found_in_the_prefix(self):
        # Noise does not compress, unless the prefix has it: only a frame that refers to it can be this short.
        half = noise(3 * MIB, 9)
        words = text(3 * MIB)
        self.upload(words + half + words + words)

    def test_what_is_there_already_is_not_replaced(self):
        self.upload(b"old" * 10_000, "--new")
        result = self.upload(b"new" * 10_000, "--new", code=CONFLICT)
        self.assertIn("not the version", result["sentence"])
        self.assertEqual(self.server.stored("f"), b"old" * 10_000)

    def test_a_cut_upload_goes_on(self):
        content = noise(96 * MIB, 3)
        self.upload(content, "--cut", str(80 * MIB), code=NETWORK)
        result = self.upload(content)
        self.assertLess(result["sent"], 60 * MIB)

    def test_a_frame_with_a_prefix_is_what_zstd_decodes(self):
        if shutil.which("zstd") is None:
            self.skipTest("there is no zstd command")
        prefix = noise(MIB, 4)
        raw = prefix[100_000:900_000] + b"and a little more"
        self.page("--compress", "3", self.write("raw", raw), self.write("prefix", prefix), self.path("coded"))
        self.assertLess(os.path.getsize(self.path("coded")), 10_000)
        back = subprocess.run(["zstd", "-dc", f"--patch-from={self.path('prefix')}", "--memory=16MiB", self.path("coded")], capture_output=True)
        self.assertEqual(back.returncode, 0, back.stderr)
        self.assertEqual(back.stdout, raw)


if __name__ == "__main__":
    unittest.main()
