"""How long a start takes and what it holds when idle; prints a table. Takes the configuration of its environment.

    python -m benchmarks.start [--port 8199]

Run it a second time for the figures of a second start: the first one makes the database and reads the sample.
"""

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx

IDLE_S = 10


def main() -> None:
    """Start, wait, measure, stop."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=8199)
    port = parser.parse_args().port
    started = time.perf_counter()
    server = subprocess.Popen(  # noqa: S603 (our own program, no shell)
        [sys.executable, "manage.py", "up", "--port", str(port)], stdout=subprocess.DEVNULL
    )
    try:
        page = _until(f"http://127.0.0.1:{port}/healthz", server) - started
        ready = _until(f"http://127.0.0.1:{port}/readyz", server) - started
        time.sleep(IDLE_S)
        own, children = _resident_mib(server.pid), sum(map(_resident_mib, _children(server.pid)))
    finally:
        stopping = time.perf_counter()
        server.send_signal(signal.SIGINT)
        server.wait()
    print(f"first page      {page:6.1f} s\nready to answer {ready:6.1f} s\nstop            {_since(stopping):6.1f} s")
    print(
        f"idle memory     {own:6.0f} MiB the server, {children:.0f} MiB the model's child, {own + children:.0f} in all"
    )


def _until(url: str, server: "subprocess.Popen[bytes]") -> float:
    while server.poll() is None:
        try:
            if httpx.get(url, trust_env=False).is_success:
                return time.perf_counter()
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise SystemExit("the server ended")


def _since(moment: float) -> float:
    return time.perf_counter() - moment


def _resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def _children(pid: int) -> list[int]:
    found = [children.read_text().split() for children in Path(f"/proc/{pid}/task").glob("*/children")]
    return [int(child) for part in found for child in part]


if __name__ == "__main__":
    main()
