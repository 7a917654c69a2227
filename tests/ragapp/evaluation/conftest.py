"""A small question set on disk."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

PASSAGES = [
    {"id": "leave", "title": "Time off", "text": "Staff get 25 days of annual leave. Ask the manager."},
    {"id": "travel", "title": "Travel", "text": "Trains are booked in second class. Keep the receipts."},
    {"id": "ticket", "title": "", "text": "Error code AX-4711 means that the badge reader lost its server."},
]
QUERIES: list[dict[str, object]] = [
    {"id": "q1", "text": "How many days of annual leave do staff get?", "split": "test", "answers": ["25 days"]},
    {"id": "q2", "text": "second class trains", "split": "test"},
    {"id": "q3", "text": "AX-4711", "split": "dev"},
    {"id": "q4", "text": "Who is the king of France?", "split": "test", "unanswerable": True},
]
QRELS = "query-id\tcorpus-id\tscore\nq1\tleave\t1\nq2\ttravel\t1\nq3\tticket\t1\n"


def write_lines(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """corpus.jsonl, queries.jsonl and qrels.tsv."""
    root = tmp_path / "merrowby"
    root.mkdir()
    write_lines(root / "corpus.jsonl", PASSAGES)
    write_lines(root / "queries.jsonl", QUERIES)
    (root / "qrels.tsv").write_text(QRELS)
    return root
