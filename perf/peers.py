"""The two systems that the benchmarks compare: starts and ends millraced and an rsync daemon, runs their clients and counts.

Everything lives in one temporary folder on loopback. Each process that is started here is ended here, by its id, also when a
benchmark fails. Nothing of the user's is read: clients get a configuration and state folder of their own.
"""
import collections
import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CLIENT_SECONDS = 900
START_SECONDS = 30
END_SECONDS = 60

# A client is started by a small process of its own, because the kernel counts into a child's peak what its parent held when it was
# started: measured from a benchmark that has just made a large file, every client would look large.
_MEASURE = """
import json, os, sys, time
started = time.monotonic()
child = os.posix_spawn(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.monotonic() - started
with open(sys.argv[1], "w") as file:
    json.dump({"code": os.waitstatus_to_exitcode(status), "seconds": seconds, "user_seconds": usage.ru_utime,
               "system_seconds": usage.ru_stime, "peak_bytes": usage.ru_maxrss * 1024}, file)
"""

# What one run of a client cost. Bytes are those that the client says it sent and received; `round_trips` is None for rsync.
Run = collections.namedtuple("Run", "sent received seconds user_seconds system_seconds peak_bytes round_trips output")


class Failed(Exception):
    """A peer is missing, does not start, or a transfer failed; the text says what to do or what it said."""


class Binaries:
    """Where the programs are: $MILLRACE, $MILLRACED and $MILLRACE_LOAD, or a build folder."""

    def __init__(self, build, *, load=False, rsync=True):
        self.millrace = self._find("MILLRACE", build, "millrace")
        self.millraced = self._find("MILLRACED", build, "millraced")
        self.load = self._find("MILLRACE_LOAD", build, "millrace-load") if load else None
        self.rsync = self.rsync_version = None
        if rsync:
            self.find_rsync()

    def find_rsync(self):
        """Raises Failed where there is none that the comparison can use."""
        self.rsync = shutil.which(os.environ.get("RSYNC", "rsync"))
        if self.rsync is None:
            raise Failed("rsync is not installed; install it (apt-get install rsync) or name it in RSYNC.")
        text = subprocess.run([self.rsync, "--version"], capture_output=True, text=True, check=True, timeout=30).stdout
        self.rsync_version = re.search(r"version (\S+)", text).group(1)
        compressions = re.search(r"Compress list:\s*(.*)", text)
        if compressions is None or "zstd" not in compressions.group(1).split():
            raise Failed(f"rsync {self.rsync_version} knows no zstd; the comparison needs one that does (3.2 or newer).")

    @staticmethod
    def _find(variable, build, name):
        path = os.environ.get(variable) or os.path.join(build, "tools", name)
        if not os.access(path, os.X_OK) or os.path.isdir(path):
            raise Failed(f"There is no program {path}. Build it (meson setup {build} --buildtype=release -Dtests=false; ninja -C {build}), "
                         f"or give another folder with --build, or the program itself in {variable}.")
        return os.path.abspath(path)

    def describe(self, build):
        """What was measured, for the JSON."""
        def digest(path):
            with open(path, "rb") as file:
                return hashlib.sha256(file.read()).hexdigest()

        revision = subprocess.run(["git", "-C", REPOSITORY, "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True,
                                  text=True, timeout=30).stdout.strip()
        return {"millrace": {"source_revision": revision or None, "build_type": build_type(build), "client_sha256": digest(self.millrace),
                             "server_sha256": digest(self.millraced)},
                "rsync": {"version": self.rsync_version}}


def build_type(build):
    """The build's meson buildtype, None where it cannot be known (programs from the environment)."""
    if "MILLRACE" in os.environ or "MILLRACED" in os.environ:
        return None
    try:
        with open(os.path.join(build, "meson-info", "intro-buildoptions.json")) as file:
            return {option["name"]: option["value"] for option in json.load(file)}["buildtype"]
    except (OSError, KeyError, ValueError):
        return None


def memory_bytes(field):
    """Of the machine: MemTotal, MemAvailable."""
    with open("/proc/meminfo") as file:
        return int(re.search(rf"^{field}:\s*(\d+)", file.read(), re.MULTILINE).group(1)) * 1024


def describe_machine():
    with open("/proc/cpuinfo") as file:
        model = re.search(r"model name\s*:\s*(.*)", file.read())
    return {"processor": model.group(1) if model else platform.machine(), "cores": len(os.sched_getaffinity(0)), "memory_bytes": memory_bytes("MemTotal"),
            "kernel": platform.release(), "python": platform.python_version(), "load_average_at_start": os.getloadavg()[0]}


def same_content(a, b):
    """Byte by byte."""
    with open(a, "rb") as first, open(b, "rb") as second:
        while True:
            left, right = first.read(1 << 20), second.read(1 << 20)
            if left != right:
                return False
            if not left:
                return True


def require_same(expected, got, what):
    if not same_content(expected, got):
        raise Failed(f"{what}: the result differs from what was sent. This is a fault, not a slow run.")


def touch_pages(path):
    """Reads a file once, so that it is in the page cache."""
    with open(path, "rb", buffering=0) as file:
        block = bytearray(1 << 20)
        while file.readinto(block):
            pass


class Process:
    """A server process: its CPU time, its peak memory, its end."""

    def __init__(self, arguments, environment, output):
        self.process = subprocess.Popen(arguments, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def cpu_seconds(self):
        """(user, system) up to now, of the process and of children that have ended; waits for those that are about to."""
        children = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
        for _ in range(100):
            with open(children) as file:
                if not file.read().strip():
                    break
            time.sleep(0.05)
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        return (int(fields[11]) + int(fields[13])) / ticks, (int(fields[12]) + int(fields[14])) / ticks

    def peak_bytes(self):
        """VmHWM: the most that was resident at once, mapped pages of files included."""
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(r"VmHWM:\s*(\d+) kB", file.read()).group(1)) * 1024

    def end(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed("A server did not end in time after SIGTERM and was killed.") from None


def client_environment(folder, name):
    """The caller's environment without settings for Millrace and rsync, and with folders for state that are this run's own."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MILLRACE", "RSYNC", "XDG_"))}
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        environment[variable] = os.path.join(folder, name, variable.lower())
        os.makedirs(environment[variable], exist_ok=True)
    environment["LC_ALL"] = "C"
    return environment


def _run_client(arguments, environment, folder):
    """Runs a client; (its measurements, its output). Raises Failed with what it said when it fails."""
    report = os.path.join(folder, "measured.json")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(report)
    wrapper = subprocess.Popen([sys.executable, "-I", "-S", "-c", _MEASURE, report, *arguments], env=environment, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        output, errors = wrapper.communicate(timeout=CLIENT_SECONDS)
    except BaseException as reason:
        # The session is this wrapper and its client, nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(wrapper.pid, signal.SIGKILL)
        wrapper.communicate()
        if isinstance(reason, subprocess.TimeoutExpired):
            raise Failed(f"{os.path.basename(arguments[0])} was not done after {CLIENT_SECONDS} s and was killed.") from None
        raise
    name = " ".join([os.path.basename(arguments[0]), *arguments[1:]])
    if wrapper.returncode != 0:
        raise Failed(f"{name} could not be started: {errors.strip()}")
    with open(report) as file:
        measured = json.load(file)
    if measured["code"] != 0:
        raise Failed(f"{name} ended with {measured['code']}: {(errors or output).strip()}")
    return measured, output


class Millrace:
    """millraced on a free port with a data folder of its own, and the client for it."""

    def __init__(self, binaries, folder, *, data=None, durability="none", http="off", options=()):
        self.binaries = binaries
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        self.data = data or os.path.join(folder, "data")
        self.log = os.path.join(folder, "millraced.log")
        with open(self.log, "wb") as output:
            self.server = Process([binaries.millraced, "serve", "--data", self.data, "--listen", "127.0.0.1:0", "--http", http, "--durability", durability, *options],
                                  client_environment(folder, "server"), output)
        try:
            self.url = "millrace://" + self._said("listening on") + "/"
            self.http_url = self._said("dashboard at") if http != "off" else None
        except BaseException:
            self.server.end()
            raise

    def _said(self, what):
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with open(self.log) as file:
                said = file.read()
            found = re.search(what + r" (\S+)\n", said)
            if found:
                return found.group(1)
            if self.server.process.poll() is not None:
                break
            time.sleep(0.02)
        raise Failed(f"millraced did not start: {said.strip()}")

    def loop_lag_seconds(self):
        """p99 of how late the server's loops were since the last such question (SIGUSR1); None from a server that does not tell it."""
        def told():
            with open(self.log) as file:
                return re.findall(r"loop lag p99 ([\d.]+) ms", file.read())
        before = len(told())
        self.server.process.send_signal(signal.SIGUSR1)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            found = told()
            if len(found) > before:
                return float(found[-1]) / 1000
            time.sleep(0.02)
        return None

    def run(self, command, *arguments, state="measured"):
        """Runs the client with --json. `state` names its state folder: what one run learns helps only runs of the same state."""
        measured, output = _run_client([self.binaries.millrace, command, "--json", *arguments], client_environment(self.folder, state), self.folder)
        try:
            summary = json.loads(output.strip().splitlines()[-1])
            if summary["event"] != "summary":
                raise KeyError("summary")
        except (IndexError, ValueError, KeyError):
            raise Failed(f"millrace {command} ended without a summary event: {output[-500:]}") from None
        return Run(summary["bytes_sent"], summary["bytes_received"], measured["seconds"], measured["user_seconds"], measured["system_seconds"],
                   measured["peak_bytes"], summary["round_trips"], summary)

    def upload(self, local, name, *options, state="measured"):
        return self.run("upload", *options, local, self.url + name, state=state)

    def download(self, name, local, *options, state="measured"):
        return self.run("download", *options, self.url + name, local, state=state)

    def seed(self, local, name):
        """Puts a file there without leaving anything in the state of the client that is measured."""
        self.upload(local, name, "--whole-file", "--force", state="seed")

    def remove(self, name):
        self.run("delete", self.url + name, state="seed")

    def stored(self, name):
        return os.path.join(self.data, "files", name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = self.server.end()
        if code != 0 and _[0] is None:
            with open(self.log) as file:
                raise Failed(f"millraced ended with {code}: {file.read().strip()}")


class Rsync:
    """An rsync daemon on a free port with one module, and the client for it. It flushes only where a client asks for it."""

    def __init__(self, binaries, folder):
        self.binaries = binaries
        self.folder = folder
        self.module = os.path.join(folder, "module")
        os.makedirs(self.module, exist_ok=True)
        # A port that was free a moment ago may be taken when the daemon gets there; then another one.
        for _ in range(5):
            if self._start():
                return
        with open(self.log) as file:
            raise Failed(f"rsync's daemon did not start: {file.read().strip()}")

    def _start(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        configuration = os.path.join(self.folder, "rsyncd.conf")
        self.log = os.path.join(self.folder, "rsyncd.log")
        with open(configuration, "w") as file:
            file.write(f"use chroot = no\nlog file = {self.log}\npid file = {self.folder}/rsyncd-{port}.pid\n")
            if os.geteuid() == 0:  # else it would give up its rights and could not write here
                file.write("uid = 0\ngid = 0\n")
            # Its default backlog of 5 would have it drop connections of many clients at once, which are tried again a second later.
            file.write(f"listen backlog = 4096\n[data]\npath = {self.module}\nread only = no\n")
        with open(self.log, "ab") as output:
            self.server = Process([self.binaries.rsync, "--daemon", "--no-detach", f"--config={configuration}", "--address=127.0.0.1",
                                   f"--port={port}"], client_environment(self.folder, "server"), output)
        self.url = f"rsync://127.0.0.1:{port}/data/"
        deadline = time.monotonic() + START_SECONDS
        try:
            while time.monotonic() < deadline and self.server.process.poll() is None:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as connection:
                    connection.settimeout(5)
                    if connection.recv(8) == b"@RSYNCD:":
                        if self.server.process.poll() is None:
                            return True
                time.sleep(0.02)
        except BaseException:
            self.server.end()
            raise
        self.server.end()
        return False

    def run(self, source, target, *options):
        measured, output = _run_client([self.binaries.rsync, "-I", "--stats", "--no-human-readable", *options, source, target],
                                       client_environment(self.folder, "client"), self.folder)

        def figure(name):
            return int(re.search(name + r":\s*([\d,]+)", output).group(1).replace(",", ""))

        return Run(figure("Total bytes sent"), figure("Total bytes received"), measured["seconds"], measured["user_seconds"],
                   measured["system_seconds"], measured["peak_bytes"], None, output)

    def upload(self, local, name, *options):
        return self.run(local, self.url + name, *options)

    def download(self, name, local, *options):
        return self.run(self.url + name, local, *options)

    def seed(self, local, name):
        shutil.copyfile(local, self.stored(name))

    def stored(self, name):
        return os.path.join(self.module, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.end()


def write_json(path, report):
    with open(path, "w") as file:
        json.dump(report, file, indent=2)
        file.write("\n")


def print_table(header, rows):
    """Columns as wide as they need; the first to the left, the others to the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for index, line in enumerate(lines):
        print("  ".join(text.ljust(width) if column == 0 else text.rjust(width) for column, (text, width) in enumerate(zip(line, widths))).rstrip())
        if index == 0:
            print("  ".join("-" * width for width in widths))
