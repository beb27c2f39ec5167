"""docs/monitoring against a server's metrics: what dashboard and alerts ask for is there. promtool checks rules and exposition where it is installed."""
import json
import os
import re
import shutil
import subprocess
import unittest

from test_http import FILES, HttpTest

FOLDER = os.path.join(os.environ["SOURCE_ROOT"], "docs", "monitoring")


def metrics_in(expression):
    return set(re.findall(r"\b(?:millraced|process)_[a-z_]+", expression))


class Monitoring(HttpTest):
    def setUp(self):
        super().setUp()
        self.server.ask("PUT", FILES + "f", b"1")
        self.text = self.server.ask("GET", "/metrics")[2].decode()
        self.names = set(re.findall(r"^([a-z_]+)[{ ]", self.text, re.M))

    def test_the_dashboard_asks_for_what_is_there(self):
        with open(os.path.join(FOLDER, "grafana-dashboard.json"), encoding="utf-8") as file:
            dashboard = json.load(file)
        asked = set()
        for panel in dashboard["panels"]:
            self.assertTrue(panel["targets"], panel["title"])
            for target in panel["targets"]:
                asked |= metrics_in(target["expr"])
        self.assertGreater(len(asked), 15)
        self.assertLessEqual(asked, self.names)

    def test_the_alerts_ask_for_what_is_there(self):
        with open(os.path.join(FOLDER, "alerts.yml"), encoding="utf-8") as file:
            asked = set().union(*(metrics_in(line) for line in file if "expr:" in line))
        self.assertGreater(len(asked), 6)
        self.assertLessEqual(asked, self.names)

    @unittest.skipUnless(shutil.which("promtool"), "promtool is not installed")
    def test_promtool(self):
        subprocess.run(["promtool", "check", "rules", os.path.join(FOLDER, "alerts.yml")], check=True, capture_output=True)
        done = subprocess.run(["promtool", "check", "metrics"], input=self.text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_the_manual_names_every_metric(self):
        with open(os.path.join(os.environ["SOURCE_ROOT"], "docs", "OPERATIONS.md"), encoding="utf-8") as file:
            manual = file.read()
        families = set(re.findall(r"^# TYPE ([a-z_]+) ", self.text, re.M))
        self.assertEqual({name for name in families if f"`{name}" not in manual and not name.startswith("process_")}, set())


if __name__ == "__main__":
    unittest.main()
