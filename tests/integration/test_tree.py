"""Folders with all that is in them: upload -r, download -r, list -r, and what they take of a tree."""
import json
import os
import socket
import unittest

from harness import ServerTest, noise


class Tree(ServerTest):
    def make(self, root, files):
        for name, content in files.items():
            path = os.path.join(os.fsencode(self.path(root)), os.fsencode(name))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as file:
                file.write(content)
        return self.path(root)

    def contents(self, root):
        found = {}
        for folder, _, names in os.walk(os.fsencode(root)):
            for name in names:
                path = os.path.join(folder, name)
                with open(path, "rb") as file:
                    found[os.fsdecode(os.path.relpath(path, os.fsencode(root)))] = file.read()
        return found

    def summary(self, *arguments, code=0):
        done = self.run_client(*arguments, "--json", code=code)
        return json.loads(done.stdout.splitlines()[-1])

    def test_a_tree_goes_up_and_comes_down(self):
        files = {f"d{i % 7}/e{i % 3}/f{i}": noise(i * 37 % 9000, i) for i in range(400)} | {
            "large": noise(3_000_000), "empty": b"", "line\nbreak": b"x", "\udcff bad": b"y", "deep/" * 40 + "leaf": b"z"}
        tree = self.make("tree", files)
        up = self.summary("upload", "-r", tree, self.url + "up")
        self.assertEqual((up["files"], up["failed"]), (len(files), 0))
        self.assertEqual(self.contents(self.server.stored_path("up/tree")), files)
        os.chmod(self.path("tree/empty"), 0o750)
        self.run_client("upload", "-q", "-r", tree, self.url + "up")
        down = self.summary("download", "-r", self.url + "up/tree", self.path("out"))
        self.assertEqual((down["files"], down["failed"]), (len(files), 0))
        self.assertEqual(self.contents(self.path("out/tree")), files)
        self.assertEqual(os.stat(self.path("out/tree/empty")).st_mode & 0o777, 0o750)
        self.assertEqual(os.stat(self.path("out/tree/large")).st_mtime_ns, os.stat(self.path("tree/large")).st_mtime_ns)

    def test_a_slash_at_the_end_means_the_contents(self):
        tree = self.make("tree", {"a/b": b"1", "c": b"2"})
        self.run_client("upload", "-q", "-r", tree + "/", self.url)
        self.assertEqual(self.server.stored("a/b"), b"1")
        self.run_client("download", "-q", "-r", self.url + "a/", self.path("out"))
        self.assertEqual(self.contents(self.path("out")), {"b": b"1"})
        self.run_client("download", "-q", "-r", self.url, self.path("all"))
        self.assertEqual(self.contents(self.path("all")), {"a/b": b"1", "c": b"2"})
        self.run_client("download", "-q", "-r", self.url + "c", self.path("one"))
        self.assertEqual(self.contents(self.path("one")), {"c": b"2"})

    def test_what_is_alike_costs_next_to_nothing(self):
        files = {f"f{i}": noise(6000, i) for i in range(300)}
        tree = self.make("tree", files)
        self.run_client("upload", "-q", "-r", tree, self.url)
        again = self.summary("upload", "-r", tree, self.url)
        self.assertEqual(again["unchanged"], len(files))
        self.assertLess(again["bytes_sent"] + again["bytes_received"], 200 * len(files))
        self.run_client("download", "-q", "-r", self.url + "tree", self.path("out"))
        back = self.summary("download", "-r", self.url + "tree", self.path("out"))
        self.assertEqual(back["unchanged"], len(files))
        self.assertLess(back["bytes_sent"] + back["bytes_received"], 200 * len(files))
        # Same size and time, other content: only --checksum sees it.
        at = os.stat(self.path("tree/f7")).st_mtime_ns
        self.write("tree/f7", noise(6000, 999))
        os.utime(self.path("tree/f7"), ns=(at, at))
        self.run_client("upload", "-q", "-r", tree, self.url)
        self.assertEqual(self.server.stored("tree/f7"), files["f7"])
        self.run_client("upload", "-q", "-r", "--checksum", tree, self.url)
        self.assertEqual(self.server.stored("tree/f7"), noise(6000, 999))

    def test_patterns_and_names_choose(self):
        tree = self.make("tree", {"a.o": b"", "a.c": b"", "keep.o": b"", "build/x.c": b"", "src/build": b"", "src/b.c": b""})
        rules = ("--include", "keep.o", "--exclude", "*.o", "--exclude", "build/")
        self.run_client("upload", "-q", "-r", *rules, tree + "/", self.url)
        taken = {"a.c", "keep.o", "src/build", "src/b.c"}
        self.assertEqual(set(self.contents(self.server.stored_path(""))), taken)
        listed = self.run_client("list", "-r", "--exclude", "src", self.url).stdout.decode().split()
        self.assertIn("a.c", listed)
        self.assertNotIn("src/b.c", listed)
        self.run_client("download", "-q", "-r", "--exclude", "*.c", self.url, self.path("out"))
        self.assertEqual(set(self.contents(self.path("out"))), {"keep.o", "src/build"})
        names = self.write("names", b"# chosen\nsrc\na.c\nnot there\n")
        done = self.run_client("download", "-q", "-r", "--files-from", names, self.url, self.path("some"), code=3)
        self.assertIn(b"not there", done.stderr)
        self.assertEqual(set(self.contents(self.path("some"))), {"src/build", "src/b.c", "a.c"})
        self.run_client("list", "--exclude", "x", self.url, code=2)

    def test_links_and_special_files_are_skipped_and_said(self):
        tree = self.make("tree", {"f": b"1"})
        os.symlink("f", self.path("tree/link"))
        os.symlink("/", self.path("tree/up"))
        os.mkfifo(self.path("tree/pipe"))
        with socket.socket(socket.AF_UNIX) as special:
            special.bind(self.path("tree/socket"))
            done = self.run_client("upload", "-r", tree, self.url)
        for name in (b"link", b"up", b"pipe", b"socket"):
            self.assertIn(b"skipped: 'tree/" + name, done.stderr)
        self.assertEqual(self.contents(self.server.stored_path("tree")), {"f": b"1"})

    def test_a_link_in_the_way_leads_a_download_nowhere(self):
        tree = self.make("tree", {"sub/f": b"theirs", "g": b"2"})
        self.run_client("upload", "-q", "-r", tree, self.url)
        outside = self.make("outside", {"f": b"mine"})
        os.makedirs(self.path("out/tree"))
        os.symlink(outside, self.path("out/tree/sub"))
        os.symlink(self.path("outside/f"), self.path("out/tree/g"))
        done = self.run_client("download", "-r", self.url + "tree", self.path("out"), code=13)
        self.assertIn(b"E_NOT_ALLOWED", done.stderr)
        self.assertEqual(self.contents(outside), {"f": b"mine"})

    def test_one_bad_file_does_not_hold_up_the_others(self):
        tree = self.make("tree", {"a": b"1", "b": b"2"})
        self.make("there", {"x": b""})
        self.run_client("upload", "-q", self.path("there/x"), self.url + "tree/b/inside")
        done = self.run_client("upload", "-r", tree, self.url, code=3)
        self.assertEqual(done.stderr.count(b"error["), 1)
        self.assertEqual(self.server.stored("tree/a"), b"1")
        self.run_client("upload", "-r", self.path("no such folder"), self.url, code=10)
        self.run_client("download", "-r", self.url + "none", self.path("out"), code=10)

    def test_a_dry_run_changes_nothing(self):
        tree = self.make("tree", {"a": b"1"})
        done = self.run_client("upload", "-n", "-r", tree, self.url)
        self.assertIn(b"would upload", done.stdout)
        self.assertEqual(os.listdir(self.server.stored_path("")), [])
        self.run_client("upload", "-q", "-r", tree, self.url)
        done = self.run_client("download", "-n", "-r", self.url + "tree", self.path("out"))
        self.assertIn(b"would download", done.stdout)
        self.assertFalse(os.path.exists(self.path("out")))


if __name__ == "__main__":
    unittest.main()
