"""A folder by HTTP, as one ZIP archive."""
import io
import os
import socket
import stat
import subprocess
import threading
import time
import unittest
import urllib.parse
import zipfile

from harness import MILLRACED, PATIENCE, noise, wait_for
from test_http import FILES, HttpServer, HttpTest


def unpacked(body):
    """Contents by name; folders have None."""
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        if archive.testzip() is not None:
            raise AssertionError("a checksum does not hold")
        return {info.filename: None if info.is_dir() else archive.read(info) for info in archive.infolist()}


class FolderDownload(HttpTest):
    def put(self, path, content, headers=None):
        status, _, body = self.server.ask("PUT", FILES + urllib.parse.quote(path), content, headers)
        self.assertIn(status, (200, 201, 204), body)

    def archive(self, folder, headers=None):
        where = FILES + urllib.parse.quote(folder) + ("/" if folder else "")
        return self.server.ask("GET", where + "?archive=zip", headers=headers)

    def test_a_folder_comes_whole(self):
        contents = {"a/b/one": noise(3_000_000, 1), "a/b/c/empty": b"", "a/b/c/zwölf & 12.txt": b"text", "a/b/z" * 20: b"long", "a/bc": b"not below", "other": b"nor this"}
        for path, content in contents.items():
            self.put(path, content)
        os.makedirs(os.path.join(self.server.data, "files/a/b/hollow"))
        os.symlink("/etc/passwd", os.path.join(self.server.data, "files/a/b/link"))
        status, headers, body = self.archive("a/b")
        self.assertEqual(status, 200)
        self.assertEqual(headers["Content-Type"], "application/zip")
        self.assertEqual(headers["Content-Disposition"], "attachment; filename*=UTF-8''b.zip")
        found = unpacked(body)
        expected = {path[2:]: content for path, content in contents.items() if path.startswith("a/b/")}
        self.assertEqual({name: content for name, content in found.items() if content is not None}, expected)
        self.assertIn("b/hollow/", found)
        self.assertNotIn("b/link", found)
        status, headers, body = self.archive("")
        self.assertEqual(headers["Content-Disposition"], "attachment; filename*=UTF-8''files.zip")
        found = unpacked(body)
        self.assertEqual({name: content for name, content in found.items() if content is not None}, contents)

    def test_times_and_modes_are_kept(self):
        self.put("f/x", b"x")
        os.chmod(os.path.join(self.server.data, "files/f/x"), 0o640)
        changed = 1_700_000_001
        os.utime(os.path.join(self.server.data, "files/f/x"), (changed, changed))
        with zipfile.ZipFile(io.BytesIO(self.archive("f")[2])) as archive:
            info = archive.getinfo("f/x")
        self.assertEqual(stat.S_IMODE(info.external_attr >> 16), 0o640)
        local = time.localtime(changed)
        self.assertEqual(info.date_time[:5], tuple(local[:5]))

    def test_names_that_are_no_utf8_keep_their_bytes(self):
        for name in (b"caf\xe9", b"<img src=x>", "naïve".encode()):
            self.put_raw(b"odd/" + name, name)
        body = self.archive("odd")[2]
        for name in (b"odd/caf\xe9", b"odd/<img src=x>", "odd/naïve".encode()):
            self.assertIn(name, body)
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            utf8 = {info.filename: bool(info.flag_bits & 0x800) for info in archive.infolist()}
        self.assertTrue(utf8["odd/naïve"])
        self.assertFalse(next(flag for name, flag in utf8.items() if name.startswith("odd/caf")))

    def put_raw(self, path, content):
        self.assertEqual(self.server.ask("PUT", FILES + urllib.parse.quote_from_bytes(path), content)[0], 201)

    def test_many_small_files(self):
        folder = os.path.join(self.server.data, "files/many")
        for index in range(600):
            os.makedirs(os.path.join(folder, str(index % 30)), exist_ok=True)
            with open(os.path.join(folder, str(index % 30), str(index)), "w", encoding="utf-8") as file:
                file.write(f"content {index}")
        found = unpacked(self.archive("many")[2])
        self.assertEqual(sum(content is not None for content in found.values()), 600)
        self.assertEqual(found["many/7/37"], b"content 37")

    def test_what_cannot_be_had(self):
        self.put("file", b"x")
        self.assertEqual(self.archive("nowhere")[0], 404)
        self.assertEqual(self.archive("file")[0], 409)
        self.assertEqual(self.archive("../etc")[0], 400)
        self.assertEqual(self.server.ask("GET", FILES + "?archive=tar")[0], 400)
        status, headers, body = self.server.ask("HEAD", FILES + "?archive=zip")
        self.assertEqual((status, headers["Content-Type"], body), (200, "application/zip", b""))
        self.assertEqual(self.server.ask("GET", FILES + "file")[2], b"x")

    def test_who_gives_up_leaves_nothing_behind(self):
        self.put("big/one", noise(20_000_000, 3))
        for _ in range(3):
            with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
                plain.sendall(b"GET /api/v1/files/big/?archive=zip HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertTrue(plain.recv(1000))
                wait_for(lambda: self.server.json("/api/v1/transfers")["active"], "the transfer")
        wait_for(lambda: not self.server.json("/api/v1/transfers")["active"], "no transfer")
        self.assertEqual(len(unpacked(self.archive("big")[2])), 1)

    def test_damage_cuts_the_connection(self):
        """Nobody takes for whole what is not."""
        content = noise(40_000_000, 5)
        self.put("rot/one", content)
        where = os.path.join(self.server.data, "files/rot/one")
        with socket.create_connection(("127.0.0.1", self.server.http_port), timeout=PATIENCE) as plain:
            plain.sendall(b"GET /api/v1/files/rot/?archive=zip HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while b"rot/one" not in received:  # it is open then
                received += plain.recv(1000)
            os.truncate(where, 10_000)
            while part := self.part(plain):
                received += part
        self.assertFalse(received.endswith(b"0\r\n\r\n"))
        self.assertTrue(self.server.alive())

    @staticmethod
    def part(plain):
        try:
            return plain.recv(65536)
        except ConnectionResetError:
            return b""


class LittleMemory(HttpTest):
    SERVER_OPTIONS = ("--memory-budget", "1MiB")

    def test_several_at_once_share_it(self):
        contents = {f"f/{index}": noise(700_000, index) for index in range(6)}
        for path, content in contents.items():
            self.assertEqual(self.server.ask("PUT", FILES + path, content)[0], 201)
        found = []
        threads = [threading.Thread(target=lambda: found.append(unpacked(self.server.ask("GET", FILES + "f/?archive=zip")[2]))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [contents] * 6)


class OfAccounts(HttpTest):
    def test_a_token_gets_what_it_may_read(self):
        run = lambda *command: subprocess.run([MILLRACED, *command, "--data", self.server.data], check=True, capture_output=True, text=True).stdout.strip()
        self.server.stop()
        for name in ("alice", "bob"):
            run("account", "add", name)
        tokens = {"all": run("token", "add", "alice"), "part": run("token", "add", "alice", "--prefix", "in"), "write": run("token", "add", "alice", "--scope", "write"), "bob": run("token", "add", "bob")}
        self.server = HttpServer(self.server.data)
        of = {name: {"Authorization": f"Bearer {token}"} for name, token in tokens.items()}
        for path in ("in/x", "out/y"):
            self.assertEqual(self.server.ask("PUT", FILES + path, path.encode(), of["all"])[0], 201)
        get = lambda folder, who: self.server.ask("GET", f"{FILES}{folder}?archive=zip", headers=of[who])
        files = lambda body: {name: content for name, content in unpacked(body).items() if content is not None}
        self.assertEqual(files(get("", "all")[2]), {"in/x": b"in/x", "out/y": b"out/y"})
        self.assertEqual(files(get("in/", "part")[2]), {"in/x": b"in/x"})
        self.assertEqual(get("out/", "part")[0], 403)
        self.assertEqual(get("", "write")[0], 403)
        self.assertEqual(get("in/", "bob")[0], 404)
        self.assertEqual(self.server.ask("GET", FILES + "?archive=zip")[0], 401)


if __name__ == "__main__":
    unittest.main()
