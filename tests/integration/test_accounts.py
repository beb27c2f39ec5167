"""Accounts, tokens, scopes and quotas with the real programs."""
import json
import os
import re
import subprocess
import time
import unittest
from concurrent.futures import ThreadPoolExecutor

from harness import CHANGES, ENTRIES, ERROR, HELLO, KEPT_PART, LIST, MILLRACE, MILLRACED, PATIENCE, RawClient, Server, ServerTest, field, frame, noise, wait_for

AUTHENTICATE, AUTHENTICATED = 8, 9
TOKEN = re.compile(r"mr1_[0-9a-f]{16}_[A-Za-z0-9_-]{43}\n")


def operator(*arguments, code=0):
    """millraced account ... or token ...; what it printed."""
    done = subprocess.run([MILLRACED, *arguments], capture_output=True, text=True, timeout=PATIENCE)
    if done.returncode != code:
        raise AssertionError((arguments, done.returncode, done.stderr))
    return done


class AccountsTest(ServerTest):
    def account(self, verb, *arguments, code=0):
        return operator("account", verb, *arguments, "--data", self.server.data, code=code)

    def token(self, account, *arguments):
        """A new token's text."""
        text = operator("token", "add", account, "--data", self.server.data, *arguments).stdout
        self.assertRegex(text, TOKEN)
        return text.strip()

    def as_token(self, token, *arguments, **options):
        """The client with that token; home folders of its own."""
        environment = {**os.environ, "XDG_CONFIG_HOME": self.path("config"), **({"MILLRACE_TOKEN": token} if token else {})}
        return self.run_client(*arguments, env=environment, **options)


class Tokens(AccountsTest):
    def test_the_first_account_locks_out_everybody_without_a_token_at_once(self):
        local = self.write("a", b"before")
        self.run_client("upload", local, self.url + "a")
        with RawClient(self.server.port) as before:
            before.send(frame(HELLO, 0) + frame(LIST, 1))
            self.assertEqual(before.next_frame()[0], HELLO)
            self.assertEqual(before.next_frame()[0], ENTRIES)
            self.account("add", "alice")
            done = self.as_token(None, "list", self.url, code=12)
            self.assertIn(b"E_NOT_AUTHENTICATED", done.stderr)
            kind, stream, payload = before.next_frame()  # without asking: its session is ended
            self.assertEqual((kind, stream), (ERROR, 0))
            self.assertIn(b"E_NOT_AUTHENTICATED", payload)
            self.assertIsNone(before.next_frame())
        token = self.token("alice")
        self.as_token(token, "upload", local, self.url + "a")
        self.assertEqual(self.server.stored("alice/a"), b"before")
        self.server.stop()
        self.restart()
        self.as_token(None, "list", self.url, code=12)
        self.as_token(token, "list", self.url)

    def test_wrong_revoked_and_expired_tokens_are_refused(self):
        self.account("add", "alice")
        token = self.token("alice")
        local = self.write("big", noise(4 << 20))
        wrong = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BAAA")
        for text in (wrong, "mr1_nonsense", token.replace("mr1_", "mr1_f", 1)):
            done = self.as_token(text, "upload", local, self.url + "big", code=12)
            self.assertNotIn(token.split("_", 2)[2].encode(), done.stderr)
        short = self.token("alice", "--expires", "1s")
        wait_for(lambda: "ended" in operator("token", "list", "alice", "--data", self.server.data).stdout, "the token's end")
        self.as_token(short, "list", self.url, code=12)
        self.as_token(token, "list", self.url)
        operator("token", "revoke", token.split("_")[1], "--data", self.server.data)
        self.as_token(token, "list", self.url, code=12)
        self.server.process.send_signal(10)
        line = self.server.process.stdout.readline()
        while "not authenticated" not in line:
            line = self.server.process.stdout.readline()
        self.assertGreaterEqual(int(re.search(r"not authenticated (\d+)", line).group(1)), 5)

    def test_the_audit_log_says_who_came_in_and_who_did_not(self):
        self.account("add", "anna")
        token = self.token("anna")
        self.server.stop()
        self.server = Server(self.server.data, "--audit-log", self.path("audit"))
        self.as_token(token, "list", self.url)
        self.as_token(token[:-4] + ("AAAA" if not token.endswith("AAAA") else "BBBB"), "list", self.url, code=12)
        with open(self.path("audit")) as file:
            text = file.read()
        lines = [json.loads(line) for line in text.splitlines()]
        self.assertEqual([(line["who"], line["what"], line["result"]) for line in lines],
                         [("anna", "authenticate", "ok"), ("-", "authenticate", "E_NOT_AUTHENTICATED")])
        self.assertNotIn(token[-20:], text)

    def test_the_load_generator_shows_a_token(self):
        self.account("add", "anna")
        run = [os.environ["MILLRACE_LOAD"], "run", "--url", self.url.rstrip("/"), "--clients", "3", "--transfers", "6", "--size", "4KiB", "--verify", "-q"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("MILLRACE_TOKEN")}
        done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        self.assertNotEqual(done.returncode, 0)
        done = subprocess.run(run, env={**environment, "MILLRACE_TOKEN": self.token("anna")}, capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_revoked_token_ends_its_connections(self):
        self.account("add", "alice")
        token = self.token("alice")
        with RawClient(self.server.port) as client:
            client.send(frame(HELLO, 0) + frame(AUTHENTICATE, 0, field(1, token.encode())) + frame(LIST, 1))
            self.assertEqual([client.next_frame()[0] for _ in range(3)], [HELLO, AUTHENTICATED, ENTRIES])
            operator("account", "remove", "alice", "--data", self.server.data)
            kind, stream, payload = client.next_frame()
            self.assertEqual((kind, stream), (ERROR, 0))
            self.assertIn(b"E_NOT_AUTHENTICATED", payload)

    def test_what_follows_the_token_in_the_same_flight_waits_for_it(self):
        self.account("add", "alice")
        hello = frame(HELLO, 0)
        auth = frame(AUTHENTICATE, 0, field(1, self.token("alice").encode()))
        lists = b"".join(frame(LIST, 2 * i + 1) for i in range(200))
        with RawClient(self.server.port) as client:
            client.send(hello + auth + lists)
            kinds = [client.next_frame()[0] for _ in range(202)]
            self.assertEqual(kinds, [HELLO, AUTHENTICATED] + [ENTRIES] * 200)
        with RawClient(self.server.port) as client:
            client.send(hello + auth + auth)
            self.assertIn(b"AUTHENTICATE comes once", [payload for kind, _, payload in client.frames() if kind == ERROR][0])

    def test_names_are_checked_and_taken_once(self):
        for name in ("", "Alice", "a/b", "..", "-a", "a" * 65, "files\n"):
            done = operator("account", "add", "--data", self.server.data, "--", name, code=2)
            self.assertIn("name", done.stderr)
        self.account("add", "alice")
        self.account("add", "alice", code=1)
        operator("token", "add", "nobody", "--data", self.server.data, code=1)
        self.assertEqual(os.stat(os.path.join(self.server.data, "accounts.sqlite")).st_mode & 0o777, 0o600)

    def test_a_book_that_is_missing_or_damaged_is_no_reason_to_serve(self):
        self.account("add", "alice")
        self.server.stop()
        book = os.path.join(self.server.data, "accounts.sqlite")
        with open(book, "rb") as file:
            content = file.read()
        for damage in (None, b"", b"no database" * 1000, content[:4096] + b"\xff" * (len(content) - 4096)):
            os.remove(book)
            if damage is not None:
                with open(os.open(book, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
                    file.write(damage)
            done = subprocess.run([MILLRACED, "serve", "--data", self.server.data, "--listen", "127.0.0.1:0"],
                                  capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 1, damage)
            self.assertIn("restored from a backup", done.stderr)
            if damage is None:
                open(book, "wb").close()
        os.remove(book)
        with open(os.open(book, os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
        self.restart()
        self.as_token(self.token("alice"), "list", self.url)

    def test_off_loopback_accounts_or_a_word_are_needed(self):
        done = subprocess.run([MILLRACED, "serve", "--data", self.path("other"), "--listen", "0.0.0.0:0"],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("account add", done.stderr)
        self.assertIn("--allow-anonymous", done.stderr)
        server = Server(self.path("other"), "--allow-anonymous", listen="0.0.0.0:0")
        self.assertEqual(server.stop(), 0)


class Login(AccountsTest):
    def login(self, token, code=0):
        return self.as_token(None, "login", self.url, input=token.encode() + b"\n", code=code)

    def test_login_keeps_a_token_that_works_and_logout_forgets_it(self):
        self.account("add", "alice")
        token = self.token("alice")
        self.login(token[:-1], code=12)
        kept = self.path("config/millrace/credentials")
        self.assertFalse(os.path.exists(kept))
        self.login(token)
        self.assertEqual(os.stat(kept).st_mode & 0o777, 0o600)
        self.as_token(None, "list", self.url)
        address = f"alice@127.0.0.1:{self.server.port}/"
        self.as_token(None, "list", "millrace://" + address)
        done = self.as_token(None, "list", "millrace://bob@" + address[6:], code=12)
        self.assertIn(b"'alice'", done.stderr)
        os.chmod(kept, 0o644)
        self.as_token(None, "list", self.url, code=13)
        os.chmod(kept, 0o600)
        self.as_token(None, "logout", self.url)
        self.as_token(None, "list", self.url, code=12)

    def test_a_token_file_is_read_if_it_is_private(self):
        self.account("add", "alice")
        path = self.write("token", self.token("alice").encode() + b"\n")
        os.chmod(path, 0o600)
        self.as_token(None, "list", "--token-file", path, self.url)
        os.chmod(path, 0o640)
        self.as_token(None, "list", "--token-file", path, self.url, code=13)


class Walls(AccountsTest):
    def setUp(self):
        super().setUp()
        self.account("add", "alice")
        self.account("add", "bob")
        self.alice, self.bob = self.token("alice"), self.token("bob")

    def test_two_accounts_see_nothing_of_each_other(self):
        local = self.write("secret", noise(300_000))
        self.as_token(self.alice, "upload", local, self.url + "deep/secret")
        self.assertEqual(self.as_token(self.bob, "list", "-r", self.url).stdout, b"")
        for path in ("deep/secret", "alice/deep/secret"):
            self.as_token(self.bob, "download", self.url + path, self.path("stolen"), code=10)
            self.as_token(self.bob, "delete", self.url + path, code=10)
        self.as_token(self.bob, "upload", local, self.url + "deep/secret")
        self.assertEqual(self.server.stored("bob/deep/secret"), self.server.stored("alice/deep/secret"))
        self.as_token(self.bob, "delete", self.url + "deep/secret")
        self.assertIn(b"secret", self.as_token(self.alice, "list", "-r", self.url).stdout)

    def test_the_change_feed_is_an_accounts_own(self):
        # No command asks for it yet: on the wire.
        for name, token in (("alices", self.alice), ("bobs", self.bob)):
            self.as_token(token, "upload", self.write(name, name.encode()), self.url + "shared/" + name)
            self.as_token(token, "upload", self.write(name, name.encode()), self.url + name + "-gone")
            self.as_token(token, "delete", self.url + name + "-gone")
        for own, other, token in ((b"bobs", b"alices", self.bob), (b"alices", b"bobs", self.alice)):
            with RawClient(self.server.port) as client:
                client.send(frame(HELLO, 0) + frame(AUTHENTICATE, 0, field(1, token.encode())) + frame(CHANGES, 1))
                kind, stream, changes = [client.next_frame() for _ in range(3)][2]
                self.assertEqual((kind, stream), (ENTRIES, 1))
                self.assertIn(b"shared/" + own, changes)
                self.assertIn(own + b"-gone", changes)
                self.assertNotIn(other, changes)
        with RawClient(self.server.port) as client:
            client.send(frame(HELLO, 0) + frame(CHANGES, 1))
            self.assertNotIn(ENTRIES, [kind for kind, _, _ in client.frames()])

    def test_what_is_left_of_an_upload_is_nobody_elses(self):
        size = 96 << 20
        local = self.write("big", noise(size, 3))
        os.environ["MILLRACE_TOKEN"] = self.alice
        self.addCleanup(os.environ.pop, "MILLRACE_TOKEN")
        client = self.pause_in_the_middle_of_an_upload(local, size, "-q", local, self.url + "f", least=KEPT_PART,
                                                       missed=lambda: self.run_client("delete", "-q", self.url + "f"))
        client.kill()
        client.wait(PATIENCE)
        wait_for(lambda: not self.server.drafts(), "the server to end the draft")
        [kept] = self.server.partials()
        sent = json.loads(self.as_token(self.bob, "upload", "--json", local, self.url + "f").stdout.splitlines()[-1])["bytes_sent"]
        self.assertGreaterEqual(sent, size)
        self.assertEqual(self.server.partials(), [kept])
        sent = json.loads(self.as_token(self.alice, "upload", "--json", local, self.url + "f").stdout.splitlines()[-1])["bytes_sent"]
        self.assertLess(sent, size - kept + (1 << 20))
        self.assertEqual(self.server.stored("alice/f"), self.server.stored("bob/f"))

    def test_a_scope_allows_what_it_names_and_nothing_else(self):
        local = self.write("a", noise(100_000))
        self.as_token(self.alice, "upload", local, self.url + "a")
        reader = self.token("alice", "--scope", "read")
        writer = self.token("alice", "--scope", "write")
        editor = self.token("alice", "--scope", "read,write")
        self.as_token(reader, "download", self.url + "a", self.path("b"))
        other = self.write("other", noise(100_000, 2))
        for target in ("a", "new"):
            self.as_token(reader, "upload", other, self.url + target, code=13)
        self.as_token(reader, "delete", self.url + "a", code=13)
        self.as_token(reader, "move", self.url + "a", "c", code=13)
        self.as_token(writer, "upload", other, self.url + "new")
        self.as_token(writer, "list", self.url, code=13)
        self.as_token(writer, "download", self.url + "a", self.path("c"), code=13)
        self.as_token(editor, "upload", other, self.url + "a")
        self.as_token(editor, "move", self.url + "a", "c", code=13)
        self.as_token(editor, "delete", self.url + "a", code=13)
        self.assertEqual(self.read("other"), self.server.stored("alice/a"))

    def test_a_prefix_is_a_wall(self):
        local = self.write("a", b"content")
        self.as_token(self.alice, "upload", local, self.url + "outside/a")
        token = self.token("alice", "--prefix", "in/side")
        self.as_token(token, "upload", local, self.url + "in/side/a")
        for path in ("outside/a", "in/sidewards", "in/a"):
            self.as_token(token, "upload", local, self.url + path, code=13)
        self.as_token(token, "download", self.url + "outside/a", self.path("b"), code=13)
        for path in ("", "in", "outside"):
            self.as_token(token, "list", self.url + path, code=13)
        self.assertIn(b"a", self.as_token(token, "list", self.url + "in/side").stdout)
        self.as_token(token, "move", self.url + "in/side/a", "outside/b", code=13)
        self.as_token(token, "move", self.url + "in/side/a", "in/side/b")


class Limits(AccountsTest):
    SERVER_OPTIONS = ("--auth-timeout", "2")

    def files_of(self, account):
        folder = os.path.join(self.server.data, "files", account)
        return [os.path.join(where, name) for where, _, names in os.walk(folder) for name in names]

    def test_many_uploads_at_once_never_exceed_the_quota(self):
        self.account("add", "alice", "--quota-bytes", "1000000", "--quota-files", "25")
        token = self.token("alice")
        local = [self.write(f"f{i}", noise(70_000, i)) for i in range(20)]
        environment = {**os.environ, "XDG_CONFIG_HOME": self.path("config"), "MILLRACE_TOKEN": token}

        def upload(i):
            return subprocess.run([MILLRACE, "upload", local[i], self.url + f"f{i}"], capture_output=True, env=environment, timeout=PATIENCE).returncode

        with ThreadPoolExecutor(20) as pool:
            codes = list(pool.map(upload, range(20)))
        self.assertEqual(sorted(codes), [0] * 14 + [14] * 6)  # 14 * 70,000 fit, 15 do not
        self.assertEqual(sum(os.stat(path).st_size for path in self.files_of("alice")), 980_000)
        # Replacing counts the difference, deleting gives back.
        stored = codes.index(0)
        changed = self.write("changed", noise(90_000, 99))
        self.as_token(token, "upload", changed, self.url + f"f{stored}")
        self.as_token(token, "upload", self.write("bigger", noise(90_001, 98)), self.url + f"f{codes.index(0, stored + 1)}", code=14)
        self.as_token(token, "delete", self.url + f"f{stored}")
        small = [self.write(f"s{i}", b"x") for i in range(13)]
        codes = [subprocess.run([MILLRACE, "upload", one, self.url], capture_output=True, env=environment, timeout=PATIENCE).returncode for one in small]
        self.assertEqual(codes, [0] * 12 + [14])
        self.server.kill()
        self.restart()
        self.as_token(token, "upload", small[-1], self.url, code=14)
        self.account("set", "alice", "--quota-files", "0")
        wait_for(lambda: subprocess.run([MILLRACE, "upload", small[-1], self.url], capture_output=True, env=environment).returncode == 0, "the new limit")

    def test_deltas_at_once_never_exceed_the_quota(self):
        """Each makes a file grow; what is kept of it does not travel, but counts."""
        self.account("add", "alice", "--quota-bytes", "3000000")
        token = self.token("alice")
        environment = {**os.environ, "XDG_CONFIG_HOME": self.path("config"), "MILLRACE_TOKEN": token}
        count, small, grown = 12, 150_000, 300_000  # 12 * 150,000 leave room for 8 that grow by 150,000
        for i in range(count):
            self.as_token(token, "upload", "-q", self.write(f"f{i}", noise(small, i)), self.url + f"f{i}")
        local = [self.write(f"f{i}", noise(small, i) + noise(grown - small, 100 + i)) for i in range(count)]

        def upload(i):
            done = subprocess.run([MILLRACE, "upload", "--json", local[i], self.url + f"f{i}"], capture_output=True, env=environment, timeout=PATIENCE)
            return done.returncode, json.loads(done.stdout.splitlines()[-1])

        with ThreadPoolExecutor(count) as pool:
            ended = list(pool.map(upload, range(count)))
        self.assertEqual(sorted(code for code, _ in ended), [0] * 8 + [14] * 4)
        for i, (code, _) in enumerate(ended):
            self.assertEqual(self.server.stored(f"alice/f{i}"), noise(small, i) + (noise(grown - small, 100 + i) if code == 0 else b""))
        self.assertEqual(sum(os.stat(path).st_size for path in self.files_of("alice")), 3_000_000)
        # They were deltas.
        self.assertTrue(all(summary["matched_bytes"] > 0 for code, summary in ended if code == 0), ended[0])

    def test_a_quota_ends_a_transfer_in_its_middle_and_the_old_version_stays(self):
        self.account("add", "alice", "--quota-bytes", "3MiB")
        token = self.token("alice")
        self.as_token(token, "upload", self.write("a", b"old"), self.url + "a")
        big = noise(8 << 20)
        self.as_token(token, "upload", self.write("big", big), self.url + "a", code=14)
        self.as_token(token, "upload", "-", self.url + "a", input=big, code=14)  # no size is announced
        self.assertEqual(self.server.stored("alice/a"), b"old")
        self.as_token(token, "upload", self.write("fits", big[:2 << 20]), self.url + "b")

    def test_an_account_has_no_more_connections_than_it_may(self):
        self.account("add", "alice", "--max-connections", "2")
        hello = frame(HELLO, 0) + frame(AUTHENTICATE, 0, field(1, self.token("alice").encode()))
        with RawClient(self.server.port) as first:
            for client in (first, second := RawClient(self.server.port)):
                client.send(hello)
                self.assertEqual([client.next_frame()[0] for _ in range(2)], [HELLO, AUTHENTICATED])
            with RawClient(self.server.port) as third:
                third.send(hello)
                self.assertIn(b"E_BUSY", [payload for kind, _, payload in third.frames() if kind == ERROR][0])
            second.socket.close()

            def is_let_in():
                with RawClient(self.server.port) as again:
                    again.send(hello)
                    again.next_frame()
                    return again.next_frame()[0] == AUTHENTICATED
            wait_for(is_let_in, "a free place")

    def test_an_account_is_no_faster_than_it_may_be(self):
        self.account("add", "alice", "--max-rate", "1MiB")
        token = self.token("alice")
        begun = time.monotonic()
        self.as_token(token, "upload", self.write("big", noise(4 << 20)), self.url + "big")
        self.as_token(token, "download", self.url + "big", self.path("back"))
        self.assertGreater(time.monotonic() - begun, 4)  # 8 MiB, of which one second's worth and what was on its way are free
        self.assertEqual(self.read("back"), self.read("big"))

    def test_who_never_authenticates_is_ended_whatever_it_sends(self):
        self.account("add", "alice")
        with RawClient(self.server.port) as client:
            client.send(frame(HELLO, 0))
            ping = frame(6, 0, field(1, b"\x01"))
            seen = [client.next_frame()]
            while seen[-1] is not None and seen[-1][0] != ERROR:  # the pause only keeps it from filling the log of frames
                client.send(ping)
                seen.append(client.next_frame())
                time.sleep(0.02)
            self.assertIsNotNone(seen[-1])
            self.assertIn(b"E_TOO_SLOW", seen[-1][2])


if __name__ == "__main__":
    unittest.main()
