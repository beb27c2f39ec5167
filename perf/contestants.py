"""The file servers that are compared, behind one face: start, put files there, the client's command for an upload, what it stored.

Each runs on a free port of 127.0.0.1 in a folder of its own, with the durability that the comparison asks for, and is ended by its
process id. A server that is not installed, or that cannot do what is asked, says so by Unavailable with the Debian package's name.
"""
import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import sys
import time

import peers
import process_tree

BASELINES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "baselines")
START_ATTEMPTS = 5
MANY = 2000  # clients at once that each server is configured for


class Unavailable(Exception):
    """Not here, or not able to; the text says why and what would help."""


def program(name, package):
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise Unavailable(f"{name} is not installed (Debian package {package}; tools/install-dependencies --perf installs all of them)")
    return path


def version_of(command, package):
    """As dpkg knows it, or what the program says first."""
    known = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True) if shutil.which("dpkg-query") else None
    if known is not None and known.returncode == 0 and known.stdout:
        return known.stdout
    said = subprocess.run(command, capture_output=True, text=True)
    return (said.stdout or said.stderr).strip().splitlines()[0]


class Contestant:
    """Names: what its class says of itself stands in the report."""

    encrypted = False
    delta = True
    flush = None  # how it flushes before it acknowledges, None: it cannot
    note = ""

    def __init__(self, folder, durability):
        if durability == "full" and self.flush is None:
            raise Unavailable(f"{self.name} cannot flush what it acknowledges")
        self.folder = folder
        self.durability = durability
        os.makedirs(folder)
        self.environment = peers.client_environment(folder, "client")
        self.log = os.path.join(folder, "server.log")
        self.server = None
        self.files = os.path.join(folder, "files")

    def start(self, arguments, port=None, environment=None):
        with open(self.log, "ab") as output:
            self.server = peers.Process(arguments, environment or peers.client_environment(self.folder, "server"), output)
        if port is not None:
            self._await(port)

    def _await(self, port):
        deadline = time.monotonic() + peers.START_SECONDS
        while time.monotonic() < deadline and self.server.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                return
            time.sleep(0.02)
        self.server.end()
        with open(self.log, errors="replace") as file:
            raise peers.Failed(f"{self.name} did not start: {file.read().strip()[-500:]}")

    @property
    def pid(self):
        return self.server.process.pid

    def own_processes(self):
        """Those that are there while nobody is connected."""
        return process_tree.members(self.pid)

    def seed(self, folder, name):
        """Puts a local folder's files there, outside of what is measured."""
        shutil.copytree(folder, self.stored(name), dirs_exist_ok=True)

    def seed_file(self, local, name):
        os.makedirs(os.path.dirname(self.stored(name)), exist_ok=True)
        shutil.copyfile(local, self.stored(name))

    def remove(self, name):
        path = self.stored(name)
        if os.path.isdir(path):
            shutil.rmtree(path)
        elif os.path.exists(path):
            os.unlink(path)

    def stored(self, name):
        return os.path.join(self.files, name)

    def describe(self):
        return {"version": self.version, "encrypted": self.encrypted, "sends_deltas": self.delta, "flush": self.flush if self.durability == "full" else None,
                "note": self.note}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.server is not None:
            self.server.end()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Millrace(Contestant):
    name = "millrace"
    flush = "millraced --durability full"

    def __init__(self, programs, folder, durability):
        super().__init__(folder, durability)
        self.programs = programs
        self.version = "this build"
        self.peer = peers.Millrace(programs, os.path.join(folder, "server"), durability=durability)
        self.server = self.peer.server
        self.url = self.peer.url
        self.files = os.path.join(self.peer.data, "files")

    def upload(self, local, name):
        return [self.programs.millrace, "upload", "-q", "--force", local, self.url + name]

    def upload_tree(self, folder, name):
        return [self.programs.millrace, "upload", "-q", "-r", "--force", folder + "/", self.url + name + "/"]

    def _run(self, *arguments):
        done = subprocess.run([self.programs.millrace, *arguments], env=peers.client_environment(self.folder, "seed"), capture_output=True, text=True)
        if done.returncode != 0:
            raise peers.Failed(f"millrace {' '.join(arguments)}: {done.stderr.strip()[-500:]}")

    def seed(self, folder, name):
        self._run("upload", "-q", "-r", "--force", folder + "/", self.url + name + "/")

    def seed_file(self, local, name):
        self._run("upload", "-q", "--force", "--whole-file", local, self.url + name)

    def remove(self, name):
        if os.path.exists(self.stored(name)):
            self._run("delete", "-q", "-r", self.url + name)

    def __exit__(self, *_):
        self.peer.__exit__(*_)


class Rsync(Contestant):
    name = "rsync"
    flush = "rsync --fsync"
    note = "daemon; a process for each client, two while it writes"

    def __init__(self, programs, folder, durability):
        super().__init__(folder, durability)
        self.rsync = program("rsync", "rsync")
        try:
            programs.find_rsync()
        except peers.Failed as reason:
            raise Unavailable(str(reason)) from None
        self.version = programs.rsync_version
        self.peer = peers.Rsync(programs, folder)
        self.server = self.peer.server
        self.files = self.peer.module

    def upload(self, local, name):
        flush = ["--fsync"] if self.durability == "full" else []
        return [self.rsync, "-I", "-t", *flush, local, self.peer.url + name]

    def upload_tree(self, folder, name):
        flush = ["--fsync"] if self.durability == "full" else []
        return [self.rsync, "-I", "-rt", *flush, folder + "/", self.peer.url + name + "/"]


class Sftp(Contestant):
    name = "sftp"
    encrypted = True
    delta = False
    flush = "put -f (fsync@openssh.com)"
    note = "OpenSSH, key exchange and encryption in its time; always whole files; internal-sftp"

    def __init__(self, programs, folder, durability):
        super().__init__(folder, durability)
        sshd = program("sshd", "openssh-server")
        self.sftp = program("sftp", "openssh-client")
        keygen = program("ssh-keygen", "openssh-client")
        self.version = version_of([sshd, "-V"], "openssh-server")
        if os.geteuid() == 0:  # what its service's unit makes
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        os.makedirs(self.files)
        for key in ("host", "user"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", self._path(key)], check=True, capture_output=True)
        shutil.copyfile(self._path("user.pub"), self._path("authorized"))
        self.port = free_port()
        with open(self._path("sshd_config"), "w") as file:
            file.write(f"ListenAddress 127.0.0.1\nPort {self.port}\nHostKey {self._path('host')}\nAuthorizedKeysFile {self._path('authorized')}\n"
                       f"PidFile none\nUsePAM no\nStrictModes no\nPermitRootLogin prohibit-password\nPasswordAuthentication no\n"
                       f"MaxStartups {MANY}\nLoginGraceTime 0\nUseDNS no\nSubsystem sftp internal-sftp\n")
        self.start([sshd, "-D", "-e", "-f", self._path("sshd_config")], self.port)
        self.batches = 0

    def _path(self, name):
        return os.path.join(self.folder, name)

    def _batch(self, lines):
        self.batches += 1
        path = self._path(f"batch-{self.batches}")
        with open(path, "w") as file:
            file.write("\n".join(lines) + "\n")
        return [self.sftp, "-q", "-b", path, "-F", "/dev/null", "-i", self._path("user"), "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={self._path('known')}", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "IdentitiesOnly=yes",
                "-o", "IdentityAgent=none", "-P", str(self.port), f"{getpass.getuser()}@127.0.0.1"]

    def _put(self, kind):
        options = kind + ("f" if self.durability == "full" else "")
        return f"put -{options}" if options else "put"

    def upload(self, local, name):
        os.makedirs(os.path.dirname(self.stored(name)), exist_ok=True)
        return self._batch([f'{self._put("")} "{local}" "{self.stored(name)}"'])

    def upload_tree(self, folder, name):
        return self._batch([f'{self._put("r")} "{folder}/." "{self.stored(name)}"'])


class Nginx(Contestant):
    name = "nginx PUT"
    delta = False
    note = "WebDAV's PUT with curl; whole files; nginx has no way to flush"

    def __init__(self, programs, folder, durability):
        super().__init__(folder, durability)
        nginx = program("nginx", "nginx")
        self.curl = program("curl", "curl")
        self.version = version_of([nginx, "-v"], "nginx")
        os.makedirs(self.files)
        self.port = free_port()
        temporary = "\n".join(f"  {kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        user = f"user {getpass.getuser()};\n" if os.geteuid() == 0 else ""
        with open(os.path.join(folder, "nginx.conf"), "w") as file:
            file.write(f"""{user}daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
worker_processes auto;
events {{ worker_connections {MANY + 100}; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
{temporary}
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    root {self.files};
    location / {{ dav_methods PUT DELETE; create_full_put_path on; }}
  }}
}}
""")
        self.start([nginx, "-c", os.path.join(folder, "nginx.conf"), "-e", os.path.join(folder, "error.log"), "-p", folder], self.port)

    def upload(self, local, name):
        return [self.curl, "-sS", "-q", "--fail", "--noproxy", "*", "-H", "Expect:", "-T", local, f"http://127.0.0.1:{self.port}/{name}"]

    def upload_tree(self, folder, name):
        raise Unavailable("curl has no command for a folder")


class Threaded(Contestant):
    name = "threaded"
    flush = "threaded_server.py --fsync"
    note = "perf/baselines: Python, a thread for each client, fixed blocks of 4,096 bytes, SHA-256"

    def __init__(self, programs, folder, durability):
        super().__init__(folder, durability)
        self.version = "Python " + ".".join(map(str, sys.version_info[:3]))
        self.port = free_port()
        flush = ["--fsync"] if durability == "full" else []
        self.start([sys.executable, "-I", os.path.join(BASELINES, "threaded_server.py"), "--data", folder, "--port", str(self.port), *flush], self.port)

    def _client(self, kind, local, name):
        return [sys.executable, "-S", os.path.join(BASELINES, "threaded_client.py"), str(self.port), kind, local, name]

    def upload(self, local, name):
        return self._client("delta", local, name)

    def upload_tree(self, folder, name):
        return self._client("tree", folder, name)


ALL = (Millrace, Rsync, Sftp, Nginx, Threaded)
