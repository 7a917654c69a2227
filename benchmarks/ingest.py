"""Measure the whole way from accepted files to searchable ones, on both backends, and print tables.

    python -m benchmarks.ingest [--documents 10 100] [--paragraphs 3] [--workers 1 2] [--backends embedded services]
    python -m benchmarks.ingest --folder FOLDER          the same, by format, on real files

The corpus is made here: Markdown files of one paragraph to so many, of 90 words, from a fixed seed. 'raw' is
the same encoder over the same passages in one call, measured in the same process right after, with as many threads as
the workers had together: what no pipeline around it can beat.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

ROOT = Path(__file__).resolve().parents[1]
MODELS = ROOT / ".cache" / "models"
_WORDS = (
    *("staff", "leave", "travel", "expense", "budget", "contract", "office", "server", "backup", "policy", "approval"),
    *("manager", "week", "month", "day", "form", "request", "payment", "invoice", "holiday", "insurance", "security"),
    *("access", "password", "project", "deadline", "customer", "supplier", "meeting", "report", "audit", "training"),
)
_POLL_S = 0.1
_SWEEP_S = 15.0
_WARM = "warm-up-"


@dataclass(frozen=True)
class Measured:
    """One run. Times in s, sizes in bytes; `raw_rate` is passages a second of the encoder alone."""

    backend: str
    workers: int
    documents: int
    failed: int
    seconds: float
    chunks: int
    pages: int
    size: int
    raw_rate: float
    peak_rss: int
    by_format: dict[str, dict[str, float]]


def main() -> None:
    """Print every table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=[10, 100, 1_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--backends", nargs="+", choices=["embedded", "services"], default=["embedded", "services"])
    parser.add_argument("--paragraphs", type=int, default=3, help="of 90 words; at most, in a document")
    parser.add_argument("--folder", type=Path, help="real files instead of the made corpus")
    parser.add_argument("--inside", nargs=2, metavar=("BACKEND", "CORPUS"), help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.inside:
        print(json.dumps(_inside(*options.inside, workers=options.workers[0])))
        return
    rows = list(_runs(options))
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    _print_rows(rows)
    for row in rows:
        if options.folder:
            _print_formats(row)


def _runs(options: argparse.Namespace) -> Iterator[Measured]:
    sizes = [0] if options.folder else options.documents
    for backend in options.backends:
        for workers in options.workers if backend == "services" else options.workers[:1]:
            for size in sizes:
                with tempfile.TemporaryDirectory(prefix="ragapp-bench-") as name:
                    corpus = options.folder or _corpus(
                        Path(name) / "corpus", documents=size, paragraphs=options.paragraphs
                    )
                    yield _measured(backend, corpus, workers=workers, folder=Path(name))


def _corpus(folder: Path, *, documents: int, paragraphs: int) -> Path:
    folder.mkdir()
    chance = random.Random(7)  # noqa: S311 - the same corpus at every run
    for number in range(documents):
        texts = (" ".join(chance.choices(_WORDS, k=90)) + "." for _ in range(chance.randint(1, paragraphs)))
        (folder / f"rule-{number:05}.md").write_text(f"# Rule {number}\n\n" + "\n\n".join(texts) + "\n")
    return folder


def _measured(backend: str, corpus: Path, *, workers: int, folder: Path) -> Measured:
    with ExitStack() as stack:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("RAGAPP_")},
            "RAGAPP_DATA_DIR": str(folder / "data"),
            "RAGAPP_MODELS_DIR": str(MODELS),
            "RAGAPP_LOG_LEVEL": "ERROR",
            "DJANGO_SETTINGS_MODULE": "ragapp.settings",
            "PYTHONWARNINGS": "ignore",
        }
        if backend == "services":
            environment |= stack.enter_context(_services())
        arguments = ["-m", "benchmarks.ingest", "--inside", backend, str(corpus), "--workers", str(workers)]
        done = subprocess.run(  # noqa: S603 - ourselves
            [sys.executable, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return Measured(**json.loads(done.stdout.splitlines()[-1]))


@contextmanager
def _services() -> Iterator[dict[str, str]]:
    from tests.provision import postgres, qdrant, valkey

    with postgres.running() as database, valkey.running() as broker, qdrant.running() as server:
        yield {
            "RAGAPP_DATABASE_URL": database,
            "RAGAPP_BROKER_URL": broker,
            "RAGAPP_QDRANT_URL": server.url,
            "RAGAPP_QDRANT_API_KEY": server.api_key,
            "RAGAPP_CHAT_URL": "http://127.0.0.1:9/v1",
            "RAGAPP_SECRET_KEY": "k" * 60,
        }


def _inside(backend: str, corpus: str, *, workers: int) -> dict[str, Any]:
    """In a process with the settings of one installation."""
    import django

    django.setup()
    from django.core.management import call_command

    from ingestion import engine
    from ingestion.models import Chunk, Document, DocumentState, Label
    from ingestion.services import collection_create

    call_command("migrate", verbosity=0)
    collection = collection_create(name="Benchmark", label=Label.INTERNAL)
    with _peak_rss() as peak, _workers(backend, count=workers):
        _warm(collection, documents=8 * workers)
        _accept(collection, Path(corpus))
        began = time.monotonic()
        Document.objects.filter(available_at__isnull=False).update(available_at=None)
        _await_settled()
        seconds = time.monotonic() - began
    Document.objects.filter(name__startswith=_WARM).delete()
    done = Document.objects.filter(state=DocumentState.READY)
    texts = _texts(Chunk.objects.select_related("document").all())
    threads = workers if backend == "services" else (os.cpu_count() or 1)
    return {
        "backend": backend,
        "workers": workers,
        "documents": done.count(),
        "failed": Document.objects.filter(state=DocumentState.FAILED).count(),
        "seconds": seconds,
        "chunks": len(texts),
        "pages": sum(document.pages or 0 for document in done),
        "size": sum(document.size for document in done),
        "raw_rate": _raw_rate(engine.embedder(), texts, threads=threads),
        "peak_rss": max(peak),
        "by_format": _by_format(done),
    }


def _accept(collection: Any, corpus: Path) -> None:
    """All files, none of them to be begun yet: neither by a message nor by a run that looks for more."""
    from django.db import transaction
    from django.utils import timezone

    from ingestion import outbox
    from ingestion.models import Document
    from ingestion.services import SameName, document_submit

    with patch.object(outbox, "sent", lambda *_, **__: False):
        for path in sorted(path for path in corpus.rglob("*") if path.is_file()):
            content = [path.read_bytes()]
            with transaction.atomic():
                accepted = document_submit(
                    collection=collection,
                    name=path.name,
                    content=content,
                    uploaded_by=None,
                    same_name=SameName.KEEP_BOTH,
                )
                later = timezone.now() + timedelta(days=1)
                Document.objects.filter(pk=accepted.document.pk).update(available_at=later)


def _warm(collection: Any, *, documents: int) -> None:
    """Until every worker has loaded its model."""
    from ingestion.services import document_submit

    for number in range(documents):
        content = [f"Warm up {number}.".encode()]
        document_submit(collection=collection, name=f"{_WARM}{number}.txt", content=content, uploaded_by=None)
        if number % 4 == 3:
            _await_settled()


def _await_settled() -> None:
    from ingestion import tasks
    from ingestion.models import Document, DocumentState

    unsettled = Document.objects.filter(state__in=[DocumentState.QUEUED, DocumentState.PROCESSING])
    swept = 0.0
    while unsettled.exists():
        if time.monotonic() - swept > _SWEEP_S:
            Document.objects.filter(state=DocumentState.QUEUED).update(enqueued_at=None)
            tasks._resend(grace=timedelta(0))
            swept = time.monotonic()
        time.sleep(_POLL_S)


def _texts(chunks: Iterable[Any]) -> list[str]:
    from ingestion.pipeline import embedded_text

    return [embedded_text(chunk.document.title, chunk.heading, chunk.text) for chunk in chunks]


def _raw_rate(embedder: Any, texts: Sequence[str], *, threads: int) -> float:
    import torch

    embedder.embed_query("warm up")
    torch.set_num_threads(threads)
    began = time.monotonic()
    embedder.embed_documents(texts)
    return len(texts) / (time.monotonic() - began)


def _by_format(documents: Iterable[Any]) -> dict[str, dict[str, float]]:
    from datetime import datetime

    found: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for document in documents:
        version = document.versions.get(number=document.version)
        times = {step: datetime.fromisoformat(at) for step, at in version.times.items()}
        row = found[document.media_type]
        row["documents"] += 1
        row["pages"] += document.pages or 0
        row["chunks"] += document.chunk_count
        row["size"] += document.size
        if {"parsing", "ready"} <= times.keys():
            row["seconds"] += (times["ready"] - times["parsing"]).total_seconds()
    return {name: dict(row) for name, row in found.items()}


@contextmanager
def _workers(backend: str, *, count: int) -> Iterator[None]:
    """Workers whose model is loaded before the clock starts."""
    if backend == "embedded":
        from ingestion import engine
        from ragapp import embedded

        engine.embedder().embed_query("warm up")
        engine.index()
        with embedded.workers():
            yield
        return
    command = [sys.executable, "-m", "celery", "-A", "ragapp", "worker", "--loglevel", "ERROR"]
    worker = subprocess.Popen([*command, "--concurrency", str(count)], cwd=ROOT)  # noqa: S603 - ours
    try:
        yield
    finally:
        worker.terminate()
        worker.wait(60)


@contextmanager
def _peak_rss() -> Iterator[list[int]]:
    """The largest resident size of any process of ours, in bytes."""
    peak, over = [0], Event()

    def watch() -> None:
        while not over.wait(0.25):
            peak.append(max(_rss(pid) for pid in _family(os.getpid())))
            del peak[1 if peak[0] > peak[1] else 0]

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(one for child in children for one in _family(int(child)))]


def _rss(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _print_rows(rows: Sequence[Measured]) -> None:
    print("| backend | workers | documents | failed | s | ms/document | chunks/s | raw | share | MB/s | peak MiB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        rate = row.chunks / row.seconds
        print(
            f"| {row.backend} | {row.workers} | {row.documents:,} | {row.failed} | {row.seconds:.1f} "
            f"| {1000 * row.seconds / max(row.documents, 1):.1f} | {rate:.0f} | {row.raw_rate:.0f} "
            f"| {rate / row.raw_rate:.0%} | {row.size / row.seconds / 1e6:.2f} | {row.peak_rss / 2**20:.0f} |"
        )


def _print_formats(row: Measured) -> None:
    print(f"\n{row.backend}, {row.workers} workers: by format, time from the start of reading to READY")
    print("| format | documents | pages | chunks | MB | s/document | pages/s | chunks/s | MB/s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, found in sorted(row.by_format.items()):
        seconds = found.get("seconds", 0) or 1e-9
        print(
            f"| {name.rpartition('/')[2][-40:]} | {found['documents']:.0f} | {found['pages']:.0f} "
            f"| {found['chunks']:.0f} "
            f"| {found['size'] / 1e6:.2f} | {seconds / found['documents']:.2f} | {found['pages'] / seconds:.1f} "
            f"| {found['chunks'] / seconds:.0f} | {found['size'] / seconds / 1e6:.2f} |"
        )


if __name__ == "__main__":
    main()
