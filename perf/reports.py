"""What the benchmarks' reports have in common: machine and versions, bars and whether they are met, the command line's common part."""
import argparse
import os
import signal
import sys
import time

import peers

RESULTS = "build/perf-results"


def parser(description):
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--quick", action="store_true", help="small parameters, to see that it works; the bars mean little then")
    made.add_argument("--json", metavar="FILE", help="write the report there")
    made.add_argument("--build", default="build/release", help="build folder with the programs (default: %(default)s)")
    made.add_argument("--work", metavar="DIR", help="where the servers keep their files (default: the system's temporary folder)")
    made.add_argument("--check", action="store_true", help="exit 1 if a bar is missed or could not be judged")
    return made


def start(name, options, programs):
    shown = {key: value for key, value in vars(options).items() if key not in ("json", "work", "check")}
    return {"schema": f"millrace-{name}-1", "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "machine": peers.describe_machine(),
            "versions": programs.describe(options.build), "options": shown, "bars": []}


def bar(report, what, measured, limit, *, at_least=False, unit=""):
    """Takes down a bar of the table in perf/README.md. `measured` is None where this run cannot tell."""
    met = None if measured is None else measured >= limit if at_least else measured <= limit
    report["bars"].append({"what": what, "measured": measured, "limit": limit, "relation": "at least" if at_least else "at most", "unit": unit, "met": met})


def figure(value, unit=""):
    if value is None:
        return "-"
    text = f"{value:,.0f}" if isinstance(value, int) or abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def verdict(one):
    return {True: "met", False: "MISSED", None: "not judged"}[one["met"]]


def print_bars(report):
    if not report["bars"]:
        return
    print()
    peers.print_table(["bar", "measured", "limit", ""],
                      [[one["what"], figure(one["measured"], one["unit"]), f"{one['relation']} {figure(one['limit'], one['unit'])}", verdict(one)]
                       for one in report["bars"]])


def finish(report, options):
    """Prints the bars, writes the JSON; the exit code."""
    print_bars(report)
    if options.json:
        peers.write_json(options.json, report)
    return 1 if options.check and any(one["met"] is not True for one in report["bars"]) else 0


def say(text):
    print(text, file=sys.stderr, flush=True)


def run(main):
    """Runs a benchmark's main: failures are one line and exit code 2, signals end the servers too."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        sys.exit(main())
    except peers.Failed as failure:
        say(f"error: {failure}")
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def folder_of(path):
    os.makedirs(path, exist_ok=True)
    return path
