"""Arms on a small set, through the product's own pipeline with Qdrant Edge."""

from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.embedding.hashing import HashingEmbedder
from ragapp.evaluation import question_set, retrieval
from ragapp.evaluation.errors import EvaluationError
from ragapp.evaluation.retrieval import RetrievalReport

ARMS = {name: retrieval.ARMS[name] for name in ("dense", "bm25", "hybrid")}


def measured(folder: Path, tmp_path: Path, *, whole_passages: bool = False) -> RetrievalReport:
    return retrieval.evaluate(
        question_set.load(folder),
        arms=ARMS,
        config=IngestionConfig(files_dir=tmp_path / "none", index_dir=tmp_path / "untouched"),
        embedder=HashingEmbedder(),
        whole_passages=whole_passages,
        progress=lambda step, done, total: None,
    )


@pytest.mark.parametrize("whole_passages", [True, False])
def test_every_arm_is_judged_on_every_answerable_question(folder: Path, tmp_path: Path, whole_passages: bool) -> None:
    report = measured(folder, tmp_path, whole_passages=whole_passages)
    assert (report.questions, report.documents, report.chunks) == (3, 3, 3)
    assert [arm.arm for arm in report.arms] == list(ARMS)
    for arm in report.arms:
        assert set(arm.judged) == {"q1", "q2", "q3"}
        assert arm.found["q1"][0] == "leave"
        assert set(arm.latency_ms) == {"embed", "search", "check", "rank", "neighbours", "total"}
    assert [(each.first, each.second) for each in report.comparisons] == [
        ("dense", "bm25"), ("dense", "hybrid"), ("bm25", "hybrid"),
    ]  # fmt: skip
    assert not (tmp_path / "untouched").exists(), "the installation's own index is not used"


def test_a_wrong_ranking_is_judged_wrong(folder: Path, tmp_path: Path) -> None:
    (folder / "qrels.tsv").write_text("q1\tticket\t1\n")
    report = measured(folder, tmp_path)
    assert report.arms[2].measures["R@1"].value == 0.0
    assert report.questions == 1


def test_files_go_through_the_real_reading_and_are_known_by_page(folder: Path, tmp_path: Path) -> None:
    files = folder / "files" / "hr"
    files.mkdir(parents=True)
    (files / "leave.md").write_text("# Leave\n\nStaff get 25 days of annual leave.\n")
    (files / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    (folder / "qrels.tsv").write_text("q1\thr/leave.md\t1\n")
    report = measured(folder, tmp_path)
    assert report.arms[0].found["q1"] == ["hr/leave.md"]
    assert report.unread == {"hr/broken.pdf": "damaged_document"}


def test_a_set_without_a_relevant_target_is_no_measurement(folder: Path, tmp_path: Path) -> None:
    (folder / "qrels.tsv").write_text("q1\tleave\t0\n")
    with pytest.raises(EvaluationError, match="no question"):
        measured(folder, tmp_path)
