"""What a server costs, its children included: CPU time and memory of a process and of everything below it.

CPU time is what the living processes have used and what they have taken over from children that they waited for; it is exact once
the tree has settled, that is once the children that a transfer needed are gone. Memory is the sum of the proportional set sizes
(`smaps_rollup`), in which a page that forked processes share counts once, with the page tables and kernel stacks, of which each
process has its own; and, beside it, of the resident sizes, in which a shared page counts for each. Both are sampled, so a peak
between two samples is missed.
"""
import contextlib
import os
import re
import threading
import time

SETTLE_SECONDS = 20
SAMPLE_SECONDS = 0.1
# Of one core that sampling may take: a tree of a thousand processes is looked at less often.
SAMPLE_SHARE = 0.1
KERNEL_STACK_BYTES = 16 << 10  # of a thread, on x86-64 and arm64
TICKS = os.sysconf("SC_CLK_TCK")


def _children(pid):
    try:
        threads = os.listdir(f"/proc/{pid}/task")
    except FileNotFoundError:
        return
    for thread in threads:
        try:
            with open(f"/proc/{pid}/task/{thread}/children") as file:
                yield from map(int, file.read().split())
        except FileNotFoundError:
            pass


def members(root):
    """Process ids of the tree, its root first."""
    found = [root]
    for pid in found:
        found.extend(_children(pid))
    return found


def settled(root, expected):
    """Waits until the tree has only the processes of `expected`; whether it came to that."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while set(members(root)) - set(expected):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def cpu_seconds(root):
    total = 0
    for pid in members(root):
        try:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(fields[index]) for index in (11, 12, 13, 14))
    return total / TICKS


def memory_bytes(root):
    """(proportional with page tables and kernel stacks, resident)"""
    def number(field, text):
        found = re.search(rf"^{field}:\s*(\d+)", text, re.MULTILINE)
        return int(found.group(1)) if found else 0

    held = resident = 0
    for pid in members(root):
        try:
            with open(f"/proc/{pid}/smaps_rollup") as file:
                sizes = file.read()
            with open(f"/proc/{pid}/status") as file:
                status = file.read()
        except (FileNotFoundError, ProcessLookupError):
            continue
        held += (number("Pss", sizes) + number("VmPTE", status)) * 1024 + number("Threads", status) * KERNEL_STACK_BYTES
        resident += number("Rss", sizes) * 1024
    return held, resident


def status_bytes(pid, field):
    """A size of /proc/PID/status: VmRSS, VmHWM."""
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(rf"{field}:\s*(\d+) kB", file.read()).group(1)) * 1024


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def sockets(pid):
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            count += os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    return count


class PeakMemory:
    """The most memory that the tree held while the block ran. Looking takes at most `share` of one core."""

    def __init__(self, root, share=SAMPLE_SHARE):
        self.root = root
        self.share = share
        self.peak_bytes = self.peak_resident_bytes = self.most_processes = 0
        self.samples = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self):
        while True:
            began = time.monotonic()
            proportional, resident = memory_bytes(self.root)
            self.peak_bytes = max(self.peak_bytes, proportional)
            self.peak_resident_bytes = max(self.peak_resident_bytes, resident)
            self.most_processes = max(self.most_processes, len(members(self.root)))
            self.samples += 1
            took = time.monotonic() - began
            if self._over.wait(max(SAMPLE_SECONDS, took / self.share - took)):
                return

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()
