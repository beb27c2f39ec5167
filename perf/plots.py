"""Draws what the benchmarks found: `python3 perf/plots.py FOLDER` makes PNG files of the JSON files in a folder, and plots.html, one file with all of them.

Needs matplotlib; draw() looks for a Python that has it (this one, else Debian's) and says what to install where there is none.
"""
import base64
import html
import json
import os
import shutil
import subprocess
import sys

MIB = 1 << 20
DEBIAN_PYTHON = "/usr/bin/python3"
DRAW_SECONDS = 300
MISSING = "no plots: matplotlib is not installed (Debian package python3-matplotlib; tools/install-dependencies --perf)"


def draw(folder):
    """Runs this file; None, or the sentence why there are no plots."""
    for python in (sys.executable, shutil.which(DEBIAN_PYTHON)):
        if python and subprocess.run([python, "-c", "import matplotlib"], capture_output=True, timeout=DRAW_SECONDS).returncode == 0:
            done = subprocess.run([python, os.path.abspath(__file__), folder], capture_output=True, text=True, timeout=DRAW_SECONDS)
            return None if done.returncode == 0 else "no plots: " + done.stderr.strip()[-300:]
    return MISSING


def plot_concurrency(report, figure):
    steps = report["steps"]
    clients = [step["clients"] for step in steps]
    axes = figure.subplots(2, 2)
    lines = {
        (0, 0): ("transfers a second", {"": [step["transfers_per_second"] for step in steps]}),
        (0, 1): ("latency, ms", {name: [step["latency_seconds"][name] and step["latency_seconds"][name] * 1000 for step in steps] for name in ("p50", "p99")}),
        (1, 0): ("server's CPU, us a transfer", {"": [step["server_cpu_seconds_per_transfer"] * 1e6 for step in steps]}),
        (1, 1): ("server's memory at most, MiB", {"": [step["server_peak_bytes"] / MIB for step in steps]}),
    }
    for place, (title, series) in lines.items():
        axis = axes[place]
        for name, values in series.items():
            points = [(x, y) for x, y in zip(clients, values) if y is not None]
            axis.plot(*zip(*points), marker="o", label=name) if points else None
        axis.set(xscale="log", title=title, xlabel="clients")
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        if len(series) > 1:
            axis.legend()
    figure.suptitle("One server, closed model, each client sends a change of its 64 KiB file")


def plot_comparison(scenario, figure):
    names = list(scenario["medians"])
    panels = (("seconds", "seconds in all", 1), ("server_cpu_seconds_per_transfer", "server's CPU, ms a transfer", 1000), ("server_peak_bytes", "server's memory, MiB", 1 / MIB))
    for axis, (key, title, factor) in zip(figure.subplots(1, 3, sharey=True), panels):
        bars = axis.barh(names, [scenario["medians"][name][key] * factor for name in names], color=["C0" if name.startswith("millrace") else "C7" for name in names])
        axis.bar_label(bars, fmt="%.3g", padding=2)
        axis.margins(x=0.2)
        axis.set_title(title)
    axis.invert_yaxis()
    figure.suptitle(scenario["title"])


def plot_fairness(report, figure):
    axis = figure.subplots()
    phases = report["phases"]
    for index, one in enumerate(("p50", "p99", "max")):
        bars = axis.bar([at + index * 0.27 for at in range(len(phases))], [(phase["latency_seconds"][one] or 0) * 1000 for phase in phases.values()], 0.25, label=one)
        axis.bar_label(bars, fmt="%.3g")
    axis.set_xticks([at + 0.27 for at in range(len(phases))], list(phases))
    axis.set(title="Small deltas: latency, ms")
    axis.legend()


def plot_soak(report, figure):
    memory, descriptors = figure.subplots(2, 1, sharex=True)
    at = [turn["at_seconds"] for turn in report["turns"]]
    memory.plot(at, [turn["resident_bytes"] / MIB for turn in report["turns"]], marker=".")
    memory.set(title="server's memory between two loads, MiB")
    descriptors.plot(at, [turn["descriptors"] for turn in report["turns"]], marker=".")
    descriptors.set(title="its descriptors", xlabel="seconds")
    for axis in (memory, descriptors):
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)


def plot_micro(report, figure):
    timings = [timing for timing in report["timings"] if timing["gigabytes_per_second"]]
    axis = figure.subplots()
    bars = axis.barh([timing["name"] for timing in timings], [timing["gigabytes_per_second"] for timing in timings])
    axis.bar_label(bars, fmt="%.2f", padding=2)
    axis.set(xscale="log", title="GB/s on one core")
    axis.margins(x=0.2)
    axis.invert_yaxis()


def _save(plot, report, path, size=(11, 6.5)):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot
    figure = pyplot.figure(figsize=size, layout="constrained")
    plot(report, figure)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


STYLE = """:root{color-scheme:light dark}body{margin:0 auto;max-width:72rem;padding:1.5rem;font:15px/1.5 system-ui,sans-serif}
img{width:100%;height:auto;background:#fff;border-radius:.5rem}pre{overflow-x:auto}"""


def page(folder):
    """All plots and the summary of a folder as one page that asks for nothing else."""
    parts = []
    for name in sorted(os.listdir(folder)):
        stem, kind = os.path.splitext(name)
        if kind != ".png":
            continue
        with open(os.path.join(folder, name), "rb") as file:
            data = base64.b64encode(file.read()).decode()
        title = html.escape(stem)
        parts.append(f'<h2>{title}</h2>\n<img alt="{title}" src="data:image/png;base64,{data}">\n')
    with_tables = os.path.join(folder, "summary.md")
    if os.path.exists(with_tables):
        with open(with_tables, encoding="utf-8") as file:
            parts.append(f"<h2>summary</h2>\n<pre>{html.escape(file.read())}</pre>\n")
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="{policy}">'
            f"<title>Millrace: benchmarks</title><style>{STYLE}</style></head><body>\n<h1>Benchmarks</h1>\n{''.join(parts)}</body></html>\n")


def _main(folder):
    single = {"concurrency": plot_concurrency, "fairness": plot_fairness, "soak": plot_soak, "micro": plot_micro}
    for name in sorted(os.listdir(folder)):
        stem, kind = os.path.splitext(name)
        if kind != ".json":
            continue
        with open(os.path.join(folder, name)) as file:
            report = json.load(file)
        if stem in single:
            _save(single[stem], report, os.path.join(folder, stem + ".png"))
        elif stem == "compare_peers":
            for scenario, found in report["scenarios"].items():
                _save(plot_comparison, found, os.path.join(folder, f"compare_peers-{scenario}.png"), (13, 4))
    with open(os.path.join(folder, "plots.html"), "w", encoding="utf-8") as file:
        file.write(page(folder))


if __name__ == "__main__":
    _main(*sys.argv[1:])
