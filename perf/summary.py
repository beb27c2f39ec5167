"""The table for the README: `python3 perf/summary.py FOLDER` makes markdown of the JSON files that perf/run has written there."""
import json
import os
import sys

import reports

MIB = 1 << 20
# All benchmarks, as they run and as the table names them.
ORDER = ("concurrency", "compare_peers", "fairness", "soak", "signature_cache", "tls_cost", "http_cost", "browser_delta", "page_cost", "micro", "wire_bytes", "transfer_times")


def _table(header, rows):
    return ["| " + " | ".join(header) + " |", "|" + "---|" * len(header), *("| " + " | ".join(row) + " |" for row in rows), ""]


def _machine(found):
    report = next((one for one in found.values() if "machine" in one), None)
    if report is None:
        return []
    machine, versions = report["machine"], report["versions"]
    peers = {name: peer["version"] for scenario in found.get("compare_peers", {}).get("scenarios", {}).values() for name, peer in scenario["peers"].items()
             if not name.startswith("millrace") and ", durable" not in name}
    quick = " **Quick run: small parameters, the bars mean little.**" if any(one.get("options", {}).get("quick") for one in found.values()) else ""
    others = "; beside " + ", ".join(f"{name} {version}" for name, version in peers.items()) if peers else ""
    return [f"{machine['processor']}, {machine['cores']} cores shared by clients and server, {machine['memory_bytes'] // MIB // 1024} GiB, Linux {machine['kernel']}; "
            f"Millrace {versions['millrace']['source_revision']} ({versions['millrace']['build_type']}){others}. Started {report['started']} with a load average of "
            f"{machine['load_average_at_start']:.1f}.{quick}", ""]


def _bars(found):
    rows = [[name, one["what"], reports.figure(one["measured"], one["unit"]), f"{one['relation']} {reports.figure(one['limit'], one['unit'])}", reports.verdict(one)]
            for name in ORDER if name in found for one in found[name].get("bars", [])]
    for name in ("wire_bytes", "transfer_times"):
        if name in found:
            missed = found[name]["bars_missed"]
            count = missed if isinstance(missed, int) else len(missed)
            rows.append([name, "its own bars", f"{count} missed", "0 missed", "met" if count == 0 else "MISSED"])
    return _table(["perf/", "what", "measured", "bar", ""], rows) if rows else []


def _concurrency(report):
    rows = []
    for note, step in [*(("", step) for step in report["steps"]), (" (whole files, 1 MiB for all buffers)", report["tight"])]:
        latency = [reports.figure(step["latency_seconds"][name] * 1000) if step["latency_seconds"][name] is not None else "-" for name in ("p50", "p99")]
        rows.append([f"{step['clients']:,}{note}", f"{step['transfers']:,}", f"{step['errors'] + step['lost']}", f"{step['transfers_per_second']:,.0f}", *latency,
                     f"{step['server_cpu_seconds_per_transfer'] * 1e6:,.0f}", f"{step['server_peak_bytes'] / MIB:.0f}"])
    return _table(["clients", "transfers", "errors, lost", "a second", "p50 ms", "p99 ms", "server CPU us each", "server MiB"], rows)


def _comparison(report):
    lines = []
    for scenario in report["scenarios"].values():
        rows = []
        for name, median in scenario["medians"].items():
            peer = scenario["peers"].get(name, {})
            rows.append([name + (" (encrypted)" if peer.get("encrypted") else ""), f"{median['seconds']:.2f}", f"{median['span'][0]:.2f}-{median['span'][1]:.2f}",
                         f"{median['server_cpu_seconds_per_transfer'] * 1000:,.2f}", f"{median['server_peak_bytes'] / MIB:,.0f}", f"{median['server_peak_resident_bytes'] / MIB:,.0f}"])
        notes = [f"{name} is missing: {reason}." for name, reason in scenario["skipped"].items()] + [f"Made again: {reason}." for reason in scenario["repeated"]]
        lines += [f"**{scenario['title']}**", "", *_table(["", "seconds", "span", "server CPU ms a transfer", "server MiB, shared once", "resident"], rows), *notes, *([""] if notes else [])]
    return lines


def make(folder):
    found = {}
    for name in ORDER:
        path = os.path.join(folder, name + ".json")
        if os.path.exists(path):
            with open(path) as file:
                found[name] = json.load(file)
    lines = _machine(found) + _bars(found)
    if "concurrency" in found:
        lines += _concurrency(found["concurrency"])
    if "compare_peers" in found:
        lines += _comparison(found["compare_peers"])
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    print(make(*sys.argv[1:]), end="")
