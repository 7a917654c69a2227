"""Measure the index on many chunks, embedded and on a Qdrant server, and print a table.

    python -m benchmarks.index [--chunks 100000] [--backends edge server] [--url URL --key KEY]

Vectors are random, which is the hardest case for a graph; texts are words of one language's frequencies. Without a URL
a server is started on this machine, so that the two share its cores. A control question asks for one known chunk. In
the last rows a second generation is built, made live and the first one dropped, while questions come from four
askers at a steady rate; each asks which generation is live first.
"""

import argparse
import os
import random
import statistics
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

import httpx
import numpy as np

from ingestion.access import AccessScope
from ingestion.embedding.base import Vector
from ingestion.errors import IngestionError
from ingestion.index.base import Attributes, ChunkIndex, IndexCatalog, IndexedChunk, IndexIdentity, IndexQuery
from ingestion.index.edge_catalog import EdgeCatalog
from ingestion.index.qdrant_catalog import QdrantCatalog
from tests.provision import qdrant
from tests.provision.qdrant import QdrantServer

DIMENSION = 384
IDENTITY = IndexIdentity(embedding_model="benchmark", dimension=DIMENSION)
COLLECTIONS = tuple(f"collection-{number}" for number in range(20))
WITHIN = 5
A_DOCUMENT = 50
BATCH = 1_000
LIMIT = 10
QUESTIONS = 300
RATE_A_SECOND = 10
ASKERS = 4
# Between the switch and the drop, as long as a search may take that began before.
GRACE_S = 3.0
GREEN_WITHIN_S = 600
WORDS = tuple(f"{first}{second}{third}" for first in "bdfgklmnprst" for second in "aeiou" for third in range(500))
FREQUENCIES = tuple(accumulate(1.0 / rank for rank in range(1, len(WORDS) + 1)))
EVERYTHING = AccessScope(frozenset(COLLECTIONS))


@dataclass(frozen=True)
class Backend:
    """What is measured: a catalog, who holds its memory, and when it has done all its work."""

    name: str
    catalog: IndexCatalog
    pid: int
    settled: Callable[[str], bool]
    folder: Path | None


@dataclass
class Traffic:
    """What happened to the questions of one stretch: `seconds` of each, and of the whole stretch."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    empty: int = 0
    lasted: float = 0.0

    def __str__(self) -> str:
        counts = f"{len(self.seconds)} questions ({len(self.seconds) / self.lasted:.1f}/s), {self.errors} errors"
        return f"{counts}, {self.empty} empty control answers, {timing(self.seconds)}"


def main() -> None:
    """Build, search, rebuild beside, switch; for each backend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--backends", nargs="+", choices=["edge", "server"], default=["edge", "server"])
    parser.add_argument("--url", default="", help="of a server that is running already")
    parser.add_argument("--key", default="")
    chosen = parser.parse_args()
    print(f"{chosen.chunks:,} chunks, {DIMENSION} dimensions, within {WITHIN} of {len(COLLECTIONS)} collections\n")
    for name in chosen.backends:
        with edge() if name == "edge" else server(url=chosen.url, key=chosen.key) as backend:
            measure(backend, count=chosen.chunks)


def measure(backend: Backend, *, count: int) -> None:
    """Print the rows of one backend."""
    before = resident_mib(backend.pid)
    first = backend.catalog.create(IDENTITY)
    index = backend.catalog.open(first)
    seconds = build(index, count=count)
    say(backend, "build", f"{seconds:.1f} s in calls of {BATCH}, {count / seconds:,.0f} chunks/s")
    say(backend, "search, just built", timing(search(index)))
    say(backend, "settled", f"{wait_for(lambda: backend.settled(first)):.0f} s later")
    for within in (1, WITHIN, len(COLLECTIONS)):
        say(backend, f"search, {within} of {len(COLLECTIONS)}", timing(search(index, within=within)))
    say(backend, "memory", f"{resident_mib(backend.pid):,.0f} MiB, {before:,.0f} before")
    if backend.folder is not None:
        say(backend, "disk", f"{size_mib(backend.folder):,.0f} MiB")
    backend.catalog.switch(first)
    index.close()
    rebuild(backend, first, count=count)
    print()


def rebuild(backend: Backend, first: str, *, count: int) -> None:
    """A second generation beside the first, under questions."""
    stretches = {"while it is built": Traffic(), "switch, back and drop": Traffic()}
    with asking(backend.catalog, stretches["while it is built"]):
        second = backend.catalog.create(IDENTITY)
        index = backend.catalog.open(second)
        seconds = build(index, count=count)
    with asking(backend.catalog, stretches["switch, back and drop"]):
        for name in (second, first, second, first, second):
            backend.catalog.switch(name)
            time.sleep(GRACE_S)
        backend.catalog.drop(first)
        time.sleep(GRACE_S)
    index.close()
    say(backend, "second build", f"{seconds:.1f} s under {RATE_A_SECOND} questions/s")
    for name, traffic in stretches.items():
        say(backend, name, str(traffic))
    say(backend, "memory", f"{resident_mib(backend.pid):,.0f} MiB")


@contextmanager
def asking(catalog: IndexCatalog, traffic: Traffic) -> Iterator[None]:
    """Control questions at a steady rate from threads of their own, until the block ends."""
    done = threading.Event()
    threads = [threading.Thread(target=ask_until, args=(done, catalog, traffic)) for _ in range(ASKERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()
        traffic.lasted = time.perf_counter() - began


def ask_until(done: threading.Event, catalog: IndexCatalog, traffic: Traffic) -> None:
    """One asker's share of the rate; turns that it missed while it waited for an answer are left out."""
    asker = Asker(catalog)
    while not done.is_set():
        began = time.perf_counter()
        try:
            traffic.empty += not asker.finds_control()
        except IngestionError as exc:
            traffic.errors += 1
            print(f"  {type(exc).__name__}: {exc}")
        spent = time.perf_counter() - began
        traffic.seconds.append(spent)
        done.wait(max(0.0, ASKERS / RATE_A_SECOND - spent))
    asker.close()


class Asker:
    """Searches as a server process does: the live generation stays open until another one is live."""

    def __init__(self, catalog: IndexCatalog) -> None:
        self._catalog = catalog
        self._control = next(chunks(1))[0]
        self._name = ""
        self._index: ChunkIndex | None = None

    def finds_control(self) -> bool:
        """Whether the known chunk is the first answer of the live generation."""
        query = IndexQuery(self._control.text, self._control.vector)
        hits = self._live().search(query, scope=EVERYTHING, limit=LIMIT)
        return bool(hits) and hits[0].chunk_id == self._control.chunk_id

    def close(self) -> None:
        """Release what is open."""
        if self._index is not None:
            self._index.close()
        self._index = None

    def _live(self) -> ChunkIndex:
        name = self._catalog.live(IDENTITY) or ""
        if self._index is None or name != self._name:
            self.close()
            self._index, self._name = self._catalog.open(name), name
        return self._index


def build(index: ChunkIndex, *, count: int) -> float:
    """Seconds in the index, without making the chunks."""
    spent = 0.0
    for batch in chunks(count):
        began = time.perf_counter()
        index.upsert(batch)
        spent += time.perf_counter() - began
    return spent


def search(index: ChunkIndex, *, within: int = WITHIN) -> list[float]:
    """Seconds for each of the questions."""
    source = random.Random(1)  # noqa: S311 - the same data at every run, and no secret
    vectors = unit_vectors(QUESTIONS, seed=10**6)
    return [_search(index, source, vector=vector, within=within) for vector in vectors]


def _search(index: ChunkIndex, source: random.Random, *, vector: Vector, within: int) -> float:
    scope = AccessScope(frozenset(source.sample(COLLECTIONS, k=within)))
    query = IndexQuery(text_of(source, words=8), vector)
    began = time.perf_counter()
    hits = index.search(query, scope=scope, limit=LIMIT)
    spent = time.perf_counter() - began
    if len(hits) != LIMIT:
        print(f"  {len(hits)} hits within {within} collections")
    return spent


def chunks(count: int) -> Iterator[list[IndexedChunk]]:
    """The same at every call, a batch at a time."""
    for start in range(0, count, BATCH):
        source = random.Random(start)  # noqa: S311 - the same data at every run, and no secret
        vectors = unit_vectors(min(BATCH, count - start), seed=start)
        yield [_chunk(start + at, source, vector=vector) for at, vector in enumerate(vectors)]


def _chunk(number: int, source: random.Random, *, vector: Vector) -> IndexedChunk:
    document = number // A_DOCUMENT
    attributes = Attributes(
        document_id=f"document-{document}",
        version=1,
        collection_id=COLLECTIONS[document % len(COLLECTIONS)],
        label=document % 4,
        media_type="application/pdf",
        language="en",
    )
    chunk_id = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
    return IndexedChunk(chunk_id, text_of(source, words=120), vector, attributes)


def text_of(source: random.Random, *, words: int) -> str:
    """Words as often as a language has them."""
    return " ".join(source.choices(WORDS, cum_weights=FREQUENCIES, k=words))


def unit_vectors(count: int, *, seed: int) -> Sequence[Vector]:
    """Random directions."""
    drawn = np.random.default_rng(seed).standard_normal((count, DIMENSION)).astype(np.float32)
    return [tuple(each) for each in (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).tolist()]


@contextmanager
def edge() -> Iterator[Backend]:
    """In this process; its memory is the whole process's."""
    with tempfile.TemporaryDirectory() as name:
        catalog = EdgeCatalog(Path(name))
        yield Backend("edge", catalog, os.getpid(), lambda _: True, Path(name))
        catalog.close()


@contextmanager
def server(*, url: str, key: str) -> Iterator[Backend]:
    """A server of our own, or the one that is named."""
    if url:
        yield _on_server(QdrantServer(url=url, grpc_port=0, api_key=key))
        return
    with qdrant.running() as started:
        yield _on_server(started)


def _on_server(at: QdrantServer) -> Backend:
    def is_green(name: str) -> bool:
        headers = {"api-key": at.api_key}
        answer = httpx.get(f"{at.url}/collections/{name}", headers=headers, timeout=30, trust_env=False)
        return bool(answer.json()["result"]["status"] == "green")

    catalog = QdrantCatalog(url=at.url, api_key=at.api_key)
    return Backend("server", catalog, child_named("qdrant") or os.getpid(), is_green, None)


def child_named(word: str) -> int | None:
    """The process id of our child of that name."""
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
        except OSError:
            continue
        if word in lines["Name"] and int(lines["PPid"]) == os.getpid():
            return int(status.parent.name)
    return None


def resident_mib(pid: int) -> float:
    """Of the process, what it maps from files included."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def size_mib(folder: Path) -> float:
    """Allocated on the disk."""
    return sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()) / 2**20


def wait_for(settled: Callable[[], bool]) -> float:
    """Seconds until it is, at most GREEN_WITHIN_S."""
    began = time.perf_counter()
    while not settled() and time.perf_counter() - began < GREEN_WITHIN_S:
        time.sleep(0.5)
    return time.perf_counter() - began


def timing(seconds: Sequence[float]) -> str:
    """Of one question."""
    cuts = statistics.quantiles(seconds, n=20)
    return f"p50 {cuts[9] * 1000:.1f} ms, p95 {cuts[18] * 1000:.1f} ms, longest {max(seconds) * 1000:.0f} ms"


def say(backend: Backend, what: str, figures: str) -> None:
    """One row."""
    print(f"{backend.name:7} {what:24} {figures}", flush=True)


if __name__ == "__main__":
    main()
