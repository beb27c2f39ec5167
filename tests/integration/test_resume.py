"""An upload that was cut off goes on with what the server has of it."""
import os
import signal
import unittest

from harness import KEPT_PART, PATIENCE, Server, ServerTest, noise, wait_for

MIB = 1 << 20
SIZE = 96 * MIB


class Retries(ServerTest):
    """A client whose connection is lost looks for the server again and goes on."""

    def kill_and_restart(self):
        """On the same port; a connection that stood gets lost."""
        port = self.server.port
        self.server.kill()
        self.server = Server(self.server.data, listen=f"127.0.0.1:{port}")

    def test_an_upload_goes_on_by_itself(self):
        content = noise(SIZE, 3)
        local = self.write("local", content)
        client = self.pause_in_the_middle_of_an_upload(local, SIZE, "--json", "--retries", "2", local, self.url + "f", least=KEPT_PART,
                                                       missed=lambda: self.run_client("delete", "-q", self.url + "f"))
        self.kill_and_restart()
        [kept] = self.server.partials()
        client.send_signal(signal.SIGCONT)
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        self.assertIn(b"notice: The connection was lost", errors)
        self.assertGreater(kept, 0)
        self.assertEqual(self.server.stored("f"), content)

    def test_a_folder_goes_on_by_itself(self):
        os.mkdir(self.path("tree"))
        for number in range(400):
            self.write(f"tree/{number}", noise(70_000, number))
        client = self.start_client("upload", "-q", "-r", "--retries", "5", self.path("tree"), self.url)
        wait_for(lambda: client.poll() is not None or os.path.isdir(self.server.stored_path("tree")), "the first files")
        self.kill_and_restart()
        _, errors = client.communicate(timeout=PATIENCE)
        self.assertEqual(client.returncode, 0, errors)
        for number in range(400):
            self.assertEqual(self.server.stored(f"tree/{number}"), noise(70_000, number))

    def test_a_download_goes_on_by_itself(self):
        content = noise(SIZE, 3)
        self.run_client("upload", "-q", self.write("local", content), self.url + "f")
        client = self.start_client("download", "-q", "--retries", "2", self.url + "f", self.path("back"))
        self.kill_and_restart()
        _, errors = client.communicate(timeout=PATIENCE)
        # It may have been killed before it stood: then there was no connection to be lost.
        self.assertIn(client.returncode, (0, 16), errors)
        if client.returncode == 0:
            self.assertEqual(self.read("back"), content)

    def test_without_retries_and_without_a_server_it_ends(self):
        local = self.write("local", noise(SIZE, 3))
        client = self.pause_in_the_middle_of_an_upload(local, SIZE, "-q", "--retries", "0", local, self.url + "f", least=KEPT_PART,
                                                       missed=lambda: self.run_client("delete", "-q", self.url + "f"))
        self.server.kill()
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(PATIENCE), 16)
        # Nobody there from the start is no lost connection.
        self.run_client("list", "--retries", "9", self.url, code=16)
        self.restart()


class Resume(ServerTest):
    def setUp(self):
        super().setUp()
        self.content = noise(SIZE, 3)
        self.local = self.write("local", self.content)

    def interrupted(self):
        return self.pause_in_the_middle_of_an_upload(self.local, SIZE, "-q", self.local, self.url + "f", least=KEPT_PART,
                                                     missed=lambda: self.run_client("delete", "-q", self.url + "f"))

    def cut_by_killing_the_client(self):
        client = self.interrupted()
        client.kill()
        client.wait(PATIENCE)
        wait_for(lambda: not self.server.drafts(), "the server to end the draft")

    def go_on(self, *arguments):
        """The next attempt sends what was missing and little more."""
        [kept] = self.server.partials()
        self.assertGreater(kept, 0)
        sent = self.summary("upload", *arguments, self.local, self.url + "f")["bytes_sent"]
        missing = SIZE - kept
        self.assertLessEqual(sent, missing + max(MIB, missing // 100), f"{kept} were there")
        self.assertEqual(self.server.stored("f"), self.content)
        self.run_client("verify", self.url + "f")
        wait_for(lambda: not self.server.staging(), "what was kept to go")
        print(f"{SIZE} bytes, {kept} were there, sent {sent}: {sent - missing} more than was missing")

    def test_after_the_client_was_killed(self):
        self.cut_by_killing_the_client()
        self.go_on()

    def test_after_the_server_was_killed(self):
        client = self.interrupted()
        self.server.kill()
        client.send_signal(signal.SIGCONT)
        self.assertEqual(client.wait(PATIENCE), 16)
        self.restart()
        self.go_on()

    def test_twice(self):
        self.cut_by_killing_the_client()
        [first] = self.server.partials()
        client = self.start_client("upload", "-q", self.local, self.url + "f")
        wait_for(lambda: client.poll() is not None or len(self.server.drafts()) > 0, "a draft")
        client.kill()
        client.wait(PATIENCE)
        wait_for(lambda: not self.server.drafts(), "the server to end the draft")
        if os.path.exists(self.server.stored_path("f")):
            return  # it was too fast to be cut
        [second] = self.server.partials()
        self.assertGreaterEqual(second, first)
        self.go_on()

    def test_a_new_attempt_does_not_wait_for_one_that_is_dead(self):
        """Its connection stands, its client does not move."""
        dead = self.interrupted()
        there = max(self.server.draft_sizes())
        sent = self.summary("upload", self.local, self.url + "f")["bytes_sent"]
        self.assertGreater(there, KEPT_PART // 2)
        self.assertLessEqual(sent, SIZE - there + max(MIB, SIZE // 100), f"{there} were there")
        self.assertEqual(self.server.stored("f"), self.content)
        dead.kill()
        dead.wait(PATIENCE)
        wait_for(lambda: not self.server.drafts(), "the dead one's draft to go")
        self.run_client("verify", self.url + "f", self.local)

    def test_a_stored_version_still_counts(self):
        # What is missing of the new version stands in the old one.
        self.run_client("upload", "-q", self.write("old", b"another beginning" + self.content[8 * MIB:]), self.url + "f")
        client = self.pause_in_the_middle_of_an_upload(self.local, SIZE, "-q", "--whole-file", self.local, self.url + "f",
                                                       least=KEPT_PART)
        client.kill()
        client.wait(PATIENCE)
        wait_for(lambda: not self.server.drafts(), "the server to end the draft")
        summary = self.summary("upload", self.local, self.url + "f")
        self.assertLess(summary["bytes_sent"], MIB)
        self.assertEqual(self.server.stored("f"), self.content)
        wait_for(lambda: not self.server.staging(), "what was kept to go")

    def test_a_file_that_changed_meanwhile(self):
        self.cut_by_killing_the_client()
        self.content = self.content[:MIB] + b"an insertion" + self.content[MIB:]
        self.write("local", self.content)
        [kept] = self.server.partials()
        summary = self.summary("upload", self.local, self.url + "f")
        self.assertLess(summary["bytes_sent"], len(self.content) - kept + MIB + len(self.content) // 100)
        self.assertEqual(self.server.stored("f"), self.content)

    def test_nobody_else_sees_it(self):
        self.cut_by_killing_the_client()
        self.assertEqual(self.events("list", "-r", self.url)[1]["event"], "summary")
        self.run_client("stat", self.url + "f", code=10)
        # An upload that expects nothing there still finds nothing.
        self.go_on()


if __name__ == "__main__":
    unittest.main()
