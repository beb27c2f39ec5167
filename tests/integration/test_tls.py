"""TLS between the real programs: what is on the socket, whom a client believes, certificates that change."""
import json
import os
import signal
import socket
import subprocess
import threading
import unittest

from harness import HELLO, MILLRACE, PATIENCE, RawClient, Server, ServerTest, connections, end, frame, noise, shut, wait_for


class Tap:
    """Passes bytes between a client and a server and keeps them."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = f"millrace://127.0.0.1:{self.port}/"
        self.server_port = port
        self.seen = bytearray()
        self.lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        for client in connections(self.listener):
            server = socket.create_connection(("127.0.0.1", self.server_port))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source, sink):
        try:
            while data := source.recv(65536):
                with self.lock:
                    self.seen += data
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            shut(end)
        source.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class TlsTest(ServerTest):
    SERVER_OPTIONS = ("--tls", "on")

    def setUp(self):
        super().setUp()
        self.environment = dict(os.environ, XDG_STATE_HOME=self.path("state"))
        self.known_hosts = self.path("state/millrace/known_hosts")

    def client(self, *arguments, code=0):
        done = subprocess.run([MILLRACE, *arguments], capture_output=True, text=True, timeout=PATIENCE, env=self.environment)
        self.assertEqual(done.returncode, code, (arguments, done.stderr))
        return done

    def stored_key(self):
        return subprocess.run(["openssl", "x509", "-in", os.path.join(self.server.data, "tls/certificate.pem"), "-noout", "-pubkey"],
                              capture_output=True, check=True).stdout

    def make_certificate(self, name, *extra):
        """A key and a certificate that it signed, or that `extra` says who signs."""
        key, certificate = self.path(name + ".key"), self.path(name + ".pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-keyout", key, "-out", certificate,
                        "-subj", "/CN=" + name, "-addext", "subjectAltName=IP:127.0.0.1", *extra], capture_output=True, check=True)
        return certificate, key


class OnTheSocket(TlsTest):
    def test_nothing_of_names_contents_or_frames_is_seen(self):
        content = b"the secret of the house is under the third stone. " * 5000
        tap = Tap(self.server.port)
        self.addCleanup(tap.close)
        self.client("upload", "-q", "--tls", self.write("plan", content), tap.url + "folder-of-plans/the-plan")
        self.client("download", "-q", "--tls", tap.url + "folder-of-plans/the-plan", self.path("back"))
        self.client("list", "-q", "--tls", tap.url)
        self.assertEqual(self.read("back"), content)
        seen = bytes(tap.seen)
        self.assertGreater(len(seen), 2000)
        for secret in (b"secret", b"third stone", b"the-plan", b"folder-of-plans", b"millraced", b"CN="):
            self.assertNotIn(secret, seen)
        # The same through a plain server shows that such a look finds them.
        plain = Server(self.path("plain"))
        self.addCleanup(plain.stop)
        other = Tap(plain.port)
        self.addCleanup(other.close)
        self.client("upload", "-q", "--plain", self.path("plan"), other.url + "folder-of-plans/the-plan")
        self.assertIn(b"the-plan", bytes(other.seen))

    def test_a_delta_over_tls_sends_what_changed(self):
        content = bytearray(noise(3_000_000))
        self.client("upload", "-q", "--tls", self.write("f", content), self.url + "f")
        content[1_500_000:1_500_016] = noise(16, 2)
        summary = self.client("upload", "--json", "--tls", self.write("f", content), self.url + "f").stdout.splitlines()[-1]
        self.assertLess(json.loads(summary)["bytes_sent"], 20_000)
        self.assertEqual(self.server.stored("f"), bytes(content))


class Load(TlsTest):
    def test_many_clients_over_tls(self):
        path = self.path("report.json")
        subprocess.run([os.environ["MILLRACE_LOAD"], "run", "--url", self.url[:-1], "--tls", "--clients", "50", "--transfers", "150", "--verify", "-q", "--json", path],
                       check=True, timeout=PATIENCE)
        with open(path, encoding="utf-8") as file:
            results = json.load(file)["results"]
        self.assertEqual((results["transfers"], results["errors"], results["lost"]), (150, {}, 0))


class WhomAClientBelieves(TlsTest):
    def test_the_first_key_is_shown_and_remembered(self):
        first = self.client("list", "--tls", self.url)
        self.assertIn("SHA256:", first.stderr)
        with open(self.known_hosts, encoding="ascii") as file:
            words = file.read().split()
        self.assertEqual(words[:2], ["127.0.0.1", str(self.server.port)])
        self.assertIn(words[2], first.stderr)
        self.assertEqual(os.stat(self.known_hosts).st_mode & 0o777, 0o600)
        self.assertEqual(self.client("list", "--tls", self.url).stderr, "")

    def test_another_key_is_refused_loudly(self):
        self.client("list", "--tls", self.url)
        port = self.server.port
        self.server.stop()
        self.server = Server(self.path("impostor"), "--tls", "on", listen=f"127.0.0.1:{port}")
        done = self.client("upload", "--tls", self.write("f", b"for the right one only"), self.url + "f", code=17)
        self.assertIn("error[E_TLS]: THE KEY OF", done.stderr)
        self.assertIn(self.known_hosts, done.stderr)
        self.assertEqual(os.listdir(os.path.join(self.server.data, "files")), [])

    def test_strict_pin_refuses_what_is_new(self):
        self.assertIn("not known", self.client("list", "--tls", "--strict-pin", self.url, code=17).stderr)
        self.assertFalse(os.path.exists(self.known_hosts))
        self.client("list", "--tls", self.url)
        self.client("list", "--tls", "--strict-pin", self.url)

    def test_authorities_that_are_named_decide(self):
        own = os.path.join(self.server.data, "tls/certificate.pem")
        self.client("list", "--tls", "--cacert", own, self.url)
        self.assertFalse(os.path.exists(self.known_hosts))
        stranger, _ = self.make_certificate("stranger")
        self.assertIn("not accepted", self.client("list", "--tls", "--cacert", stranger, self.url, code=17).stderr)
        self.assertIn("no-such", self.client("list", "--tls", "--cacert", self.path("no-such"), self.url, code=17).stderr)

    def test_a_place_for_keys_that_cannot_be_written_fails_no_transfer(self):
        self.environment["XDG_STATE_HOME"] = "/proc/no-such-folder"
        self.assertIn("cannot be remembered", self.client("list", "--tls", self.url).stderr)


class Certificates(TlsTest):
    def test_the_key_survives_a_restart(self):
        self.client("list", "--tls", self.url)
        before = self.stored_key()
        port = self.server.port
        self.server.stop()
        self.server = Server(self.server.data, "--tls", "on", listen=f"127.0.0.1:{port}")
        self.assertEqual(self.stored_key(), before)
        self.client("list", "--tls", "--strict-pin", self.url)

    def test_sighup_takes_a_new_certificate_and_keeps_the_old_when_it_cannot_be_used(self):
        first, key = self.make_certificate("first")
        server = Server(self.path("other"), "--tls", "on", "--certificate", first, "--key", key)
        self.addCleanup(server.stop)
        self.client("list", "--tls", "--cacert", first, server.url)
        second, second_key = self.make_certificate("second")
        os.replace(second_key, key)
        old = self.read("first.pem")
        self.write("first.pem", b"no certificate")
        server.process.send_signal(signal.SIGHUP)
        self.write("old.pem", old)
        self.client("list", "--tls", "--cacert", self.path("old.pem"), server.url)
        os.replace(second, first)
        server.process.send_signal(signal.SIGHUP)

        def new_one_counts():
            return subprocess.run([MILLRACE, "list", "--tls", "--cacert", first, server.url], capture_output=True, env=self.environment, timeout=PATIENCE).returncode == 0
        wait_for(new_one_counts, "the new certificate")

    def make_ended_certificate(self, name):
        """As make_certificate(), but it ended a day ago."""
        key, certificate, request = (self.path(name + end) for end in (".key", ".pem", ".csr"))
        subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", request, "-subj", "/CN=" + name],
                       capture_output=True, check=True)
        extensions = self.write(name + ".ext", b"[e]\nsubjectAltName=IP:127.0.0.1\nbasicConstraints=CA:TRUE\n")
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-extfile", extensions, "-extensions", "e", "-out", certificate],
                       capture_output=True, check=True)
        return certificate, key

    def test_a_certificate_that_is_over_is_refused_and_told_and_a_new_one_helps(self):
        ended, key = self.make_ended_certificate("own")
        with open(self.path("log"), "w+", encoding="utf-8") as log:
            process = subprocess.Popen([os.environ["MILLRACED"], "serve", "--data", self.path("other"), "--listen", "127.0.0.1:0", "--tls", "on", "--certificate", ended, "--key", key],
                                       stdout=subprocess.PIPE, stderr=log, text=True)
            self.addCleanup(end, process)
            url = f"millrace://127.0.0.1:{int(process.stdout.readline().rsplit(':', 1)[1])}/"
            wait_for(lambda: "ended on" in self.read("log").decode(), "the operator to be told")
            self.assertIn("expired", self.client("list", "--tls", "--cacert", ended, url, code=17).stderr)
            # Who has pinned the key does not look at dates.
            self.client("list", "--tls", url)
            renewed, renewed_key = self.make_certificate("renewed")
            os.replace(renewed_key, key)
            os.replace(renewed, ended)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: subprocess.run([MILLRACE, "list", "--tls", "--cacert", ended, url], capture_output=True, env=self.environment, timeout=PATIENCE).returncode == 0, "the new certificate")
            self.assertEqual(self.read("log").decode().count("ended on"), 1)

    def test_a_clients_certificate_that_is_over_is_refused(self):
        ended, key = self.make_ended_certificate("client")
        server = Server(self.path("other"), "--tls", "on", "--client-ca", ended)
        self.addCleanup(server.stop)
        self.client("list", "--tls", "--certificate", ended, "--key", key, server.url, code=17)
        self.assertTrue(server.alive())

    def test_clients_without_a_certificate_are_turned_away_where_one_is_asked_for(self):
        authority, authority_key = self.make_certificate("authority")
        server = Server(self.path("other"), "--tls", "on", "--client-ca", authority)
        self.addCleanup(server.stop)
        self.assertIn("E_TLS", self.client("list", "--tls", server.url, code=17).stderr)
        self.client("list", "--tls", "--certificate", authority, "--key", authority_key, server.url)
        stranger, stranger_key = self.make_certificate("stranger")
        self.client("list", "--tls", "--certificate", stranger, "--key", stranger_key, server.url, code=17)

    def test_options_that_do_not_fit_end_with_2(self):
        for options in (("--certificate", "x"), ("--tls", "off", "--client-ca", "x"), ("--tls", "perhaps")):
            done = subprocess.run([os.environ["MILLRACED"], "serve", "--data", self.path("none"), "--listen", "127.0.0.1:0", *options], capture_output=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2, options)


class Mismatches(TlsTest):
    def test_a_plain_client_is_told_to_use_tls(self):
        done = self.client("list", self.url, code=17)
        self.assertIn("--tls", done.stderr)

    def test_a_tls_client_is_told_that_the_server_is_plain(self):
        plain = Server(self.path("plain"))
        self.addCleanup(plain.stop)
        self.assertIn("--plain", self.client("list", "--tls", plain.url, code=17).stderr)

    def test_garbage_on_a_tls_port_harms_nobody(self):
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + noise(70_000), b"\x16\x03\x01\x00\x05hello", b"\x15\x03\x03\x00\x02\x02\x28", frame(HELLO, 0), noise(100_000)):
            with RawClient(self.server.port) as client:
                client.send(data)
                try:
                    client.socket.shutdown(socket.SHUT_WR)
                    while client.socket.recv(65536):
                        pass
                except OSError:
                    pass  # ended while it still spoke
        self.client("list", "--tls", self.url)

    def test_off_loopback_tls_is_the_default(self):
        server = Server(self.path("open"), "--allow-anonymous", listen="0.0.0.0:0")
        self.addCleanup(server.stop)
        self.client("list", "--tls", server.url)
        self.client("list", "--plain", server.url, code=17)


if __name__ == "__main__":
    unittest.main()
