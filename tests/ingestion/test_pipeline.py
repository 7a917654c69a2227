"""A file becomes chunks with vectors, and the app may pause between batches."""

from pathlib import Path

import pytest

from ingestion.config import IngestionConfig
from ingestion.embedding.hashing import HashingEmbedder
from ingestion.errors import NoTextError
from ingestion.parsing.sniff import MARKDOWN
from ingestion.pipeline import PreparedDocument, Step, embedded_text, prepare

TEXT = "# Leave\n\n" + "\n\n".join(
    f"Paragraph {number} about leave. " + "More words follow here. " * 12 for number in range(90)
)


@pytest.fixture
def config(tmp_path: Path) -> IngestionConfig:
    return IngestionConfig(files_dir=tmp_path, index_dir=tmp_path, chunk_tokens=60, chunk_overlap_tokens=8)


def prepared(
    folder: Path, config: IngestionConfig, events: list[str], text: str = TEXT, title: str = ""
) -> PreparedDocument:
    path = folder / "stored-under-another-name"
    path.write_text(text)
    return prepare(
        path,
        name="Leave policy.md",
        title=title,
        config=config,
        embedder=HashingEmbedder(),
        on_step=lambda step: events.append(step.value),
        wait_turn=lambda: events.append("turn"),
    )


def test_steps_are_told_as_they_begin_and_each_batch_waits_its_turn(tmp_path: Path, config: IngestionConfig) -> None:
    events: list[str] = []
    document = prepared(tmp_path, config, events)
    assert events[:3] == [Step.PARSING, Step.CHUNKING, Step.EMBEDDING]
    assert events[3:] == ["turn"] * -(-len(document.chunks) // 32)
    assert len(document.chunks) > 32


def test_chunks_carry_their_vector_and_what_it_was_made_of(tmp_path: Path, config: IngestionConfig) -> None:
    document = prepared(tmp_path, config, [])
    chunk = document.chunks[1]
    assert (document.media_type, document.title, document.pages) == (MARKDOWN, "Leave", None)
    assert chunk.search_text == embedded_text("Leave", "Leave", chunk.text)
    assert chunk.vector == HashingEmbedder().embed_query(chunk.search_text)


def test_given_title_wins_and_the_name_is_the_last_resort(tmp_path: Path, config: IngestionConfig) -> None:
    assert prepared(tmp_path, config, [], title="Mine").title == "Mine"
    assert prepared(tmp_path, config, [], text="words only").title == "Leave policy"


def test_a_file_of_marks_alone_is_no_text(tmp_path: Path, config: IngestionConfig) -> None:
    with pytest.raises(NoTextError):
        prepared(tmp_path, config, [], text="# \n---\n")


def test_embedded_text_says_where_and_what() -> None:
    assert embedded_text("Handbook", "Leave > Days", "Thirty.") == "Handbook > Leave > Days\nThirty."
    assert embedded_text("", "", "Thirty.") == "Thirty."
    assert embedded_text("x" * 999, "y", "Thirty.").endswith("\nThirty.")
    assert len(embedded_text("x" * 999, "y", "Thirty.")) < 200
