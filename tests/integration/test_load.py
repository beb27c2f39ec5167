"""millrace-load: small loads of each kind, what it finds, and what it says when something is wrong."""
import json
import os
import signal
import socket
import subprocess
import unittest

from harness import PATIENCE, ServerTest, end, wait_for

MILLRACE_LOAD = os.environ["MILLRACE_LOAD"]
CLIENTS = 50


class LoadTest(ServerTest):
    def load(self, *arguments, code=0, url=None):
        done = subprocess.run([MILLRACE_LOAD, "run", "--url", url or self.url, *arguments], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, code, (arguments, done.stderr, done.stdout))
        return done

    def report(self, *arguments, code=0):
        path = self.path("report.json")
        self.load("--json", path, "-q", *arguments, code=code)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


class Operations(LoadTest):
    def check(self, operation, *arguments):
        report = self.report("--op", operation, "--clients", str(CLIENTS), "--transfers", "120", "--verify", *arguments)
        results = report["results"]
        self.assertEqual(report["schema"], "millrace-load/1")
        self.assertFalse(report["partial"])
        self.assertEqual((results["transfers"], results["errors"], results["lost"], results["unfinished"]), (120, {}, 0, 0))
        self.assertEqual(sum(count for _, count in results["histogram"]), 120)
        self.assertEqual(sum(second["transfers"] for second in results["per_second"]), 120)
        self.assertGreater(results["latency_seconds"]["p99"], 0)
        self.assertIsNone(results["latency_seconds"]["p999"])
        self.assertEqual(report["verify"]["checked"], CLIENTS)
        self.assertGreater(report["verify"]["downloaded"], 0)
        self.assertEqual(len(os.listdir(self.server.stored_path("load/1"))), CLIENTS)
        return results

    def test_upload(self):
        results = self.check("upload")
        self.assertEqual(results["logical_bytes"], 120 * 65536)
        self.assertGreater(results["wire_bytes"], 120 * 65536)

    def test_upload_delta_sends_what_changed(self):
        results = self.check("upload-delta")
        self.assertEqual(results["logical_bytes"], 120 * 65536)
        self.assertLess(results["wire_bytes"], 120 * 65536 // 4)

    def test_the_other_changes(self):
        for change in ("insert", "append", "shuffle"):
            self.check("upload-delta", "--change", change)

    def test_download(self):
        self.assertGreater(self.check("download")["received_bytes"], 120 * 65536)

    def test_download_delta(self):
        self.assertLess(self.check("download-delta")["wire_bytes"], 120 * 65536 // 4)

    def test_list(self):
        self.check("list")

    def test_mixed_at_a_rate(self):
        results = self.check("mixed", "--mix", "upload-delta=2,download=1,list=1", "--model", "open", "--rate", "400", "--size", "1KiB..100KiB:log")
        self.assertEqual(set(results["operations"]), {"upload-delta", "download", "list"})
        self.assertEqual(sum(one["transfers"] for one in results["operations"].values()), 120)
        # The last one is due after 119/400 of a second.
        self.assertGreater(results["seconds"], 0.29)

    def test_idle(self):
        results = self.report("--op", "idle", "--clients", "20", "--measure", "300ms")["results"]
        self.assertEqual((results["transfers"], results["errors"], results["connections_lost"]), (0, {}, 0))
        self.assertGreaterEqual(results["seconds"], 0.29)

    def test_files_are_the_same_for_the_same_seed(self):
        arguments = ("--clients", "2", "--transfers", "6", "--size", "20000", "--seed", "9")
        self.report(*arguments)
        first = [self.server.stored(f"load/9/0000{i}") for i in range(2)]
        self.report(*arguments)
        self.assertEqual(first, [self.server.stored(f"load/9/0000{i}") for i in range(2)])
        self.assertNotEqual(first[0], first[1])

    def test_cleanup_leaves_no_file(self):
        self.report("--clients", "20", "--cleanup")
        self.assertEqual(os.listdir(self.server.stored_path("load/1")), [])

    def test_a_server_on_this_machine_is_measured(self):
        results = self.report("--clients", "5", "--server-pid", str(self.server.process.pid))["results"]
        self.assertGreater(results["server"]["resident_bytes"], 1 << 20)
        self.assertGreaterEqual(results["server"]["peak_resident_bytes"], results["server"]["resident_bytes"])

    def test_slow_clients_do_not_keep_others_from_their_files(self):
        report = self.report("--clients", "20", "--slow-clients", "10", "--verify")
        self.assertEqual((report["results"]["transfers"], report["results"]["errors"]), (20, {}))
        self.assertEqual(report["slow_clients_left"], 10)

    def test_slow_clients_show_the_token_too(self):
        operator = [os.environ["MILLRACED"], "account", "add", "alice", "--data", self.server.data]
        subprocess.run(operator, check=True, capture_output=True, timeout=PATIENCE)
        made = subprocess.run([*operator[:1], "token", "add", "alice", "--data", self.server.data], check=True, capture_output=True, text=True, timeout=PATIENCE)
        token = self.write("token", made.stdout.encode())
        os.chmod(token, 0o600)
        # A server that turns somebody away does so within two seconds.
        report = self.report("--clients", "4", "--slow-clients", "6", "--token-file", token, "--measure", "5s")
        self.assertEqual(report["results"]["errors"], {})
        self.assertEqual(report["slow_clients_left"], 6)
        self.assertTrue(os.path.exists(self.server.stored_path("alice/load/1/00000")))
        # Revoked: all of them are known by it.
        subprocess.run([*operator[:1], "token", "revoke", made.stdout.split("_")[1], "--data", self.server.data], check=True, capture_output=True, timeout=PATIENCE)
        self.load("--clients", "1", "--slow-clients", "1", "--token-file", token, code=1)

    def test_slow_clients_speak_no_tls(self):
        self.assertIn("--slow-clients", self.load("--tls", "--slow-clients", "2", code=2).stderr)

    def test_several_loops_measure_as_one(self):
        report = self.report("--clients", "10", "--loops", "3", "--transfers", "43", "--repeat", "2", "--slow-clients", "4", "--verify")
        self.assertEqual([run["transfers"] for run in report["runs"]], [43, 43])
        self.assertEqual((report["results"]["errors"], report["results"]["lost"], report["slow_clients_left"]), ({}, 0, 4))
        self.assertEqual((report["verify"]["checked"], len(os.listdir(self.server.stored_path("load/1")))), (10, 10))

    def test_runs_repeat_and_warm_up(self):
        report = self.report("--clients", "4", "--transfers", "8", "--repeat", "3", "--warmup", "50ms")
        self.assertEqual([run["transfers"] for run in report["runs"]], [8, 8, 8])
        self.assertEqual(report["results"]["transfers"], 24)


class WhatItFinds(LoadTest):
    def test_a_threshold_that_is_missed_ends_with_3(self):
        done = self.load("--clients", "5", "--threshold", "p50<1us,errors<1", code=3)
        self.assertIn("p50<1us: MISSED", done.stdout)
        self.assertIn("errors<1: reached", done.stdout)
        self.load("--clients", "5", "--threshold", "max<100s,errors<0.1%")

    def test_the_highest_rate_is_looked_for(self):
        report = self.report("--clients", "20", "--find-max", "errors<1,p50<100s", "--rate", "20", "--measure", "200ms", "--verify")
        found = report["find_max"]
        self.assertEqual(found["rate"], max(probe["rate"] for probe in found["probes"] if probe["held"]))
        self.assertEqual(report["results"]["offered_per_second"], found["rate"])
        self.assertLessEqual(min(probe["rate"] for probe in found["probes"] if not probe["held"]), 1.1 * found["rate"])
        self.assertEqual(report["results"]["lost"], 0)

    def test_no_rate_that_holds_ends_with_3(self):
        done = self.load("--clients", "2", "--find-max", "max<1us", "--rate", "4", "--measure", "100ms", code=3)
        self.assertIn("no rate held it", done.stdout)

    def test_a_file_that_another_wrote_is_lost(self):
        path = self.path("report.json")
        load = subprocess.Popen([MILLRACE_LOAD, "run", "--url", self.url, "--op", "list", "--clients", "20", "--measure", "4s", "--verify", "-q", "--json", path])
        self.addCleanup(end, load)
        wait_for(lambda: os.path.exists(self.server.stored_path("load/1/00019")), "the files")
        wait_for(lambda: self.replace("load/1/00007", b"something else"), "another content")
        self.assertEqual(load.wait(PATIENCE), 15)
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        self.assertEqual(report["results"]["lost"], 1)
        self.assertIn("load/1/00007", report["verify"]["first_lost"])

    def replace(self, name, content):
        self.run_client("upload", "-q", "--force", self.write("other", content), self.url + name)
        return self.server.stored(name) == content

    def test_a_server_that_ends_is_counted_and_not_waited_for(self):
        path = self.path("report.json")
        load = subprocess.Popen([MILLRACE_LOAD, "run", "--url", self.url, "--clients", "4", "--measure", "3s", "-q", "--json", path])
        self.addCleanup(end, load)
        wait_for(lambda: os.path.exists(self.server.stored_path("load/1/00003")), "the files")
        self.server.kill()
        self.assertIn(load.wait(PATIENCE), (0, 1))
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        self.assertGreater(report["results"]["errors"]["E_NETWORK"], 0)


class WhatItSays(LoadTest):
    def test_no_server_ends_with_16(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        for loops in ("1", "3"):
            done = self.load("--clients", "5", "--loops", loops, url=f"millrace://127.0.0.1:{port}", code=16)
            self.assertRegex(done.stderr, r"^error\[E_NETWORK\]: The server 127.0.0.1:\d+ cannot be reached")

    def test_a_server_that_says_nothing_ends_with_16(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            done = self.load("--clients", "5", "--timeout", "1s", url=f"millrace://127.0.0.1:{silent.getsockname()[1]}", code=16)
        self.assertIn("--timeout", done.stderr)

    def test_an_interrupted_setup_writes_a_partial_report(self):
        path = self.path("report.json")
        load = subprocess.Popen([MILLRACE_LOAD, "run", "--url", self.url, "--clients", "500", "--size", "1MiB", "-q", "--json", path])
        self.addCleanup(end, load)
        wait_for(lambda: os.path.exists(self.server.stored_path("load/1/00000")), "the first file")
        load.send_signal(signal.SIGTERM)
        self.assertEqual(load.wait(PATIENCE), 143)
        with open(path, encoding="utf-8") as file:
            self.assertTrue(json.load(file)["partial"])

    def test_more_clients_than_descriptors_end_with_2(self):
        done = subprocess.run(["bash", "-c", 'ulimit -n 100; exec "$0" run --url "$1" --clients 200', MILLRACE_LOAD, self.url], capture_output=True,
                              text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^error\[E_USAGE\]: 200 connections need 264 descriptors")

    def test_what_cannot_be_meant_ends_with_2(self):
        done = self.load("--op", "upload", "--model", "open", code=2)
        self.assertIn("--rate", done.stderr)

    def test_a_scenario_file_gives_options_and_the_command_line_wins(self):
        scenario = self.write("scenario.toml", b'# changes and fetches\nop = "mixed"\nmix = "upload-delta=70,download=30"\nclients = 7\ntransfers = 30\nsize = "16KiB"\nverify = true\n')
        report = self.report("--scenario", scenario, "--transfers", "20")
        self.assertEqual((report["scenario"]["op"], report["scenario"]["clients"], report["results"]["transfers"]), ("mixed", 7, 20))
        self.assertEqual(report["verify"]["checked"], 7)

    def test_a_scenario_that_cannot_be_read_or_meant_ends_with_2(self):
        self.assertIn("no-such", self.load("--scenario", self.path("no-such"), code=2).stderr)
        self.assertIn("cleints", self.load("--scenario", self.write("wrong", b"cleints = 3\n"), code=2).stderr)
        self.assertIn("clients", self.load("--scenario", self.write("value", b"clients = many\n"), code=2).stderr)

    def test_an_interrupted_run_writes_a_partial_report(self):
        path = self.path("report.json")
        load = subprocess.Popen([MILLRACE_LOAD, "run", "--url", self.url, "--clients", "5", "--measure", "100s", "--json", path], stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(end, load)
        stored = self.server.stored_path("load/1/00004")
        wait_for(lambda: os.path.exists(stored), "the files")
        for _ in range(2):  # its client begins the second when the first was acknowledged
            before = os.stat(stored).st_mtime_ns
            wait_for(lambda: os.stat(stored).st_mtime_ns != before, "a change")
        load.send_signal(signal.SIGINT)
        output, _ = load.communicate(timeout=PATIENCE)
        self.assertEqual(load.returncode, 130)
        self.assertIn("PARTIAL", output)
        with open(path, encoding="utf-8") as file:
            report = json.load(file)
        self.assertTrue(report["partial"])
        self.assertGreater(report["results"]["transfers"], 0)

    def test_report_and_compare(self):
        first, second, other = self.path("a.json"), self.path("b.json"), self.path("c.json")
        for path in (first, second):
            self.load("--clients", "3", "--repeat", "4", "-q", "--json", path)
        self.load("--clients", "4", "--repeat", "4", "-q", "--json", other)
        shown = subprocess.run([MILLRACE_LOAD, "report", first], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(shown.returncode, 0)
        self.assertIn("upload-delta, 3 clients", shown.stdout)
        for arguments in (("report", first), ("compare", first, "--against", second)):
            page = self.path("page.html")
            self.assertEqual(subprocess.run([MILLRACE_LOAD, *arguments, "--html", page], capture_output=True, text=True, timeout=PATIENCE).stdout, "")
            written = self.read("page.html").decode()
            self.assertIn("<svg", written)
            self.assertIn("upload-delta, 3 clients", written)
            to_pipe = subprocess.run([MILLRACE_LOAD, *arguments, "--html", "-"], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(to_pipe.stdout, written)
            refused = subprocess.run([MILLRACE_LOAD, *arguments, "--html", self.path("no/such/place")], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual(refused.returncode, 1)
        table = subprocess.run([MILLRACE_LOAD, "compare", first, "--against", second], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(table.returncode, 0, table.stderr)
        self.assertRegex(table.stdout, r"transfers a second .* (better|worse|same|inconclusive)")
        refused = subprocess.run([MILLRACE_LOAD, "compare", first, "--against", other], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("another clients (4 instead of 3)", refused.stderr)
        bad = subprocess.run([MILLRACE_LOAD, "report", self.write("bad.json", b"[]")], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(bad.returncode, 2)


if __name__ == "__main__":
    unittest.main()
