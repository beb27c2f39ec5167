"""What the tests of the real programs share: a server on a free port in a temporary folder, the client, raw frames, waiting for a state.

No test waits for a time to pass: they wait for a state that can be seen, with a limit that only a broken program reaches."""
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

MILLRACE = os.environ["MILLRACE"]
MILLRACED = os.environ["MILLRACED"]
SERVE_OPTIONS = os.environ.get("SERVE_OPTIONS", "").split()  # for all servers; tools/coverage gives some
SANITIZED = os.environ.get("SANITIZER", "none") != "none"  # programs are slow, and a second late
LEAST_PART = 1 << 20  # of a draft that counts as begun
KEPT_PART = 16 << 20  # of a draft that is kept when its upload is cut off
# Servers end at once when they are told to; tests of draining say how long they may take.
os.environ.setdefault("MILLRACED_SERVER__DRAIN_TIMEOUT", "0")
os.environ.setdefault("MILLRACED_HTTP__LISTEN", "off")  # tests run beside each other
os.environ.setdefault("MILLRACE_RETRIES", "0")  # a server that is gone has a test wait for a minute
PATIENCE = 120  # seconds until a test calls a program stuck
REPORTED = 66  # the exit code of a program that ThreadSanitizer found a fault in


def wait_for(state, what):
    """Polls until state() is true and returns it."""
    end = time.monotonic() + PATIENCE
    while True:
        seen = state()
        if seen:
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"never came: {what}")
        time.sleep(0.002)


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


class Server:
    """millraced on `data`; `port` 0 takes a free one."""

    def __init__(self, data, *extra, listen="127.0.0.1:0"):
        self.data = data
        self.process = subprocess.Popen([MILLRACED, "serve", "--data", data, "--listen", listen, *SERVE_OPTIONS, *extra],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        if "listening on" not in line:
            raise AssertionError(f"the server did not start: {line!r}")
        self.port = int(line.rsplit(":", 1)[1])
        self.url = f"millrace://127.0.0.1:{self.port}/"

    def stop(self):
        """Asks it to end; returns its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self._ended()

    def kill(self):
        self.process.kill()
        self._ended()

    def _ended(self):
        code = self.process.wait(PATIENCE)
        self.process.stdout.close()
        if code == REPORTED:
            raise AssertionError("the server ended with a report, see above")
        return code

    def alive(self):
        return self.process.poll() is None

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def stored(self, name):
        with open(self.stored_path(name), "rb") as file:
            return file.read()

    def stored_path(self, name):
        base = os.path.join(self.data, "files")
        return os.path.join(os.fsencode(base), name) if isinstance(name, bytes) else os.path.join(base, name)

    def staged_paths(self):
        """All files in staging."""
        return [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.data, "staging")) for name in names]

    def staging(self):
        """Sizes of the drafts that are being built."""
        return sizes_of(self.staged_paths())

    def drafts(self):
        """Paths in staging that the server has open: what is being built. Others are what was cut off."""
        return [path for path in self.staged_paths() if has_open(self.process, path)]

    def draft_sizes(self):
        return sizes_of(self.drafts())

    def partials(self):
        """Sizes of what is kept of uploads that were cut off; a commit takes the file some time before its `.job` goes."""
        return sizes_of(path[:-4] for path in self.staged_paths() if path.endswith(".job"))


def sizes_of(paths):
    """Of those that are still there."""
    sizes = []
    for path in paths:
        with contextlib.suppress(FileNotFoundError):
            sizes.append(os.stat(path).st_size)
    return sizes


class ServerTest(unittest.TestCase):
    """A test with a server of its own."""
    SERVER_OPTIONS = ()

    def setUp(self):
        self.holder = tempfile.TemporaryDirectory()
        self.folder = self.holder.name
        self.server = Server(os.path.join(self.folder, "data"), *self.SERVER_OPTIONS)

    def tearDown(self):
        if self.server.alive():
            self.assertEqual(self.server.stop(), 0)
        self.holder.cleanup()

    @property
    def url(self):
        return self.server.url

    def restart(self):
        if self.server.alive():
            self.server.kill()
        self.server = Server(self.server.data, *self.SERVER_OPTIONS)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, content):
        with open(self.path(name), "wb") as file:
            file.write(content)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def run_client(self, *arguments, code=0, **options):
        done = subprocess.run([MILLRACE, *arguments], capture_output=True, timeout=PATIENCE, **options)
        self.assertEqual(done.returncode, code, (arguments[:3], done.stderr[:2000], done.stdout[:500]))
        if code != 0:
            self.assertRegex(done.stderr, rb"error\[E_[A-Z_]+\]: \S|Run with --help")
        return done

    def start_client(self, *arguments, **options):
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
        client = subprocess.Popen([MILLRACE, *arguments], **options)
        self.addCleanup(end, client)
        return client

    def events(self, *arguments, **options):
        done = self.run_client(arguments[0], "--json", *arguments[1:], **options)
        return [json.loads(line) for line in done.stdout.decode().splitlines()]

    def summary(self, *arguments, **options):
        return self.events(*arguments, **options)[-1]

    def pause_in_the_middle_of_an_upload(self, local, size, *arguments, least=LEAST_PART, missed=None):
        """Starts an upload of `local` and stops its process while the server has a part of it, at least so many bytes. Returns it.

        One that was too fast is tried again; `missed` is called before that, for example to delete what is there now."""
        for _ in range(50):
            client = self.start_client("upload", *arguments)
            wait_for(lambda: client.poll() is not None or any(least < part < size for part in self.server.draft_sizes()), "a draft")
            client.send_signal(signal.SIGSTOP)
            if settled_below(self.server, least, size):
                return client
            client.send_signal(signal.SIGCONT)
            client.communicate(timeout=PATIENCE)
            if missed:
                missed()
        raise AssertionError(f"an upload of {local} was never caught in the middle")


def settled_below(server, least, size):
    """True when the server waits for the rest of a draft; false when it had all it needed."""
    before = None
    while True:
        now = server.draft_sizes()
        if not any(least < part < size for part in now):
            return False
        if now == before:
            return True
        before = now
        time.sleep(0.3)  # what is on its way arrives


def connections(listener):
    """Each that comes, until the listener is closed."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        yield client


def shut(connection):
    """Also where another thread waits in it."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def end(process):
    """Ends a process of the test's own, also one that is stopped."""
    if process.poll() is None:
        process.kill()
        process.wait(PATIENCE)
    if process.returncode == REPORTED:
        raise AssertionError(f"{process.args[0]} ended with a report: {process.stderr.read() if process.stderr else 'see above'}")
    for pipe in (process.stdout, process.stderr, process.stdin):
        if pipe:
            pipe.close()


def has_open(process, path):
    """The process holds the file open."""
    folder = f"/proc/{process.pid}/fd"
    try:
        return any(os.path.realpath(os.path.join(folder, name)) == os.path.realpath(path) for name in os.listdir(folder))
    except (FileNotFoundError, PermissionError):
        return False


# Frames, as docs/PROTOCOL.md describes them.
HELLO, ERROR, CANCEL, ENTRIES = 1, 2, 4, 49
UPLOAD, DOWNLOAD, LIST, STAT, DELETE, MOVE, VERIFY, CHANGES = 16, 18, 19, 20, 21, 22, 23, 24


def varint(number):
    out = b""
    while number >= 0x80:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    return varint(number << 1) + varint(len(value)) + value


def frame(kind, stream, payload=b"", flags=1):
    return bytes([kind, flags]) + varint(stream) + varint(len(payload)) + payload


class RawClient:
    """Sends bytes as they are and cuts what comes back into frames."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.held = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it was refused before all had arrived

    def frames(self):
        """All frames until the server closes the connection."""
        while True:
            got = self.next_frame()
            if got is None:
                return
            yield got

    def next_frame(self):
        while True:
            cut = self._cut()
            if cut:
                return cut
            try:
                more = self.socket.recv(65536)
            except ConnectionResetError:
                return None
            if not more:
                return None
            self.held += more

    def _cut(self):
        numbers, at = [], 2
        while len(numbers) < 2:
            number = shift = 0
            while True:
                if at >= len(self.held):
                    return None
                byte = self.held[at]
                at += 1
                number |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            numbers.append(number)
        stream, length = numbers
        if len(self.held) < at + length:
            return None
        kind, payload = self.held[0], self.held[at:at + length]
        self.held = self.held[at + length:]
        return kind, stream, payload


class FakeServer:
    """A server that is not millraced: sends `greeting` to whoever comes, then closes, or waits where `holds` is true."""

    def __init__(self, greeting, holds=False):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"millrace://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.held = []
        self.thread = threading.Thread(target=self._serve, args=(greeting, holds), daemon=True)
        self.thread.start()

    def _serve(self, greeting, holds):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            try:
                connection.recv(65536)
                connection.sendall(greeting)
            except OSError:
                pass
            if holds:
                self.held.append(connection)
            else:
                connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(PATIENCE)
        for connection in self.held:
            connection.close()


class Tmpfs:
    """A small file system of its own at `folder`, for root only. `reason` says why there is none."""

    def __init__(self, folder, size):
        self.folder = folder
        os.makedirs(folder, exist_ok=True)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True, text=True)
        self.reason = None if done.returncode == 0 else done.stderr.strip() or "mount failed"

    def unmount(self):
        if self.reason is None:
            subprocess.run(["umount", self.folder], check=True)
