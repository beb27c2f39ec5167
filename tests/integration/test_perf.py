"""The benchmarks of perf/ run, check their results and judge; with so small parameters that the figures mean nothing."""
import collections
import importlib.machinery
import importlib.util
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import unittest.mock

from harness import PATIENCE

PERF = os.path.join(os.environ["SOURCE_ROOT"], "perf")
sys.path.insert(0, PERF)


def script(name):
    """A benchmark as a module."""
    loader = importlib.machinery.SourceFileLoader(name, os.path.join(PERF, name))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


class PerfTest(unittest.TestCase):
    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.addCleanup(self.holder.cleanup)

    def path(self, name):
        return os.path.join(self.holder.name, name)

    def run_perf(self, name, *arguments, code=0):
        """Runs it in a folder of its own; its report."""
        done = subprocess.run([sys.executable, os.path.join(PERF, name), "--quick", "--work", self.holder.name, "--json", self.path(name + ".json"), *arguments],
                              capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        with open(self.path(name + ".json"), encoding="utf-8") as file:
            return json.load(file)


class Benchmarks(PerfTest):
    def test_concurrency(self):
        report = self.run_perf("concurrency", "--clients", "1,5", "--transfers", "20", "--idle", "20")
        self.assertEqual([(step["clients"], step["errors"], step["lost"]) for step in report["steps"]], [(1, 0, 0), (5, 0, 0)])
        self.assertEqual(report["steps"][1]["transfers"], 20)
        self.assertGreater(report["steps"][1]["server_peak_bytes"], 1 << 20)
        self.assertEqual([report["tight"][name] for name in ("clients", "transfers", "errors", "lost")], [5, 5, 0, 0])
        self.assertEqual(report["bars"][0]["met"], None)  # ten thousand clients were not there

    def test_compare_peers_and_the_summary(self):
        report = self.run_perf("compare_peers", "--clients", "3", "--only", "millrace,threaded", "--scenarios", "clients,unchanged", "--cache", self.path("cache"))
        self.assertEqual(set(report["scenarios"]["clients"]["medians"]), {"millrace", "threaded", "millrace-load"})
        self.assertGreater(report["scenarios"]["clients"]["medians"]["threaded"]["server_peak_bytes"], 1 << 20)
        self.assertEqual(set(report["scenarios"]["unchanged"]["medians"]), {"millrace", "threaded"})
        text = subprocess.run([sys.executable, os.path.join(PERF, "summary.py"), self.holder.name], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(text.returncode, 0, text.stderr)
        self.assertIn("| threaded |", text.stdout)
        self.assertIn("not judged", text.stdout)

    def test_signature_cache(self):
        report = self.run_perf("signature_cache", "--rounds", "1")
        self.assertEqual(set(report["server_seconds_a_download"]), {"0", "16MiB"})

    def test_tls_cost(self):
        if shutil.which("rsync") is None or shutil.which("sshd", path="/usr/sbin:/usr/bin") is None:
            self.skipTest("rsync or sshd is not installed")
        report = self.run_perf("tls_cost")
        self.assertEqual(set(report["fresh_seconds"]), {"plain", "tls", "rsync over ssh"})
        self.assertEqual(set(report["handshakes"]), {"full", "resumed"})

    def test_http_cost(self):
        if shutil.which("nginx", path="/usr/sbin:/usr/bin") is None or shutil.which("curl") is None:
            self.skipTest("nginx or curl is not installed")
        report = self.run_perf("http_cost")
        self.assertEqual(len(report["whole_file_seconds"]), 4)
        self.assertEqual(set(report["live_view"]["cpu_share"]), {"no page", "8 pages"})

    def test_page_cost(self):
        if shutil.which("chromium") is None or not os.environ.get("WEB_ENGINE"):
            self.skipTest("there is no chromium, or the build is without pages")
        report = self.run_perf("page_cost", "--build", os.environ["BUILD_ROOT"])
        self.assertGreater(report["dashboard"]["private_bytes"], 1 << 20)
        self.assertEqual(report["folder"]["files"], 2000)

    def test_compare_peers_with_rsync(self):
        scenarios = {"small-files": ["millrace, durable", "rsync, durable", "millrace", "rsync"], "fresh-durable": ["millrace, durable", "rsync, durable"],
                     "unchanged": ["millrace", "rsync"], "edits": ["millrace", "rsync"]}
        if shutil.which("rsync") is None:
            self.skipTest("rsync is not installed")
        report = self.run_perf("compare_peers", "--only", "millrace,rsync", "--scenarios", ",".join(scenarios), "--cache", self.path("cache"))
        for name, contestants in scenarios.items():
            self.assertEqual(set(report["scenarios"][name]["medians"]), set(contestants), name)
        judged = {bar["what"] for bar in report["bars"] if bar["met"] is not None}
        self.assertEqual(judged, {"fresh, flushed, time against rsync --fsync", "unchanged, time against rsync -I", "100 edits, time against rsync",
                                  "small files, flushed, time against rsync --fsync", "small files, flushed, time against rsync without"})

    def test_fairness(self):
        report = self.run_perf("fairness", "--small", "5", "--large", "1", "--slow", "2", "--measure", "300ms", "--durability", "none", "--cache", self.path("cache"))
        self.assertEqual([(phase["errors"], phase["lost"]) for phase in report["phases"].values()], [(0, 0)] * 3)
        self.assertGreaterEqual(report["phases"]["beside large"]["large_uploads_finished"], 1)

    def test_a_missing_program_ends_with_2(self):
        done = subprocess.run([sys.executable, os.path.join(PERF, "concurrency"), "--build", self.path("nothing")], capture_output=True, text=True, timeout=PATIENCE,
                              env={key: value for key, value in os.environ.items() if not key.startswith("MILLRACE")})
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, "^error: There is no program .*meson setup")


class Turns(unittest.TestCase):
    def test_each_comes_behind_each_other_equally_often(self):
        import turns
        for count in range(2, 8):
            names = [f"contestant {number}" for number in range(count)]
            followed = collections.Counter()
            for index in range(count * (1 + count % 2)):
                order = turns.order_of(names, index)
                self.assertEqual(sorted(order), names)
                followed.update(itertools.pairwise(order))
            self.assertEqual(len(followed), count * (count - 1))
            self.assertEqual(len(set(followed.values())), 1, followed)

    def test_memory_is_touched_before_each_turn(self):
        import turns
        order = []
        with unittest.mock.patch.object(turns, "touch_free_memory", order.append):
            results = turns.in_turns(2, {name: lambda index, name=name: order.append((name, index)) or {"seconds": index} for name in "ab"}, touched_bytes=5)
        self.assertEqual(order, [5, ("a", 0), 5, ("b", 0), 5, ("b", 1), 5, ("a", 1)])
        self.assertEqual(results, {name: [{"seconds": 0}, {"seconds": 1}] for name in "ab"})
        turns.touch_free_memory(1 << 20)

    def test_a_turn_of_another_that_fails_is_made_again_once(self):
        import peers
        comparison = script("compare_peers").Comparison(None, None, [], {})

        def failing(times):
            left = iter([True] * times)

            def run(index):
                if next(left, False):
                    raise peers.Failed("Connection closed")
                return index
            return run

        self.assertEqual(comparison.patient("sftp", failing(1))(3), 3)
        self.assertEqual(comparison.repeated, ["sftp: Connection closed"])
        for name, times in (("sftp", 2), ("millrace", 1), ("millrace, durable", 1)):
            with self.assertRaises(peers.Failed):
                comparison.patient(name, failing(times))(3)


class Page(PerfTest):
    def test_plots_and_tables_are_on_one_page_and_are_only_that(self):
        import plots
        with open(self.path("a<b>.png"), "wb") as file:
            file.write(b"\x89PNG")
        with open(self.path("summary.md"), "w", encoding="utf-8") as file:
            file.write("| <script>alert(1)</script> |")
        page = plots.page(self.holder.name)
        self.assertIn('src="data:image/png;base64,iVBORw=="', page)
        self.assertIn("&lt;script&gt;", page)
        self.assertNotIn("<script", page)
        self.assertNotIn("<b>", page)


class Soak(PerfTest):
    def test_a_server_that_keeps_its_size_passes(self):
        # Few turns of a fresh server still fill its caches, so the verdict on memory is left to the judge below.
        report = {bar["what"]: bar["met"] for bar in self.soak()["bars"]}
        self.assertTrue(report["errors and lost files"])
        self.assertTrue(report["drafts left in staging"])

    def soak(self):
        done = subprocess.run([sys.executable, os.path.join(PERF, "soak"), "--quick", "--seconds", "2", "--clients", "4", "--slow", "2", "--work", self.holder.name,
                               "--json", self.path("soak.json")], capture_output=True, text=True, timeout=PATIENCE)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        with open(self.path("soak.json"), encoding="utf-8") as file:
            return json.load(file)

    def verdict(self, **growth):
        """Of twelve made-up turns whose figures grow by so much each."""
        turns = [{"resident_bytes": (100 << 20) + number * growth.get("resident_bytes", 0), "descriptors": 30 + number * growth.get("descriptors", 0),
                  "threads": 17, "staged": 0, "errors": 0, "lost": 0} for number in range(12)]
        report = {"turns": turns, "staged_at_rest": 0, "bars": []}
        script("soak").judge(report)
        return [bar["what"].partition(" ")[0].rstrip(",") for bar in report["bars"] if not bar["met"]]

    def test_growth_is_found(self):
        self.assertEqual(self.verdict(), [])
        self.assertEqual(self.verdict(resident_bytes=4 << 20), ["memory"])
        self.assertEqual(self.verdict(descriptors=1), ["descriptors"])


if __name__ == "__main__":
    unittest.main()
