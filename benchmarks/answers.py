"""Upload a folder of documents and ask its questions through the API of a running server; prints tables.

    BENCH_KEY=rag_… python -m benchmarks.answers FOLDER [--url URL] [--questions N]

FOLDER holds `files/`, `queries.jsonl` {"id","text"} and `qrels.tsv` (query, "file.pdf#page=N", relevance).
"""

import argparse
import json
import os
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

ABSENT = (
    "How do I replace the toner of the office printer?",
    "What is the capital of Mongolia?",
    "Which colour are the company's delivery vans?",
)


@dataclass(frozen=True)
class Asked:
    """One answer and how it was judged; times in s."""

    question: str
    answer: dict[str, Any]
    document: bool
    page: bool
    first_token: float
    total: float


def main() -> None:
    """Upload, wait, ask, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--questions", type=int, default=10)
    parser.add_argument("--collection", default="Benchmark")
    options = parser.parse_args()
    key = os.environ["BENCH_KEY"]
    with httpx.Client(
        base_url=f"{options.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=600, trust_env=False
    ) as client:
        names = _ingest(client, options.folder / "files", options.collection)
        gold = _gold(options.folder / "qrels.tsv")
        queries = [json.loads(line) for line in (options.folder / "queries.jsonl").read_text().splitlines()]
        step = max(1, len(queries) // options.questions)
        asked = [
            _ask(client, query["text"], gold[query["id"]], names) for query in queries[::step][: options.questions]
        ]
        refused = [_ask(client, question, set(), names) for question in ABSENT]
    _print(asked, refused)


def _ingest(client: httpx.Client, folder: Path, collection: str) -> dict[str, str]:
    """File names by document id, once all are settled."""
    found = [c for c in client.get("/collections").json()["items"] if c["name"] == collection]
    target = found[0] if found else client.post("/collections", json={"name": collection}).json()
    started = time.perf_counter()
    documents = []
    for path in sorted(folder.iterdir()):
        with path.open("rb") as file:
            response = client.post(f"/collections/{target['id']}/documents", files={"file": (path.name, file)})
        response.raise_for_status()
        documents.append(response.json())
    names = {document["id"]: document["name"] for document in documents}
    waiting = dict(names)
    while waiting:
        for key in list(waiting):
            document = client.get(f"/documents/{key}").json()
            if document["state"] in {"ready", "failed"}:
                took = time.perf_counter() - started
                print(f"{took:7.1f} s  {document['state']:<7} {document['pages']} pages  {document['name']}")
                del waiting[key]
        time.sleep(0.2)
    return names


def _gold(path: Path) -> dict[str, set[str]]:
    gold = defaultdict(set)
    for line in path.read_text().splitlines()[1:]:
        query, target, _ = line.split("\t")
        gold[query].add(target)
    return gold


def _ask(client: httpx.Client, question: str, gold: set[str], names: dict[str, str]) -> Asked:
    started, first, answer = time.perf_counter(), 0.0, {}
    with client.stream("POST", "/ask", json={"question": question, "stream": True}) as response:
        for name, data in _events(response):
            if name == "delta" and not first:
                first = time.perf_counter() - started
            if name in {"done", "error"}:
                answer = json.loads(data)
    cited = {(names.get(c["document_id"], "?"), c["page"]) for c in answer.get("citations", [])}
    return Asked(
        question=question,
        answer=answer,
        document=bool({name for name, _ in cited} & {target.partition("#")[0] for target in gold}),
        page=bool({f"{name}#page={page}" for name, page in cited} & gold),
        first_token=first,
        total=time.perf_counter() - started,
    )


def _events(response: httpx.Response) -> Iterator[tuple[str, str]]:
    name = ""
    for line in response.iter_lines():
        if line.startswith("event:"):
            name = line.removeprefix("event:").strip()
        elif line.startswith("data:"):
            yield name, line.removeprefix("data:").strip()


def _print(asked: list[Asked], refused: list[Asked]) -> None:
    print("\n doc  page  refused  first    total   question → answer")
    for entry in [*asked, *refused]:
        text = " ".join(str(entry.answer.get("answer", entry.answer)).split())
        print(
            f"  {'y' if entry.document else '·'}    {'y' if entry.page else '·'}      "
            f"{'y' if entry.answer.get('refused') else '·'}   {entry.first_token:6.1f} {entry.total:8.1f}   "
            f"{entry.question[:70]} → {text[:110]}"
        )
    answered = [entry for entry in asked if not entry.answer.get("refused")]
    print(
        f"\n{len(asked)} questions: right document {sum(e.document for e in asked)}, right page "
        f"{sum(e.page for e in asked)}, refused {len(asked) - len(answered)}; "
        f"{len(refused)} absent: refused {sum(bool(e.answer.get('refused')) for e in refused)}"
    )
    if answered:
        print(
            f"first token median {statistics.median(e.first_token for e in answered):.1f} s, "
            f"whole answer median {statistics.median(e.total for e in answered):.1f} s"
        )


if __name__ == "__main__":
    main()
