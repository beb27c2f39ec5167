"""A file server with one thread for each client, in the manner of the system that Millrace grew out of: commands UPLOAD, DOWNLOAD,
UPLOAD_DELTA, LIST and DELETE on a TCP port, deltas by fixed blocks of 4,096 bytes with SHA-256, files kept in `files/`.

A command is one line of words; names are quoted as in URLs. What follows it:

    UPLOAD name size        the bytes                                                          -> OK
    UPLOAD_DELTA name size  -> HASHES count, 32 bytes for each block of the stored file;
                            BLOCKS count, then for each changed block its number and length (4 bytes each) and its bytes -> OK
    DOWNLOAD name           -> OK size, the bytes
    LIST                    -> OK count, a line for each name
    DELETE name             -> OK

A name that is not there is empty to UPLOAD_DELTA and an ERROR line to the others. A new version is written beside the old one and
renamed over it, flushed before with --fsync.
"""
import argparse
import contextlib
import hashlib
import os
import signal
import socketserver
import struct
import sys
import threading
import urllib.parse

BLOCK = 4096
PIECE = 1 << 16
LONGEST_LINE = 8192
BLOCK_HEADER = struct.Struct(">II")


class Session(socketserver.StreamRequestHandler):
    rbufsize = PIECE

    def handle(self):
        commands = {"UPLOAD": self.upload, "UPLOAD_DELTA": self.upload_delta, "DOWNLOAD": self.download, "LIST": self.list, "DELETE": self.delete}
        while line := self.rfile.readline(LONGEST_LINE):
            name, *words = line.decode("ascii").split()
            try:
                commands[name](*words)
            except FileNotFoundError:
                self.say("ERROR not found")

    def say(self, text):
        self.wfile.write(text.encode("ascii") + b"\n")

    def path_of(self, quoted):
        path = os.path.normpath(os.path.join(self.server.files, urllib.parse.unquote(quoted)))
        if not path.startswith(self.server.files + os.sep):
            raise FileNotFoundError(path)
        return path

    def exactly(self, size):
        data = self.rfile.read(size)
        if len(data) != size:
            raise ConnectionError("the client went away")
        return data

    @contextlib.contextmanager
    def new_version(self, path):
        """A file beside `path` that takes its name when the block ends well."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{threading.get_ident()}.part"
        try:
            with open(temporary, "w+b") as file:
                yield file
                file.flush()
                if self.server.flushes:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise
        if self.server.flushes:
            folder = os.open(os.path.dirname(path), os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def upload(self, name, size):
        left = int(size)
        with self.new_version(self.path_of(name)) as file:
            while left > 0:
                piece = self.exactly(min(PIECE, left))
                file.write(piece)
                left -= len(piece)
        self.say("OK")

    def upload_delta(self, name, size):
        path = self.path_of(name)
        digests = []
        with contextlib.ExitStack() as stack:
            old = None
            with contextlib.suppress(FileNotFoundError):
                old = stack.enter_context(open(path, "rb"))
            while old is not None and (block := old.read(BLOCK)):
                digests.append(hashlib.sha256(block).digest())
            self.wfile.write(f"HASHES {len(digests)}\n".encode("ascii") + b"".join(digests))
            with self.new_version(path) as file:
                if old is not None:
                    old.seek(0)
                    while piece := old.read(PIECE):
                        file.write(piece)
                for _ in range(int(self.rfile.readline(LONGEST_LINE).split()[1])):
                    number, length = BLOCK_HEADER.unpack(self.exactly(BLOCK_HEADER.size))
                    file.seek(number * BLOCK)
                    file.write(self.exactly(length))
                file.truncate(int(size))
        self.say("OK")

    def download(self, name):
        with open(self.path_of(name), "rb") as file:
            self.say(f"OK {os.fstat(file.fileno()).st_size}")
            while piece := file.read(PIECE):
                self.wfile.write(piece)

    def list(self):
        names = [os.path.relpath(os.path.join(folder, name), self.server.files) for folder, _, files in os.walk(self.server.files) for name in files]
        self.say(f"OK {len(names)}")
        for name in names:
            self.say(urllib.parse.quote(name))

    def delete(self, name):
        os.unlink(self.path_of(name))
        self.say("OK")


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096

    def handle_error(self, request, client_address):
        print(f"{client_address}: {sys.exc_info()[1]!r}", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(description="A file server with one thread for each client, to compare with.")
    parser.add_argument("--data", required=True, help="files are kept in DATA/files")
    parser.add_argument("--port", type=int, default=5000, help="on 127.0.0.1, 0: a free one (default: %(default)s)")
    parser.add_argument("--fsync", action="store_true", help="flush before a file is acknowledged")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Server(("127.0.0.1", options.port), Session) as server:
        server.files = os.path.join(os.path.abspath(options.data), "files")
        server.flushes = options.fsync
        os.makedirs(server.files, exist_ok=True)
        print(f"listening on 127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
