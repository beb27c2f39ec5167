#!/usr/bin/env python3
"""Kills the server at random moments under load, starts it again, and compares everything that was acknowledged.

Several clients at once replace large files by deltas, send folders of small ones, delete and move. The server gets SIGKILL; the clients end
as they do; the server starts again and recovers. Then each path must hold the version that was acknowledged last, or one that a client tried
to put there since: whole, never a mixture, and nothing that was never sent. In some rounds the catalogue is removed before the start.

    tests/crash/kill_under_load.py --rounds 300        # MILLRACE and MILLRACED name the programs; default build/release/tools
"""
import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOOLS = os.path.join(HERE, "..", "..", "build", "release", "tools")
os.environ.setdefault("MILLRACE", os.path.join(TOOLS, "millrace"))
os.environ.setdefault("MILLRACED", os.path.join(TOOLS, "millraced"))
sys.path.insert(0, os.path.join(HERE, "..", "integration"))
import harness  # noqa: E402

ABSENT = None
LARGE = 6 << 20
EDIT = 40_000
SMALL_FILES = 150
KEPT_SUFFIX = ".job"
ROUNDS_WITH_CATALOGUE = 10  # in the last of so many the catalogue is removed as well: everything must be found in the files


class Versions:
    """The content of any version of any path, made again from its name and number; a version is the one before with some places overwritten."""

    def __init__(self, seed):
        self.seed = seed

    def content(self, path, version):
        if "/large" not in path:
            size = random.Random(f"{self.seed} {path} {version} size").choice((0, 1, 700, 4000, 20_000, 40_000, 90_000))
            return f"{path} {version}\n".encode() + random.Random(f"{self.seed} {path} {version}").randbytes(size)
        content = bytearray(random.Random(f"{self.seed} {path}").randbytes(LARGE))
        places = random.Random(f"{self.seed} {path} {version}")
        for _ in range(3):
            at = places.randrange(LARGE - EDIT)
            content[at:at + EDIT] = places.randbytes(EDIT)
        return f"{path} {version}\n".encode() + bytes(content)


class Model:
    """What may stand at each path: the state that was acknowledged last, and those that were tried since."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {}
        self.tried = {}
        self.acknowledgements = 0

    def trying(self, path, version):
        with self.lock:
            self.tried.setdefault(path, []).append(version)

    def done(self, path, version):
        with self.lock:
            self.acknowledged[path] = version
            self.tried[path] = []
            self.acknowledgements += 1

    def allowed(self, path):
        return [self.acknowledged.get(path, ABSENT), *self.tried.get(path, [])]

    def paths(self):
        return set(self.acknowledged) | set(self.tried)

    def settle(self, path, version):
        self.acknowledged[path] = version
        self.tried[path] = []


class Load:
    """Clients that go on until they are told to stop or lose the server; one after another for each of them, each with paths of its own."""

    def __init__(self, folder, versions, model, seed):
        self.folder, self.versions, self.model = folder, versions, model
        self.random = random.Random(seed)
        self.stop = threading.Event()
        self.numbers = {}
        self.faults = []

    def next_version(self, path):
        self.numbers[path] = self.numbers.get(path, 0) + 1
        return self.numbers[path]

    def run(self, server):
        self.url = server.url
        self.stop.clear()
        workers = [threading.Thread(target=self.work, args=(work, name)) for name, work in
                   (("a", self.replace_large), ("b", self.replace_large), ("c", self.send_small), ("d", self.send_small), ("e", self.shuffle))]
        for worker in workers:
            worker.start()
        return workers

    def work(self, work, name):
        try:
            while not self.stop.is_set() and work(name):
                pass
        except Exception as error:  # noqa: BLE001: a worker's end must not look like success
            self.faults.append(f"{name}: {error!r}")

    def client(self, *arguments, **options):
        done = subprocess.run([harness.MILLRACE, *arguments], capture_output=True, timeout=harness.PATIENCE, **options)
        # 16: the server was killed. Whatever else fails is a fault.
        if done.returncode not in (0, 3, 16):
            raise AssertionError(f"{arguments}: exit code {done.returncode}, {done.stderr.decode(errors='replace')[:300]}")
        return done

    def local(self, path, version):
        name = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(name), exist_ok=True)
        with open(name, "wb") as file:
            file.write(self.versions.content(path, version))
        return name

    def replace_large(self, name):
        path = f"{name}/large"
        version = self.next_version(path)
        local = self.local(path, version)
        self.model.trying(path, version)
        done = self.client("upload", "-q", "--force", local, self.url + path)
        if done.returncode == 0:
            self.model.done(path, version)
        return done.returncode == 0

    def send_small(self, name):
        sent = {}
        for number in range(SMALL_FILES):
            path = f"{name}/{number % 5}/{number}"
            sent[path] = self.next_version(path)
            self.local(path, sent[path])
            self.model.trying(path, sent[path])
        done = self.client("upload", "--json", "-r", "--force", os.path.join(self.folder, name), self.url)
        for line in done.stdout.decode().splitlines():
            event = json.loads(line)
            if event.get("event") == "file":
                self.model.done(event["path"], sent[event["path"]])
        return done.returncode == 0

    def shuffle(self, name):
        one, two = f"{name}/one", f"{name}/two"
        version = self.next_version(one)
        local = self.local(one, version)
        steps = [(("upload", "-q", "--force", local, self.url + one), {one: version}),
                 (("move", "--force", self.url + one, self.url + two), {one: ABSENT, two: version}),
                 (("delete", self.url + two), {two: ABSENT})]
        for arguments, after in steps[:self.random.choice((1, 2, 3, 3))]:
            if arguments[0] == "move":
                self.model.trying(two, ABSENT)  # a forced move removes what is there first
            for path, state in after.items():
                self.model.trying(path, state)
            if self.client(*arguments).returncode != 0:
                return False
            for path, state in after.items():
                self.model.done(path, state)
        return True


def look(server, versions, model):
    """Compares files/ with the model and takes over what is there. The number of paths."""
    found = {}
    base = os.path.join(server.data, "files")
    for folder, _, names in os.walk(base):
        for name in names:
            path = os.path.relpath(os.path.join(folder, name), base)
            with open(os.path.join(folder, name), "rb") as file:
                found[path] = file.read()
    for path in sorted(model.paths() | set(found)):
        content = found.get(path)
        for version in model.allowed(path):
            wanted = None if version is ABSENT else versions.content(path_of_content(path, version, content), version)
            if content == wanted:
                model.settle(path, version)
                break
        else:
            first = None if content is None else content[:40]
            raise AssertionError(f"{path}: {first!r} (of {len(content or b'')} bytes) is none of the versions {model.allowed(path)}")
    return len(found)


def path_of_content(path, version, content):
    """A file that was moved has the content of the path that it was sent to."""
    return path[:-3] + "one" if path.endswith("/two") else path


def remove_catalogue(data):
    for name in os.listdir(data):
        if name.startswith("catalogue.sqlite"):
            os.remove(os.path.join(data, name))


def one_round(server, load, model, versions, moment, without_catalogue):
    workers = load.run(server)
    time.sleep(moment)
    server.kill()
    load.stop.set()
    for worker in workers:
        worker.join()
    if load.faults:
        raise AssertionError("; ".join(load.faults))
    if without_catalogue:
        remove_catalogue(server.data)
    again = harness.Server(server.data)
    files = look(again, versions, model)
    left = [name for name in again.staged_paths() if name.endswith(KEPT_SUFFIX)]
    # Two large uploads may have left a part each, and an older one of each path may not have been swept yet.
    if len(left) > 4:
        raise AssertionError(f"staging holds {left}")
    return again, files


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=50, metavar="N", help="kills (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=int(time.time()), metavar="S", help="of moments and contents (default: the time)")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    moments = random.Random(options.seed)
    model, versions = Model(), Versions(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        load = Load(os.path.join(folder, "local"), versions, model, options.seed)
        server = harness.Server(os.path.join(folder, "data"))
        try:
            for number in range(options.rounds):
                moment = moments.choice((moments.uniform(0, 0.3), moments.uniform(0.1, 2)))
                without = number % ROUNDS_WITH_CATALOGUE == ROUNDS_WITH_CATALOGUE - 1
                server, files = one_round(server, load, model, versions, moment, without)
                print(f"kill {number + 1} after {moment:.2f} s{', catalogue removed' if without else ''}: {files} files whole, {model.acknowledgements} acknowledgements so far", flush=True)
            done = subprocess.run([harness.MILLRACE, "list", "-r", "--json", server.url], capture_output=True, check=True)
            listed = sum(1 for line in done.stdout.splitlines() if json.loads(line).get("kind") == "-")
            print(f"{options.rounds} kills, {model.acknowledgements} acknowledgements, nothing lost, nothing mixed; {listed} files listed")
            if server.stop() != 0:
                raise AssertionError("the server did not end in order")
        finally:
            if server.alive():
                server.kill()
    if model.acknowledgements < options.rounds:
        sys.exit("too little was acknowledged for this to have shown anything")


if __name__ == "__main__":
    main()
