"""millraced as a service: its configuration, what the service manager is told, sockets that are handed over, draining."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import unittest

from harness import (DOWNLOAD, ERROR, HELLO, LIST, MILLRACE, MILLRACED, PATIENCE, FakeServer, RawClient, Server, ServerTest, end, field, frame, noise, varint,
                     wait_for)

MIB = 1 << 20
GOAWAY = 5


class NotifySocket:
    """Stands for the service manager."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(PATIENCE)

    def next(self):
        return dict(line.split("=", 1) for line in self.socket.recv(65536).decode().splitlines())

    def until(self, key):
        """The next message that has the key."""
        while True:
            message = self.next()
            if key in message:
                return message

    def close(self):
        self.socket.close()


class Manager(ServerTest):
    """What is told to NOTIFY_SOCKET."""

    def setUp(self):
        super().setUp()
        self.manager = NotifySocket(self.path("notify"))
        self.addCleanup(self.manager.close)

    def serve(self, *options, **variables):
        process = subprocess.Popen([MILLRACED, "serve", "--data", self.path("managed"), "--listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, env={**os.environ, "NOTIFY_SOCKET": self.path("notify"), **variables})
        self.addCleanup(end, process)
        return process

    def test_the_manager_is_told_when_it_is_ready_reloads_and_stops(self):
        process = self.serve("--drain-timeout", "20s")
        ready = self.manager.next()
        self.assertEqual(ready["READY"], "1")
        self.assertRegex(ready["STATUS"], r"^Listening on 127\.0\.0\.1:\d+$")
        process.send_signal(signal.SIGHUP)
        reloading = self.manager.next()
        self.assertEqual(reloading["RELOADING"], "1")
        self.assertGreater(int(reloading["MONOTONIC_USEC"]), 0)
        self.assertEqual(self.manager.next()["READY"], "1")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(self.manager.next()["STOPPING"], "1")
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_the_watchdog_hears_from_loops_that_turn(self):
        process = self.serve(WATCHDOG_USEC="3000000")
        for _ in range(2):
            self.assertEqual(self.manager.until("WATCHDOG")["WATCHDOG"], "1")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 0)

    def test_a_reload_takes_what_can_change_and_names_what_cannot(self):
        config = self.write("m.toml", b"[peers]\nidle_timeout = 0\n")
        process = self.serve("--config", config)
        self.manager.until("READY")
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        self.write("m.toml", b"[peers]\nidle_timeout = 1\n[server]\nloops = 7\n")
        process.send_signal(signal.SIGHUP)
        self.manager.until("READY")
        with RawClient(port) as client:
            client.send(frame(HELLO, 0))
            self.assertTrue(any(b"E_TOO_SLOW" in payload for kind, _, payload in client.frames() if kind == ERROR))
        self.write("m.toml", b"[peers]\nidle_timeout = 'x'\n")
        process.send_signal(signal.SIGHUP)
        self.manager.until("READY")
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
        self.assertIn("server.loops has changed; it counts after a restart", errors)
        self.assertRegex(errors, r"the configuration stays as it was: .*m\.toml:2: 'x' is not a duration")


class Activation(ServerTest):
    """A socket that listens already."""

    def test_a_socket_that_is_handed_over_is_served(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.start(listener)
            # Whoever comes before it is ready waits.
            self.run_client("upload", self.write("f", b"x"), f"millrace://127.0.0.1:{port}/f")

    def test_whether_to_encrypt_depends_on_that_socket_not_on_the_setting(self):
        with socket.create_server(("0.0.0.0", 0)) as listener:
            process = self.start(listener)
            self.assertIn("listening on 0.0.0.0:", process.stdout.readline())
            self.assertIn("TLS 1.3", process.stdout.readline())

    def start(self, listener):
        # The number of the process that is to take it is only known in the process itself.
        script = 'exec 3<&%d; export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"' % listener.fileno()
        process = subprocess.Popen(["bash", "-c", script, "-", MILLRACED, "serve", "--data", self.path("activated"), "--listen", "127.0.0.1:0", "--allow-anonymous"],
                                   pass_fds=[listener.fileno()], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(end, process)
        return process


class Configuration(ServerTest):
    def test_print_config_says_where_each_value_comes_from(self):
        config = self.write("m.toml", b'[memory]\nbudget = "8MiB"\n')
        done = subprocess.run([MILLRACED, "print-config", "--config", config, "--loops", "3"], capture_output=True, text=True, timeout=PATIENCE,
                              env={**os.environ, "MILLRACED_PEERS__IDLE_TIMEOUT": "7"})
        self.assertEqual(done.returncode, 0)
        self.assertIn(f'budget = "8MiB"  # {config}:2', done.stdout)
        self.assertIn("loops = 3  # --loops", done.stdout)
        self.assertIn("idle_timeout = 7  # MILLRACED_PEERS__IDLE_TIMEOUT", done.stdout)
        self.assertIn('durability = "full"  # default', done.stdout)

    def test_check_config_and_serve_refuse_what_is_wrong(self):
        config = self.write("m.toml", b'[memory]\nbugdet = "8MiB"\n')
        for command in (["check-config"], ["print-config"], ["serve", "--data", self.path("other"), "--listen", "127.0.0.1:0"]):
            done = subprocess.run([MILLRACED, *command, "--config", config], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(done.returncode, 2, command)
            self.assertIn(f"{config}:2: there is no setting 'memory.bugdet'; did you mean 'budget'?", done.stderr)
        done = subprocess.run([MILLRACED, "check-config", "--config", self.path("none.toml")], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        good = self.write("good.toml", b'[memory]\nbudget = "8MiB"\n')
        done = subprocess.run([MILLRACED, "check-config", "--config", good], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Ping(ServerTest):
    def ping(self, *arguments):
        return subprocess.run([MILLRACED, "ping", *arguments], capture_output=True, text=True, timeout=PATIENCE)

    def test_a_server_that_answers_and_one_that_is_not_there(self):
        for arguments in ([self.url], ["--listen", f"127.0.0.1:{self.server.port}"], ["--listen", f"0.0.0.0:{self.server.port}", "--tls", "off"]):
            done = self.ping(*arguments)
            self.assertEqual(done.returncode, 0, done.stderr)
        port = self.server.port
        self.server.stop()
        done = self.ping(f"millrace://127.0.0.1:{port}/")
        self.assertEqual(done.returncode, 1)
        self.assertIn("E_NETWORK", done.stderr)
        self.assertEqual(self.ping("nonsense://x").returncode, 2)

    def test_an_encrypted_server_answers_too(self):
        other = Server(self.path("tls"), "--tls", "on")
        self.addCleanup(other.stop)
        self.assertEqual(self.ping("--tls", "on", other.url).returncode, 0)
        self.assertEqual(self.ping("--tls", "off", other.url).returncode, 1)


class Completions(unittest.TestCase):
    """What the shell offers is what --help says."""
    SCRIPT = os.path.join(os.environ["SOURCE_ROOT"], "packaging", "completions", "millrace.bash")

    def offered(self, program, *words):
        script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _millrace; printf "%s\n" "${COMPREPLY[@]}"'
        done = subprocess.run(["bash", "-c", script, "-", self.SCRIPT, program, *words], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.stderr, "")
        return set(done.stdout.split())

    def test_every_option_and_subcommand_is_offered(self):
        for program in (MILLRACE, MILLRACED, os.environ["MILLRACE_LOAD"]):
            text = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=PATIENCE).stdout
            subcommands = re.findall(r"(?m)^  ([a-z][a-z-]+)\b", text.split("Subcommands:")[1])
            self.assertTrue(subcommands)
            self.assertLessEqual(set(subcommands), self.offered(program, ""))
            for subcommand in subcommands:
                text = subprocess.run([program, subcommand, "--help"], capture_output=True, text=True, timeout=PATIENCE).stdout
                options = set(re.findall(r"(?m)^  (?:-\S+,)*(--[a-z][a-z0-9-]*)", text))
                self.assertTrue(options)
                self.assertEqual(self.offered(program, subcommand, "--"), options, subcommand)

    def test_values_of_a_choice_are_offered(self):
        self.assertEqual(self.offered(MILLRACED, "serve", "--durability", ""), {"full", "batch", "none"})
        self.assertEqual(self.offered(MILLRACED, "serve", "--log-level", "w"), {"warning"})


class Drain(ServerTest):
    SERVER_OPTIONS = ("--drain-timeout", "60s")

    def terminate(self):
        self.server.process.send_signal(signal.SIGTERM)

    def ended(self):
        return self.server.process.wait(PATIENCE)

    def test_idle_connections_are_told_and_close_at_once(self):
        with RawClient(self.server.port) as client:
            client.send(frame(HELLO, 0))
            self.assertEqual(client.next_frame()[0], HELLO)
            self.terminate()
            kinds = [kind for kind, _, _ in client.frames()]
            self.assertEqual(kinds, [GOAWAY])
        self.assertEqual(self.ended(), 0)

    def test_an_upload_under_way_ends_and_new_requests_are_told_to_try_again(self):
        size = 64 * MIB
        local = self.write("f", noise(size))
        client = self.pause_in_the_middle_of_an_upload(local, size, local, self.url + "f")
        with RawClient(self.server.port) as other:
            # A request whose answer is not read yet keeps its connection open: windows of 1 byte.
            self.run_client("upload", "-q", self.write("g", noise(2 * MIB)), self.url + "g")
            other.send(frame(HELLO, 0, field(7, varint(1)) + field(8, varint(1))) + frame(DOWNLOAD, 1, field(1, b"g")))
            wait_for(lambda: other.next_frame()[1] == 1, "the download's begin")
            self.terminate()
            wait_for(lambda: other.next_frame()[0] == GOAWAY, "GOAWAY")
            other.send(frame(LIST, 3))
            wait_for(lambda: (lambda got: got[0] == ERROR and got[1] == 3 and b"E_BUSY" in got[2])(other.next_frame()), "E_BUSY")
            self.assertTrue(self.server.alive())
        with self.assertRaises(OSError):
            socket.create_connection(("127.0.0.1", self.server.port), PATIENCE).close()
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(PATIENCE), 0)
        self.assertEqual(self.ended(), 0)
        self.assertEqual(os.stat(self.server.stored_path("f")).st_size, size)

    def test_a_second_signal_ends_at_once_and_the_part_stays(self):
        size = 128 * MIB
        local = self.write("f", noise(size))
        client = self.pause_in_the_middle_of_an_upload(local, size, local, self.url + "f", least=16 * MIB)
        self.terminate()
        wait_for(lambda: not listens(self.server.port), "the drain")
        self.assertTrue(self.server.alive())
        self.server.process.send_signal(signal.SIGINT)
        self.assertEqual(self.ended(), 0)
        self.assertEqual(len(self.server.partials()), 1)
        # It would look for the server for more than a minute.
        client.send_signal(signal.SIGINT)
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(PATIENCE), 130)

    def test_at_the_deadline_the_rest_is_cut(self):
        self.server.stop()
        self.server = Server(self.server.data, "--drain-timeout", "1s")
        size = 64 * MIB
        local = self.write("f", noise(size))
        self.pause_in_the_middle_of_an_upload(local, size, local, self.url + "f")
        self.terminate()
        self.assertEqual(self.ended(), 0)


class Logs(ServerTest):
    HOSTILE = "a\nerror: forged\x1b[31m\"é"

    def serve(self, *options):
        """A server whose log is in the file `log`."""
        self.server.stop()
        with open(self.path("log"), "wb") as log:
            process = subprocess.Popen([MILLRACED, "serve", "--data", self.server.data, "--listen", "127.0.0.1:0", *options], stdout=subprocess.PIPE,
                                       stderr=log, text=True)
        self.addCleanup(end, process)
        self.port = int(process.stdout.readline().rsplit(":", 1)[1])
        self.log_url = f"millrace://127.0.0.1:{self.port}/"
        return process

    def lines(self, name="log"):
        return [json.loads(line) for line in self.read(name).decode().splitlines()]

    def requests(self):
        return [line for line in self.lines() if line["message"] == "request"]

    def test_every_request_has_a_line_and_hostile_names_cannot_forge_one(self):
        process = self.serve("--log-format", "json", "--log-level", "info")
        local = self.write("f", noise(100_000))
        self.run_client("upload", local, self.log_url + self.HOSTILE)
        self.run_client("download", self.log_url + self.HOSTILE, self.path("back"))
        self.run_client("stat", self.log_url + "none", code=10)
        self.run_client("move", self.log_url + self.HOSTILE, "b")
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        lines = self.requests()
        self.assertEqual([line["operation"] for line in lines], ["upload", "download", "stat", "move"])
        self.assertEqual([line["result"] for line in lines][:2], ["ok", "ok"])
        for line in lines[:2]:
            self.assertEqual(line["path"], "a\\nerror: forged\\x1b[31m\"é")
            self.assertEqual(line["bytes"], 100_000)
            self.assertGreater(line["wire_bytes"], 90_000)
            self.assertGreaterEqual(line["seconds"], 0)
            self.assertEqual(line["account"], "-")
        self.assertEqual(lines[3]["target"], "b")
        self.assertEqual(len({line["connection"] for line in lines}), 4)
        self.assertEqual([line["request"] for line in lines], [1, 1, 1, 1])
        opened = [line for line in self.lines() if line["message"] == "connection opened"]
        self.assertRegex(opened[0]["peer"], r"^127\.0\.0\.1:\d+$")

    def test_lines_of_text_name_connection_and_request_too(self):
        process = self.serve("--log-level", "info")
        self.run_client("upload", self.write("f", b"f"), self.write("g", b"g"), self.log_url)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)
        lines = [line for line in self.read("log").decode().splitlines() if " operation=" in line]
        found = [re.search(r"connection=(\d+) request=(\d+) operation=\"?upload\"? path=\"?([fg])\"?", line) for line in lines]
        self.assertEqual(len(found), 2, lines)
        self.assertTrue(all(found), lines)
        self.assertEqual({one[1] for one in found}, {"1"})
        self.assertEqual({one[2] for one in found}, {"1", "2"})

    def test_warnings_of_clients_are_bounded_and_the_level_is_reloaded(self):
        config = self.write("m.toml", b"[log]\nclient_warnings = 3\nformat = 'json'\n")
        process = self.serve("--config", config)
        for _ in range(6):
            with RawClient(self.port) as client:
                client.send(b"GET / HTTP/1.1\r\n\r\n")
                list(client.frames())
        wait_for(lambda: len(self.lines()) == 3, "three warnings")
        self.assertEqual({line["result"] for line in self.lines()}, {"E_PROTOCOL"})
        self.run_client("list", self.log_url)
        self.write("m.toml", b"[log]\nclient_warnings = 3\nformat = 'json'\nlevel = 'info'\n")
        process.send_signal(signal.SIGHUP)

        def listed():
            self.run_client("list", self.log_url)
            return self.requests()
        wait_for(listed, "a request's line")
        self.assertEqual(len([line for line in self.lines() if line["level"] == "warning"]), 3)

    def test_the_audit_log_has_what_changed_and_is_reopened(self):
        process = self.serve("--audit-log", self.path("audit"))
        self.run_client("upload", self.write("f", b"x"), self.log_url + self.HOSTILE)
        self.run_client("list", self.log_url)
        self.run_client("move", self.log_url + self.HOSTILE, "b")
        self.run_client("delete", self.log_url + "none", code=10)
        wait_for(lambda: len(self.lines("audit")) == 3, "three lines")
        upload, move, delete = self.lines("audit")
        self.assertEqual((upload["who"], upload["what"], upload["result"]), ("-", "upload", "ok"))
        self.assertEqual(len(upload["root"]), 64)
        self.assertGreater(upload["sequence"], 0)
        self.assertEqual((move["what"], move["target"]), ("move", "b"))
        self.assertEqual((delete["what"], delete["path"], delete["result"]), ("delete", "none", "E_NOT_FOUND"))
        self.assertEqual(os.stat(self.path("audit")).st_mode & 0o777, 0o600)
        os.rename(self.path("audit"), self.path("audit.1"))
        process.send_signal(signal.SIGHUP)
        wait_for(lambda: os.path.exists(self.path("audit")), "a new file")
        self.run_client("delete", self.log_url + "b")
        wait_for(lambda: len(self.lines("audit")) == 1, "its line")
        self.assertEqual(len(self.lines("audit.1")), 3)
        self.assertEqual(self.read("log"), b"")


class Unit(unittest.TestCase):
    """The unit for systemd gives away little."""

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_its_exposure_is_low(self):
        unit = os.path.join(os.environ["SOURCE_ROOT"], "packaging", "millraced.service")
        done = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit], capture_output=True, text=True, timeout=PATIENCE)
        exposure = re.search(r"Overall exposure level for millraced.service: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(exposure, done.stderr)
        self.assertLessEqual(float(exposure.group(1)), 2.0)


class Restart(ServerTest):
    """Clients of a server that is started again on the same port."""
    SERVER_OPTIONS = ("--drain-timeout", "60s")

    def restart_behind(self, client):
        """Asks the server to end, lets `client` go on, and starts the server again."""
        port = self.server.port
        self.server.process.send_signal(signal.SIGTERM)
        wait_for(lambda: not listens(port), "the drain")
        client.send_signal(signal.SIGCONT)
        self.assertEqual(self.server.process.wait(PATIENCE), 0)
        self.server.process.stdout.close()
        self.server = Server(self.server.data, *self.SERVER_OPTIONS, listen=f"127.0.0.1:{port}")

    def test_an_upload_of_many_files_goes_on_behind_the_restart(self):
        # Two large files are under way at once; the others have not begun.
        names = [self.write(f"f{i}", noise(40 * MIB, i)) for i in range(6)]
        client = self.pause_in_the_middle_of_an_upload(names[0], 40 * MIB, "-q", *names, self.url)
        self.restart_behind(client)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        self.assertIn(b"notice: The server goes away", errors)
        for name in names:
            self.assertEqual(self.server.stored(os.path.basename(name)), self.read(os.path.basename(name)))

    def test_an_upload_that_was_cut_at_the_deadline_goes_on_behind_the_restart(self):
        size = 64 * MIB
        local = self.write("f", noise(size))
        self.server.stop()
        self.server = Server(self.server.data, "--drain-timeout", "1s")
        client = self.pause_in_the_middle_of_an_upload(local, size, local, self.url + "f", least=16 * MIB)
        port = self.server.port
        self.server.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.server.process.wait(PATIENCE), 0)
        self.server.process.stdout.close()
        self.server = Server(self.server.data, listen=f"127.0.0.1:{port}")
        self.assertEqual(len(self.server.partials()), 1)
        client.send_signal(signal.SIGCONT)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        self.assertEqual(self.server.stored("f"), self.read("f"))

    def test_a_folder_goes_up_and_down_across_a_restart(self):
        os.mkdir(self.path("tree"))
        for i in range(6):
            self.write(f"tree/f{i}", noise(40 * MIB, i))
        client = self.pause_in_the_middle_of_an_upload("tree", 40 * MIB, "-r", "-q", self.path("tree"), self.url)
        self.restart_behind(client)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        client = self.start_client("download", "-r", "-q", self.url + "tree", self.path("back/"))
        wait_for(lambda: os.path.isdir(self.path("back")), "the download's begin")
        client.send_signal(signal.SIGSTOP)
        self.restart_behind(client)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        for folder, _, found in os.walk(self.path("back")):
            for name in found:
                with open(os.path.join(folder, name), "rb") as file:
                    self.assertEqual(file.read(), self.read(f"tree/{name}"))

    def test_a_server_that_says_goaway_at_once_is_asked_again_some_times_and_no_more(self):
        fake = FakeServer(frame(HELLO, 0) + frame(GOAWAY, 0))
        self.addCleanup(fake.close)
        done = self.run_client("list", fake.url, code=16)
        self.assertEqual(done.stderr.count(b"notice: The server goes away"), 8)


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        return True
    except OSError:
        return False


if __name__ == "__main__":
    unittest.main()
