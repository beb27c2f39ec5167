"""Runs many clients at once and waits for them: a process of its own, so that everything it waits for is a client and a client's
start costs no more than that of a small program. Each is made ready first, stopped just before it becomes the client, and all of them are
let go together: otherwise the first would be done before the last had begun, and the server would never have them all.

`python3 crowd.py SPECIFICATION RESULT`: JSON files. In: `commands`, `log`. Out: seconds in all, seconds and CPU of each, failures.
As a module: run() starts that process, and ends it with all of its clients when they take too long.
"""
import contextlib
import json
import os
import signal
import subprocess
import sys
import time

CROWD_SECONDS = 1800
FAILURES_NAMED = 3


# Stops itself and then becomes the client, under the same process id.
READY = ["/bin/sh", "-c", 'kill -STOP $$; exec "$@"', "client"]


def _make_ready(command, quiet, log):
    actions = [(os.POSIX_SPAWN_DUP2, quiet, 0), (os.POSIX_SPAWN_DUP2, quiet, 1), (os.POSIX_SPAWN_DUP2, log, 2)]
    pid = os.posix_spawn(READY[0], READY + command, os.environ, file_actions=actions)
    _, status = os.waitpid(pid, os.WUNTRACED)
    if not os.WIFSTOPPED(status):
        sys.exit(f"{READY[0]} cannot hold a client back")
    return pid


def _main(specification_path, result_path):
    with open(specification_path) as file:
        specification = json.load(file)
    quiet = os.open(os.devnull, os.O_RDWR)
    log = os.open(specification["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    started = {_make_ready(command, quiet, log): index for index, command in enumerate(specification["commands"])}
    began = time.monotonic()
    for pid in started:
        os.kill(pid, signal.SIGCONT)
    seconds = [0.0] * len(started)
    codes = [0] * len(started)
    cpu = 0.0
    left = len(started)
    while left > 0:
        pid, status, usage = os.wait4(-1, 0)
        index = started[pid]
        seconds[index] = time.monotonic() - began
        codes[index] = os.waitstatus_to_exitcode(status)
        cpu += usage.ru_utime + usage.ru_stime
        left -= 1
    with open(result_path, "w") as file:
        json.dump({"seconds": time.monotonic() - began, "client_cpu_seconds": cpu, "each": seconds, "codes": codes}, file)


def run(commands, environment, folder, failed):
    """Runs `commands` (programs by their path) at once. Raises failed(text) unless all of them end with 0."""
    specification, result, log = (os.path.join(folder, name) for name in ("crowd.json", "crowd-result.json", "crowd.log"))
    for path in (result, log):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    with open(specification, "w") as file:
        json.dump({"commands": commands, "log": log}, file)
    crowd = subprocess.Popen([sys.executable, "-I", "-S", os.path.abspath(__file__), specification, result], env=environment,
                             stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        _, errors = crowd.communicate(timeout=CROWD_SECONDS)
    except BaseException as reason:
        # The session is the crowd and its clients, nothing else.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(crowd.pid, signal.SIGKILL)
        crowd.communicate()
        if isinstance(reason, subprocess.TimeoutExpired):
            raise failed(f"{len(commands)} clients of {os.path.basename(commands[0][0])} were not done after {CROWD_SECONDS} s and were killed.") from None
        raise
    if crowd.returncode != 0:
        raise failed(f"The clients could not be started: {errors.strip()[-500:]}")
    with open(result) as file:
        outcome = json.load(file)
    bad = [code for code in outcome["codes"] if code != 0]
    if bad:
        with open(log, errors="replace") as file:
            said = file.read().strip().splitlines()
        raise failed(f"{len(bad)} of {len(commands)} clients of {os.path.basename(commands[0][0])} failed (exit code {bad[0]}): " + " / ".join(said[:FAILURES_NAMED]))
    return outcome


if __name__ == "__main__":
    _main(*sys.argv[1:])
