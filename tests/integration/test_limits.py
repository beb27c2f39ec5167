"""A server at its limits: connections, descriptors, several loops. Whoever is not served is told so, the others go on."""
import os
import re
import resource
import socket
import subprocess
import unittest

from harness import MILLRACE, MILLRACED, PATIENCE, Server, ServerTest, noise, wait_for


def read_to_end(connection):
    """What came until the other side ended in order; a reset raises."""
    connection.settimeout(PATIENCE)
    got = b""
    while part := connection.recv(65536):
        got += part
    return got


class Limits(ServerTest):
    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.server.port))
        self.addCleanup(connection.close)
        return connection

    def serve(self, *options, **limits):
        self.server.stop()
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limits:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limits["descriptors"], before[1]))
        try:
            self.server = Server(self.server.data, *options)
            if limits:
                resource.prlimit(self.server.process.pid, resource.RLIMIT_NOFILE, (limits["descriptors"], limits["descriptors"]))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    def require_told(self, sentence):
        # It speaks before anything is said to it, ends in order, and reads what comes meanwhile: no reset.
        connection = self.connect()
        connection.sendall(noise(200_000))
        got = read_to_end(connection)
        self.assertIn(b"E_BUSY", got)
        self.assertIn(sentence, got)
        connection.close()
        done = self.run_client("list", self.url, code=16)
        self.assertIn(b"error[E_BUSY]", done.stderr)
        self.assertIn(sentence, done.stderr)

    def test_one_connection_too_many_is_told_so(self):
        self.serve("--max-connections", "3")
        held = [self.connect() for _ in range(3)]
        for connection in held:
            self.assertTrue(connection.recv(1))
        self.require_told(b"no more than 3")
        held.pop().close()
        wait_for(lambda: subprocess.run([MILLRACE, "list", self.url], capture_output=True, timeout=PATIENCE).returncode == 0,
                 "the place of a connection that ended")

    def test_without_descriptors_it_says_so_and_goes_on(self):
        self.serve("--max-connections", "100000", descriptors=120)
        served = self.connect()
        self.assertTrue(served.recv(1))
        held = []
        refused = None
        for _ in range(200):
            connection = self.connect()
            connection.settimeout(PATIENCE)
            held.append(connection)
            got = connection.recv(4096)
            if b"E_BUSY" in got:
                refused = got
                break
        self.assertIsNotNone(refused)
        self.assertIn(b"no descriptors left", refused)
        self.assertTrue(self.server.alive())
        for connection in held:
            connection.close()
        wait_for(lambda: subprocess.run([MILLRACE, "list", self.url], capture_output=True, timeout=PATIENCE).returncode == 0,
                 "service after the descriptors are back")

    def test_transfers_on_each_number_of_loops(self):
        for loops in ("1", "4"):
            self.serve("--loops", loops)
            contents = {f"l{loops}-{i}": noise(300_000 + i, i) for i in range(12)}
            clients = [subprocess.Popen([MILLRACE, "upload", "-q", self.write(name, content), self.url + name])
                       for name, content in contents.items()]
            self.assertEqual([client.wait(PATIENCE) for client in clients], [0] * len(clients))
            for name, content in contents.items():
                self.assertEqual(self.server.stored(name), content)

    def test_the_loop_check_tells_how_long_turns_took(self):
        self.server.stop()
        process = subprocess.Popen([MILLRACED, "serve", "--data", self.server.data, "--listen", "127.0.0.1:0", "--loops", "2"], text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ | {"MILLRACE_LOOP_CHECK": "1"})
        address = process.stdout.readline().split()[-1]
        self.run_client("upload", "-q", self.write("f", noise(3_000_000)), f"millrace://{address}/f")
        process.terminate()
        _, errors = process.communicate(timeout=PATIENCE)
        turns = re.findall(r"loop: longest turn ([\d.]+) ms, 99 of 100 under ([\d.]+) ms, (\d+) turns", errors)
        self.assertEqual((process.returncode, len(turns)), (0, 3), errors)
        self.assertTrue(any(int(count) > 0 and float(longest) > 0 for longest, _, count in turns), errors)


if __name__ == "__main__":
    unittest.main()
