"""What the client says it sent and received is what the kernel counted on the connection, byte for byte.

A proxy stands between client and server. It copies bytes and, when the client has closed, asks the kernel for the counters (TCP_INFO)
of the socket to the client. A relay has its own buffers, so the exchange may run in other steps than without it; the bytes that
the two ends count on *this* connection must agree all the same.
"""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

MILLRACE = os.environ["MILLRACE"]
MILLRACED = os.environ["MILLRACED"]

# struct tcp_info of linux/tcp.h: eight single bytes, 24 numbers of 32 bits, two pacing rates of 64, then these two.
BYTES_ACKED = 120
BYTES_RECEIVED = 128
# The kernel counts the end of the stream (FIN) as one byte received.
FIN = 1


def kernel_counters(connection):
    """(bytes that the other end has acknowledged, bytes that came from it)."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    if len(info) < BYTES_RECEIVED + 8:
        raise AssertionError("this kernel does not count bytes in TCP_INFO")
    return struct.unpack_from("=Q", info, BYTES_ACKED)[0], struct.unpack_from("=Q", info, BYTES_RECEIVED)[0]


class Proxy:
    """Carries one connection to the server and keeps its counters."""

    def __init__(self, server_port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(60)
        self.port = self.listener.getsockname()[1]
        self.server_port = server_port
        self.from_client = self.to_client = 0
        self.counters = None
        self.faults = []
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self):
        try:
            client, _ = self.listener.accept()
            with client, socket.create_connection(("127.0.0.1", self.server_port), 60) as server:
                client.settimeout(120)
                server.settimeout(120)
                back = threading.Thread(target=self._carry_back, args=(server, client))
                back.start()
                while data := client.recv(65536):
                    self.from_client += len(data)
                    server.sendall(data)
                # The client's end of the stream is here, and with it an acknowledgement of all that it was sent.
                self.counters = kernel_counters(client)
                server.shutdown(socket.SHUT_WR)
                back.join()
        except OSError as error:
            self.faults.append(error)

    def _carry_back(self, server, client):
        try:
            while data := server.recv(65536):
                client.sendall(data)
                self.to_client += len(data)
        except OSError as error:
            self.faults.append(error)

    def finish(self):
        self.thread.join()
        self.listener.close()


class SocketCounters(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.data = os.path.join(self.folder.name, "data")
        self.server = subprocess.Popen([MILLRACED, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--durability", "none"],
                                       stdout=subprocess.PIPE, text=True)
        line = self.server.stdout.readline()
        self.assertIn("listening on", line)
        self.port = int(line.rsplit(":", 1)[1])

    def tearDown(self):
        self.server.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.wait(60), 0)
        self.server.stdout.close()
        self.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def transfer(self, command, local):
        """One run of the client through a proxy whose counters must agree; (sent, received)."""
        proxy = Proxy(self.port)
        url = f"millrace://127.0.0.1:{proxy.port}/f"
        try:
            done = subprocess.run([MILLRACE, command, "--json", *([local, url] if command == "upload" else [url, local])],
                                  capture_output=True, timeout=240)
        finally:
            proxy.finish()
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(proxy.faults, [])
        summary = json.loads(done.stdout.decode().strip().splitlines()[-1])
        acknowledged, received = proxy.counters
        self.assertEqual(summary["bytes_sent"], received - FIN)
        self.assertEqual(summary["bytes_sent"], proxy.from_client)
        self.assertEqual(summary["bytes_received"], acknowledged)
        self.assertEqual(summary["bytes_received"], proxy.to_client)
        return summary["bytes_sent"], summary["bytes_received"]

    def test_whole_and_delta_transfers_are_counted_as_the_kernel_counts_them(self):
        old = random.Random(1).randbytes(12_000_000)
        new = old[:5_000_000] + b"inserted" + old[5_000_000:]
        a, b = self.write("a", old), self.write("b", new)

        sent, received = self.transfer("upload", a)
        self.assertGreater(sent, len(old))
        self.assertLess(received, 100_000)

        sent, received = self.transfer("upload", b)
        self.assertLess(sent + received, 200_000)
        with open(os.path.join(self.data, "files", "f"), "rb") as file:
            self.assertEqual(file.read(), new)

        sent, received = self.transfer("upload", b)
        self.assertLess(sent + received, 400)

        sent, received = self.transfer("download", self.path("fresh"))
        self.assertGreater(received, len(new))
        self.assertLess(sent, 100_000)

        sent, received = self.transfer("download", a)
        self.assertLess(sent + received, 200_000)
        for name in ("a", "fresh"):
            with open(self.path(name), "rb") as file:
                self.assertEqual(file.read(), new)


if __name__ == "__main__":
    unittest.main()
