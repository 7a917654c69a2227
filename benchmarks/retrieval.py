"""Measure the whole of retrieval by stage, at several sizes, embedded and on a Qdrant server, and print a table.

    python -m benchmarks.retrieval [--chunks 10000 100000] [--backends edge server] [--questions 200]

Questions are encoded by the real model and asked of the real retriever: embed, search within 5 of 20 collections, the
second look in SQL (SQLite, in a file), rank. Passages have the words of one language's frequencies; their vectors are
those of a thousand real sentences, again and again, each with a little noise of its own. A server shares our cores.
"""

import argparse
import math
import os
import random
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.index import A_DOCUMENT, COLLECTIONS, WITHIN, edge, server, text_of, wait_for
from ingestion.access import AccessScope
from ingestion.embedding.base import Embedder, Vector
from ingestion.index.base import Attributes, ChunkIndex, IndexedChunk

NOISE = 0.02
SENTENCES = 1_000
BATCH = 1_000
LIMIT = 4
STAGES = ("embed", "search", "check", "rank", "neighbours")
# The second stage is an order of magnitude slower than all else.
SECOND_STAGE_SHARE = 5


def main() -> None:
    """Fill, ask, print; for each size and backend."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chunks", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--backends", nargs="+", choices=["edge", "server"], default=["edge", "server"])
    parser.add_argument("--questions", type=int, default=200)
    parser.add_argument("--models-dir", type=Path, default=Path(".cache/models"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ragapp-benchmark-") as folder:
        start_django(Path(folder), models=given.models_dir)
        print(
            "| chunks | index | second stage | "
            + " | ".join(STAGES)
            + " | whole |\n"
            + "|---" * (len(STAGES) + 4)
            + "|"
        )
        for count in given.chunks:
            measure(count, backends=given.backends, questions=given.questions)
    print("\nms as median / 95th percentile; load average at the end {:.1f}, {:.1f}, {:.1f}".format(*os.getloadavg()))


def start_django(folder: Path, *, models: Path) -> None:
    """The application over an empty data folder."""
    import django
    from django.core.management import call_command

    for name in [name for name in os.environ if name.startswith("RAGAPP_")]:
        del os.environ[name]
    os.environ |= {
        "RAGAPP_DATA_DIR": str(folder),
        "RAGAPP_MODELS_DIR": str(models.absolute()),
        "DJANGO_SETTINGS_MODULE": "ragapp.settings",
    }
    django.setup()
    call_command("migrate", verbosity=0)


def measure(count: int, *, backends: Sequence[str], questions: int) -> None:
    """The rows of one size."""
    from ingestion import engine

    embedder = engine.embedder()
    collections = write_rows(count)
    sentences = embedder.embed_documents(texts(SENTENCES, seed=3, words=30))
    for name in backends:
        with edge() if name == "edge" else server(url="", key="") as backend:
            generation = backend.catalog.create(engine.identity())
            index = backend.catalog.open(generation)
            for batch in chunks(count, collections=collections, sentences=sentences):
                index.upsert(batch)
            wait_for(lambda: backend.settled(generation))  # noqa: B023 - called at once
            for second_stage in (False, True):
                asked = texts(questions // SECOND_STAGE_SHARE if second_stage else questions, seed=4, words=8)
                laps = ask(index, embedder, asked, collections=collections, second_stage=second_stage)
                say(count, name, second_stage, laps)
            index.close()


def write_rows(count: int) -> list[str]:
    """The passages in SQL, in place of those of the size before; the ids of their collections."""
    from ingestion.models import Chunk, Collection, Document, DocumentState

    Chunk.objects.all()._raw_delete("default")
    Document.objects.all()._raw_delete("default")
    collections = [Collection.objects.get_or_create(name=name)[0] for name in COLLECTIONS]
    Document.objects.bulk_create(
        [
            Document(
                pk=key_of("document", number),
                collection=collections[number % len(collections)],
                name=f"{number}.txt",
                title=f"Document {number}",
                sha256=f"{number:064}",
                size=1,
                state=DocumentState.READY,
                live_version=1,
                chunk_count=A_DOCUMENT,
            )
            for number in range(math.ceil(count / A_DOCUMENT))
        ],
        batch_size=BATCH,
    )
    for start in range(0, count, BATCH):
        Chunk.objects.bulk_create(
            [
                Chunk(
                    pk=key_of("chunk", number),
                    document_id=key_of("document", number // A_DOCUMENT),
                    ordinal=number % A_DOCUMENT,
                    text=text,
                    start=0,
                    end=len(text),
                )
                for number, text in enumerate(texts(min(BATCH, count - start), seed=start, words=100), start=start)
            ]
        )
    return [str(each.pk) for each in collections]


def chunks(count: int, *, collections: Sequence[str], sentences: Sequence[Vector]) -> Iterator[list[IndexedChunk]]:
    """The same passages as points, a batch at a time."""
    real = np.asarray(sentences, dtype=np.float32)
    for start in range(0, count, BATCH):
        size = min(BATCH, count - start)
        drawn = np.random.default_rng(start).standard_normal((size, real.shape[1])).astype(np.float32)
        moved = real[np.arange(start, start + size) % len(real)] + NOISE * drawn
        vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).tolist()
        yield [
            IndexedChunk(
                chunk_id=str(key_of("chunk", number)),
                text=text,
                vector=tuple(vector),
                attributes=attributes(number // A_DOCUMENT, collections=collections),
            )
            for number, (text, vector) in enumerate(
                zip(texts(size, seed=start, words=100), vectors, strict=True), start=start
            )
        ]


def attributes(document: int, *, collections: Sequence[str]) -> Attributes:
    """Of a document by its number."""
    return Attributes(
        document_id=str(key_of("document", document)),
        version=1,
        collection_id=collections[document % len(collections)],
        label=0,
    )


def ask(
    index: ChunkIndex, embedder: Embedder, questions: Sequence[str], *, collections: Sequence[str], second_stage: bool
) -> list[dict[str, float]]:
    """Seconds by stage for each question; each is asked within other collections."""
    from ragapp.answering.retrieval import HybridRetriever
    from ragapp.passages import SqlPassageStore

    retriever = HybridRetriever(
        embedder=lambda: embedder,
        index=lambda: index,
        store=SqlPassageStore(),
        relevance_threshold=0.0,
        second_stage=second_stage,
    )
    source = random.Random(5)  # noqa: S311 - the same data at every run, and no secret
    laps = []
    for question in islice(cycle(questions), len(questions) + 5):
        scope = AccessScope(frozenset(source.sample(collections, k=WITHIN)))
        found = retriever.retrieve(question, scope=scope, limit=LIMIT)
        if len(found.passages) != LIMIT:
            print(f"  {len(found.passages)} passages for {question!r}")
        laps.append(dict(found.timings))
    # The first ones warm the caches.
    return laps[5:]


def say(count: int, name: str, second_stage: bool, laps: Sequence[dict[str, float]]) -> None:
    """One row."""
    stages = [[1000 * lap.get(stage, 0.0) for lap in laps] for stage in STAGES]
    whole = [1000 * math.fsum(lap.values()) for lap in laps]
    cells = " | ".join("{:.1f} / {:.1f}".format(*np.percentile(each, [50, 95])) for each in (*stages, whole))
    print(f"| {count:,} | {name} | {'on' if second_stage else 'off'} | {cells} |", flush=True)


def texts(count: int, *, seed: int, words: int) -> list[str]:
    """The same at every run."""
    source = random.Random(seed)  # noqa: S311 - no secret
    return [text_of(source, words=words) for _ in range(count)]


def key_of(kind: str, number: int) -> uuid.UUID:
    """The same at every run."""
    return uuid.uuid5(uuid.NAMESPACE_OID, f"{kind} {number}")


if __name__ == "__main__":
    main()
