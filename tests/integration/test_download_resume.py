"""A download that was cut off goes on with what it left beside its place."""
import contextlib
import fcntl
import hashlib
import os
import signal
import socket
import stat
import threading
import time
import unittest

from harness import PATIENCE, SANITIZED, Server, ServerTest, connections, noise, shut, wait_for

MIB = 1 << 20
SIZE = (36 if SANITIZED else 96) * MIB
CUT = SIZE * 5 // 12  # bytes that reach the client before it is cut off
WEEK = 7 * 24 * 3600


def slack(size):
    """What may travel again."""
    return max(MIB, size // 100)


class Relay:
    """Carries connections to the server and counts what goes to clients. At `limit` bytes it closes, or holds the rest back."""

    def __init__(self, server_port):
        self.server_port = server_port
        self.to_client = 0
        self.limit = None
        self.holds = False
        self.reached = threading.Event()
        self.ended = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"millrace://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.threads = [threading.Thread(target=self._accept)]
        self.threads[0].start()

    def _accept(self):
        for client in connections(self.listener):
            self.threads.append(threading.Thread(target=self._carry, args=(client,)))
            self.threads[-1].start()

    def _carry(self, client):
        with client, contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.server_port), PATIENCE) as server:
            there = threading.Thread(target=self._to_server, args=(client, server))
            there.start()
            with contextlib.suppress(OSError):
                self._to_client(server, client)
            shut(client)
            shut(server)
            there.join()

    @staticmethod
    def _to_server(client, server):
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                server.sendall(data)
        shut(server)

    def _to_client(self, server, client):
        while data := server.recv(65536):
            room = len(data) if self.limit is None else self.limit - self.to_client
            client.sendall(data[:room])
            self.to_client += min(room, len(data))
            if room < len(data):
                self.reached.set()
                if self.holds:
                    self.ended.wait(PATIENCE)
                return

    def cut_at(self, limit, holds=False):
        self.limit, self.holds = self.to_client + limit, holds
        self.reached.clear()
        self.ended.clear()

    def go_on(self):
        self.limit = None
        self.ended.set()

    def close(self):
        self.ended.set()
        shut(self.listener)
        self.listener.close()
        for thread in self.threads:
            thread.join(PATIENCE)


def partial_name(target):
    return f".millrace-{hashlib.sha256(target.encode()).hexdigest()[:32]}.part"


class DownloadResume(ServerTest):
    def setUp(self):
        super().setUp()
        self.content = noise(SIZE, 3)
        self.put("f", self.content)
        self.relay = Relay(self.server.port)
        self.addCleanup(self.relay.close)
        os.mkdir(self.path("here"))

    def put(self, name, content):
        self.run_client("upload", "-q", self.write("source", content), self.url + name)

    def here(self, name="f"):
        return os.path.join(self.path("here"), name)

    def partial(self, name="f"):
        return self.here(partial_name(name))

    def left(self):
        return sorted(os.listdir(self.path("here")))

    def check(self, content, name="f"):
        with open(self.here(name), "rb") as file:
            self.assertTrue(file.read() == content, "the file is not what the server has")

    def killed(self, *arguments, cut=CUT, target="f"):
        """A download that is killed when `cut` bytes have come; the size of what it left."""
        self.relay.cut_at(cut, holds=True)
        client = self.start_client("download", "-q", *(arguments or (self.relay.url + "f", self.here())))
        wait_for(self.relay.reached.is_set, "the cut")
        self.settle(target)
        client.kill()
        client.wait(PATIENCE)
        self.relay.go_on()
        return os.stat(self.partial(target)).st_size

    def settle(self, target="f"):
        before = None
        while True:
            wait_for(lambda: os.path.exists(self.partial(target)), "a partial")
            now = os.stat(self.partial(target)).st_size
            if now == before:
                return
            before = now
            time.sleep(0.3)

    def goes_on(self, missing, *arguments, said=""):
        before = self.relay.to_client
        self.run_client("download", "-q", *(arguments or (self.relay.url + "f", self.here())))
        travelled = self.relay.to_client - before
        print(f"{self._testMethodName}{said}: {missing} were missing, {travelled - missing} more travelled")
        self.assertLessEqual(travelled, missing + slack(SIZE))

    def test_after_the_client_was_killed(self):
        kept = self.killed()
        self.assertGreaterEqual(kept, CUT - slack(SIZE))
        self.assertEqual(stat.S_IMODE(os.stat(self.partial()).st_mode), 0o600)
        self.assertEqual(self.left(), [partial_name("f")])
        self.goes_on(SIZE - kept)
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_twice(self):
        self.killed(cut=SIZE // 3)
        kept = self.killed(cut=SIZE * 5 // 24)
        self.assertGreater(kept, CUT)
        self.goes_on(SIZE - kept)
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_by_itself_after_the_connection_was_cut(self):
        self.relay.cut_at(CUT, holds=True)
        client = self.start_client("download", "-q", "--retries", "2", self.relay.url + "f", self.here())
        wait_for(self.relay.reached.is_set, "the cut")
        self.settle()  # what is lost in the sockets of a slow client would count as sent
        self.relay.go_on()
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        self.assertIn(b"The connection was lost", errors)
        print(f"{self._testMethodName}: {self.relay.to_client - SIZE} more than the file travelled in all")
        self.assertLessEqual(self.relay.to_client, SIZE + slack(SIZE))
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_after_the_server_was_killed(self):
        self.relay.cut_at(CUT, holds=True)
        client = self.start_client("download", "-q", self.relay.url + "f", self.here())
        wait_for(self.relay.reached.is_set, "the cut")
        self.settle()
        self.server.kill()
        self.relay.go_on()
        self.assertEqual(client.wait(PATIENCE), 16)
        self.server = Server(self.server.data)
        self.relay = Relay(self.server.port)
        self.addCleanup(self.relay.close)
        self.goes_on(SIZE - os.stat(self.partial()).st_size)
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_within_a_delta(self):
        # A third of the file is new, in 12 places.
        old = bytearray(self.content)
        part = SIZE // 12
        for place in range(12):
            old[place * part + 123:place * part + 123 + part // 3] = noise(part // 3, 100 + place)
        self.write("here/f", bytes(old))
        self.write("here/whole", bytes(old))
        self.run_client("download", "-q", self.relay.url + "f", self.here("whole"))
        whole = self.relay.to_client
        self.assertLess(whole, SIZE // 2)
        self.killed(cut=whole // 2)
        before = self.relay.to_client
        self.run_client("download", "-q", self.relay.url + "f", self.here())
        again = self.relay.to_client - before
        print(f"{self._testMethodName}: {whole} in one go, {whole // 2} before the cut, {again} behind it: {again + whole // 2 - whole} again")
        self.assertLessEqual(again, whole - whole // 2 + slack(SIZE))
        self.check(self.content)
        self.assertEqual(self.left(), ["f", "whole"])

    def test_a_folder(self):
        self.put("tree/small", b"small")
        self.put("tree/f", self.content)
        arguments = ("-r", self.relay.url + "tree/", self.path("here"))
        kept = self.killed(*arguments)
        self.goes_on(SIZE - kept, *arguments)
        self.check(self.content)
        self.check(b"small", "small")
        self.assertEqual(self.left(), ["f", "small"])

    def test_a_partial_that_is_whole_is_still_no_file(self):
        self.write("here/" + partial_name("f"), self.content)
        before = self.relay.to_client
        summary = self.summary("download", self.relay.url + "f", self.here())
        self.assertLess(self.relay.to_client - before, 64 << 10)
        self.assertEqual(summary["unchanged"], 0)
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_what_is_in_a_partial_is_not_believed(self):
        self.write("here/" + partial_name("f"), noise(20 * MIB, 77) + self.content[:10 * MIB])
        self.goes_on(SIZE - 10 * MIB)
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_another_version_meanwhile(self):
        kept = self.killed()
        self.content = b"another beginning" + self.content[:SIZE * 5 // 6]
        self.put("f", self.content)
        self.goes_on(len(self.content) - kept)
        self.check(self.content)
        self.assertEqual(self.left(), ["f"])

    def test_a_small_version_meanwhile(self):
        self.killed()
        self.put("f", b"small now")
        self.run_client("download", "-q", self.url + "f", self.here())
        self.check(b"small now")
        self.assertEqual(self.left(), ["f"])

    def test_a_link_at_its_name_is_not_followed(self):
        victim = self.write("victim", self.content[:SIZE // 2])
        os.symlink(victim, self.partial())
        before = self.relay.to_client
        self.run_client("download", "-q", self.relay.url + "f", self.here())
        self.assertGreater(self.relay.to_client - before, SIZE)
        self.check(self.content)
        self.assertTrue(self.read("victim") == self.content[:SIZE // 2])
        self.assertTrue(os.path.islink(self.partial()))

    def test_a_pipe_at_its_name_is_left_alone(self):
        os.mkfifo(self.partial())
        self.run_client("download", "-q", self.url + "f", self.here())
        self.check(self.content)

    def test_a_second_name_of_a_file_is_no_partial(self):
        self.write("other", self.content)
        os.link(self.path("other"), self.partial())
        self.killed()
        self.run_client("download", "-q", self.url + "f", self.here())
        self.check(self.content)
        self.assertTrue(self.read("other") == self.content)
        self.assertEqual(self.left(), ["f"])

    def test_one_that_another_process_has_is_not_taken(self):
        self.relay.cut_at(CUT, holds=True)
        first = self.start_client("download", "-q", self.relay.url + "f", self.here())
        wait_for(self.relay.reached.is_set, "the cut")
        self.settle()
        before = os.stat(self.partial())
        received = self.summary("download", self.url + "f", self.here())["bytes_received"]
        self.assertGreater(received, SIZE)
        self.check(self.content)
        self.assertEqual(os.stat(self.partial()).st_ino, before.st_ino)
        first.send_signal(signal.SIGINT)
        self.assertEqual(first.wait(PATIENCE), 130)

    def test_old_ones_go(self):
        now = time.time()
        ages = {"old": WEEK + 3600, "young": WEEK - 3600, "used": WEEK + 3600}
        for name, age in ages.items():
            self.write("here/" + partial_name(name), b"x")
            os.utime(self.here(partial_name(name)), (now - age, now - age))
        self.write("here/.millrace-12345678901", b"x")
        os.utime(self.here(".millrace-12345678901"), (now - 2 * WEEK, now - 2 * WEEK))
        self.write("here/.millrace-notes", b"the user's")
        os.utime(self.here(".millrace-notes"), (now - 2 * WEEK, now - 2 * WEEK))
        with open(self.here(partial_name("used")), "rb") as used:
            fcntl.flock(used, fcntl.LOCK_EX)
            self.run_client("download", "-q", self.url + "f", self.here())
        self.assertEqual(self.left(), sorted(["f", ".millrace-notes", partial_name("young"), partial_name("used")]))

    def test_it_is_neither_uploaded_nor_downloaded(self):
        self.killed()
        self.write("here/.millrace-notes", b"the user's")
        self.run_client("upload", "-q", "-r", self.path("here"), self.url + "up")
        self.assertEqual(os.listdir(self.server.stored_path("up/here")), [".millrace-notes"])
        self.put("up/here/" + partial_name("g"), b"planted")
        skipped = self.run_client("download", "-r", self.url + "up/here/", self.path("back")).stderr
        self.assertIn(b"skipped: 'up/here/" + partial_name("g").encode(), skipped)
        self.assertEqual(os.listdir(self.path("back")), [".millrace-notes"])

    def test_small_files_leave_nothing(self):
        self.put("small", noise(7 * MIB))
        self.relay.cut_at(6 * MIB, holds=True)
        client = self.start_client("download", "-q", self.relay.url + "small", self.here("small"))
        wait_for(self.relay.reached.is_set, "the cut")
        client.kill()
        client.wait(PATIENCE)
        self.assertEqual(self.left(), [])


if __name__ == "__main__":
    unittest.main()
