"""Measure ingestion and retrieval on a folder of PDFs with questions, and print tables.

    python -m benchmarks.ingestion FOLDER [--foreign QUERIES.jsonl]... [--quick]

FOLDER holds files/*.pdf, queries.jsonl {"id", "text"} and qrels.tsv (query_id, <file>#page=<n>, relevance).
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from ingestion.access import AccessScope
from ingestion.chunking import chunk, chunk_id
from ingestion.config import IngestionConfig
from ingestion.embedding.base import Embedder, Vector
from ingestion.factory import embedder_for, identity_for
from ingestion.index.base import DENSE_WEIGHT, Attributes, ChunkIndex, Hit, IndexedChunk, IndexQuery
from ingestion.index.edge_catalog import EdgeCatalog
from ingestion.parsing.base import ParsedDocument
from ingestion.parsing.runner import parse_file
from ingestion.pipeline import embedded_text

SCOPE = AccessScope(frozenset({"c"}))
TOP = 4
DEFAULT_PREFIX = "title+heading"


@dataclass(frozen=True)
class Chunked:
    """Chunks of the folder under one setting, with where each came from."""

    points: list[IndexedChunk]
    places: dict[str, tuple[str, int | None]]


@dataclass(frozen=True)
class Questions:
    """Questions, their vectors and the right pages of each."""

    texts: list[str]
    vectors: list[Vector]
    right: list[frozenset[tuple[str, int]]]


def main() -> None:
    """Print every table."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", type=Path, default=Path(".cache/models/all-MiniLM-L6-v2"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--foreign", type=Path, action="append", default=[], help="questions about other things")
    parser.add_argument("--sizes", type=int, nargs="+", default=[120, 160, 200])
    parser.add_argument("--weights", type=float, nargs="+", default=[0.5, 0.6, 0.7, 0.8, 1.0])
    parser.add_argument("--prefixes", nargs="+", default=["none", "heading", DEFAULT_PREFIX])
    given = parser.parse_args()
    config = IngestionConfig(
        files_dir=given.folder,
        index_dir=given.folder,
        embedding_path=given.model,
        embedding_threads=given.threads,
    )
    embedder = embedder_for(config)
    embedder.embed_query("load")
    documents = _parse(given.folder, config=config)
    _speed(documents, config=config, embedder=embedder)
    questions = _questions(given.folder, embedder=embedder)
    _quality(documents, questions, given=given, config=config, embedder=embedder)
    _gate(documents, questions, foreign=given.foreign, config=config, embedder=embedder)


def _parse(folder: Path, *, config: IngestionConfig) -> dict[str, ParsedDocument]:
    documents = {}
    print("| file | pages | sections | characters | parse s |\n|---|---|---|---|---|")
    for path in sorted((folder / "files").glob("*.pdf")):
        start = time.perf_counter()
        parsed = documents[path.name] = parse_file(path, name=path.name, config=config)
        chars = sum(len(section.text) for section in parsed.sections)
        seconds = time.perf_counter() - start
        print(f"| {path.name} | {parsed.pages} | {len(parsed.sections)} | {chars:,} | {seconds:.2f} |")
    return documents


def _speed(documents: dict[str, ParsedDocument], *, config: IngestionConfig, embedder: Embedder) -> None:
    import torch

    print("\n| threads | chunks | chunk s | embed s | index s | total s (without parse) |\n|---|---|---|---|---|---|")
    for threads in (1, 2):
        torch.set_num_threads(threads)
        start = time.perf_counter()
        texts = _texts(documents, tokens=config.chunk_tokens, prefix=DEFAULT_PREFIX, embedder=embedder)
        cut = time.perf_counter()
        vectors = embedder.embed_documents([text for _, _, _, text in texts])
        embedded = time.perf_counter()
        chunked = _chunked(texts, vectors)
        with _index(embedder) as index:
            index.upsert(chunked.points)
            done = time.perf_counter()
        print(
            f"| {threads} | {len(texts)} | {cut - start:.1f} | {embedded - cut:.1f} | {done - embedded:.2f} "
            f"| {done - start:.1f} |"
        )


_Text = tuple[str, str, int | None, str]


def _texts(documents: dict[str, ParsedDocument], *, tokens: int, prefix: str, embedder: Embedder) -> list[_Text]:
    found = []
    for name, parsed in documents.items():
        for each in chunk(parsed, tokens=tokens, overlap=tokens * 3 // 20, count_tokens=embedder.count_tokens):
            title = (parsed.title or Path(name).stem) if prefix == DEFAULT_PREFIX else ""
            heading = each.heading if prefix != "none" else ""
            text = embedded_text(title, heading, each.text)
            found.append((chunk_id(name, 1, each.ordinal), name, each.page, text))
    return found


def _chunked(texts: Sequence[_Text], vectors: Sequence[Vector]) -> Chunked:
    points = [
        IndexedChunk(key, text, vector, Attributes(document_id=name, version=1, collection_id="c", label=0))
        for (key, name, _, text), vector in zip(texts, vectors, strict=True)
    ]
    return Chunked(points=points, places={key: (name, page) for key, name, page, _ in texts})


def _questions(folder: Path, *, embedder: Embedder) -> Questions:
    rows = [json.loads(line) for line in (folder / "queries.jsonl").read_text().splitlines()]
    right: dict[str, set[tuple[str, int]]] = {}
    for line in (folder / "qrels.tsv").read_text().splitlines()[1:]:
        query, place, _ = line.split("\t")
        name, _, page = place.partition("#page=")
        right.setdefault(query, set()).add((name, int(page)))
    return Questions(
        texts=[row["text"] for row in rows],
        vectors=[embedder.embed_query(row["text"]) for row in rows],
        right=[frozenset(right[row["id"]]) for row in rows],
    )


def _quality(
    documents: dict[str, ParsedDocument],
    questions: Questions,
    *,
    given: argparse.Namespace,
    config: IngestionConfig,
    embedder: Embedder,
) -> None:
    print(f"\nrecall@{TOP}: right document / right page / page's MRR@10, by dense weight")
    print("| tokens | prefix | chunks | " + " | ".join(f"{weight}" for weight in given.weights) + " |")
    print("|---|---|---|" + "---|" * len(given.weights))
    for tokens, prefix in product(given.sizes, given.prefixes):
        texts = _texts(documents, tokens=tokens, prefix=prefix, embedder=embedder)
        chunked = _chunked(texts, embedder.embed_documents([text for _, _, _, text in texts]))
        cells = [_recalls(chunked, questions, weight=weight, embedder=embedder) for weight in given.weights]
        print(f"| {tokens} | {prefix} | {len(texts)} | " + " | ".join(cells) + " |", flush=True)


def _recalls(chunked: Chunked, questions: Questions, *, weight: float, embedder: Embedder) -> str:
    document = page = reciprocal = 0.0
    for hits, right in zip(
        _searches(chunked, questions, weight=weight, embedder=embedder), questions.right, strict=True
    ):
        places = [chunked.places[hit.chunk_id] for hit in hits]
        document += bool({name for name, _ in places[:TOP]} & {name for name, _ in right})
        page += bool(set(places[:TOP]) & right)
        ranks = [rank for rank, place in enumerate(places[:10], 1) if place in right]
        reciprocal += 1 / ranks[0] if ranks else 0.0
    count = len(questions.texts)
    return f"{document / count:.2f} / {page / count:.2f} / {reciprocal / count:.3f}"


def _searches(chunked: Chunked, questions: Questions, *, weight: float, embedder: Embedder) -> Iterator[list[Hit]]:
    with _index(embedder) as index:
        index.upsert(chunked.points)
        for text, vector in zip(questions.texts, questions.vectors, strict=True):
            yield index.search(IndexQuery(text, vector, dense_weight=weight), scope=SCOPE, limit=10)


@contextmanager
def _index(embedder: Embedder) -> Iterator[ChunkIndex]:
    with tempfile.TemporaryDirectory() as folder:
        catalog = EdgeCatalog(Path(folder))
        yield catalog.open(catalog.create(identity_for(embedder)))
        catalog.close()


def _gate(
    documents: dict[str, ParsedDocument],
    questions: Questions,
    *,
    foreign: Sequence[Path],
    config: IngestionConfig,
    embedder: Embedder,
) -> None:
    texts = _texts(documents, tokens=config.chunk_tokens, prefix=DEFAULT_PREFIX, embedder=embedder)
    chunked = _chunked(texts, embedder.embed_documents([text for _, _, _, text in texts]))
    print("\n| questions | score | n | p1 | p5 | p10 | p25 | p50 | p75 | p90 | p95 | p99 |\n|" + "---|" * 12)
    for name, asked in (("own", questions), *((str(path), _foreign(path, embedder=embedder)) for path in foreign)):
        found = list(_searches(chunked, asked, weight=DENSE_WEIGHT, embedder=embedder))
        # The gate looks at the passages that would be shown, not at the first alone.
        cosines = [max(hit.dense or 0.0 for hit in hits[:TOP]) for hits in found if hits]
        for score, values in (
            (f"best cosine of {TOP}", cosines),
            ("first hit's cosine", [hits[0].dense or 0.0 for hits in found if hits]),
            ("first hit's fused", [hits[0].score for hits in found if hits]),
            ("first hit's bm25", [hits[0].sparse or 0.0 for hits in found if hits]),
        ):
            cuts = statistics.quantiles(values, n=100, method="inclusive")
            cells = " | ".join(f"{cuts[at - 1]:.3f}" for at in (1, 5, 10, 25, 50, 75, 90, 95, 99))
            print(f"| {Path(name).parent.name}/{Path(name).name} | {score} | {len(values)} | {cells} |")


def _foreign(path: Path, *, embedder: Embedder, count: int = 200) -> Questions:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    step = max(1, len(rows) // count)
    texts = [str(row.get("text") or row.get("question") or row.get("prompt")) for row in rows[::step][:count]]
    return Questions(texts, [embedder.embed_query(text) for text in texts], [frozenset()] * len(texts))


if __name__ == "__main__":
    main()
