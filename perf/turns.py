"""Whoever is compared takes turns in one run, so that all meet the same machine."""
import subprocess
import sys

import peers
import reports

TOUCHED_BYTES = 3 << 30  # more than a turn of any benchmark needs
TOUCH_SECONDS = 120
# In a process of its own, so that all of it is free again afterwards.
_TOUCH = "import mmap, sys; mmap.mmap(-1, int(sys.argv[1]), flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE)"


def touch_free_memory(count):
    """Has the host of a virtual machine back free memory that it took away while nobody used it, or whoever comes next pays for that:
    so many bytes, and never more than half of what is available."""
    available = peers.memory_bytes("MemAvailable")
    subprocess.run([sys.executable, "-I", "-c", _TOUCH, str(min(count, available // 2))], check=True, timeout=TOUCH_SECONDS)


def order_of(names, index):
    """A round's order. Over the rounds each comes behind each other about equally often: exactly so in as many rounds as there are
    names, twice as many for an odd number (E. J. Williams, Experimental Designs Balanced for the Estimation of Residual Effects of
    Treatments, 1949)."""
    count = len(names)
    steps = [(place + 1) // 2 if place % 2 else -(place // 2) for place in range(count)]
    order = [names[(index + step) % count] for step in steps]
    return order[::-1] if count % 2 and index % 2 else order


def in_turns(rounds, runs, *, touched_bytes=0, shown=lambda figures: f"{figures['seconds']:.2f} s"):
    """{name: [figures of each round]}; `runs` are functions of the round's number. `touched_bytes` of free memory are touched before
    each turn; `shown` says what to print of its figures."""
    results = {name: [] for name in runs}
    for index in range(rounds):
        for name in order_of(list(runs), index):
            if touched_bytes:
                touch_free_memory(touched_bytes)
            results[name].append(runs[name](index))
            reports.say(f"  round {index + 1}, {name}: {shown(results[name][-1])}")
    return results
