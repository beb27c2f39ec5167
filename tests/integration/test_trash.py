"""What was replaced or deleted is listed and comes back."""
import os
import unittest

from harness import ServerTest, noise


class Trash(ServerTest):
    def setUp(self):
        super().setUp()
        self.old, self.new = noise(300_000, 1), noise(200_000, 2)
        self.run_client("upload", "-q", self.write("old", self.old), self.url + "docs/report.txt")
        self.run_client("upload", "-q", "--force", self.write("new", self.new), self.url + "docs/report.txt")

    def listed(self, path=""):
        return [event for event in self.events("list", "--trash", self.url + path) if event["event"] == "trashed"]

    def test_a_version_that_was_replaced(self):
        (entry,) = self.listed("docs/report.txt")
        self.assertEqual((entry["path"], entry["bytes"]), ("docs/report.txt", len(self.old)))
        text = self.run_client("list", "--trash", self.url).stdout.decode()
        self.assertRegex(text, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z +300,000 docs/report.txt\n$")
        self.run_client("restore", self.url + "docs/report.txt", code=11)
        self.run_client("restore", "--at", entry["at"], "--to", "docs/before.txt", self.url + "docs/report.txt")
        self.assertEqual(self.server.stored("docs/before.txt"), self.old)
        self.assertEqual(self.server.stored("docs/report.txt"), self.new)
        self.assertEqual(self.listed(), [])

    def test_a_folder_that_was_deleted(self):
        self.run_client("delete", "-r", self.url + "docs")
        self.assertEqual([entry["bytes"] for entry in self.listed("docs")], [len(self.old), len(self.new)])
        self.restart()
        self.run_client("restore", self.url + "docs/report.txt")
        self.assertEqual(self.server.stored("docs/report.txt"), self.new)
        self.run_client("restore", "--force", self.url + "docs/report.txt")
        self.assertEqual(self.server.stored("docs/report.txt"), self.old)
        self.run_client("download", "-q", self.url + "docs/report.txt", self.path("back"))
        self.assertEqual(self.read("back"), self.old)
        self.assertEqual([entry["bytes"] for entry in self.listed()], [len(self.new)])

    def test_what_is_not_there(self):
        self.run_client("restore", self.url + "nothing", code=10)
        self.run_client("restore", "--at", "2020-01-01T00:00:00.000000000Z", self.url + "docs/report.txt", code=10)
        self.run_client("restore", "--at", "yesterday", self.url + "docs/report.txt", code=2)
        self.run_client("restore", "--to", "../outside", "--force", self.url + "docs/report.txt", code=2)
        self.assertEqual(self.listed("elsewhere"), [])

    def test_the_files_are_ordinary_ones(self):
        self.listed()
        (name,) = os.listdir(os.path.join(self.server.data, "trash", "docs"))
        self.assertTrue(name.startswith("report.txt~"), name)
        with open(os.path.join(self.server.data, "trash", "docs", name), "rb") as file:
            self.assertEqual(file.read(), self.old)


if __name__ == "__main__":
    unittest.main()
