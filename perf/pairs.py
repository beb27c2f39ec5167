"""The eight pairs of files, old version and new, on which bytes on the wire are measured.

The synthetic ones are pseudo-random from a fixed seed, the same bytes on every machine; the npm ones are real releases. All of
them are made once and kept in a cache folder. A file gets its name only when it is whole, so a run that was ended half-way leaves
nothing that a later run could mistake for a pair.

`python3 perf/pairs.py [--cache DIR] [NAME...]` makes them and says where they are.
"""
import argparse
import collections
import contextlib
import gzip
import os
import random
import shutil
import subprocess
import sys
import tarfile
import tempfile

MIB = 1 << 20
SEED = 20261101
# Part of the cache's folder name: raise it whenever a change below makes other bytes.
GENERATION = 1
NPM_VERSIONS = ("5.4.5", "5.5.4")
NPM_SECONDS = 180

# `tree_bytes` is what the delta engine's prototype reached in both directions with all rungs at zstd level 9; the bars for the
# real programs derive from it. `small` pairs are the ones of a --quick run.
Pair = collections.namedtuple("Pair", "name title tree_bytes small")

PAIRS = (
    Pair("block", "10 MiB, one 4 KiB block changed", 5_000, True),
    Pair("edits", "256 MiB, 100 edits of 16 B", 36_000, False),
    Pair("inserts", "256 MiB, 100 inserts or deletes", 39_000, False),
    Pair("front", "256 MiB, one byte in front", 600, False),
    Pair("shuffle", "64 MiB, eight segments shuffled", 18_000, False),
    Pair("log", "log, 20,000 lines appended", 297_000, False),
    Pair("npm-tar", "typescript 5.4.5 to 5.5.4, .tar", 565_000, True),
    Pair("npm-js", "its lib/typescript.js", 1_352_000, True),
)


class Unavailable(Exception):
    """A pair cannot be made here; the text says why."""


def find(name):
    for pair in PAIRS:
        if pair.name == name:
            return pair
    raise KeyError(name)


@contextlib.contextmanager
def whole_file(path):
    """A file that appears under its name only when all of it is written."""
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path))
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


def random_file(path, size, seed):
    """`size` pseudo-random bytes, made in pieces so that memory stays small."""
    if os.path.exists(path) and os.path.getsize(path) == size:
        return path
    source = random.Random(seed)
    with whole_file(path) as file:
        for start in range(0, size, MIB):
            file.write(source.randbytes(min(MIB, size - start)))
    return path


def edited_file(path, base, edits, seed):
    """`base` with 16 bytes overwritten at each of `edits` random offsets."""
    if os.path.exists(path) and os.path.getsize(path) == os.path.getsize(base):
        return path
    source = random.Random(seed)
    size = os.path.getsize(base)
    with whole_file(path) as file:
        with open(base, "rb") as old:
            shutil.copyfileobj(old, file, MIB)
        for _ in range(edits):
            file.seek(source.randrange(size - 16))
            file.write(source.randbytes(16))
    return path


def _copy_range(old, start, end, file):
    old.seek(start)
    while start < end:
        piece = old.read(min(MIB, end - start))
        file.write(piece)
        start += len(piece)


def _make_block(folder, old, new):
    random_file(old, 10 * MIB, SEED + 1)
    source = random.Random(SEED + 2)
    with whole_file(new) as file, open(old, "rb") as basis:
        shutil.copyfileobj(basis, file, MIB)
        file.seek(4096 * source.randrange(10 * MIB // 4096))
        file.write(source.randbytes(4096))


def _make_inserts(folder, old, new):
    source = random.Random(SEED + 4)
    size = os.path.getsize(old)
    offsets = sorted(source.sample(range(size - 200), 100))
    inserts = set(source.sample(range(100), 50))
    with whole_file(new) as file, open(old, "rb") as basis:
        at = 0
        for index, offset in enumerate(offsets):
            _copy_range(basis, at, max(at, offset), file)
            at = max(at, offset)
            count = source.randint(1, 199)
            if index in inserts:
                file.write(source.randbytes(count))
            else:
                at += count
        _copy_range(basis, at, size, file)


def _make_front(folder, old, new):
    with whole_file(new) as file, open(old, "rb") as basis:
        file.write(b"\x2a")
        shutil.copyfileobj(basis, file, MIB)


def _make_shuffle(folder, old, new):
    random_file(old, 64 * MIB, SEED + 5)
    source = random.Random(SEED + 6)
    order = list(range(8))
    while any(a + 1 == b for a, b in zip(order, order[1:])):  # no two neighbours stay together
        source.shuffle(order)
    with whole_file(new) as file, open(old, "rb") as basis:
        for segment in order:
            _copy_range(basis, segment * 8 * MIB, (segment + 1) * 8 * MIB, file)


def _make_log(folder, old, new):
    number = random.Random(SEED + 7).random

    def lines(count):
        for _ in range(count):
            yield b"2026-11-%02d %02d:%02d:%02d host app[%d]: GET /api/v1/items/%d %d %dms\n" % (
                1 + int(number() * 28), int(number() * 24), int(number() * 60), int(number() * 60), int(number() * 9_999),
                int(number() * 1_000_000), (200, 200, 200, 404, 500)[int(number() * 5)], int(number() * 900))

    with whole_file(old) as file:
        file.writelines(lines(800_000))
    with whole_file(new) as file:
        with open(old, "rb") as basis:
            shutil.copyfileobj(basis, file, MIB)
        file.writelines(lines(20_000))


def _fetch_npm(folder, version):
    """The package's .tar, unpacked from gzip."""
    tar = os.path.join(folder, f"typescript-{version}.tar")
    if os.path.exists(tar):
        return tar
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("npm is not installed")
    with tempfile.TemporaryDirectory(dir=folder) as packed:
        try:
            done = subprocess.run([npm, "pack", f"typescript@{version}", "--pack-destination", packed], cwd=packed,
                                  capture_output=True, text=True, timeout=NPM_SECONDS)
        except subprocess.TimeoutExpired:
            raise Unavailable(f"npm did not fetch typescript {version} in {NPM_SECONDS} s") from None
        archive = os.path.join(packed, f"typescript-{version}.tgz")
        if done.returncode != 0 or not os.path.exists(archive):
            reasons = [line for line in done.stderr.splitlines() if "err" in line.lower()] or ["no reason given"]
            raise Unavailable(f"npm could not fetch typescript {version}: {reasons[0]}")
        with whole_file(tar) as file, gzip.open(archive, "rb") as source:
            shutil.copyfileobj(source, file, MIB)
    return tar


def _make_npm_js(folder, old, new):
    for version, path in zip(NPM_VERSIONS, (old, new)):
        with tarfile.open(_fetch_npm(folder, version)) as tar, whole_file(path) as file:
            shutil.copyfileobj(tar.extractfile("package/lib/typescript.js"), file, MIB)


def big_base(folder):
    """The 256 MiB blob that three pairs start from."""
    return random_file(os.path.join(folder, "base-256"), 256 * MIB, SEED + 3)


def folder_in(cache):
    """The folder of this generation of pairs; made if it is not there."""
    folder = os.path.join(os.path.abspath(cache), f"pairs-{GENERATION}")
    os.makedirs(folder, exist_ok=True)
    return folder


def make(pair, cache):
    """Paths of the pair's old and new version. Raises Unavailable when it cannot be made here."""
    folder = folder_in(cache)
    if pair.name == "npm-tar":
        return tuple(_fetch_npm(folder, version) for version in NPM_VERSIONS)
    new = os.path.join(folder, pair.name + ".new")
    if pair.name in ("edits", "inserts", "front"):
        old = big_base(folder)
    else:
        old = os.path.join(folder, pair.name + ".old")
    if pair.name == "edits":
        edited_file(new, old, 100, SEED + 8)
    elif not (os.path.exists(old) and os.path.exists(new)):
        {"block": _make_block, "inserts": _make_inserts, "front": _make_front, "shuffle": _make_shuffle, "log": _make_log,
         "npm-js": _make_npm_js}[pair.name](folder, old, new)
    return old, new


def main():
    parser = argparse.ArgumentParser(description="Make the pairs of files for the benchmarks.")
    parser.add_argument("--cache", default="build/perf-data", help="where they are kept (default: %(default)s)")
    parser.add_argument("names", nargs="*", metavar="NAME", help="all when none is named: " + ", ".join(pair.name for pair in PAIRS))
    options = parser.parse_args()
    for name in options.names:
        if name not in [pair.name for pair in PAIRS]:
            parser.error(f"there is no pair '{name}'")
    for pair in PAIRS:
        if options.names and pair.name not in options.names:
            continue
        try:
            old, new = make(pair, options.cache)
        except Unavailable as reason:
            print(f"{pair.name}: skipped: {reason}")
            continue
        print(f"{pair.name}: {old} ({os.path.getsize(old):,}) -> {new} ({os.path.getsize(new):,})")


if __name__ == "__main__":
    sys.exit(main())
