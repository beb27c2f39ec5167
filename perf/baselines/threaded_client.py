"""The client of threaded_server.py: sends a file as a delta or whole, or a folder's files one after the other.

    threaded_client.py PORT delta|whole LOCAL NAME
    threaded_client.py PORT tree FOLDER NAME
"""
import hashlib
import os
import socket
import sys
import urllib.parse

from threaded_server import BLOCK, BLOCK_HEADER, LONGEST_LINE, PIECE

DIGEST = 32


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.stream = self.socket.makefile("rwb", buffering=PIECE)

    def command(self, *words):
        self.stream.write(" ".join(map(str, words)).encode("ascii") + b"\n")

    def reply(self):
        self.stream.flush()
        word, *rest = self.stream.readline(LONGEST_LINE).decode("ascii").split() or ["ERROR", "the server went away"]
        if word == "ERROR":
            raise SystemExit("error: " + " ".join(rest))
        return rest

    def upload(self, local, name):
        with open(local, "rb") as file:
            self.command("UPLOAD", urllib.parse.quote(name), os.fstat(file.fileno()).st_size)
            while piece := file.read(PIECE):
                self.stream.write(piece)
        self.reply()

    def upload_delta(self, local, name):
        with open(local, "rb") as file:
            self.command("UPLOAD_DELTA", urllib.parse.quote(name), os.fstat(file.fileno()).st_size)
            old = self.stream.read(DIGEST * int(self.reply()[0]))
            changed = []
            number = 0
            while block := file.read(BLOCK):
                if hashlib.sha256(block).digest() != old[number * DIGEST:(number + 1) * DIGEST]:
                    changed.append((number, block))
                number += 1
        self.command("BLOCKS", len(changed))
        for number, block in changed:
            self.stream.write(BLOCK_HEADER.pack(number, len(block)) + block)
        self.reply()


def main(port, kind, local, name):
    connection = Connection(int(port))
    if kind == "delta":
        connection.upload_delta(local, name)
    elif kind == "whole":
        connection.upload(local, name)
    else:
        for folder, _, files in os.walk(local):
            for file in files:
                path = os.path.join(folder, file)
                connection.upload(path, os.path.join(name, os.path.relpath(path, local)))


if __name__ == "__main__":
    main(*sys.argv[1:])
