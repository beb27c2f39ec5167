"""Runs millrace-load against a server that a benchmark has started."""
import json
import os
import subprocess

import peers

LOAD_SECONDS = 3600
# 0: measured; 1: files could not be put in place or checked; 15: files were lost. The latter two are in the report too.
MEASURED = (0, 1, 15)


class Load:
    """One run of millrace-load under way."""

    def __init__(self, programs, server, *arguments, verify=True):
        self.json_path = os.path.join(server.folder, f"load-{id(self)}.json")
        command = [programs.load, "run", "--url", server.url.rstrip("/"), "--server-pid", str(server.server.process.pid), "-q", "--json", self.json_path]
        command += ["--verify"] if verify else []
        self.command = command + [str(argument) for argument in arguments]
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def running(self):
        return self.process.poll() is None

    def report(self):
        """Waits for its end; the report. Raises Failed when there is none."""
        try:
            _, errors = self.process.communicate(timeout=LOAD_SECONDS)
        except BaseException:
            self.end()
            raise
        if self.process.returncode not in MEASURED:
            raise peers.Failed(f"{' '.join(self.command)} ended with {self.process.returncode}: {errors.strip()[-500:]}")
        with open(self.json_path) as file:
            return json.load(file)

    def end(self):
        if self.running():
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


def run(programs, server, *arguments, verify=True):
    with Load(programs, server, *arguments, verify=verify) as one:
        return one.report()


def errors_of(report):
    """Everything that went wrong, in numbers: transfers, setup, checks and connections."""
    results = report["results"]
    verify = report["verify"] or {"errors": {}}
    counts = [*results["errors"].values(), *report["setup"]["errors"].values(), *verify["errors"].values()]
    return sum(counts) + results["unfinished"] + results["connections_lost"]
