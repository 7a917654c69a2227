"""Break things: `python -m tests.faults [--seconds 60] [SCENARIO…]`. Prints a table, and ends with 1 on any loss.

Each scenario is a fresh installation on services with two workers, an uploader and a deleter; afterwards everything
must be settled, nothing acknowledged may be lost, and `manage.py audit` must find nothing.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis

from tests.provision.stack import Stack, running

WORKERS = ("worker-1", "worker-2")
_SETTLE_S = 400.0
_SMALL_DISK = "48m"


@dataclass(frozen=True)
class Scenario:
    """`harm` is called with the stack and the time until which it may do harm, and leaves everything running."""

    harm: Callable[[Stack, float], None]
    again: bool = False
    small_disk: bool = False
    settings: str = "ragapp.settings"


def _kill_workers(stack: Stack, until: float) -> None:
    """The dose of Qdrant's own crasher: with p=0.3 every 5 s."""
    chance = random.Random(1)
    while time.monotonic() < until:
        time.sleep(5)
        for name in WORKERS:
            if chance.random() < 0.3:
                stack.kill(name)
                stack.start_worker(name)


def _lose_the_broker(stack: Stack, until: float) -> None:
    """Flushed, killed, and started empty, in turn."""
    turn = 0
    while time.monotonic() < until:
        time.sleep(4)
        if turn % 3 == 0:
            redis.Redis.from_url(stack.urls["Redis"]).flushall()
        else:
            stack.broker.kill()
            time.sleep(3 * (turn % 3))
            stack.broker.start()
        turn += 1


def _kill_the_index(stack: Stack, until: float) -> None:
    """Twenty kills while points are written, then down for the second half."""
    began = time.monotonic()
    half = (until - began) / 2
    for _ in range(20):
        time.sleep(half / 20)
        stack.index.kill()
        stack.index.start()
    stack.index.kill()
    time.sleep(max(0.0, until - time.monotonic()))
    stack.index.start()


def _restart_the_database(stack: Stack, until: float) -> None:
    """Ten times."""
    each = (until - time.monotonic()) / 10
    for _ in range(10):
        time.sleep(each)
        stack.database.kill()
        stack.database.start()


def _fill_the_disk(stack: Stack, until: float) -> None:
    """Full to the last byte for four seconds, with room for four."""
    filler = Path(stack.environment["RAGAPP_DATA_DIR"]) / "filler"
    while time.monotonic() < until:
        time.sleep(4)
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        time.sleep(4)
        filler.unlink()


@contextmanager
def _small_disk(folder: Path) -> Iterator[None]:
    """A file system of its own for the media; needs the right to mount."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _wait(_: Stack, until: float) -> None:
    time.sleep(max(0.0, until - time.monotonic()))


SCENARIOS = {
    "workers-killed": Scenario(_kill_workers),
    "broker-lost": Scenario(_lose_the_broker),
    "index-killed": Scenario(_kill_the_index),
    "database-restarted": Scenario(_restart_the_database),
    "disk-full": Scenario(_fill_the_disk, small_disk=True),
    "delivered-again": Scenario(_wait, again=True),
    "visibility-short": Scenario(_wait, settings="tests.faults.short_visibility"),
}


def run(name: str, *, seconds: float) -> dict[str, Any]:
    """One scenario: its verdict, and what the audit found."""
    scenario = SCENARIOS[name]
    with running() as stack, ExitStack() as held:
        if scenario.small_disk:
            held.enter_context(_small_disk(Path(stack.environment["RAGAPP_DATA_DIR"])))
        stack.environment["DJANGO_SETTINGS_MODULE"] = scenario.settings
        for worker in WORKERS:
            stack.start_worker(worker)
        stack.start_beat()
        out = stack.folder / "actor.json"
        again = ("--again",) if scenario.again else ()
        actor = stack.start("actor", "-m", "tests.faults.actor", str(seconds), "7", str(out), *again)
        scenario.harm(stack, time.monotonic() + seconds)
        if actor.wait(120) != 0:
            raise RuntimeError((stack.folder / "actor.log").read_text()[-3000:])
        verdict: dict[str, Any] = json.loads(_python(stack, "-m", "tests.faults.verdict", str(out), str(_SETTLE_S)))
        audit = stack.command("audit", "--json")
        verdict["scenario"] = name
        verdict["errors"] = json.loads(out.read_text())["errors"]
        verdict["audit"] = json.loads(audit.stdout) if audit.stdout.startswith("{") else audit.stderr[-2000:]
        verdict["clean"] = audit.returncode == 0 and not (verdict["lost"] or verdict["undead"] or verdict["open"])
        if not verdict["clean"] and "KEEP_LOGS" in os.environ:
            subprocess.run(["cp", "-r", str(stack.folder), os.environ["KEEP_LOGS"]], check=False)
        return verdict


def _python(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=stack.environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-3000:])
    return done.stdout


def main() -> int:
    """Run them one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", choices=[*SCENARIOS, []], metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    verdicts = []
    print(
        "| scenario | uploaded | deleted | refused | lost | undead | open | ready | failed | settled after s | audit |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for name in options.scenarios or SCENARIOS:
        found = run(name, seconds=options.seconds)
        verdicts.append(found)
        print(
            f"| {name} | {found['uploaded']} | {found['deleted']} | {found['errors']} "
            f"| {found['lost']} | {found['undead']} "
            f"| {found['open']} | {found['ready']} | {found['failed']} | {found['settled_s']} "
            f"| {'clean' if found['clean'] else found['audit']} |",
            flush=True,
        )
    return 0 if all(found["clean"] for found in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
