"""What a connection costs the server's memory that has said hello and nothing more."""
import tempfile
import time

import load
import peers
import process_tree

IDLE_SECONDS = 5


def measure(programs, work, clients, load_options=(), **server_options):
    """Raises Failed when not all stayed connected."""
    with tempfile.TemporaryDirectory(prefix="millrace-idle-", dir=work) as folder, peers.Millrace(programs, folder, **server_options) as server:
        pid = server.server.process.pid
        load.run(programs, server, *load_options, "--op", "upload-delta", "--clients", 4, "--transfers", 40)  # threads and their caches are there now
        before = process_tree.status_bytes(pid, "VmRSS")
        held, connected = before, 0
        with load.Load(programs, server, *load_options, "--op", "idle", "--clients", clients, "--measure", f"{IDLE_SECONDS}s", verify=False) as idle:
            while idle.running():
                held = max(held, process_tree.status_bytes(pid, "VmRSS"))
                connected = max(connected, process_tree.descriptors(pid))
                time.sleep(0.2)
            report = idle.report()
    if load.errors_of(report) or connected < clients:
        raise peers.Failed(f"not all of {clients} idle clients stayed connected: {report['results']} {report['setup']['errors']}")
    return {"clients": clients, "bytes_before": before, "bytes_at_most": held, "bytes_per_connection": (held - before) / clients}
